import assert from "node:assert/strict";
import { test } from "node:test";
import { Text } from "@codemirror/state";
import { marksOf, placeText, rangeOf } from "../src/diagnostics.js";
import { diagnostic } from "./fixtures.js";

function check(lines: string[], changes: Parameters<typeof diagnostic>[0], marked: string): void {
  const text = Text.of(lines);
  const { from, to } = rangeOf(diagnostic(changes), text);
  assert.equal(text.sliceString(from, to), marked);
}

test("a range is marked from its first to before its last column", () => {
  check(["int x = lenght;"], { line: 1, column: 9, end_line: 1, end_column: 15 }, "lenght");
});

test("columns are UTF-16 code units: a rocket is two, an ä is one", () => {
  check(['char *s = "🚀"; lenght'], { line: 1, column: 17, end_line: 1, end_column: 23 }, "lenght");
  check(['char *s = "ä"; lenght'], { line: 1, column: 16, end_line: 1, end_column: 22 }, "lenght");
});

test("without an end the word is marked, else one character, at the end of a line none", () => {
  check(["return größe + 1"], { line: 1, column: 8 }, "größe");
  check(["x = + 1"], { line: 1, column: 5 }, "+");
  check(["x = 1"], { line: 1, column: 6 }, "");
});

test("a place beyond the text is moved into it", () => {
  check(["a", "bc"], { line: 9, column: 9 }, "");
  check(["a", "bc"], { line: 0, column: 0 }, "a");
});

test("only the file's own places are marked, in order", () => {
  const found = [
    diagnostic({ line: 2 }),
    diagnostic({ line: 1 }),
    diagnostic({ file: "b.h" }),
    diagnostic({ file: null, line: null }),
  ];
  const marks = marksOf(found, "main.c", Text.of(["a", "b"]));
  assert.deepEqual(
    marks.map((mark) => mark.from),
    [0, 2],
  );
});

test("a place is written as far as it is known", () => {
  assert.equal(placeText(diagnostic({ line: 25, column: 9 })), "main.c:25:9");
  assert.equal(placeText({ file: null, line: null, column: null }), "");
});
