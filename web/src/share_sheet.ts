// The sheet behind Share: a link that holds the program, in the clipboard already, and how to ask its deployment from a terminal.

import { append, byId, icon, make, replace, setText } from "./dom.js";
import { linkOf } from "./link.js";
import { byteText } from "./numbers.js";
import type { Program } from "./state.js";

export { programOfLink } from "./link.js";

/** Longer links are cut by some chat programs and mail readers. */
const LINK_UNITS_SAFE = 8000;

/** `begin` is what every link begins with. */
export async function showSheet(program: Program, begin: string): Promise<void> {
  const link = begin + (await linkOf(program));
  const copied = await copy(link);
  const field = make("input", { class: "mono", readonly: true, "aria-label": "Link", value: link });
  field.addEventListener("focus", () => field.select());
  const sheet = sheetWith(copied ? "Link copied" : "Share");
  append(sheet, [
    copyLine(field, "Copy the link", link),
    make(
      "p",
      { class: "shared" },
      `Private: the code is in the link, ${byteText(link.length)}; nothing is stored. Whoever has it can read, run and change a copy of this code.`,
    ),
    link.length > LINK_UNITS_SAFE &&
      make("p", { class: "shared warning-text" }, "The link is long: some mail and chat programs cut such links off."),
    ...terminal(program),
  ]);
  sheet.showModal();
  if (copied) setText(byId("announcer"), "Link copied");
}

export function showRefusal(sentence: string): void {
  const sheet = sheetWith("This link cannot be opened");
  append(sheet, [make("p", { class: "shared" }, sentence)]);
  sheet.showModal();
}

function sheetWith(title: string): HTMLDialogElement {
  const sheet = byId<HTMLDialogElement>("share-sheet");
  const close = make("button", { class: "quiet square", "aria-label": "Close" }, icon("i-close"));
  replace(
    sheet,
    make(
      "div",
      { class: "sheet-head" },
      make("h2", { id: "share-title" }, title),
      make("form", { method: "dialog" }, close),
    ),
  );
  sheet.onclick = (event) => {
    if (event.target === sheet) sheet.close();
  };
  return sheet;
}

/** The deployment asked by curl, in the form that needs no wildcard name. */
function terminal(program: Program): HTMLElement[] {
  const deployment = program.deployment;
  if (deployment === null || deployment.state === "expired") return [];
  const command = `curl '${deployment.path_url.replace(/\/$/, "")}${program.path.replaceAll("'", "%27")}'`;
  const shown = make("code", { class: "snippet", tabindex: 0 }, command);
  return [make("h3", {}, "From a terminal"), copyLine(shown, "Copy the curl command", command)];
}

function copyLine(shown: HTMLElement, label: string, text: string): HTMLElement {
  const button = make("button", { class: "button", type: "button", "aria-label": label }, icon("i-copy"), "Copy");
  button.addEventListener("click", () => {
    void copy(text).then((done) => setText(byId("announcer"), done ? "Copied" : "The browser did not allow copying"));
  });
  return make("div", { class: "copyline" }, shown, button);
}

async function copy(text: string): Promise<boolean> {
  return await navigator.clipboard.writeText(text).then(
    () => true,
    () => false,
  );
}
