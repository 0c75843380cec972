// A program as part of an address: JSON, deflated, in base64url. Nothing of it is stored anywhere, and the part behind `#` is never sent.

import { byteText } from "./numbers.js";
import type { Language, SavedRequest, Snapshot } from "./objects.js";
import { programOfSnapshot } from "./programs.js";
import type { Program } from "./state.js";

/** What a link may unpack to. The server's own bound of a source is half of it; the rest is input and names. */
const UNPACKED_BYTES_MAX = 512 * 1024;

/** All that a link holds of a program, and all that the server keeps of one. */
export function snapshotOf(program: Program): Snapshot {
  const { language, starter, files, assets, stdin, kind, path, savedRequests } = program;
  const snapshot: Snapshot = { language, name: starter, files };
  if (Object.keys(assets).length > 0) snapshot.assets = assets;
  if (program.arguments !== "") snapshot.arguments = program.arguments;
  if (stdin !== "") snapshot.stdin = stdin;
  if (kind !== null) snapshot.kind = kind;
  if (path !== "/") snapshot.path = path;
  if (savedRequests.length > 0) snapshot.requests = savedRequests;
  return snapshot;
}

/** The error is a sentence: a link that would not open is none. */
export async function linkOf(program: Program): Promise<string> {
  const json = new Blob([JSON.stringify(snapshotOf(program))]);
  if (json.size > UNPACKED_BYTES_MAX)
    throw new Error(`It is too large for a link: ${byteText(json.size)} of ${byteText(UNPACKED_BYTES_MAX)}.`);
  const packed = json.stream().pipeThrough(new CompressionStream("deflate-raw"));
  const bytes = new Uint8Array(await new Response(packed).arrayBuffer());
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The program of a link. The error is a sentence for whoever opened it. */
export async function programOfLink(text: string, languages: Language[]): Promise<Program> {
  const shared = await unpacked(text).catch(() => {
    throw new Error("This link is damaged: a part of it is missing, or was changed on its way. Ask for it again.");
  });
  const language = languages.find(({ name }) => name === shared.language);
  if (language === undefined)
    throw new Error("This link holds a program in a language that this workshop does not have.");
  if (!isProgram(shared, language)) throw new Error("This link holds no program that this workshop can open.");
  const snapshot: Snapshot = {
    language: shared.language,
    name: textOf(shared.name).slice(0, 60),
    files: shared.files,
    assets: textsOf(shared.assets),
    arguments: textOf(shared.arguments),
    stdin: textOf(shared.stdin),
    path: textOf(shared.path),
    requests: requestsOf(shared.requests),
  };
  if (shared.kind === "command" || shared.kind === "service") snapshot.kind = shared.kind;
  return programOfSnapshot(language, snapshot, null);
}

async function unpacked(text: string): Promise<Snapshot> {
  const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const reader = stream.getReader();
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let json = "";
  for (let length = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > UNPACKED_BYTES_MAX) {
      await reader.cancel();
      throw new Error("too long");
    }
    json += decoder.decode(value, { stream: true });
  }
  const shared = JSON.parse(json + decoder.decode()) as Snapshot | null;
  if (typeof shared !== "object" || shared === null) throw new Error("no object");
  return shared;
}

function isProgram(shared: Snapshot, language: Language): boolean {
  const { files } = shared;
  if (typeof files !== "object" || files === null || !(language.main_file in files)) return false;
  return Object.values(files).every((text) => typeof text === "string");
}

function textsOf(value: unknown): Record<string, string> {
  const entries = typeof value === "object" && value !== null ? Object.entries(value) : [];
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}

function requestsOf(value: unknown): SavedRequest[] {
  const all: unknown[] = Array.isArray(value) ? value : [];
  return all.filter((one) => typeof one === "object" && one !== null).map((one) => requestOf(one as SavedRequest));
}

function requestOf({ name, method, path, headers, body, tests }: SavedRequest): SavedRequest {
  const pairs = Array.isArray(headers) ? headers.filter((pair) => Array.isArray(pair) && pair.length === 2) : [];
  return {
    name: textOf(name),
    method: textOf(method),
    path: textOf(path),
    headers: pairs.map(([header, text]) => [textOf(header), textOf(text)]),
    body: textOf(body),
    tests: textOf(tests),
  };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
