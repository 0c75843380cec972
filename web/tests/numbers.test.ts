import assert from "node:assert/strict";
import { test } from "node:test";
import { byteText, countdownText, durationText, millisecondText, percentile, roundText } from "../src/numbers.js";

test("a time is in µs under 0.1 ms, else in ms, with one decimal and three figures at most", () => {
  const check = (microseconds: number, expected: string) => assert.equal(durationText(microseconds), expected);
  check(0, "0.0 µs");
  check(0.02, "<0.1 µs");
  check(4.8, "4.8 µs");
  check(99.9, "99.9 µs");
  check(100, "0.1 ms");
  check(62_400, "62.4 ms");
  check(99_940, "99.9 ms");
  check(99_960, "100 ms");
  check(271_300, "271 ms");
  check(999_400, "999 ms");
  check(1_240_000, "1.2 s");
});

test("a column keeps its unit and three figures", () => {
  const check = (microseconds: number, expected: string) => assert.equal(millisecondText(microseconds), expected);
  check(14, "0.014 ms");
  check(710, "0.71 ms");
  check(1_936, "1.94 ms");
  check(62_400, "62.4 ms");
  check(500_000, "500 ms");
});

test("what is left of a life shows hours only when there are some", () => {
  assert.equal(countdownText(5_261_000), "1:27:41");
  assert.equal(countdownText(119_000), "1:59");
  assert.equal(countdownText(9_400), "0:09");
  assert.equal(countdownText(-5), "0:00");
  assert.equal(countdownText(3 * 86_400_000 + 5), "3 days");
});

test("sizes and percentiles", () => {
  assert.equal(byteText(212), "212 B");
  assert.equal(byteText(38_900), "38.9 KB");
  assert.equal(byteText(2_400_000), "2.4 MB");
  assert.equal(percentile([5, 1, 9, 3], 0.5), 5);
  assert.equal(percentile([], 0.99), 0);
});

test("a limit is told in the unit that a person would choose", () => {
  assert.equal(roundText("16777216 bytes of memory used up"), "16 MiB of memory used up");
  assert.equal(roundText("more than 65536 bytes"), "more than 64 KiB");
  assert.equal(roundText("1000 bytes in 5000 ms"), "1000 bytes in 5 s");
  assert.equal(roundText("500 ms of processor time"), "500 ms of processor time");
});
