// What is typed is never lost: not with the browser, not to another tab. A real server's URL is given by VIVARIUM_URL.
//
// VIVARIUM_KILLS is how often the browser is killed while somebody types.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { openBrowser, openKillable } from "./browser.mjs";
import { assertClean, Workshop } from "./workshop.mjs";

const url = process.env.VIVARIUM_URL;
const kills = Number(process.env.VIVARIUM_KILLS ?? 3);
/** What may be missing: the pace at which is saved, and what a loaded machine adds to it. */
const LOST_MS_MAX = 2_000;

describe("keeping", { skip: url === undefined && "VIVARIUM_URL names no server" }, () => {
  let browser;
  let workshop;

  before(async () => {
    browser = await openBrowser();
    workshop = new Workshop(browser.page, url);
    await workshop.open();
  });
  after(async () => await browser?.close());

  test("each Run is a version; one is compared with now and brought back, and what was there is one too", async () => {
    await workshop.paste("int main(void) { return 0; }\n// first");
    await workshop.run();
    await workshop.becomes("exited");
    await workshop.paste("int main(void) { return 0; }\n// second");
    await workshop.run();
    await workshop.becomes("exited");
    await workshop.paste("int main(void) { return 0; }\n// third");
    await workshop.page.waitForTimeout(400);
    await workshop.showVersions();
    const versions = await workshop.versions();
    assert.deepEqual(versions.slice(0, 1), ["run"]);
    await workshop.chooseVersion("run");
    assert.match((await workshop.versionDiff()).join("\n"), /− \/\/ third\n\+ \/\/ second/);
    await workshop.restoreVersion();
    await workshop.codeHolds("second");
    await workshop.showVersions();
    assert.equal((await workshop.versions())[0], "before it was replaced");
    await workshop.chooseVersion("before it was replaced");
    await workshop.restoreVersion();
    await workshop.codeHolds("third");
  });

  test("a tab hears that another one has typed, and can take it from there", async () => {
    const other = new Workshop(await workshop.page.context().newPage(), url);
    await other.open();
    await other.paste("// typed in the other tab");
    await workshop.otherTabSays("Another tab has changed this program");
    await workshop.takeFromOtherTab();
    await workshop.codeHolds("typed in the other tab");
    await other.page.close();
  });

  test("a tab that is behind and is hidden changes nothing", async () => {
    const older = new Workshop(await workshop.page.context().newPage(), url);
    await older.open();
    await workshop.paste("// newer words");
    await older.otherTabSays("Another tab has changed this program");
    await older.page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
    await older.hide();
    await older.page.waitForTimeout(500);
    assert.ok(await workshop.otherTabIsQuiet(), "what did not change is not told");
    await workshop.open();
    await workshop.codeHolds("newer words");
    await older.page.close();
  });

  test("what is said of another tab goes with its program, and what was there when it is taken is a version", async () => {
    const other = new Workshop(await workshop.page.context().newPage(), url);
    await other.open();
    await other.chooseLanguage("c");
    await workshop.chooseLanguage("c");
    await workshop.paste("// mine, of this tab");
    await other.otherTabSays("Another tab has changed this program");
    await other.paste("// theirs, of the other tab");
    await workshop.otherTabSays("Another tab has changed this program");
    await workshop.chooseLanguage("rust");
    assert.ok(await workshop.otherTabIsQuiet(), "it spoke of the C program");
    await workshop.chooseLanguage("c");
    await other.paste("// theirs, once more");
    await workshop.otherTabSays("Another tab has changed this program");
    await workshop.takeFromOtherTab();
    await workshop.codeHolds("theirs, once more");
    await workshop.showVersions();
    await workshop.chooseVersion("in another tab");
    assert.match((await workshop.versionDiff()).join("\n"), /\+ \/\/ mine, of this tab/);
    await workshop.restoreVersion();
    await workshop.codeHolds("mine, of this tab");
    await other.page.close();
  });

  test("a tab that is behind writes nothing away: the other's text is among the versions", async () => {
    const other = new Workshop(await workshop.page.context().newPage(), url);
    await other.open();
    await other.paste("// precious words");
    await workshop.otherTabSays("Another tab has changed this program");
    await workshop.paste("// typed without looking");
    await workshop.otherTabSays("is kept among the versions");
    await workshop.showVersions();
    await workshop.chooseVersion("in another tab");
    assert.match((await workshop.versionDiff()).join("\n"), /\+ \/\/ precious words/);
    await workshop.restoreVersion();
    await workshop.codeHolds("precious words");
    await other.page.close();
  });

  test("nothing left this machine and nothing was refused", () => assertClean(browser));

  test("a browser that is killed while one types has it all again, but for the last moment", async () => {
    const profile = await mkdtemp(join(tmpdir(), "vivarium-killed-"));
    const lost = [];
    try {
      for (let round = 0; round < kills; round += 1) {
        const first = await openKillable(profile);
        const typing = new Workshop(first.page, url);
        await typing.open();
        await typing.focusCode();
        await first.page.keyboard.press("ControlOrMeta+A");
        await first.page.keyboard.press("Backspace");
        const typed = [];
        const until = Date.now() + 600 + Math.random() * 1_500;
        while (Date.now() < until) {
          const key = "abcdefghijklmnopqrstuvwxyz"[typed.length % 26];
          await first.page.keyboard.type(key);
          typed.push({ key, at: Date.now() });
        }
        const killedAt = Date.now();
        await first.kill();
        const again = await openKillable(profile);
        const back = new Workshop(again.page, url);
        await back.open();
        await again.page.waitForTimeout(500);
        const found = await back.code();
        await again.kill();
        const whole = typed.map(({ key }) => key).join("");
        assert.ok(whole.startsWith(found), `${found} is no beginning of ${whole}`);
        lost.push(found.length === whole.length ? 0 : killedAt - typed[found.length].at);
      }
    } finally {
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    }
    if (process.env.VIVARIUM_KILLS !== undefined) console.log(`lost, in ms: ${lost.join(" ")}`);
    assert.ok(Math.max(...lost) <= LOST_MS_MAX, `lost, in ms: ${lost.join(" ")}`);
  });
});
