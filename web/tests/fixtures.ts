// Objects of the API as the tests need them: complete, with what matters given.

import type { Build, Deployment, Diagnostic, Outcome, RequestReport, Timings } from "../src/objects.js";
import { STAGES } from "../src/objects.js";
import { programOf } from "../src/programs.js";
import type { Attempt, Program } from "../src/state.js";

export function timings(known: Partial<Timings> = {}): Timings {
  const none = Object.fromEntries(STAGES.map((stage) => [stage, null])) as Timings;
  return { ...none, ...known };
}

export function program(changes: Partial<Program> = {}): Program {
  const language = { name: "c", display_name: "C", main_file: "main.c", available: true, version: null, reason: null };
  return { ...programOf(language, null), ...changes };
}

export function build(changes: Partial<Build> = {}): Build {
  return {
    id: "b1",
    language: "c",
    state: "building",
    position: 0,
    stage: "build",
    functions: null,
    timings: timings({ queue: 100 }),
    diagnostics: [],
    output: "",
    error: null,
    kind: null,
    wasm_bytes: null,
    artifact_bytes: null,
    created_at: "2026-11-25T01:31:39.000Z",
    ...changes,
  };
}

export function attempt(phase: Attempt["phase"], changes: Partial<Attempt> = {}): Attempt {
  return {
    phase,
    build: build(),
    sentence: null,
    stageSince: 0,
    cancelled: false,
    abort: new AbortController(),
    ...changes,
  };
}

export function deployment(changes: Partial<Deployment> = {}): Deployment {
  return {
    slug: "fern-k3v9",
    url: "http://fern-k3v9.localhost:7879/",
    path_url: "http://127.0.0.1:7879/_d/fern-k3v9/",
    revision: 7,
    revision_url: "http://fern-k3v9--r7.localhost:7879/",
    state: "live",
    kind: "service",
    language: "c",
    created_at: "2026-11-25T01:31:39.000Z",
    expires_at: "2026-11-26T01:31:39.000Z",
    timings: timings({ queue: 100, build: 62_400, load: 4.8 }),
    wasm_bytes: 36_000,
    artifact_bytes: 51_000,
    ...changes,
  };
}

export function request(
  id: number,
  outcome: Outcome = { kind: "finished" },
  changes: Partial<RequestReport> = {},
): RequestReport {
  return {
    id,
    slug: "fern-k3v9",
    revision: 7,
    time: `2026-11-25T01:31:39.${String(id).padStart(3, "0")}Z`,
    method: "GET",
    path: "/",
    status: 200,
    bytes: 100,
    outcome,
    timings: timings({ queue: 9, instantiate: 0.1, run: 1930, reset: 0.1 }),
    hostcalls: 31,
    setting: "fast",
    ...changes,
  };
}

export function diagnostic(changes: Partial<Diagnostic> = {}): Diagnostic {
  return {
    file: "main.c",
    line: 1,
    column: 1,
    end_line: null,
    end_column: null,
    severity: "error",
    code: null,
    message: "expected ';'",
    source: "clang",
    notes: [],
    ...changes,
  };
}
