// The lines of the Logs panel: what a program printed, what the server says of it, and traps with their frames, in order of time.

import type { Frame, LogLine, RequestReport } from "./objects.js";
import { limitText, trapText } from "./state.js";

export interface Row {
  /** Unique within a program; the same line heard twice after a reconnect has the same key. */
  key: string;
  time: string;
  revision: number;
  requestId: number | null;
  stream: "stderr" | "stdout" | "vivarium" | "trap" | "limit";
  text: string;
  frames: Frame[];
}

/** How many rows the page keeps. The oldest go first. */
export const ROWS_MAX = 2000;

export function rowOfLog(line: LogLine): Row {
  return {
    key: `log-${line.id}`,
    time: line.time,
    revision: line.revision,
    requestId: line.request_id,
    stream: line.stream,
    text: line.text,
    frames: [],
  };
}

/** A row of its own for a request that trapped or was stopped; none for one that went well. */
export function rowOfRequest(report: RequestReport): Row | null {
  const { outcome } = report;
  if (outcome.kind !== "trapped" && outcome.kind !== "limited" && outcome.kind !== "failed") return null;
  const limited = outcome.kind === "limited";
  return {
    key: `request-${report.id}`,
    time: report.time,
    revision: report.revision,
    requestId: report.id,
    stream: limited ? "limit" : "trap",
    text: limited ? limitText(outcome) : trapText(outcome),
    frames: outcome.trap?.frames ?? [],
  };
}

/** Puts a row where its time belongs, once, and keeps the newest `ROWS_MAX`. Tells whether anything changed. */
export function insertRow(rows: Row[], row: Row): boolean {
  // A report has the time at which its request began; what became of it stands behind what it printed.
  if (row.key.startsWith("request-")) {
    // Told twice with lines in between, it would be at another time than before.
    if (rows.some((other) => other.key === row.key)) return false;
    const last = rows.findLast((other) => other.requestId === row.requestId && other.key !== row.key);
    if (last !== undefined && last.time > row.time) row.time = last.time;
  }
  let place = rows.length;
  while (place > 0 && (rows[place - 1] as Row).time > row.time) place -= 1;
  for (let index = place - 1; index >= 0 && (rows[index] as Row).time === row.time; index -= 1) {
    if (rows[index]?.key === row.key) return false;
  }
  if (place === 0 && rows.length >= ROWS_MAX) return false;
  rows.splice(place, 0, row);
  if (rows.length > ROWS_MAX) rows.splice(0, rows.length - ROWS_MAX);
  return true;
}

export function matches(row: Row, filter: string): boolean {
  if (filter === "") return true;
  const text = `r${row.revision} req-${row.requestId ?? ""} ${row.stream} ${row.text}`.toLowerCase();
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
