// The objects of `/api/v1`, as they travel. Times of stages are microseconds, points in time RFC 3339 in UTC.

export const STAGES = [
  "queue",
  "build",
  "validate",
  "translate",
  "codegen",
  "link",
  "load",
  "instantiate",
  "run",
  "reset",
] as const;
export type Stage = (typeof STAGES)[number];
export type Timings = Record<Stage, number | null>;

export type Kind = "service" | "command";
export type Files = Record<string, string>;

/** A request that is kept with a program, and what its answer must be like: assertions, one a line. */
export interface SavedRequest {
  name: string;
  method?: string;
  path?: string;
  headers?: [name: string, value: string][];
  body?: string;
  tests?: string;
}

/** A program with every setting, as shares and fiddles keep it. What is empty is left out. */
export interface Snapshot {
  language: string;
  files: Files;
  /** Files that no compiler reads, in base64. */
  assets?: Files;
  name?: string;
  kind?: Kind;
  arguments?: string;
  stdin?: string;
  path?: string;
  requests?: SavedRequest[];
}

/** A snapshot under the address of its content. It never changes. */
export interface Share extends Snapshot {
  id: string;
  url: string;
  bytes: number;
  created_at: string;
  owner_token?: string;
}

/** A program that goes on, at one of its revisions. */
export interface Fiddle extends Snapshot {
  id: string;
  url: string;
  revision: number;
  newest_revision: number;
  revision_url: string;
  share_id: string;
  share_url: string;
  bytes: number;
  forked_from?: string;
  created_at: string;
  revised_at: string;
  owner_token?: string;
}

export interface Language {
  name: string;
  display_name: string;
  main_file: string;
  available: boolean;
  version: string | null;
  reason: string | null;
}

export interface Starter {
  name: string;
  language: string;
  kind: Kind;
  description: string;
  files: Files;
  /** What a command may be given to read. */
  stdin?: string;
}

export interface Note {
  message: string;
  file?: string | null;
  line?: number | null;
  column?: number | null;
}

/** Lines and columns count from 1, columns in UTF-16 code units. A message of the linker has no place. */
export interface Diagnostic {
  file: string | null;
  line: number | null;
  column: number | null;
  end_line: number | null;
  end_column: number | null;
  severity: "error" | "warning" | "note";
  code: string | null;
  message: string;
  source: string;
  notes: Note[];
}

export interface Build {
  id: string;
  language: string;
  state: "queued" | "building" | "failed" | "ready";
  position: number;
  stage: Stage | null;
  functions: { done: number; total: number } | null;
  timings: Timings;
  diagnostics: Diagnostic[];
  output: string;
  error: string | null;
  kind: Kind | null;
  wasm_bytes: number | null;
  artifact_bytes: number | null;
  created_at: string;
}

export interface Deployment {
  slug: string;
  url: string;
  path_url: string;
  revision: number;
  revision_url: string;
  state: "live" | "trapped" | "limited" | "expired";
  kind: Kind;
  language: string;
  created_at: string;
  expires_at: string;
  timings: Timings;
  wasm_bytes: number | null;
  artifact_bytes: number | null;
  owner_token?: string;
}

export interface Place {
  file: string;
  line: number;
  /** 0 where it is not known. */
  column: number;
}

export interface Frame {
  function: string | null;
  wasm_offset: number | null;
  place: Place | null;
}

export interface Trap extends Frame {
  kind: string;
  message: string;
  frames: Frame[];
}

export interface Outcome {
  kind: "finished" | "exited" | "trapped" | "limited" | "failed";
  exit_code?: number | null;
  trap?: Trap | null;
  limit?: { name: string; message: string } | null;
  message?: string | null;
}

export interface RequestReport {
  id: number;
  slug: string;
  revision: number;
  time: string;
  method: string;
  path: string;
  status: number;
  bytes: number;
  outcome: Outcome;
  timings: Timings;
  hostcalls: number;
  setting: "fast" | "best";
}

export interface LogLine {
  id: number;
  slug: string;
  revision: number;
  request_id: number | null;
  time: string;
  stream: "stderr" | "stdout" | "vivarium";
  text: string;
}

export interface RunResult {
  exit_code: number | null;
  stdout: string;
  stderr: string;
  stdout_truncated: boolean;
  stderr_truncated: boolean;
  outcome: Outcome;
  timings: Timings;
}

/** `application/problem+json`. `detail` is a sentence that a person can act on. */
export interface Problem {
  title: string;
  status: number;
  detail: string;
  limit?: string;
  build?: Build;
}
