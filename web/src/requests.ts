// The Requests list, newest first, each with a bar on one scale, and the stages of the one that is chosen. Runs of a command likewise.

import { append, byId, icon, make, replace, setText } from "./dom.js";
import { byteText, clockText, countText, millisecondText, percentile } from "./numbers.js";
import type { Outcome, RequestReport, Stage, Timings } from "./objects.js";
import {
  currentProgram,
  limitText,
  type Program,
  placeText,
  type Run,
  trapText,
  viewOf,
  type Workshop,
} from "./state.js";
import { barsOf, stageRow, totalOf } from "./waterfall.js";

/** How many rows are drawn; more are kept for the figures. */
const DRAWN_MAX = 100;
export const REQUESTS_MAX = 1000;

const REQUEST_STAGES = ["queue", "instantiate", "run", "reset"] as const;
/** Of a run: what came before is the build's. */
const RUN_STAGES = ["load", "instantiate", "run", "reset"] as const;

/** What the list shows of a request or of a run of a command. */
interface Line {
  id: number;
  name: string;
  time: string;
  verb: string;
  path: string;
  status: string;
  revision: string;
  outcome: Outcome;
  stages: readonly Stage[];
  timings: Partial<Timings>;
  facts: string;
}

export function requestsView(select: (id: number) => void): (workshop: Workshop) => void {
  const list = byId("request-list");
  const detail = byId("request-detail");
  const note = byId("requests-note");
  let drawn = "";

  list.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const rows = [...list.querySelectorAll<HTMLButtonElement>("button")];
    const index = rows.indexOf(document.activeElement as HTMLButtonElement);
    const row = rows[Math.min(rows.length - 1, Math.max(0, index + (event.key === "ArrowDown" ? 1 : -1)))];
    event.preventDefault();
    row?.focus();
    row?.click();
  });

  return (workshop) => {
    const program = currentProgram(workshop);
    if (viewOf(program) === "welcome") return;
    const lines = linesOf(program);
    const chosen = lines.find((line) => line.id === program.selected) ?? lines[0] ?? null;
    const text = JSON.stringify([
      program.language,
      program.slug,
      viewOf(program),
      lines.length,
      lines[0]?.id,
      chosen?.id,
    ]);
    if (text === drawn) return;
    drawn = text;
    const scale = Math.max(...lines.slice(0, DRAWN_MAX).map((line) => totalOf(line.timings)), 1);
    const empty =
      program.kind === "command"
        ? "Each run is listed here, with its time in each stage."
        : "Each request is listed here, with its time in each stage.";
    const focused = list.contains(document.activeElement) && document.activeElement !== list;
    replace(list, lines.length === 0 && make("p", { class: "empty" }, empty));
    append(
      list,
      lines.slice(0, DRAWN_MAX).map((line) => lineRow(line, line === chosen, scale, () => select(line.id))),
    );
    if (focused) list.querySelector<HTMLButtonElement>("[aria-current]")?.focus();
    drawDetail(detail, chosen);
    drawNote(note, lines);
  };
}

function linesOf(program: Program): Line[] {
  const lines = program.kind === "command" ? program.runs.map(lineOfRun) : program.requests.map(lineOfRequest);
  return lines.reverse();
}

function lineOfRequest(report: RequestReport): Line {
  const { id, time, method, path, status, outcome, timings, bytes, hostcalls, setting } = report;
  const went = outcome.kind === "finished" || outcome.kind === "exited";
  const facts = [
    String(status),
    went ? byteText(bytes) : outcomeText(outcome),
    countText(hostcalls, "hostcall"),
    setting === "best" ? "optimised code" : "fast code",
  ].join(", ");
  return {
    id,
    name: `req-${id}`,
    time,
    verb: method,
    path,
    status: String(status),
    revision: `r${report.revision}`,
    outcome,
    stages: REQUEST_STAGES,
    timings,
    facts,
  };
}

function lineOfRun(run: Run): Line {
  const { outcome, timings, exit_code } = run.result;
  const path = [run.arguments === "" ? "no arguments" : run.arguments, `stdin ${byteText(run.stdinBytes)}`].join(" · ");
  const status = exit_code === null ? outcome.kind : `exit ${exit_code}`;
  return {
    id: run.id,
    name: `run-${run.id}`,
    time: run.time,
    verb: "",
    path,
    status,
    revision: "",
    outcome,
    stages: RUN_STAGES,
    timings: Object.fromEntries(RUN_STAGES.map((stage) => [stage, timings[stage]])),
    facts: exit_code === null ? outcomeText(outcome) : status,
  };
}

function outcomeText(outcome: Outcome): string {
  if (outcome.kind === "trapped") return `trapped: ${trapText(outcome)}`;
  if (outcome.kind === "limited") return `stopped: ${limitText(outcome)}`;
  return outcome.message ?? outcome.kind;
}

function shapeOf(outcome: Outcome): [shape: string, colour: string] | null {
  if (outcome.kind === "trapped") return ["s-trapped", "danger-text"];
  if (outcome.kind === "limited") return ["s-limited", "warning-text"];
  return outcome.kind === "failed" ? ["s-failed", "danger-text"] : null;
}

function lineRow(line: Line, current: boolean, scale: number, select: () => void): HTMLElement {
  const shape = shapeOf(line.outcome);
  const status = make("span", { class: `status ${shape?.[1] ?? ""}` }, shape && icon(shape[0]), line.status);
  const mini = make("span", { class: "mini", "aria-hidden": "true" });
  for (const bar of barsOf(line.timings, line.stages, null, shape === null ? null : "run", scale)) {
    if (bar.stage !== "run" && bar.stage !== "queue") continue;
    const mark = make("i", { class: `bar-time ${bar.stage === "queue" ? "t-outside" : "t-run"} ${bar.state}` });
    mark.style.setProperty("--x", `${bar.left.toFixed(2)}%`);
    mark.style.setProperty("--w", `${bar.width.toFixed(2)}%`);
    if (bar.stage === "run" || bar.width > 2) mini.append(mark);
  }
  const row = make(
    "button",
    { type: "button", class: "request", "aria-current": current && "true" },
    make("time", { datetime: line.time }, clockText(line.time)),
    make("span", { class: "req" }, line.name),
    make("span", { class: "verb" }, line.verb),
    make("span", { class: "path", title: line.path }, line.path),
    status,
    make("span", { class: "rev" }, line.revision),
    mini,
    make("span", { class: "ms" }, millisecondText(totalOf(line.timings))),
  );
  row.addEventListener("click", select);
  return row;
}

function drawDetail(detail: HTMLElement, line: Line | null): void {
  detail.hidden = line === null;
  if (line === null) return;
  const bad = shapeOf(line.outcome) === null ? null : "run";
  const list = make("ol", { class: "waterfall" });
  const scale = totalOf(line.timings);
  for (const bar of barsOf(line.timings, line.stages, null, bad, scale))
    list.append(stageRow(bar, whatOf(bar.stage, line)));
  replace(
    detail,
    make("h3", {}, `${line.name} `, make("span", { class: "dim" }, line.facts)),
    list,
    make("p", { class: "foot" }, ...footOf(line)),
  );
}

function whatOf(stage: string, line: Line): string {
  const { place, wasm_offset: offset } = line.outcome.trap ?? {};
  const failed = shapeOf(line.outcome) !== null;
  switch (stage) {
    case "queue":
      return "accept to dispatch";
    case "load":
      return "the code into memory";
    case "instantiate":
      return "a slot of its own";
    case "run":
      if (!failed) return "the program";
      if (place) return `stopped at ${placeText(place)}`;
      return offset === null || offset === undefined
        ? outcomeText(line.outcome)
        : `stopped at wasm 0x${offset.toString(16)}`;
    default:
      return failed ? "instance discarded" : "the slot as it was";
  }
}

function footOf(line: Line): (Node | string)[] {
  if (shapeOf(line.outcome) !== null) return ["No other request was affected: each has an instance of its own."];
  return [make("b", {}, millisecondText(totalOf(line.timings))), " in the server."];
}

function drawNote(note: HTMLElement, lines: Line[]): void {
  const bad = lines.filter((line) => shapeOf(line.outcome) !== null).length;
  const totals = lines.map((line) => totalOf(line.timings));
  note.classList.toggle("danger-text", bad > 0);
  if (lines.length === 0) setText(note, "");
  else if (bad > 0) setText(note, `${bad} of ${lines.length} stopped`);
  else
    setText(note, `p50 ${millisecondText(percentile(totals, 0.5))} · p99 ${millisecondText(percentile(totals, 0.99))}`);
}
