// What a person shares, and what those see who are given the link. A real server's URL is given by VIVARIUM_URL.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { openBrowser } from "./browser.mjs";
import { assertClean, Workshop } from "./workshop.mjs";

const url = process.env.VIVARIUM_URL;

const FIRST = `#include <stdio.h>

int main(void) { puts("Content-Type: text/plain\\n\\nfirst words"); }
`;

describe("sharing", { skip: url === undefined && "VIVARIUM_URL names no server" }, () => {
  let browser;
  let workshop;
  let link;

  before(async () => {
    browser = await openBrowser();
    workshop = new Workshop(browser.page, url);
    await workshop.open();
  });
  after(async () => await browser?.close());

  test("one click puts a link into the clipboard, and the page says what is public and what ends", async () => {
    await workshop.paste(FIRST);
    await workshop.run();
    await workshop.becomes("live");
    const shared = await workshop.shared();
    link = shared.link;
    assert.match(link, /^http:\/\/[^/]+\/f\/[a-z2-7]{20}$/);
    assert.match(shared.said, /Anyone with the link can read and fork this code. It stays until you delete it/);
    assert.match(shared.said, /The URL that answers is another one, and expires in \d+:\d\d/);
    assert.match(shared.said, /now r1/);
    assert.equal((await workshop.shared()).link, link, "what is unchanged is stored once");
  });

  test("whoever opens it has the program; what he types is his own, and his link is another", async () => {
    const visitor = await workshop.someoneElse(link);
    await visitor.codeHolds("first words");
    assert.equal(await visitor.page.locator("#program-name").innerText(), "fern");
    await visitor.typeAfterLine("include", " // mine");
    await visitor.page.waitForTimeout(400);
    await visitor.page.reload();
    await visitor.codeHolds("// mine");
    await visitor.page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    const own = (await visitor.shared()).link;
    assert.notEqual(own, link);
    await visitor.page.goto(link);
    await visitor.codeHolds("first words");
    assert.doesNotMatch(await visitor.code(), /mine/, "what was shared has not changed");
    assert.match(await visitor.page.locator("#put-aside").innerText(), /fern was put aside/);
    await visitor.page.context().close();
  });

  test("the link follows what is shared next, and the link to a revision does not", async () => {
    const only = (await workshop.shared("revision")).link;
    assert.match(only, /\/s\/[A-Za-z0-9_-]{11,}$/);
    await workshop.paste(FIRST.replace("first", "second"));
    const next = await workshop.shared("newest");
    assert.equal(next.link, link);
    assert.match(next.said, /now r2/);
    const visitor = await workshop.someoneElse(link);
    await visitor.codeHolds("second words");
    await visitor.page.goto(only);
    await visitor.codeHolds("first words");
    await visitor.page.goto(`${link}/r/1`);
    await visitor.codeHolds("first words");
    await visitor.page.context().close();
  });

  test("the files of a link are there for programs too", async () => {
    const raw = await fetch(`${link}/raw/main.c`);
    assert.match(await raw.text(), /second words/);
    const wasm = new Uint8Array(await (await fetch(`${link}.wasm`)).arrayBuffer());
    assert.deepEqual([...wasm.slice(0, 4)], [0, 0x61, 0x73, 0x6d]);
    assert.match(await (await fetch(`${link}.wat`)).text(), /^\(module/);
  });

  test("a tab that is behind does not overwrite what another one shared", async () => {
    const other = await workshop.anotherTab();
    await other.paste(FIRST.replace("first", "third"));
    await other.shared();
    await workshop.paste(FIRST.replace("first", "fourth"));
    const { said } = await workshop.shared();
    assert.match(said, /Not stored: another tab or client has saved revision 3/);
    assert.match(await (await fetch(`${link}/raw/main.c`)).text(), /third words/);
    await other.page.close();
  });

  test("what is deleted is gone, and its address says so on a page", async () => {
    const fresh = await workshop.someoneElse(url);
    await fresh.page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await fresh.codeHolds("#include");
    const own = (await fresh.shared()).link;
    await fresh.deleteShared();
    await fresh.page.goto(own);
    assert.match(await fresh.refusal(), /its owner deleted it/);
    await fresh.codeHolds("#include");
    await fresh.page.context().close();
  });

  test("nothing left this machine and nothing was refused", () => assertClean(browser));
});

describe("sharing without JavaScript", { skip: url === undefined && "VIVARIUM_URL names no server" }, () => {
  let browser;
  before(async () => {
    browser = await openBrowser({ javaScript: false });
  });
  after(async () => await browser?.close());

  test("a shared program is shown, and runs with the files that the form does not show", async () => {
    const files = { "main.c": '#include "words.h"\n#include <stdio.h>\nint main(void) { puts("Content-Type: text/plain\\n\\n" WORDS); }\n' };
    const body = JSON.stringify({ language: "c", files: { ...files, "words.h": '#define WORDS "from a header"\n' } });
    const made = await fetch(`${url}/api/v1/shares`, { method: "POST", body, headers: { "Content-Type": "application/json" } });
    const { page } = browser;
    await page.goto((await made.json()).url);
    assert.match(await page.locator("textarea[name=code]").inputValue(), /words\.h/);
    await page.locator("#run").click();
    await page.locator('html[data-state="live"]').waitFor();
    await page.frameLocator("#preview").getByText("from a header").waitFor();
    assertClean(browser);
  });
});
