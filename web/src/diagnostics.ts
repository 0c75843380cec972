// A compiler's places as the editor counts: lines and columns from 1, in UTF-16 code units, to offsets that lie within the text.

import type { Diagnostic as Mark } from "@codemirror/lint";
import type { Text } from "@codemirror/state";
import type { Diagnostic } from "./objects.js";

/** The marks of one file. A place beyond the text (it was shortened since) is moved to its end; one without a line has no mark. */
export function marksOf(diagnostics: Diagnostic[], file: string, text: Text): Mark[] {
  return diagnostics
    .filter((diagnostic) => diagnostic.file === file && diagnostic.line !== null)
    .map((diagnostic) => ({ ...rangeOf(diagnostic, text), ...contentOf(diagnostic) }))
    .sort((a, b) => a.from - b.from);
}

function contentOf(diagnostic: Diagnostic): Pick<Mark, "severity" | "message" | "source"> {
  const severity = diagnostic.severity === "note" ? "info" : diagnostic.severity;
  const source = diagnostic.code === null ? diagnostic.source : `${diagnostic.source} ${diagnostic.code}`;
  return { severity, message: diagnostic.message, source };
}

export function rangeOf(diagnostic: Diagnostic, text: Text): { from: number; to: number } {
  const from = offsetOf(text, diagnostic.line ?? 1, diagnostic.column ?? 1);
  if (diagnostic.end_line !== null && diagnostic.end_column !== null) {
    const to = offsetOf(text, diagnostic.end_line, diagnostic.end_column);
    if (to > from) return { from, to };
  }
  return { from, to: wordEnd(text, from) };
}

export function offsetOf(text: Text, line: number, column: number): number {
  const place = text.line(Math.min(Math.max(line, 1), text.lines));
  return Math.min(place.from + Math.max(column, 1) - 1, place.to);
}

/** The end of the word at `from`; one character where there is none; nothing at the end of a line. */
function wordEnd(text: Text, from: number): number {
  const line = text.lineAt(from);
  const rest = line.text.slice(from - line.from);
  const word = /^[\p{L}\p{N}_]+/u.exec(rest);
  return from + (word?.[0].length ?? Math.min(1, rest.length));
}

/** "main.c:25:25", as far as it is known. */
export function placeText(place: { file?: string | null; line?: number | null; column?: number | null }): string {
  return [place.file, place.line, place.column].filter((part) => part !== null && part !== undefined).join(":");
}
