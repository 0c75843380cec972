// Stages as bars to scale: the arithmetic, and the list that draws it. What is too short to draw is a tick of 2 px with its number.

import { make } from "./dom.js";
import { durationText } from "./numbers.js";
import { STAGES, type Stage, type Timings } from "./objects.js";

export type StageState = "done" | "now" | "bad" | "todo";

export interface Bar {
  stage: Stage;
  state: StageState;
  microseconds: number | null;
  /** Where the bar begins and how wide it is, in percent of the scale. */
  left: number;
  width: number;
}

/** The stage that is happening, and for how long it has been heard of. */
export interface Present {
  stage: Stage;
  microseconds: number;
}

const COLOURS: Record<Stage, string> = {
  queue: "t-outside",
  build: "t-build",
  validate: "t-compile",
  translate: "t-compile",
  codegen: "t-compile",
  link: "t-compile",
  load: "t-run",
  instantiate: "t-run",
  run: "t-run",
  reset: "t-run",
};

export function colourOf(stage: Stage): string {
  return COLOURS[stage];
}

export function totalOf(timings: Partial<Timings>): number {
  return STAGES.reduce((sum, stage) => sum + (timings[stage] ?? 0), 0);
}

/** One bar for each of `stages`, one after the other. `scale` is what the whole width stands for, in microseconds. */
export function barsOf(
  timings: Partial<Timings>,
  stages: readonly Stage[],
  present: Present | null,
  bad: Stage | null,
  scale: number,
): Bar[] {
  let elapsed = 0;
  return stages.map((stage) => {
    const now = present?.stage === stage;
    const microseconds = now ? Math.max(present.microseconds, timings[stage] ?? 0) : (timings[stage] ?? null);
    const state = now ? "now" : stage === bad ? "bad" : microseconds === null ? "todo" : "done";
    const left = percent(elapsed, scale);
    const width = Math.min(percent(microseconds ?? 0, scale), 100 - left);
    elapsed += microseconds ?? 0;
    return { stage, state, microseconds, left, width };
  });
}

function percent(part: number, whole: number): number {
  return whole <= 0 ? 0 : Math.min(100, (part / whole) * 100);
}

/** The strip's scale while it grows: 110 ms or the last build's time, whichever is longer, and never less than what has passed. */
export const SCALE_LEAST_US = 110_000;

export function scaleOf(total: number, lastTotal: number | null, growing: boolean, failed: boolean): number {
  if (growing) return Math.max(SCALE_LEAST_US, lastTotal ?? 0, total);
  if (failed) return Math.max(lastTotal ?? 0, total);
  return total;
}

/** A row of a waterfall. `what` says what the stage did; the bar is for the eye, the number beside it for all. */
export function stageRow(bar: Bar, what: string): HTMLLIElement {
  const row = make("li", { class: bar.state === "done" ? "stage" : `stage ${bar.state}` });
  const track = make("span", { class: "stage-bar", "aria-hidden": "true" });
  if (bar.microseconds !== null) {
    const mark = make("i", { class: `bar-time ${COLOURS[bar.stage]} ${bar.state}` });
    mark.style.setProperty("--x", `${bar.left.toFixed(3)}%`);
    mark.style.setProperty("--w", `${bar.width.toFixed(3)}%`);
    track.append(mark);
  }
  const time = bar.microseconds === null ? "–" : durationText(bar.microseconds);
  row.append(
    make("span", { class: "stage-name" }, bar.stage),
    make("span", { class: "stage-what" }, what),
    track,
    make("span", { class: "stage-time" }, time),
  );
  return row;
}
