// The status chip: a shape and a word for each state, and what is beside the word where there is room.

import { byId, icon, make, replace, setText } from "./dom.js";
import { durationText } from "./numbers.js";
import type { Build, Language } from "./objects.js";
import {
  currentProgram,
  isBusy,
  isRunning,
  lastOutcome,
  lastRun,
  limitText,
  type PageState,
  type Program,
  pageState,
  problemsText,
  servedRevision,
  trapText,
  type Workshop,
} from "./state.js";

export interface Chip {
  kind: "quiet" | "busy" | "live" | "done" | "warning" | "danger";
  shape: string;
  word: string;
  detail: string;
}

const KINDS: Record<PageState, Chip["kind"]> = {
  ready: "quiet",
  queued: "busy",
  building: "busy",
  live: "live",
  failed: "danger",
  trapped: "danger",
  limited: "warning",
  exited: "done",
  expired: "quiet",
};

export function chipOf(program: Program, language: Language | null): Chip {
  const state = pageState(program);
  const [word, detail] = words(state, program, language);
  const nonzero = state === "exited" && lastRun(program)?.result.exit_code !== 0;
  // Who cancels has what was asked for: nothing is wrong.
  if (program.attempt?.phase === "failed" && program.attempt.cancelled)
    return { kind: "quiet", shape: "i-stop", word, detail };
  return { kind: nonzero ? "warning" : KINDS[state], shape: `s-${state}`, word, detail };
}

function words(state: PageState, program: Program, language: Language | null): [string, string] {
  const outcome = lastOutcome(program);
  switch (state) {
    case "ready":
      return ["Ready", ""];
    case "queued": {
      // The place in the queue counts from 1.
      const ahead = (program.attempt?.build?.position ?? 0) - 1;
      return ["Waiting", ahead > 0 ? `, ${ahead} ahead` : ""];
    }
    case "building":
      return stageWords(program, language);
    case "live":
      return ["Live", ` ${servedRevision(program)}`];
    case "failed":
      return failedWords(program);
    case "trapped":
      return ["Trapped", outcome === null ? "" : `: ${trapText(outcome)}`];
    case "limited":
      return ["Stopped", `: ${limitText(outcome)}`];
    case "exited": {
      const result = lastRun(program)?.result;
      return [`Exit ${result?.exit_code ?? 0}`, ` after ${durationText(result?.timings.run ?? 0)}`];
    }
    case "expired":
      return ["Expired", ", the code is safe"];
  }
}

function stageWords(program: Program, language: Language | null): [string, string] {
  if (program.attempt?.phase === "starting") return [isRunning(program) ? "Running" : "Loading", ""];
  const build = program.attempt?.build;
  switch (build?.stage) {
    case "validate":
      return ["Validating", ""];
    case "translate":
      return ["Translating", ""];
    case "codegen": {
      const functions = build.functions;
      return ["Compiling", functions === null ? "" : ` ${functions.done} of ${functions.total} functions`];
    }
    case "link":
      return ["Linking", ""];
    default:
      return ["Building", language?.version ? ` with ${language.version}` : ""];
  }
}

function failedWords(program: Program): [string, string] {
  const attempt = program.attempt;
  const word = attempt?.cancelled ? "Cancelled" : failedWord(attempt?.build?.state);
  const parts = [problemsText(program), servedRevision(program) && `${servedRevision(program)} still live`];
  const detail = parts.filter(Boolean).join(", ");
  return [word, detail === "" ? "" : `: ${detail}`];
}

/** What failed: the build, what came after it, or the call itself. */
function failedWord(build: Build["state"] | undefined): string {
  if (build === "failed") return "Build failed";
  return build === "ready" ? "Not started" : "Not run";
}

/** What is said aloud: each state once, stages and counts not. */
export function announcement(program: Program, chip: Chip): string {
  if (!isBusy(program)) return `${chip.word}${chip.detail}`;
  if (isRunning(program)) return "Running";
  return pageState(program) === "queued" ? "Waiting" : "Building";
}

const OFFLINE: Chip = { kind: "warning", shape: "s-warning", word: "Server unreachable", detail: ", saved here" };

export function chipView(): (workshop: Workshop) => void {
  const place = byId("chip");
  const announcer = byId("announcer");
  let drawn = "";
  return (workshop) => {
    const program = currentProgram(workshop);
    const language = workshop.languages.find((known) => known.name === workshop.language) ?? null;
    const chip = workshop.online ? chipOf(program, language) : OFFLINE;
    const text = JSON.stringify(chip);
    if (text === drawn) return;
    drawn = text;
    const turning = chip.shape === "s-building" ? "turning" : "";
    const wide = make("span", { class: "wide" }, chip.detail);
    const full = chip.word + chip.detail;
    replace(
      place,
      make(
        "span",
        { class: "chip-state", "data-kind": chip.kind, title: full },
        icon(chip.shape, turning),
        chip.word,
        wide,
      ),
    );
    setText(announcer, workshop.online ? announcement(program, chip) : full);
  };
}
