// The stories that a person lives through in the workshop. A real server's URL is given by VIVARIUM_URL:
//
//   VIVARIUM_URL=http://127.0.0.1:7878 node --test tests/browser/
//
// VIVARIUM_SCREENSHOT names a PNG that the first story leaves: the picture of the README.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { openBrowser } from "./browser.mjs";
import { assertClean, Workshop } from "./workshop.mjs";

const url = process.env.VIVARIUM_URL;
const screenshot = process.env.VIVARIUM_SCREENSHOT;

const SERVICE = `#include <stdio.h>
#include <stdlib.h>

int main(void) {
    printf("Content-Type: text/plain\\r\\n\\r\\n");
    printf("first answer\\n");
    fprintf(stderr, "a visitor asked %s\\n", getenv("QUERY_STRING"));
    return 0;
}
`;

describe("the workshop", { skip: url === undefined && "VIVARIUM_URL names no server" }, () => {
  let browser;
  let workshop;

  before(async () => {
    browser = await openBrowser();
    workshop = new Workshop(browser.page, url);
    await workshop.open();
  });
  after(async () => await browser?.close());

  test("opens with a complete program, and Run gives it a URL, an answer, a log and its times", async () => {
    assert.equal(await workshop.chip(), "Ready");
    assert.match(await workshop.code(), /#include <math.h>/);

    await workshop.focusCode();
    await workshop.run();
    await workshop.becomes("live");

    assert.equal(await workshop.chip(), "Live r1");
    assert.match(await workshop.address(), /^http:\/\/[a-z0-9-]+\.localhost:\d+\/$/);
    await workshop.logHolds("strokes, seed");
    await workshop.requestHolds("200");
    const stages = (await workshop.stages()).join(" ");
    for (const stage of [
      "queue",
      "build",
      "validate",
      "translate",
      "codegen",
      "link",
      "load",
      "instantiate",
      "run",
      "reset",
    ]) {
      assert.match(stages, new RegExp(`${stage} <?[0-9]`), `${stage} is shown with its time`);
    }
    for (const path of ["/?seed=3&leaves=24", "/?seed=42", "/?seed=7&leaves=18"]) {
      await workshop.ask(path);
      await workshop.requestHolds(path);
    }
    assert.match(await workshop.detail(), /req-\d+ 200/);
    if (screenshot !== undefined) await workshop.screenshot(screenshot);
    assert.equal(await workshop.copiedUrl(), await workshop.address());
  });

  test("type, Run, see the answer and the log", async () => {
    await workshop.paste(SERVICE);
    await workshop.run();
    await workshop.page.locator("#chip", { hasText: "Live r2" }).waitFor();
    await workshop.ask("/?from=preview");
    await workshop.answerHolds("first answer");
    await workshop.logHolds("a visitor asked from=preview");
  });

  test("break it, see the line marked; the old answer is still served", async () => {
    const address = await workshop.address();
    await workshop.typeAfterLine("first answer", " lenght");
    await workshop.run();
    await workshop.becomes("failed");

    assert.match(await workshop.chip(), /^Build failed: \d+ errors?, r2 still live$/);
    assert.match(await workshop.banner(), /Still r2/);
    assert.match((await workshop.problems()).join("\n"), /main\.c:6:\d+/);
    assert.ok((await workshop.markedLines()).includes(6), "line 6 has its mark in the gutter");
    assert.ok((await workshop.underlined()).length > 0, "the place is underlined");

    await workshop.reload();
    await workshop.answerHolds("first answer");
    assert.equal(await workshop.address(), address);
  });

  test("what was typed is still there after the page was closed, and so is what it made", async () => {
    await workshop.open();
    assert.match(await workshop.code(), /lenght/);
    await workshop.becomes("live");
    await workshop.logHolds("a visitor asked from=preview");
  });

  test("each language keeps what was typed in it", async () => {
    await workshop.chooseLanguage("wat");
    assert.match(await workshop.code(), /\(module/);
    await workshop.chooseLanguage("c");
    assert.match(await workshop.code(), /lenght/);
  });

  test("a command has arguments, input, output and an exit code", async () => {
    await workshop.chooseStarter("word-count");
    await workshop.runCommand("", "glass earth glass light\n");
    await workshop.becomes("exited");
    assert.match(await workshop.chip(), /^Exit 0/);
    assert.match(await workshop.output(), /glass/);
  });

  test("Tab leaves the editor", async () => {
    await workshop.focusCode();
    await workshop.page.keyboard.press("Tab");
    assert.equal(await workshop.page.evaluate(() => document.activeElement.closest(".cm-content")), null);
  });

  test("nothing left this machine and nothing was refused", () => assertClean(browser));
});

describe("without JavaScript", { skip: url === undefined && "VIVARIUM_URL names no server" }, () => {
  let browser;
  before(async () => {
    browser = await openBrowser({ javaScript: false });
  });
  after(async () => await browser?.close());

  test("the page shows the code and a plain form runs it", async () => {
    const { page } = browser;
    await page.goto(url);
    await page.locator("textarea[name=code]").fill(SERVICE);
    await page.locator("#run").click();
    await page.locator('html[data-state="live"]').waitFor();
    await page.frameLocator("#preview").getByText("first answer").waitFor();
    assertClean(browser);
  });
});
