// The address of what is deployed: URL and path form, copied by one click; how long it lives; what answers when a build does not.

import { urlOf } from "./address.js";
import { chipOf } from "./chip.js";
import { byId, icon, make, replace, setAttribute, setText } from "./dom.js";
import { byteText, countdownText } from "./numbers.js";
import type { Deployment } from "./objects.js";
import {
  currentProgram,
  isBusy,
  nextRevision,
  type Program,
  pageState,
  servedRevision,
  type Workshop,
} from "./state.js";

export interface DeploymentCommands {
  run(): void;
  keep(): void;
  reload(): void;
}

/** Under this the life of a deployment is a warning. */
const EXPIRING_MS = 120_000;

/** "http://", the slug, and what follows it up to the path. */
export function urlParts(url: string): [scheme: string, slug: string, host: string] {
  const { protocol, host } = new URL(url);
  const dot = host.indexOf(".");
  return dot < 0 ? [`${protocol}//`, host, ""] : [`${protocol}//`, host.slice(0, dot), host.slice(dot)];
}

export function addressView(commands: DeploymentCommands): (workshop: Workshop) => void {
  const path = byId<HTMLInputElement>("url-path");
  const state = byId("address-state");
  const pathUrl = byId<HTMLAnchorElement>("path-url");
  let shown: Deployment | null = null;
  copyOnClick("copy-url", () => byId<HTMLAnchorElement>("open-url").href);
  copyOnClick("copy-path-url", () => pathUrl.href);
  byId("reload").addEventListener("click", commands.reload);

  return (workshop) => {
    const program = currentProgram(workshop);
    const deployment = program.deployment;
    if (deployment === null) return;
    const chip = chipOf({ ...program, attempt: null }, null);
    if (shown === null || shown.url !== deployment.url || state.dataset.kind !== chip.kind) {
      state.dataset.kind = chip.kind;
      replace(state, icon(chip.shape), make("span", { class: "visually-hidden" }, chip.word));
      const [scheme, slug, host] = urlParts(deployment.url);
      setText(byId("url-scheme"), scheme);
      setText(byId("url-slug"), slug);
      setText(byId("url-host"), host);
      setText(pathUrl, deployment.path_url);
      pathUrl.href = deployment.path_url;
    }
    shown = deployment;
    if (document.activeElement !== path && path.value !== program.path) path.value = program.path;
    path.style.setProperty("--path-length", `${path.value.length + 1}ch`);
    setAttribute(byId("open-url"), "href", urlOf(deployment, program.path));
    drawAnswer(program);
  };
}

/** Status and size of the last answer to the path that is shown. */
function drawAnswer(program: Program): void {
  const note = byId("answer-note");
  const expired = program.deployment?.state === "expired";
  const report = expired ? undefined : program.requests.findLast((request) => request.path === program.path);
  setText(note, report === undefined ? "" : `${report.status} · ${byteText(report.bytes)}`);
  note.classList.toggle("danger-text", (report?.status ?? 200) >= 500);
}

export function expiryView(commands: DeploymentCommands): (workshop: Workshop) => void {
  const place = byId("expiry");
  const left = make("span", { class: "left" });
  const keep = make("button", { class: "link", type: "button" }, "Keep");
  keep.addEventListener("click", commands.keep);
  return (workshop) => {
    const deployment = currentProgram(workshop).deployment;
    if (deployment === null) return;
    const expired = deployment.state === "expired";
    const milliseconds = Date.parse(deployment.expires_at) - Date.now();
    place.classList.toggle("warning-text", !expired && milliseconds < EXPIRING_MS);
    setText(left, expired ? "" : countdownText(milliseconds));
    if (place.dataset.expired === String(expired)) return;
    place.dataset.expired = String(expired);
    replace(place, make("span", { class: "dim" }, expired ? "expired " : "expires in "), left, !expired && keep);
  };
}

function copyOnClick(id: string, text: () => string): void {
  const button = byId(id);
  button.addEventListener("click", () => {
    void navigator.clipboard.writeText(text()).then(() => {
      button.replaceChildren(icon("s-exited"));
      setText(byId("announcer"), "Copied");
      setTimeout(() => button.replaceChildren(icon("i-copy")), 1500);
    });
  });
}

/** Which revision answers, wherever it is not the one in the editor. */
export function bannerView(commands: DeploymentCommands): (workshop: Workshop) => void {
  const banner = byId("banner");
  let drawn = "";
  return (workshop) => {
    const program = currentProgram(workshop);
    const [kind, bold, rest, url] = bannerOf(program, workshop);
    const text = `${kind} ${bold}${rest}${url ?? ""}`;
    if (text === drawn) return;
    drawn = text;
    banner.hidden = kind === "";
    banner.className = `banner ${kind}`;
    const shape = kind === "danger" ? "s-failed" : kind === "warning" ? "s-warning" : "s-note";
    const again =
      pageState(program) === "expired" &&
      make("button", { class: "link", type: "button" }, "Deploy again at a new URL");
    if (again) again.addEventListener("click", commands.run);
    const link = url !== undefined && make("a", { href: url, target: "_blank", rel: "noopener" }, url);
    replace(banner, icon(shape), make("span", {}, make("b", {}, bold), rest, link), again);
  };
}

type Banner = [kind: "" | "info" | "danger" | "warning", bold: string, rest: string, url?: string];

function bannerOf(program: Program, { online, missingSlug }: Workshop): Banner {
  const served = servedRevision(program);
  if (!online)
    return [
      "warning",
      "The server cannot be reached.",
      " What you type is kept in this browser; the page connects again by itself.",
    ];
  if (missingSlug !== null) return ["info", "This browser does not have the code", ` of ${missingSlug}.`];
  if (program.kind === "command") return commandBanner(program, served);
  if (isBusy(program) && served !== null) {
    return ["info", `${served} answers`, ` until ${nextRevision(program)} is ready. No request is dropped in between.`];
  }
  if (program.attempt?.phase === "failed" && program.attempt.cancelled) {
    return ["info", "Cancelled.", served === null ? " Nothing is served yet." : ` ${served} keeps answering.`];
  }
  if (program.attempt?.phase === "failed") {
    if (served !== null)
      return [
        "danger",
        `Still ${served}.`,
        ` ${nextRevision(program)} was not made, so nothing that is served has changed.`,
      ];
    return ["danger", "Nothing is served yet.", " The problems are listed below the code."];
  }
  if (program.deployment?.state === "expired") {
    return ["info", "This URL has expired.", " The code is safe."];
  }
  if (program.elsewhere && served !== null)
    return ["info", `${served} came from elsewhere.`, " Another tab or the command line made it."];
  return ["", "", ""];
}

/** A command has no URL; the service that the program was before still has. */
function commandBanner({ deployment }: Program, served: string | null): Banner {
  if (deployment === null || served === null) return ["", "", ""];
  return ["info", `The service's ${served}`, " still answers at ", deployment.url];
}
