// The strip under the bar and the Build panel: loading bar and receipt in one, always there, always to scale.

import { byId, make, replace } from "./dom.js";
import { byteText, durationText } from "./numbers.js";
import { STAGES, type Stage } from "./objects.js";
import {
  currentProgram,
  isBusy,
  isRunning,
  lastRun,
  nextRevision,
  type Program,
  pageState,
  problemsText,
  servedRevision,
  stageTimings,
  type Workshop,
} from "./state.js";
import { type Bar, barsOf, colourOf, type Present, scaleOf, stageRow, totalOf } from "./waterfall.js";

interface Chart {
  bars: Bar[];
  total: number;
  scale: number;
  note: string;
}

/** What the strip shows now; `null` before the first build. `clock` is `performance.now()`. */
export function chartOf(program: Program, clock: number): Chart | null {
  const attempt = program.attempt;
  const timings = stageTimings(program);
  const present = isBusy(program) ? presentOf(program, clock) : null;
  const failed = attempt?.phase === "failed";
  const bad = failed && !attempt.cancelled ? badStage(program) : null;
  if (present === null && bad === null && totalOf(timings) === 0) return null;
  const known = totalOf(timings);
  const total =
    known + Math.max(0, (present?.microseconds ?? 0) - (present === null ? 0 : (timings[present.stage] ?? 0)));
  const scale = scaleOf(total, program.lastTotal, present !== null, failed);
  return { bars: barsOf(timings, stagesOf(program), present, bad, scale), total, scale, note: noteOf(program) };
}

/** A stage that is over keeps its own number; only the one that is happening is timed here, since it was first heard of. */
function presentOf(program: Program, clock: number): Present | null {
  const attempt = program.attempt;
  if (attempt === null) return null;
  const started = program.kind === "command" ? "run" : "load";
  const stage = attempt.phase === "starting" ? started : (attempt.build?.stage ?? "queue");
  return { stage, microseconds: Math.max(0, clock - attempt.stageSince) * 1000 };
}

function badStage(program: Program): Stage | null {
  const build = program.attempt?.build;
  if (!build) return null;
  if (build.state === "ready") return program.kind === "command" ? "run" : "load";
  // It was built before, and failed: this time nothing but the queue was waited for.
  if (build.state === "failed" && build.timings.build === null) return "build";
  return build.stage ?? STAGES.findLast((stage) => build.timings[stage] !== null) ?? null;
}

/** Stages of a request are listed once there is one; those of a build always. */
function stagesOf(program: Program): Stage[] {
  const timings = stageTimings(program);
  const idle = !isBusy(program);
  return STAGES.filter((stage) => {
    if (stage === "load" || stage === "instantiate") return program.kind !== "command" || timings[stage] != null;
    if (stage === "run" && isRunning(program)) return true;
    if (stage === "run" || stage === "reset") return idle && timings[stage] != null;
    return true;
  });
}

function noteOf(program: Program): string {
  if (isBusy(program)) return "so far";
  if (program.attempt?.phase === "failed")
    return program.attempt.cancelled ? "until it was cancelled" : "to the first error";
  if (program.kind === "command") return "Run to exit";
  return program.requests.length > 0 ? "Run to answer" : "Run to live";
}

/** What a stage of the build did, as far as the build says. */
function whatOf(program: Program, stage: Stage, language: string): string {
  const build = program.attempt?.build;
  const source = program.deployment;
  const wasm = build?.wasm_bytes ?? source?.wasm_bytes;
  const artifact = build?.artifact_bytes ?? source?.artifact_bytes;
  const functions = build?.functions;
  switch (stage) {
    case "queue":
      return build && build.position > 1 ? `${build.position - 1} ahead` : "no one ahead";
    case "build":
      return [
        build?.state === "failed" && build.timings.build === null ? "as it was built before" : language,
        problemsText(program) || (wasm ? `${byteText(wasm)} of wasm` : ""),
      ]
        .filter(Boolean)
        .join(", ");
    case "codegen":
      return functions ? `${functions.done} of ${functions.total} functions` : "";
    case "link":
      return artifact ? `artifact of ${byteText(artifact)}` : "";
    case "instantiate":
      return "a slot of its own";
    case "run":
      if (isRunning(program)) return "the program";
      return program.kind === "command" ? `exit ${lastRun(program)?.result.exit_code ?? "none"}` : "the last request";
    default:
      return "";
  }
}

/** Why a stage has no time: its turn has not come, or it was not needed. */
function idleText(program: Program): string {
  return isBusy(program) || program.attempt?.phase === "failed" ? "" : "as it was made before";
}

function footOf(program: Program, chart: Chart): string {
  const served = servedRevision(program);
  if (program.kind === "command" && program.attempt?.phase !== "done") return "";
  if (isBusy(program))
    return served === null ? "" : `${nextRevision(program)} is being made. ${served} keeps answering.`;
  if (program.attempt?.phase === "failed")
    return served === null ? "Nothing was deployed." : `Nothing was deployed. ${served} keeps answering.`;
  if (program.kind === "command") return "It imports WASI alone and answers no HTTP, so it runs as a command.";
  return `${durationText(chart.total)} in all, from Run to the last answer.`;
}

export function stripView(store: { state: Workshop }): (workshop: Workshop) => void {
  const strip = byId("strip");
  const panel = byId("build");
  let frame = 0;
  let drawn = "";

  function draw(): void {
    const workshop = store.state;
    const program = currentProgram(workshop);
    const chart = chartOf(program, performance.now());
    const version = workshop.languages.find((known) => known.name === workshop.language)?.version ?? "";
    const text = JSON.stringify([workshop.language, chart, pageState(program), program.deployment?.revision]);
    if (text !== drawn) {
      drawn = text;
      drawStrip(strip, chart);
      drawPanel(panel, program, chart, version);
    }
    if (isBusy(program) && frame === 0) frame = requestAnimationFrame(again);
  }

  function again(): void {
    frame = 0;
    draw();
  }

  return draw;
}

function drawStrip(strip: HTMLElement, chart: Chart | null): void {
  if (chart === null) {
    replace(
      strip,
      make(
        "div",
        { class: "strip-empty" },
        "Nothing built yet. ",
        make("span", { class: "wide" }, "While a program is built, each stage is drawn here, to scale."),
      ),
    );
    return;
  }
  const scale = make("div", { class: "scale", "aria-hidden": "true" });
  const stages = make("ol", { class: "stages" });
  // Of a program that was built before, the stages that were not needed again have no time: the strip leaves them out.
  const growing = chart.bars.some((bar) => bar.state === "now" || bar.state === "bad");
  for (const bar of chart.bars) {
    if (bar.microseconds === null && !growing) continue;
    if (bar.microseconds !== null) {
      const piece = make("i", { class: `${colourOf(bar.stage)} ${bar.state}` });
      piece.style.setProperty("--w", `${bar.width.toFixed(3)}%`);
      scale.append(piece);
    }
    stages.append(stageItem(bar));
  }
  const total = make(
    "span",
    { class: "total" },
    make("b", {}, durationText(chart.total)),
    make("span", { class: "wide" }, ` ${chart.note}`),
  );
  replace(strip, make("div", { class: "timeline" }, scale, stages, total));
}

function stageItem(bar: Bar): HTMLLIElement {
  const item = make("li", { class: bar.state === "done" ? "" : bar.state });
  if (bar.microseconds === null) item.append(bar.stage);
  else
    item.append(
      make("i", { class: `key ${colourOf(bar.stage)}` }),
      `${bar.stage} `,
      make("b", {}, durationText(bar.microseconds)),
    );
  return item;
}

function drawPanel(panel: HTMLElement, program: Program, chart: Chart | null, version: string): void {
  if (chart === null) {
    replace(panel, make("p", { class: "empty" }, "Each stage is listed here while it happens, with its time."));
    return;
  }
  const list = make("ol", { class: "waterfall" });
  for (const bar of chart.bars)
    list.append(stageRow(bar, bar.state === "todo" ? idleText(program) : whatOf(program, bar.stage, version)));
  replace(panel, list, make("p", { class: "foot" }, footOf(program, chart)));
}
