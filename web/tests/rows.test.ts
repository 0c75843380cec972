import assert from "node:assert/strict";
import { test } from "node:test";
import { nameRefusal } from "../src/files.js";
import { insertRow, matches, ROWS_MAX, type Row, rowOfRequest } from "../src/rows.js";
import { splitArguments } from "../src/words.js";
import { request } from "./fixtures.js";

function row(key: string, time: string): Row {
  return { key, time, revision: 7, requestId: 19, stream: "stderr", text: "2430 strokes", frames: [] };
}

test("rows stand in order of time, whichever came first", () => {
  const rows: Row[] = [];
  for (const [key, time] of [
    ["a", "1"],
    ["c", "3"],
    ["b", "2"],
  ] as const)
    assert.equal(insertRow(rows, row(key, time)), true);
  assert.equal(rows.map(({ key }) => key).join(""), "abc");
});

test("a line that is heard again after a reconnect is known", () => {
  const rows: Row[] = [];
  for (const key of ["a", "b"]) insertRow(rows, row(key, "1"));
  assert.equal(insertRow(rows, row("a", "1")), false);
  assert.equal(rows.length, 2);
});

test("the oldest rows go when there are too many", () => {
  const rows: Row[] = [];
  const time = (index: number) => String(index).padStart(6, "0");
  for (let index = 1; index <= ROWS_MAX + 5; index += 1) insertRow(rows, row(`k${index}`, time(index)));
  assert.equal(rows.length, ROWS_MAX);
  assert.equal(rows[0]?.key, "k6");
  assert.equal(insertRow(rows, row("old", time(0))), false);
});

test("the filter takes words of the stream, the request, the revision and the text", () => {
  assert.equal(matches(row("a", "1"), "req-19 stroke"), true);
  assert.equal(matches(row("a", "1"), "STDERR r7"), true);
  assert.equal(matches(row("a", "1"), "stdout"), false);
});

test("a trap has a row of its own, a request that went well has none", () => {
  const trap = {
    kind: "unreachable",
    message: "unreachable",
    function: "frond",
    wasm_offset: 1,
    place: { file: "main.c", line: 23, column: 5 },
    frames: [],
  };
  assert.equal(rowOfRequest(request(1, { kind: "trapped", trap }))?.text, "unreachable in frond at main.c:23");
  assert.equal(rowOfRequest(request(1)), null);
});

test("arguments are split as a shell would", () => {
  assert.deepEqual(splitArguments(`6 "two words" 'it''s' a\\ b ""`), ["6", "two words", "its", "a b", ""]);
  assert.deepEqual(splitArguments("   "), []);
});

test("a file name that could leave its folder is refused", () => {
  assert.equal(nameRefusal("lib/shapes.h", ["main.c"]), null);
  for (const name of ["../x", "a/../b", "/etc/passwd", ".hidden", "", "main.c"])
    assert.notEqual(nameRefusal(name, ["main.c"]), null, name);
});

test("what became of a request stands behind what it printed, and still comes once", () => {
  const rows: Row[] = [];
  for (const [key, time] of [
    ["log-1", "2"],
    ["log-2", "3"],
  ] as const)
    insertRow(rows, row(key, time));
  assert.equal(insertRow(rows, row("request-19", "1")), true);
  assert.equal(insertRow(rows, row("request-19", "1")), false);
  assert.deepEqual(
    rows.map(({ key }) => key),
    ["log-1", "log-2", "request-19"],
  );
  // A line that came late stands between the two times at which the same request would be put.
  insertRow(rows, row("log-3", "5"));
  assert.equal(insertRow(rows, row("request-19", "1")), false);
});
