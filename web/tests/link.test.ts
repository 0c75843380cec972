import assert from "node:assert/strict";
import { test } from "node:test";
import { linkOf, programOfLink } from "../src/link.js";
import { program } from "./fixtures.js";

const C = { name: "c", display_name: "C", main_file: "main.c", available: true, version: null, reason: null };

test("a program comes back from its link as it was", async () => {
  const files = { "main.c": 'int main(void) { return 0; } // é 🌿 "', "lib/leaf.h": "#define LEAF\n" };
  const shared = program({
    files,
    starter: "fern & co",
    arguments: "-n 3",
    stdin: "α\nβ",
    kind: "command",
    path: "/?leaves=3",
  });
  const link = await linkOf(shared);
  assert.match(link, /^[A-Za-z0-9_-]+$/, "nothing in it needs to be escaped");
  const opened = await programOfLink(link, [C]);
  for (const key of ["language", "starter", "files", "arguments", "stdin", "kind", "path"] as const)
    assert.deepEqual(opened[key], shared[key], key);
  assert.equal(opened.slug, null, "what answers is not shared with it");
});

test("a link brings no method that the form cannot show, and no path to another host", async () => {
  const requests = [
    { name: "a", method: "GET;id" },
    { name: "b", method: "PUT" },
  ];
  const text = JSON.stringify({ language: "c", files: { "main.c": "" }, path: "//evil.example/x", requests });
  const opened = await programOfLink(await packed(text), [C]);
  assert.deepEqual(
    opened.savedRequests.map(({ method }) => method),
    ["", "PUT"],
  );
  assert.equal(opened.path, "/evil.example/x");
});

test("a program that no link could bring back is refused with a sentence", async () => {
  const fits = program({ files: { "main.c": "x".repeat(500_000) } });
  assert.equal((await programOfLink(await linkOf(fits), [C])).files["main.c"]?.length, 500_000);
  await assert.rejects(
    linkOf(program({ files: { "main.c": "x".repeat(600_000) } })),
    /too large for a link: 600 KB of 524 KB/,
  );
});

test("a link that is damaged or holds something else is refused with a sentence", async () => {
  const link = await linkOf(program());
  for (const [text, sentence] of [
    [link.slice(0, link.length / 2), /damaged/],
    ["%%%", /damaged/],
    ["", /damaged/],
    [await packed("null"), /damaged|holds/],
    [await packed('{"language":"cobol","files":{}}'), /language/],
    [await packed('{"language":"c","files":{"x.c":""}}'), /no program/],
    [await packed('{"language":"c","files":{"main.c":7}}'), /no program/],
    // A million zeros are a kilobyte in a link.
    [await packed(`{"language":"c","files":{"main.c":"${"0".repeat(1_000_000)}"}}`), /damaged/],
  ] as const)
    await assert.rejects(programOfLink(text, [C]), sentence, text.slice(0, 40));
});

async function packed(json: string): Promise<string> {
  const stream = new Blob([json]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  return Buffer.from(await new Response(stream).arrayBuffer()).toString("base64url");
}
