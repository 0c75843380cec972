// The stories that a person lives through in the workshop. A real server's URL is given by VIVARIUM_URL:
//
//   VIVARIUM_URL=http://127.0.0.1:7878 node --test tests/browser/
//
// VIVARIUM_SCREENSHOT names a PNG that the first story leaves: the picture of the README.

import assert from "node:assert/strict";
import { get } from "node:http";
import { after, before, describe, test } from "node:test";
import { PAGE_BYTES_MAX } from "../../web/budget.mjs";
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

const ENDLESS = `#include <stdio.h>

int main(void) {
    volatile unsigned long turns = 0;
    puts("never shown");
    for (;;) turns++;
}
`;

const GREETING = `#include <stdio.h>

int main(void) { puts("hello"); }
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

  test("the page is as light as the front end's budget says", async () => {
    const bytes = await new Promise((resolve, reject) => {
      const request = get(url, { headers: { "accept-encoding": "gzip" } }, async (response) => {
        assert.equal(response.headers["content-encoding"], "gzip");
        resolve((await response.toArray()).reduce((sum, { length }) => sum + length, 0));
      });
      request.on("error", reject);
    });
    assert.ok(bytes <= PAGE_BYTES_MAX, `${bytes} bytes`);
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

  test("a mistake is marked as one types, and the mark goes when it is mended", async () => {
    const typed = await workshop.code();
    await workshop.paste("int main(void) {\n  return leaf;\n}\n");
    await workshop.marked(2);
    assert.match((await workshop.problems()).join("\n"), /undeclared identifier leaf[^]*main\.c:2:10/);
    assert.match(await workshop.chip(), /^Build failed: \d+ errors?, r2 still live$/, "nothing was built");
    await workshop.paste("int main(void) {\n  return 0;\n}\n");
    await workshop.unmarked();
    await workshop.paste(typed);
    await workshop.marked(6);
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
    assert.match(await workshop.page.locator("#stdin").inputValue(), /fern/, "it comes with something to read");
    await workshop.runCommand("", "glass earth glass light\n");
    await workshop.becomes("exited");
    assert.match(await workshop.chip(), /^Exit 0/);
    assert.match(await workshop.output(), /glass/);
  });

  test("a command that runs says so, and Cancel or Escape ends it at once", async () => {
    await workshop.paste(ENDLESS);
    await workshop.run();
    await workshop.chipSays("Running");
    assert.match(await workshop.output(), /^Running/);
    assert.match((await workshop.stages()).at(-1), /^run /, "what ticks is the run");
    assert.equal(await workshop.exit(), "");
    await workshop.press();
    await workshop.chipSays("Cancelled");
    await workshop.focusCode();
    await workshop.run();
    await workshop.chipSays("Running");
    await workshop.page.keyboard.press("Escape");
    await workshop.chipSays("Cancelled");
    assert.match(await workshop.output(), /^Cancelled/);
  });

  test("a command is told what makes it a service, and can be served as it is", async () => {
    await workshop.paste(GREETING);
    await workshop.run();
    await workshop.becomes("exited");
    assert.match(await workshop.detail(), /load[^]*run[^]*in the server/);
    assert.doesNotMatch(await workshop.detail(), /build|queue/, "a run is not charged for the build");
    await workshop.serveAnyway();
    await workshop.becomes("live");
    await workshop.answerHolds("hello");
    const address = await workshop.address();
    await workshop.focusCode();
    await workshop.run();
    await workshop.becomes("exited");
    assert.match(await workshop.banner(), /The service's r1 still answers/);
    assert.ok((await workshop.banner()).includes(address), "its URL is still shown");
  });

  test("a private link opens the program elsewhere, and a damaged one says so", async () => {
    await workshop.chooseLanguage("c");
    const typed = await workshop.code();
    const { link, said } = await workshop.shared("private");
    assert.match(said, /stored nowhere/);
    assert.match(link, /^http:\/\/[^/]+\/#v1:[A-Za-z0-9_-]+$/);
    const visitor = await workshop.someoneElse(link);
    await visitor.codeHolds(typed.split("\n").find((line) => line.includes("hello")));
    assert.equal(await visitor.code(), typed);
    assert.equal(await visitor.page.evaluate(() => location.hash), "", "what is typed next is no longer what the link holds");
    await visitor.page.goto(link.slice(0, -40));
    assert.match(await visitor.refusal(), /damaged/);
    assert.equal(await visitor.code(), typed, "and nothing was replaced");
    await visitor.page.context().close();
  });

  test("the code is formatted by a key, and one Undo takes it back", async () => {
    const squeezed = "#include <stdio.h>\nint main(void){puts(\"laid out\");return 0;}\n";
    await workshop.paste(squeezed);
    await workshop.format();
    await workshop.page.locator(".cm-line", { hasText: /^\s+puts\("laid out"\);$/ }).waitFor();
    await workshop.focusCode();
    await workshop.undo();
    assert.equal(await workshop.code(), squeezed);
    await workshop.paste(GREETING);
  });

  test("a new file's name leads into the editor", async () => {
    await workshop.newFile("leaf.h");
    await workshop.page.keyboard.type("#define LEAF 1");
    assert.equal(await workshop.code(), "#define LEAF 1");
    await workshop.deleteFile("leaf.h");
  });

  test("a build that failed before failed in the build", async () => {
    await workshop.paste("int main(void) { retur 0; }\n");
    await workshop.run();
    await workshop.becomes("failed");
    assert.deepEqual(await workshop.badStages(), ["build"]);
    await workshop.run();
    await workshop.buildHolds("as it was built before");
    assert.deepEqual(await workshop.badStages(), ["build"]);
  });

  test("a server that was gone leaves nothing of it behind", async () => {
    await workshop.paste(SERVICE);
    await workshop.run();
    await workshop.becomes("live");
    const chip = await workshop.chip();
    await workshop.page.context().setOffline(true);
    try {
      await workshop.run();
      await workshop.chipSays("Server unreachable");
    } finally {
      await workshop.page.context().setOffline(false);
    }
    await workshop.chipSays(chip);
    assert.deepEqual(await workshop.problems(), []);
    assert.doesNotMatch(await workshop.logs(), /not made|failed/);
    assert.equal(await workshop.bannerShown(), false);
  });

  test("a revision that another tab made is shown, and said to be from there", async () => {
    const other = await workshop.anotherTab();
    await other.paste(SERVICE.replace("first answer", "answer of the other tab"));
    await other.run();
    await other.answerHolds("answer of the other tab");
    assert.equal(await other.bannerShown(), false);
    await other.page.close();
    await workshop.answerHolds("answer of the other tab");
    assert.match(await workshop.banner(), /came from elsewhere/);
  });

  test("the page of an expired deployment leads back to its code", async () => {
    const address = await workshop.address();
    await workshop.stopDeployment();
    await workshop.becomes("expired");
    await workshop.chooseLanguage("wat");
    await workshop.page.goto(address);
    await workshop.page.getByRole("link", { name: "Deploy it again" }).click();
    await workshop.becomes("expired");
    assert.match(await workshop.code(), /answer of the other tab/, "what was deployed last, in whichever tab");
    assert.match(await workshop.banner(), /at a new URL/);
    await workshop.page.goto(`${url}/#${"a".repeat(20)}`);
    await workshop.page.reload();
    await workshop.bannerSays("does not have the code");
  });

  test("a program can be given a name", async () => {
    await workshop.rename("greenhouse");
    assert.match(await workshop.page.title(), /^greenhouse/);
  });

  test("Tab leaves the editor", async () => {
    await workshop.focusCode();
    await workshop.page.keyboard.press("Tab");
    assert.equal(await workshop.page.evaluate(() => document.activeElement.closest(".cm-content")), null);
  });

  test("Tab indents where that was chosen; then Escape and Tab leave", async () => {
    await workshop.page.locator("#show-keys").click();
    await workshop.page.locator("#tab-indents").check();
    await workshop.page.keyboard.press("Escape");
    await workshop.paste("int x;");
    await workshop.page.keyboard.press("Tab");
    assert.match(await workshop.code(), /^ +int x;$|^int x; +$/);
    await workshop.page.keyboard.press("Escape");
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
