import assert from "node:assert/strict";
import { test } from "node:test";
import { around, diffOf } from "../src/diff.js";

function check(before: string, after: string, expected: string): void {
  const marks = { same: " ", added: "+", removed: "-" };
  const shown = diffOf(before, after).map(({ kind, text }) => marks[kind] + text);
  assert.equal(shown.join("|"), expected);
}

test("what differs is told line by line", () => {
  check("a\nb\nc", "a\nb\nc", " a| b| c");
  check("a\nb\nc", "a\nx\nc", " a|-b|+x| c");
  check("a\nc", "a\nb\nc", " a|+b| c");
  check("a\nb\nc", "a\nc", " a|-b| c");
  check("", "a", "-|+a");
});

test("both texts can be read off it, whatever they are", () => {
  let seed = 7;
  const random = (most: number) => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed % most;
  };
  for (let round = 0; round < 300; round += 1) {
    const text = () => Array.from({ length: random(12) }, () => "abcd"[random(4)]).join("\n");
    const [before, after] = [text(), text()];
    const lines = diffOf(before, after);
    const side = (without: string) =>
      lines
        .filter(({ kind }) => kind !== without)
        .map((line) => line.text)
        .join("\n");
    assert.equal(side("added"), before);
    assert.equal(side("removed"), after);
  }
});

test("texts that differ too much are told one after the other", () => {
  const many = (letter: string) => Array.from({ length: 3000 }, (_, index) => letter + index).join("\n");
  const lines = diffOf(many("a"), many("b"));
  assert.equal(lines.length, 6000);
  assert.equal(lines[0]?.kind, "removed");
});

test("lines far from a change are left out", () => {
  const lines = diffOf("1\n2\n3\n4\n5\n6\n7", "1\n2\n3\nx\n5\n6\n7");
  assert.deepEqual(
    around(lines, 1).map((line) => line?.text ?? "…"),
    ["…", "3", "4", "x", "5", "…"],
  );
});
