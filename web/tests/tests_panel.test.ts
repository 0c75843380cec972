import assert from "node:assert/strict";
import { test } from "node:test";
import { curlOf, headersOf } from "../src/tests_panel.js";

test("headers are read a line each", () => {
  assert.deepEqual(headersOf("Accept: text/html\n\n X-Time : 12:30 \nbare"), [
    ["Accept", "text/html"],
    ["X-Time", "12:30"],
    ["bare", ""],
  ]);
});

test("a request is what curl would send, whatever is in it", () => {
  const at = "http://127.0.0.1:7879/_d/fern/";
  assert.equal(curlOf({ name: "a" }, at), "curl 'http://127.0.0.1:7879/_d/fern/'");
  const request = {
    name: "a",
    method: "POST",
    path: "/x?y='z'",
    headers: [["A", "it's"] as [string, string]],
    body: "b'c",
  };
  assert.equal(
    curlOf(request, at),
    "curl -X 'POST' -H 'A: it'\\''s' --data-raw 'b'\\''c' 'http://127.0.0.1:7879/_d/fern/x?y='\\''z'\\'''",
  );
  assert.match(curlOf({ name: "a", method: "HEAD" }, at), /^curl --head '/);
  assert.match(curlOf({ name: "a", method: "X`id`|sh&'$(id)" }, at), /^curl -X 'X`id`\|sh&'\\''\$\(id\)' 'http/);
});
