// A program as part of an address: JSON, deflated, in base64url. Nothing of it is stored anywhere, and the part behind `#` is never sent.

import type { Files, Kind, Language } from "./objects.js";
import { programOf } from "./programs.js";
import type { Program } from "./state.js";

/** What a link may unpack to. The server's own bound of a source is half of it; the rest is input and names. */
const UNPACKED_BYTES_MAX = 512 * 1024;

interface Shared {
  language: string;
  name: string;
  files: Files;
  arguments?: string;
  stdin?: string;
  kind?: Kind;
  path?: string;
}

export async function linkOf(program: Program): Promise<string> {
  const { language, starter, files, stdin, kind, path } = program;
  const shared: Shared = { language, name: starter, files };
  if (program.arguments !== "") shared.arguments = program.arguments;
  if (stdin !== "") shared.stdin = stdin;
  if (kind !== null) shared.kind = kind;
  if (path !== "/") shared.path = path;
  const packed = new Blob([JSON.stringify(shared)]).stream().pipeThrough(new CompressionStream("deflate-raw"));
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
  return {
    ...programOf(language, null),
    starter: textOf(shared.name).slice(0, 60) || "untitled",
    files: shared.files,
    arguments: textOf(shared.arguments),
    stdin: textOf(shared.stdin),
    kind: shared.kind === "command" || shared.kind === "service" ? shared.kind : null,
    path: textOf(shared.path).startsWith("/") ? textOf(shared.path) : "/",
  };
}

async function unpacked(text: string): Promise<Shared> {
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
  const shared = JSON.parse(json + decoder.decode()) as Shared | null;
  if (typeof shared !== "object" || shared === null) throw new Error("no object");
  return shared;
}

function isProgram(shared: Shared, language: Language): boolean {
  const { files } = shared;
  if (typeof files !== "object" || files === null || !(language.main_file in files)) return false;
  return Object.values(files).every((text) => typeof text === "string");
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
