import assert from "node:assert/strict";
import { test } from "node:test";
import { announcement, chipOf } from "../src/chip.js";
import type { Run } from "../src/state.js";
import { isNewer, pageState, stageTimings, viewOf } from "../src/state.js";
import { attempt, build, deployment, diagnostic, program, request, timings } from "./fixtures.js";

const divide = {
  kind: "trapped" as const,
  trap: {
    kind: "integer_divide_by_zero",
    message: "integer divide by zero",
    function: "frond",
    wasm_offset: 876,
    place: null,
    frames: [],
  },
};
const cpu = { kind: "limited" as const, limit: { name: "cpu_ms", message: "500 ms of processor time" } };

function run(outcome: Run["result"]["outcome"], exit_code: number | null): Run {
  const result = {
    exit_code,
    stdout: "",
    stderr: "",
    stdout_truncated: false,
    stderr_truncated: false,
    outcome,
    timings: timings({ queue: 5, run: 210 }),
  };
  return { id: 1, time: "2026-11-25T01:31:39.000Z", arguments: "", stdinBytes: 0, result };
}

function check(changes: Parameters<typeof program>[0], state: string, chip: string): void {
  const now = program(changes);
  const { word, detail } = chipOf(now, null);
  assert.equal(pageState(now), state);
  assert.equal(word + detail, chip);
}

test("each state has its word", () => {
  check({}, "ready", "Ready");
  check({ attempt: attempt("sending", { build: null }) }, "queued", "Waiting");
  check(
    { attempt: attempt("building", { build: build({ state: "queued", position: 3 }) }) },
    "queued",
    "Waiting, 2 ahead",
  );
  check({ attempt: attempt("building") }, "building", "Building");
  const compiling = build({ stage: "codegen", functions: { done: 41, total: 74 } });
  check({ attempt: attempt("building", { build: compiling }) }, "building", "Compiling 41 of 74 functions");
  check({ attempt: attempt("starting") }, "building", "Loading");
  check({ attempt: attempt("done"), deployment: deployment() }, "live", "Live r7");
  check(
    { deployment: deployment({ state: "trapped" }), requests: [request(1, divide)] },
    "trapped",
    "Trapped: integer divide by zero in frond",
  );
  check(
    { deployment: deployment({ state: "limited" }), requests: [request(1, cpu)] },
    "limited",
    "Stopped: 500 ms of processor time",
  );
  check({ deployment: deployment({ state: "expired" }) }, "expired", "Expired, the code is safe");
  check({ kind: "command", runs: [run({ kind: "exited", exit_code: 3 }, 3)] }, "exited", "Exit 3 after 0.2 ms");
  check({ kind: "command", runs: [run(divide, null)] }, "trapped", "Trapped: integer divide by zero in frond");
});

test("a failed build says how many errors and what still answers", () => {
  const diagnostics = [diagnostic(), diagnostic(), diagnostic({ severity: "warning" })];
  const failed = attempt("failed", { build: build({ state: "failed", diagnostics }) });
  check({ attempt: failed, diagnostics, deployment: deployment() }, "failed", "Build failed: 2 errors, r7 still live");
  check({ attempt: failed, diagnostics }, "failed", "Build failed: 2 errors");
  check(
    { attempt: failed, diagnostics, deployment: deployment({ state: "expired" }) },
    "failed",
    "Build failed: 2 errors",
  );
  check({ attempt: attempt("failed", { build: null }) }, "failed", "Not run");
  check(
    { attempt: attempt("failed", { cancelled: true }), deployment: deployment() },
    "failed",
    "Cancelled: r7 still live",
  );
  assert.equal(chipOf(program({ attempt: attempt("failed", { cancelled: true }) }), null).kind, "quiet");
});

test("a command that runs is not being deployed", () => {
  check({ kind: "command", attempt: attempt("starting"), deployment: deployment() }, "building", "Running");
});

test("a deployment that answers is still shown while the next one is built", () => {
  const now = program({ attempt: attempt("building"), deployment: deployment(), kind: "service" });
  assert.equal(viewOf(now), "service");
  assert.equal(pageState(now), "building");
});

test("stages and counts are not spoken", () => {
  const compiling = program({
    attempt: attempt("building", { build: build({ stage: "codegen", functions: { done: 41, total: 74 } }) }),
  });
  assert.equal(announcement(compiling, chipOf(compiling, null)), "Building");
  const live = program({ deployment: deployment() });
  assert.equal(announcement(live, chipOf(live, null)), "Live r7");
});

test("the last request's stages follow the build's, its queue does not replace the build's", () => {
  const now = program({
    deployment: deployment(),
    requests: [request(1), request(2, { kind: "finished" }, { revision: 6 })],
  });
  assert.equal(stageTimings(now).queue, 100);
  assert.equal(stageTimings(now).run, 1930);
  const command = program({ kind: "command", attempt: attempt("done"), runs: [run({ kind: "exited" }, 0)] });
  assert.equal(stageTimings(command).queue, 100);
  assert.equal(stageTimings(command).run, 210);
});

test("text that was changed since the deployment is newer than it", () => {
  const files = { "main.c": "int x;" };
  assert.equal(isNewer(program({ files, deployedFiles: JSON.stringify(files) })), false);
  assert.equal(isNewer(program({ files, deployedFiles: JSON.stringify({ "main.c": "" }) })), true);
  assert.equal(isNewer(program({ files, deployedFiles: null })), false);
});
