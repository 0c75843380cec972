// Run, from the press to the answer: POST /builds, the build's events, then a deployment or a command's run.

import * as api from "./api.js";
import type { Build, Deployment, Kind } from "./objects.js";
import { keepOwnerToken, ownerToken, save } from "./programs.js";
import { insertRow } from "./rows.js";
import {
  type Attempt,
  currentProgram,
  isBusy,
  nextRevision,
  type Program,
  problemsText,
  servedRevision,
  type Workshop,
} from "./state.js";
import type { Store } from "./store.js";
import { totalOf } from "./waterfall.js";
import { splitArguments } from "./words.js";

/** Rows that the page itself adds to a program's log count down from here, so that no id of the server's is met. */
let ownRow = 0;

/** `kind` serves a program that looks like a command. */
export async function run(store: Store<Workshop>, kind: Kind | null = null): Promise<void> {
  const program = currentProgram(store.state);
  if (isBusy(program)) return;
  const attempt: Attempt = {
    phase: "sending",
    build: null,
    sentence: null,
    stageSince: performance.now(),
    cancelled: false,
    abort: new AbortController(),
  };
  const before = { attempt: program.attempt, diagnostics: program.diagnostics };
  store.update((workshop) => {
    program.attempt = attempt;
    program.diagnostics = [];
    program.selected = null;
    workshop.missingSlug = null;
    workshop.panel = "build";
    workshop.problem = 0;
  });
  try {
    const build = await api.createBuild(program.language, program.files, kind, ownerToken(program.slug));
    if (attempt.cancelled) await cancelQuietly(build.id);
    else heardBuild(store, program, build);
  } catch (error) {
    await stopped(store, program, attempt, error, before);
  }
}

/** A `build` event, or the answer of `POST /builds`. Events of an attempt that is over are not news. */
export function heardBuild(store: Store<Workshop>, program: Program, build: Build): void {
  const attempt = program.attempt;
  if (attempt === null || attempt.cancelled || (attempt.phase !== "sending" && attempt.phase !== "building")) return;
  if (attempt.build !== null && attempt.build.id !== build.id) return;
  store.update(() => {
    if (attempt.build?.stage !== build.stage) attempt.stageSince = performance.now();
    attempt.build = build;
    attempt.phase = "building";
    program.diagnostics = build.diagnostics;
    if (build.kind !== null) program.kind = build.kind;
  });
  if (build.state === "failed") failed(store, program, build.error, build);
  if (build.state === "ready") void start(store, program, attempt, build);
}

async function start(store: Store<Workshop>, program: Program, attempt: Attempt, build: Build): Promise<void> {
  store.update(() => {
    attempt.phase = "starting";
    attempt.stageSince = performance.now();
  });
  try {
    if (build.kind === "command") await runCommand(store, program, attempt, build);
    else await deployBuild(store, program, build);
  } catch (error) {
    await stopped(store, program, attempt, error, null);
  }
}

/** A call failed. A server that is gone has refused nothing: then the page is as it was `before` the attempt. */
async function stopped(
  store: Store<Workshop>,
  program: Program,
  attempt: Attempt,
  error: unknown,
  before: Pick<Program, "attempt" | "diagnostics"> | null,
): Promise<void> {
  const gone = error instanceof api.Unreachable && !attempt.cancelled && !(await api.isHealthy());
  if (program.attempt !== attempt || attempt.cancelled) return;
  if (!gone) return failed(store, program, sentenceOf(error), buildOf(error));
  store.update((workshop) => {
    Object.assign(program, before ?? { attempt: null });
    workshop.online = false;
  });
}

async function deployBuild(store: Store<Workshop>, program: Program, build: Build): Promise<void> {
  const files = JSON.stringify(program.files);
  const deployment = await deployAgain(program, build.id);
  if (deployment.owner_token !== undefined) keepOwnerToken(deployment.slug, deployment.owner_token);
  store.update((workshop) => {
    if (deployment.slug !== program.slug) forget(program);
    program.slug = deployment.slug;
    program.elsewhere = false;
    program.deployedFiles = files;
    finish(program, build);
    heardDeployment(program, deployment);
    workshop.previewVersion += 1;
    workshop.panel = program.diagnostics.length > 0 ? "problems" : "logs";
    if (workshop.tab === "code") workshop.tab = "answer";
  });
  save(program);
}

/** The next revision at the same URL; a new URL where the old one is unknown here or no longer ours. */
async function deployAgain(program: Program, buildId: string): Promise<Deployment> {
  try {
    return await api.deploy(buildId, program.assets, program.slug, ownerToken(program.slug));
  } catch (error) {
    const gone = error instanceof api.ApiError && [401, 403, 404, 410].includes(error.status);
    if (!gone || program.slug === null) throw error;
    return await api.deploy(buildId, program.assets, null, null);
  }
}

async function runCommand(store: Store<Workshop>, program: Program, attempt: Attempt, build: Build): Promise<void> {
  const line = program.arguments;
  const result = await api.run(build.id, program.assets, splitArguments(line), program.stdin, attempt.abort.signal);
  if (attempt.cancelled) return;
  store.update((workshop) => {
    const id = (program.runs.at(-1)?.id ?? 0) + 1;
    const stdinBytes = new TextEncoder().encode(program.stdin).length;
    program.runs.push({ id, time: new Date().toISOString(), arguments: line, stdinBytes, result });
    if (program.runs.length > RUNS_MAX) program.runs.shift();
    program.selected = id;
    finish(program, build);
    workshop.panel = program.diagnostics.length > 0 ? "problems" : "build";
    if (workshop.tab === "code") workshop.tab = "answer";
  });
  // That it is a command is known by now.
  save(program);
}

/** How many runs of a command the page keeps. */
const RUNS_MAX = 100;

function finish(program: Program, build: Build): void {
  if (program.attempt !== null) program.attempt.phase = "done";
  program.lastTotal = totalOf(build.timings);
}

/** A `deployment` event: what is served has changed, or its life has. */
export function heardDeployment(program: Program, deployment: Deployment): void {
  const known = program.deployment;
  if (known !== null && known.slug === deployment.slug && known.revision > deployment.revision) return;
  program.deployment = deployment;
  program.kind ??= deployment.kind;
}

/** A program whose deployment is another one now begins with empty panels. */
export function forget(program: Program): void {
  program.deployment = null;
  program.rows = [];
  program.rowsVersion += 1;
  program.rowsLeftOut = 0;
  program.elsewhere = false;
  program.requests = [];
  program.selected = null;
}

/** Nothing came of the attempt: what is served stays as it is. */
export function failed(store: Store<Workshop>, program: Program, sentence: string | null, build: Build | null): void {
  const attempt = program.attempt;
  if (attempt === null) return;
  store.update((workshop) => {
    attempt.phase = "failed";
    attempt.build = build ?? attempt.build;
    attempt.sentence = sentence;
    program.diagnostics = attempt.build?.diagnostics ?? [];
    workshop.panel = attempt.cancelled ? workshop.panel : "problems";
    workshop.problem = 0;
    logFailure(program);
  });
}

/** The third place that says what still answers, after the chip and the banner. */
function logFailure(program: Program): void {
  const served = servedRevision(program);
  const what = program.attempt?.cancelled ? "build cancelled" : "build failed";
  if (served === null || program.kind === "command") return;
  ownRow += 1;
  insertRow(program.rows, {
    key: `own-${ownRow}`,
    time: new Date().toISOString(),
    revision: Number(nextRevision(program).slice(1)),
    requestId: null,
    stream: "vivarium",
    text: [what, [problemsText(program), `${served} keeps answering`].filter(Boolean).join(", ")].join(": "),
    frames: [],
  });
  program.rowsVersion += 1;
}

export function cancel(store: Store<Workshop>): void {
  const program = currentProgram(store.state);
  const attempt = program.attempt;
  if (attempt === null || !isBusy(program)) return;
  // What is being deployed is there in the next moment: half of it cannot be taken back.
  if (attempt.phase === "starting" && program.kind !== "command") return;
  const building = attempt.phase === "building";
  attempt.cancelled = true;
  attempt.abort.abort();
  if (building && attempt.build !== null) void cancelQuietly(attempt.build.id);
  failed(store, program, null, null);
}

/** The build may have ended in the meantime: then there is nothing to cancel, and nothing to say. */
async function cancelQuietly(id: string): Promise<void> {
  await api.cancelBuild(id).catch(() => undefined);
}

/** Runs on from now for as long as a new one would. */
export async function keepDeployment(store: Store<Workshop>): Promise<void> {
  const program = currentProgram(store.state);
  if (program.slug === null) return;
  try {
    const deployment = await api.keep(program.slug, ownerToken(program.slug), store.state.ttlSeconds);
    store.update(() => heardDeployment(program, deployment));
  } catch (error) {
    const abort = new AbortController();
    const sentence = sentenceOf(error);
    store.update((workshop) => {
      if (error instanceof api.Unreachable) workshop.online = false;
      else program.attempt = { phase: "failed", build: null, sentence, stageSince: 0, cancelled: false, abort };
    });
  }
}

function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function buildOf(error: unknown): Build | null {
  return error instanceof api.ApiError ? (error.problem?.build ?? null) : null;
}
