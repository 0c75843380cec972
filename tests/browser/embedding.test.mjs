// A program within the page of somebody else. A real server's URL is given by VIVARIUM_URL.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";
import { EMBED_BYTES_MAX } from "../../web/budget.mjs";
import { openBrowser } from "./browser.mjs";
import { Embed } from "./embed.mjs";
import { assertClean } from "./workshop.mjs";

const url = process.env.VIVARIUM_URL;

const SERVICE = `#include <stdio.h>
#include <stdlib.h>

int main(void) {
    printf("Content-Type: text/plain\\n\\nasked for %s\\n", getenv("QUERY_STRING"));
}
`;
const COMMAND = `#include <stdio.h>
int main(void) { puts("printed in a frame"); return 3; }
`;

describe("embedding", { skip: url === undefined && "VIVARIUM_URL names no server" }, () => {
  let browser;
  let blog;
  let share;

  before(async () => {
    browser = await openBrowser();
    const program = { language: "c", name: "asked", files: { "main.c": SERVICE }, path: "/?from=blog" };
    const headers = { "Content-Type": "application/json" };
    const made = await fetch(`${url}/api/v1/shares`, { method: "POST", body: JSON.stringify(program), headers });
    share = await made.json();
    const held = JSON.stringify({ language: "c", name: "held", files: { "main.c": COMMAND } });
    // A page of another origin, as a blog would be.
    blog = createServer((_, response) => {
      response.setHeader("Content-Type", "text/html; charset=utf-8");
      response.end(`<!doctype html><title>A blog</title><h1>A blog</h1>
<a data-vivarium data-lines="4-5" data-theme="dark" href="${share.url}">asked</a>
<script type="application/json+vivarium" data-name="held" data-ro="1">${held}</script>
<script src="${url}/embed.js"></script>`);
    });
    await new Promise((resolve) => blog.listen(0, "127.0.0.1", resolve));
    await browser.page.goto(`http://localhost:${blog.address().port}/`);
  });
  after(async () => {
    await browser?.close();
    blog?.close();
  });

  test("a link becomes a frame with the program in it, at the lines that matter", async () => {
    const embed = new Embed(browser.page, "asked");
    await embed.codeHolds("QUERY_STRING");
    assert.deepEqual(await embed.linesThatStandOut(), ["int main(void) {", /asked for/]);
    assert.equal(await embed.theme(), "dark");
    assert.equal(await embed.opens(), share.url);
  });

  test("Run builds it and shows what it answers; nothing ran before", async () => {
    const embed = new Embed(browser.page, "asked");
    assert.equal(await embed.state(), "Ready");
    await embed.run();
    await embed.answerHolds("asked for from=blog");
    assert.match(await embed.state(), /^Live for 10 min/);
  });

  test("what its reader changes runs as he changed it, and a mistake is marked", async () => {
    const embed = new Embed(browser.page, "asked");
    await embed.typeAfterLine("asked for", " retur 0;");
    await embed.run();
    await embed.becomes(/Build failed: \d+ errors?/);
    assert.equal(await embed.marks(), 1);
  });

  test("a program that the page holds itself runs too, and can be read only where that is said", async () => {
    const embed = new Embed(browser.page, "held");
    await embed.codeHolds("printed in a frame");
    await embed.typeAfterLine("stdio", "no");
    assert.doesNotMatch(await embed.code(), /no$/m);
    await embed.run();
    await embed.becomes(/^Exit 3/);
    assert.match(await embed.output(), /printed in a frame/);
  });

  test("an embed is as light as its budget says", async () => {
    const page = await browser.page.context().newPage();
    const client = await page.context().newCDPSession(page);
    await client.send("Network.enable");
    let bytes = 0;
    // Bodies as they travel, packed; what heads of answers add is not counted.
    client.on("Network.dataReceived", ({ encodedDataLength }) => (bytes += encodedDataLength));
    await page.goto(share.url.replace("/s/", "/e/"));
    await page.locator(".tok-typeName").first().waitFor();
    await page.close();
    assert.ok(bytes > 100_000 && bytes <= EMBED_BYTES_MAX, `${bytes} bytes`);
  });

  test("nothing left this machine and nothing was refused", () => assertClean(browser));
});
