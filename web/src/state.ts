// What the page knows, and the one state machine that it shares with the API and the command line.
//
//   ready ─► queued ─► building ─┬─► failed ─► queued …            the old revision goes on answering
//                                ├─► live ◄─► trapped, limited     told of the last request; the deployment still answers
//                                │     └───► expired ─► queued …   (Deploy again)
//                                └─► exited, trapped, limited      a command has ended

import { countText, roundText } from "./numbers.js";
import type {
  Build,
  Deployment,
  Diagnostic,
  Files,
  Kind,
  Language,
  Outcome,
  Place,
  RequestReport,
  RunResult,
  SavedRequest,
  Starter,
  Timings,
} from "./objects.js";
import type { Row } from "./rows.js";

export type PageState =
  | "ready"
  | "queued"
  | "building"
  | "failed"
  | "live"
  | "trapped"
  | "limited"
  | "exited"
  | "expired";

/** One press of Run, from the click to what came of it. */
export interface Attempt {
  phase: "sending" | "building" | "starting" | "failed" | "done";
  build: Build | null;
  /** Why nothing came of it, where no diagnostic says so. */
  sentence: string | null;
  /** `performance.now()` when the present stage was first heard of. */
  stageSince: number;
  cancelled: boolean;
  /** Ends the call that a command's run is. */
  abort: AbortController;
}

/** One ended run of a command. */
export interface Run {
  id: number;
  time: string;
  arguments: string;
  stdinBytes: number;
  result: RunResult;
}

/** Where the server keeps a program. */
export interface Stored {
  /** The fiddle that it is a revision of; none for a share that was opened by itself. */
  fiddle: string | null;
  revision: number;
  /** The snapshot that it began as. */
  share: string;
}

/** What was typed in one language, and what became of it. */
export interface Program {
  language: string;
  /** What it is called: the name of the starter it began as, until it is given another. */
  starter: string;
  files: Files;
  /** Files that no compiler reads, in base64. */
  assets: Files;
  activeFile: string;
  arguments: string;
  stdin: string;
  kind: Kind | null;
  slug: string | null;
  /** Path and query that the preview shows. */
  path: string;
  /** The files as they were when the present revision was made, to say that the text is newer. */
  deployedFiles: string | null;
  attempt: Attempt | null;
  deployment: Deployment | null;
  /** The revision that answers was made by another tab or by the command line. */
  elsewhere: boolean;
  /** Of the last build, or of a check of what was typed since. */
  diagnostics: Diagnostic[];
  rows: Row[];
  /** Grows with every change of `rows`. */
  rowsVersion: number;
  /** How many rows went because there were too many. */
  rowsLeftOut: number;
  requests: RequestReport[];
  /** Requests to send again, with what their answers must be like. */
  savedRequests: SavedRequest[];
  stored: Stored | null;
  runs: Run[];
  selected: number | null;
  /** Sum of the stages of the last build that went through: the strip's scale while the next one grows. */
  lastTotal: number | null;
}

export type Panel = "problems" | "build" | "logs" | "tests";
export type Tab = "code" | "answer" | "logs";

export interface Workshop {
  languages: Language[];
  /** What each language begins with, and others when they were asked for. */
  starters: Starter[];
  ttlSeconds: number;
  language: string;
  programs: Record<string, Program>;
  panel: Panel;
  tab: Tab;
  online: boolean;
  /** The deployment that the address named, where this browser does not have its code. */
  missingSlug: string | null;
  /** Name of the program that was put aside for the one that is shown. */
  putAside: string | null;
  /** Index of the problem that is told in the text; -1 for none. */
  problem: number;
  /** Grows when the preview is to be asked again. */
  previewVersion: number;
}

export function currentProgram(workshop: Workshop): Program {
  const program = workshop.programs[workshop.language];
  if (program === undefined) throw new Error(`There is no program for ${workshop.language}.`);
  return program;
}

export function isBusy(program: Program): boolean {
  const phase = program.attempt?.phase;
  return phase === "sending" || phase === "building" || phase === "starting";
}

export function pageState(program: Program): PageState {
  switch (program.attempt?.phase) {
    case "sending":
      return "queued";
    case "building":
      return program.attempt.build?.state === "building" ? "building" : "queued";
    case "starting":
      return "building";
    case "failed":
      return "failed";
  }
  if (program.kind === "command") return runState(lastRun(program)?.result.outcome ?? null);
  return program.deployment?.state ?? "ready";
}

function runState(outcome: Outcome | null): PageState {
  switch (outcome?.kind) {
    case undefined:
      return "ready";
    case "exited":
    case "finished":
      return "exited";
    case "limited":
      return "limited";
    default:
      return "trapped";
  }
}

export function lastRun(program: Program): Run | null {
  return program.runs.at(-1) ?? null;
}

/** The program runs as a command, now. */
export function isRunning(program: Program): boolean {
  return program.attempt?.phase === "starting" && program.kind === "command";
}

/** What the right-hand side is about. */
export function viewOf(program: Program): "welcome" | "service" | "command" {
  if (program.kind === "command") return "command";
  return program.deployment === null ? "welcome" : "service";
}

export function countErrors(diagnostics: Diagnostic[]): number {
  return diagnostics.filter((diagnostic) => diagnostic.severity === "error").length;
}

/** "r7", where something answers. */
export function servedRevision(program: Program): string | null {
  const deployment = program.deployment;
  return deployment === null || deployment.state === "expired" ? null : `r${deployment.revision}`;
}

export function nextRevision(program: Program): string {
  return `r${(program.deployment?.revision ?? 0) + 1}`;
}

/** The text has changed since the revision that answers was made. */
export function isNewer(program: Program): boolean {
  return program.deployedFiles !== null && program.deployedFiles !== JSON.stringify(program.files);
}

/** The times to draw: the build's, the load's, and the last request's or run's. */
export function stageTimings(program: Program): Partial<Timings> {
  const attempt = program.attempt;
  if (attempt !== null && attempt.phase !== "done") return attempt.build?.timings ?? {};
  const built = attempt?.build?.timings;
  if (program.kind === "command") {
    const ran = lastRun(program)?.result.timings;
    return { ...built, ...present({ load: ran?.load ?? null }), ...ofRunning(ran) };
  }
  const deployment = program.deployment;
  if (deployment === null) return {};
  const request = program.requests.findLast((report) => report.revision === deployment.revision);
  return { ...built, ...present(deployment.timings), ...ofRunning(request?.timings) };
}

/** The stages of one request or run. Its time in the queue is not the build's, and is shown beside the request. */
function ofRunning(timings: Timings | undefined): Partial<Timings> {
  return timings === undefined
    ? {}
    : present({ instantiate: timings.instantiate, run: timings.run, reset: timings.reset });
}

function present(timings: Partial<Timings> | undefined): Partial<Timings> {
  const entries = Object.entries(timings ?? {}).filter(([, time]) => time !== null && time !== undefined);
  return Object.fromEntries(entries) as Partial<Timings>;
}

/** The last request that trapped or met a limit, while it is the last of all. */
export function lastOutcome(program: Program): Outcome | null {
  if (program.kind === "command") return lastRun(program)?.result.outcome ?? null;
  return program.requests.at(-1)?.outcome ?? null;
}

/** "integer divide by zero in frond at main.c:23"; in code without lines, the nearest caller that has some: ", called from main at main.c:40" */
export function trapText(outcome: Outcome): string {
  const trap = outcome.trap;
  if (trap === null || trap === undefined) return outcome.message ?? "the program stopped";
  const text = trap.function ? `${trap.message} in ${trap.function}` : trap.message;
  if (trap.place) return `${text} at ${placeText(trap.place)}`;
  const caller = trap.frames.find((frame) => frame.place !== null);
  return caller?.place ? `${text}, called from ${caller.function ?? "unnamed"} at ${placeText(caller.place)}` : text;
}

/** "main.c:23" */
export function placeText(place: Place): string {
  return `${place.file}:${place.line}`;
}

/** "16 MiB of memory used up", of what a request or run met. */
export function limitText(outcome: Outcome | null): string {
  return roundText(outcome?.limit?.message ?? "a limit was reached");
}

export function problemsText(program: Program): string {
  const errors = countErrors(program.attempt?.build?.diagnostics ?? []);
  return errors === 0 ? "" : countText(errors, "error");
}
