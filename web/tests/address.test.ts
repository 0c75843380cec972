import assert from "node:assert/strict";
import { test } from "node:test";
import { pathOf, urlOf } from "../src/address.js";
import { deployment } from "./fixtures.js";

const ROOT = "http://fern-k3v9.localhost:7879/";

test("a path leads nowhere but to its deployment", () => {
  assert.equal(urlOf(deployment(), "/leaves?n=3#a"), `${ROOT}leaves?n=3#a`);
  for (const path of [
    "//",
    "//evil.example/x",
    "/\\evil.example/x",
    "\\\\evil.example",
    "/\t/evil.example",
    "https://evil.example/",
    "javascript:alert(1)",
    "data:text/html,x",
    "http://[",
  ])
    assert.equal(urlOf(deployment(), path), ROOT, path);
});

test("a path begins with one slash, however it was written", () => {
  for (const [written, path] of [
    ["", "/"],
    ["leaves", "/leaves"],
    ["?n=3", "/?n=3"],
    ["/leaves//x", "/leaves//x"],
    ["//", "/"],
    ["//evil.example/x", "/evil.example/x"],
    ["/\\evil.example", "/evil.example"],
    [" /\t/evil.example", "/evil.example"],
    ["javascript:alert(1)", "/javascript:alert(1)"],
  ] as const) {
    assert.equal(pathOf(written), path, written);
    assert.equal(new URL(urlOf(deployment(), pathOf(written))).origin, new URL(ROOT).origin);
  }
});
