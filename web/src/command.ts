// The right-hand side of a command: its arguments, its input, and what it printed.

import { byId, icon, make, replace, setText } from "./dom.js";
import { byteText } from "./numbers.js";
import {
  currentProgram,
  isBusy,
  isRunning,
  lastRun,
  limitText,
  type Program,
  type Run,
  trapText,
  type Workshop,
} from "./state.js";
import type { Store } from "./store.js";

export function commandView(store: Store<Workshop>, save: () => void, serve: () => void): (workshop: Workshop) => void {
  const argumentsField = byId<HTMLInputElement>("arguments");
  const stdin = byId<HTMLTextAreaElement>("stdin");
  let shown: Run | string | undefined;
  let program = "";
  byId("serve").addEventListener("click", serve);
  argumentsField.addEventListener("input", () => {
    store.update((workshop) => {
      currentProgram(workshop).arguments = argumentsField.value;
    });
    save();
  });
  stdin.addEventListener("input", () => {
    store.update((workshop) => {
      currentProgram(workshop).stdin = stdin.value;
    });
    save();
  });

  return (workshop) => {
    const now = currentProgram(workshop);
    if (argumentsField.value !== now.arguments) argumentsField.value = now.arguments;
    if (stdin.value !== now.stdin) stdin.value = now.stdin;
    setText(byId("stdin-bytes"), now.stdin === "" ? "" : byteText(new TextEncoder().encode(now.stdin).length));
    const run = now.runs.find((known) => known.id === now.selected) ?? noRun(now) ?? lastRun(now) ?? UNTOUCHED;
    byId<HTMLButtonElement>("serve").disabled = isBusy(now);
    if (run === shown && program === now.language) return;
    shown = run;
    program = now.language;
    drawOutput(run);
  };
}

const UNTOUCHED = "Press Run. What the program prints is shown here.";

/** Why there is no output of the last press of Run; `null` when there is. */
function noRun(program: Program): string | null {
  if (isRunning(program)) return "Running. What the program prints is shown when it has ended.";
  if (isBusy(program)) return "Building.";
  if (program.attempt?.phase !== "failed") return null;
  return program.attempt.cancelled ? "Cancelled before it ended." : "It was not run.";
}

function drawOutput(run: Run | string): void {
  const output = byId("output");
  const exit = byId("exit");
  if (typeof run === "string") {
    replace(output, make("span", { class: "err" }, run));
    replace(exit);
    return;
  }
  const { stdout, stderr, stdout_truncated, stderr_truncated } = run.result;
  const cut = stdout_truncated || stderr_truncated;
  replace(
    output,
    stdout,
    stderr !== "" && make("span", { class: "err" }, stderr),
    cut && make("span", { class: "warning-text" }, "\nThe rest was cut: the output reached its limit."),
    stdout === "" && stderr === "" && make("span", { class: "err" }, "It printed nothing."),
  );
  const [shape, colour, text] = ending(run);
  exit.className = `exit ${colour}`;
  replace(exit, icon(shape), text);
}

function ending(run: Run): [shape: string, colour: string, text: string] {
  const { exit_code, outcome } = run.result;
  if (exit_code !== null) return ["s-exited", exit_code === 0 ? "" : "warning-text", `exit ${exit_code}`];
  if (outcome.kind === "limited") return ["s-limited", "warning-text", limitText(outcome)];
  return ["s-trapped", "danger-text", trapText(outcome)];
}
