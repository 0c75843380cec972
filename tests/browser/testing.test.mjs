// Requests that are kept with a program, and what their answers must be like. A real server's URL is given by VIVARIUM_URL.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { openBrowser } from "./browser.mjs";
import { assertClean, Workshop } from "./workshop.mjs";

const url = process.env.VIVARIUM_URL;

const ECHO = `#include <stdio.h>
#include <stdlib.h>

int main(void) {
    const char *leaf = getenv("HTTP_X_LEAF");
    const char *query = getenv("QUERY_STRING");
    if (query && query[0] == 't') __builtin_trap();
    fprintf(stderr, "asked by %s\\n", getenv("REQUEST_METHOD"));
    printf("Content-Type: application/json\\n\\n{\\"leaf\\":\\"%s\\",\\"sizes\\":[3,5],\\"body\\":\\"", leaf ? leaf : "none");
    for (int c; (c = getchar()) != EOF;) putchar(c);
    printf("\\"}");
}
`;

describe("tests of a fiddle", { skip: url === undefined && "VIVARIUM_URL names no server" }, () => {
  let browser;
  let workshop;

  before(async () => {
    browser = await openBrowser();
    workshop = new Workshop(browser.page, url);
    await workshop.open();
    await workshop.paste(ECHO);
    await workshop.run();
    await workshop.becomes("live");
  });
  after(async () => await browser?.close());

  test("a request is kept, sent by a click, and each line says whether it holds and what was found instead", async () => {
    await workshop.showTests();
    await workshop.keepRequest({
      name: "a leaf",
      method: "POST",
      headers: "X-Leaf: green",
      body: "seed",
      tests: `status is 200
[the leaf] json.leaf is green
json.sizes.length is 2
json.body is seed
log includes "asked by POST"
timings.total isBelow 5 s
outcome isNot trapped
header.etag exists
json.leaf is red`,
    });
    await workshop.sendKept();
    await workshop.held("7 of 9 hold");
    const verdicts = await workshop.verdicts();
    assert.equal(verdicts[1], "holds: the leaf");
    assert.equal(verdicts[7], "does not hold: header.etag exists there is no header.etag");
    assert.equal(verdicts[8], 'does not hold: json.leaf is red json.leaf is "green"');
    assert.match(await workshop.testAnswer(), /content-type: application\/json[^]*"leaf":"green"/);
  });

  test("a request that traps is tested for that", async () => {
    await workshop.keepRequest({ name: "a trap", path: "/?t", tests: "status is 500\noutcome is trapped\noutcome.trap is unreachable" });
    await workshop.sendAllKept();
    await workshop.held("10 of 12 hold");
  });

  test("the request in a shell answers the same", async () => {
    await workshop.page.locator(".test", { hasText: "a leaf" }).click();
    const command = await workshop.copiedCurl();
    const { stdout } = await promisify(execFile)("sh", ["-c", `${command} --silent`]);
    assert.deepEqual(JSON.parse(stdout), { leaf: "green", sizes: [3, 5], body: "seed" });
  });

  test("kept requests are there after the page was closed, and travel with the program", async () => {
    await workshop.open();
    await workshop.becomes("live");
    const { link } = await workshop.shared();
    const visitor = await workshop.someoneElse(link);
    await visitor.page.locator("#test-count", { hasText: "2" }).waitFor();
    await visitor.showTests();
    await visitor.sendAllKept();
    await visitor.page.locator(".test-form", { hasText: "Press Run first" }).waitFor();
    await visitor.run();
    await visitor.becomes("live", "trapped");
    await visitor.showTests();
    await visitor.sendAllKept();
    await visitor.held("10 of 12 hold");
    await visitor.page.context().close();
  });

  test("nothing left this machine and nothing was refused", () => assertClean(browser));
});
