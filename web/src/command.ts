// The right-hand side of a command: its arguments, its input, and what it printed.

import { byId, icon, make, replace, setText } from "./dom.js";
import { byteText } from "./numbers.js";
import { currentProgram, lastRun, type Run, trapText, type Workshop } from "./state.js";
import type { Store } from "./store.js";

export function commandView(store: Store<Workshop>, save: () => void): (workshop: Workshop) => void {
  const argumentsField = byId<HTMLInputElement>("arguments");
  const stdin = byId<HTMLTextAreaElement>("stdin");
  let shown: Run | null | undefined;
  let program = "";
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
    const run = now.runs.find((known) => known.id === now.selected) ?? lastRun(now);
    if (run === shown && program === now.language) return;
    shown = run;
    program = now.language;
    drawOutput(run);
  };
}

function drawOutput(run: Run | null): void {
  const output = byId("output");
  const exit = byId("exit");
  if (run === null) {
    replace(output, make("span", { class: "err" }, "Press Run. What the program prints is shown here."));
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
  if (outcome.kind === "limited") return ["s-limited", "warning-text", outcome.limit?.message ?? "stopped at a limit"];
  return ["s-trapped", "danger-text", trapText(outcome)];
}
