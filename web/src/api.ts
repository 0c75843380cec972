// The calls of `/api/v1` that the page makes. An answer that is a problem becomes an `ApiError` whose message a person can act on.

import type { Build, Deployment, Diagnostic, Files, Kind, Language, Problem, RunResult, Starter } from "./objects.js";

export class ApiError extends Error {
  readonly status: number;
  readonly problem: Problem | null;

  constructor(status: number, message: string, problem: Problem | null) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.problem = problem;
  }
}

/** Nothing answered at all. */
export class Unreachable extends Error {
  constructor(isLate = false) {
    const what = isLate ? "The server did not answer in time." : "The server cannot be reached.";
    super(`${what} What you typed is kept in this browser; try again when it is back.`);
    this.name = "Unreachable";
  }
}

/** What any call may take, in milliseconds: longer than the server holds one, with its queue and a build. */
const CALL_MS_MAX = 90_000;

interface Call {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  body?: unknown;
  token?: string | null;
  /** The snapshot that the change began with. */
  ifMatch?: string;
  signal?: AbortSignal;
  timeout_ms?: number;
}

export async function call<Answer>(
  path: string,
  { method = "GET", body, token, ifMatch, signal, timeout_ms = CALL_MS_MAX }: Call = {},
): Promise<Answer> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (ifMatch !== undefined) headers["If-Match"] = `"${ifMatch}"`;
  if (token) headers.Authorization = `Bearer ${token}`;
  const late = AbortSignal.timeout(timeout_ms);
  const response = await fetch(`/api/v1${path}`, {
    method,
    headers,
    body: body === undefined ? null : JSON.stringify(body),
    signal: signal === undefined ? late : AbortSignal.any([late, signal]),
  }).catch(() => {
    throw new Unreachable(late.aborted);
  });
  if (!response.ok) throw await problemOf(response);
  if (response.status === 204) return null as Answer;
  return await response.json().catch(() => {
    throw new Unreachable(late.aborted);
  });
}

async function problemOf(response: Response): Promise<ApiError> {
  const problem = (await response.json().catch(() => null)) as Problem | null;
  const sentence = problem?.detail ?? problem?.title ?? `The server answered ${response.status}.`;
  return new ApiError(response.status, sentence, problem);
}

export async function languages(): Promise<Language[]> {
  return (await call<{ languages: Language[] }>("/languages")).languages;
}

export async function starters(): Promise<Starter[]> {
  return (await call<{ starters: Starter[] }>("/starters")).starters;
}

export function limits(): Promise<Record<string, number>> {
  return call("/limits");
}

/** `kind` overrules what the program looks like to the server. What compiling leaves makes the next build with this token quicker. */
export function createBuild(language: string, files: Files, kind: Kind | null, token: string | null): Promise<Build> {
  const body = kind === null ? { language, files } : { language, files, kind };
  return call("/builds", { method: "POST", body, token });
}

/** What is wrong with a program, without building it. */
export async function check(language: string, files: Files, signal: AbortSignal): Promise<Diagnostic[]> {
  const body = { language, files };
  return (await call<{ diagnostics: Diagnostic[] }>("/check", { method: "POST", body, signal })).diagnostics;
}

export function build(id: string): Promise<Build> {
  return call(`/builds/${encodeURIComponent(id)}`);
}

export function cancelBuild(id: string): Promise<unknown> {
  return call(`/builds/${encodeURIComponent(id)}`, { method: "DELETE" });
}

/** With the slug and token of one that exists, its next revision. */
export function deploy(buildId: string, assets: Files, slug: string | null, token: string | null): Promise<Deployment> {
  const of = { build_id: buildId, assets };
  const body = slug !== null && token !== null ? { ...of, slug } : of;
  return call("/deployments", { method: "POST", body, token });
}

export function deployment(slug: string): Promise<Deployment> {
  return call(`/deployments/${encodeURIComponent(slug)}`);
}

/** Lives for `ttlSeconds` from now on. */
export function keep(slug: string, token: string | null, ttlSeconds: number): Promise<Deployment> {
  return call(`/deployments/${encodeURIComponent(slug)}`, {
    method: "PATCH",
    body: { ttl_seconds: ttlSeconds },
    token,
  });
}

export function run(
  buildId: string,
  assets: Files,
  args: string[],
  stdin: string,
  signal: AbortSignal | null,
): Promise<RunResult> {
  const body = { build_id: buildId, assets, args, stdin };
  return call("/runs", signal === null ? { method: "POST", body } : { method: "POST", body, signal });
}

const HEALTH_MS_MAX = 10_000;

export async function isHealthy(): Promise<boolean> {
  return await fetch("/healthz", { signal: AbortSignal.timeout(HEALTH_MS_MAX) }).then(
    (response) => response.ok,
    () => false,
  );
}
