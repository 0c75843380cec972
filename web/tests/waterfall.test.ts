import assert from "node:assert/strict";
import { test } from "node:test";
import { chartOf } from "../src/strip.js";
import { barsOf, SCALE_LEAST_US, scaleOf, totalOf } from "../src/waterfall.js";
import { attempt, build, deployment, program, request, timings } from "./fixtures.js";

test("bars stand one after the other, to scale", () => {
  const bars = barsOf(
    timings({ queue: 100, build: 300, validate: 100 }),
    ["queue", "build", "validate", "link"],
    null,
    null,
    500,
  );
  assert.deepEqual(
    bars.map(({ left, width, state }) => [left, width, state]),
    [
      [0, 20, "done"],
      [20, 60, "done"],
      [80, 20, "done"],
      [100, 0, "todo"],
    ],
  );
});

test("a bar never leaves the scale", () => {
  const [bar] = barsOf(timings({ build: 900 }), ["build"], null, null, 500);
  assert.equal(bar?.width, 100);
});

test("the stage that happens is as long as it was heard of", () => {
  const present = { stage: "build" as const, microseconds: 250 };
  const [, bar] = barsOf(timings({ queue: 100 }), ["queue", "build"], present, null, 1000);
  assert.equal(bar?.state, "now");
  assert.equal(bar?.left, 10);
  assert.equal(bar?.width, 25);
});

test("while it grows the strip stands for 110 ms or the last build, whichever is longer", () => {
  assert.equal(scaleOf(10, null, true, false), SCALE_LEAST_US);
  assert.equal(scaleOf(10, 400_000, true, false), 400_000);
  assert.equal(scaleOf(900_000, 400_000, true, false), 900_000);
  assert.equal(scaleOf(66_800, 400_000, false, false), 66_800);
  assert.equal(scaleOf(31_700, 66_800, false, true), 66_800);
});

test("the strip of a build that fails ends with the stage that failed", () => {
  const failed = build({ state: "failed", stage: "build", timings: timings({ queue: 100, build: 31_600 }) });
  const chart = chartOf(program({ attempt: attempt("failed", { build: failed }), lastTotal: 66_800 }), 0);
  assert.equal(chart?.total, 31_700);
  assert.equal(chart?.note, "to the first error");
  assert.equal(chart?.bars.find((bar) => bar.state === "bad")?.stage, "build");
});

test("the strip of a live program ends with its last request", () => {
  const chart = chartOf(program({ kind: "service", deployment: deployment(), requests: [request(1)] }), 0);
  assert.equal(chart?.bars.at(-1)?.stage, "reset");
  assert.equal(Math.round(chart?.total ?? 0), Math.round(totalOf(deployment().timings) + 1930.2));
  assert.equal(chartOf(program(), 0), null, "nothing before the first build");
});

test("a build that failed before is red on build, not on the queue it waited in", () => {
  const failed = build({ state: "failed", stage: null, timings: timings({ queue: 90 }) });
  const bars = chartOf(program({ attempt: attempt("failed", { build: failed }) }), 0)?.bars ?? [];
  assert.deepEqual(
    bars.filter(({ state }) => state === "bad").map(({ stage }) => stage),
    ["build"],
  );
});

test("a command runs in the stage run, and nothing of it is red once it is cancelled", () => {
  const ready = build({ state: "ready", kind: "command", timings: timings({ queue: 90, build: 400 }) });
  const running = program({ kind: "command", attempt: attempt("starting", { build: ready }) });
  const now = chartOf(running, 2)?.bars.find(({ state }) => state === "now");
  assert.deepEqual([now?.stage, now?.microseconds], ["run", 2000]);
  const cancelled = program({ kind: "command", attempt: attempt("failed", { build: ready, cancelled: true }) });
  assert.equal(
    chartOf(cancelled, 2)?.bars.some(({ state }) => state === "bad"),
    false,
  );
});
