// The Problems panel: each thing the compiler found, with its place; a row, F8 and Shift+F8 lead to it.

import { placeText } from "./diagnostics.js";
import { byId, icon, make, replace, setText } from "./dom.js";
import { durationText } from "./numbers.js";
import type { Diagnostic, Note } from "./objects.js";
import { countErrors, currentProgram, type Program, type Workshop } from "./state.js";

const SHAPES: Record<Diagnostic["severity"], [shape: string, colour: string, word: string]> = {
  error: ["s-failed", "danger-text", "Error"],
  warning: ["s-warning", "warning-text", "Warning"],
  note: ["s-note", "info-text", "Note"],
};

export type Place = Pick<Note, "file" | "line" | "column">;

export function problemsView(
  goTo: (place: Place) => void,
  choose: (index: number) => void,
): (workshop: Workshop) => void {
  const panel = byId("problems");
  const count = byId("problem-count");
  let drawn: unknown[] = [];

  return (workshop) => {
    const program = currentProgram(workshop);
    const errors = countErrors(program.diagnostics);
    count.hidden = program.diagnostics.length === 0;
    count.classList.toggle("danger", errors > 0);
    setText(count, String(errors > 0 ? errors : program.diagnostics.length));
    const now = [program.diagnostics, workshop.problem, program.attempt?.phase, program.attempt?.sentence];
    if (now.every((value, index) => value === drawn[index])) return;
    const sameList = now[0] === drawn[0] && now[2] === drawn[2];
    drawn = now;
    if (sameList) markCurrent(panel, workshop.problem);
    else draw(panel, program, workshop, goTo, choose);
  };
}

function markCurrent(panel: HTMLElement, current: number): void {
  panel.querySelectorAll("button.problem-line").forEach((row, index) => {
    if (index === current) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
    if (index === current) row.scrollIntoView({ block: "nearest" });
  });
}

function draw(
  panel: HTMLElement,
  program: Program,
  workshop: Workshop,
  goTo: (place: Place) => void,
  choose: (index: number) => void,
): void {
  const attempt = program.attempt;
  const sentence = attempt?.phase === "failed" ? attempt.sentence : null;
  const list = make("ul", { class: "problems" });
  program.diagnostics.forEach((diagnostic, index) => {
    list.append(problemRow(diagnostic, index === workshop.problem, () => choose(index), goTo));
  });
  replace(
    panel,
    sentence !== null && make("p", { class: "banner danger" }, icon("s-failed"), make("span", {}, sentence)),
    program.diagnostics.length > 0 && list,
    program.diagnostics.length === 0 && sentence === null && make("p", { class: "empty" }, "No problems."),
    printed(program, workshop),
  );
}

function problemRow(
  diagnostic: Diagnostic,
  current: boolean,
  choose: () => void,
  goTo: (place: Place) => void,
): HTMLElement {
  const [shape, colour, word] = SHAPES[diagnostic.severity];
  const message = make("span", { class: "message" }, ...quoted(diagnostic.message));
  if (diagnostic.code !== null) message.append(" ", make("span", { class: "dim mono" }, diagnostic.code));
  const row = make(
    "button",
    { type: "button", class: "problem-line", "aria-current": current && "true" },
    icon(shape, colour),
    make("span", { class: "visually-hidden" }, `${word}: `),
    message,
    make("span", { class: "where" }, placeText(diagnostic)),
  );
  row.addEventListener("click", choose);
  const item = make("li", { class: "problem" }, row);
  for (const note of diagnostic.notes) item.append(noteRow(note, goTo));
  return item;
}

function noteRow(note: Note, goTo: (place: Place) => void): HTMLElement {
  const content = [
    icon("s-note"),
    make("span", { class: "message" }, ...quoted(note.message)),
    make("span", { class: "where" }, placeText(note)),
  ];
  const line = note.line;
  if (line === null || line === undefined) return make("div", { class: "related" }, ...content);
  const row = make("button", { type: "button", class: "related" }, ...content);
  row.addEventListener("click", () => goTo(note));
  return row;
}

/** What compilers put between quotes is code: 'length' or `length`, shown as such. Text nodes only. */
function quoted(message: string): (Node | string)[] {
  return message
    .split(/('[^'\n]+'|`[^`\n]+`)/)
    .filter((part) => part !== "")
    .map((part) => (/^(['`]).+\1$/s.test(part) ? make("code", {}, part.slice(1, -1)) : part));
}

function printed(program: Program, workshop: Workshop): HTMLElement | null {
  const build = program.attempt?.build;
  if (!build || build.output.trim() === "") return null;
  const version = workshop.languages.find((known) => known.name === program.language)?.version ?? program.language;
  const time = build.timings.build === null ? "" : `, ${durationText(build.timings.build)}`;
  const output = make(
    "pre",
    { class: "output", tabindex: 0, "aria-label": "As the compiler printed it" },
    build.output,
  );
  return make(
    "details",
    { class: "source-note" },
    make("summary", {}, `${version}${time}. `, make("span", { class: "link" }, "As the compiler printed it")),
    output,
  );
}
