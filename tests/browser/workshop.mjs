// The workshop as a person uses it. Only this file knows how the page is made.

import assert from "node:assert/strict";

/** How long a build, an answer or an event may take on a busy machine. No test measures by it. */
const PATIENCE_MS = 30_000;

export class Workshop {
  constructor(page, url) {
    this.page = page;
    this.url = url;
    page.setDefaultTimeout(PATIENCE_MS);
  }

  async open() {
    await this.page.goto(this.url);
    await this.page.locator(".cm-content").waitFor();
  }

  // ---------- the editor

  async code() {
    return await this.page
      .locator("#code .cm-content")
      .evaluate((content) => content.cmTile?.view?.state.doc.toString() ?? content.innerText);
  }

  async focusCode() {
    await this.page.locator(".cm-content").focus();
  }

  /** Replaces the whole text, as a person who pastes does. */
  async paste(text) {
    await this.focusCode();
    await this.page.keyboard.press("ControlOrMeta+A");
    await this.page.evaluate((copied) => navigator.clipboard.writeText(copied), text);
    await this.page.keyboard.press("ControlOrMeta+V");
  }

  /** Types at the end of the line that holds `text`. */
  async typeAfterLine(text, typed) {
    await this.page.locator(".cm-line", { hasText: text }).first().click();
    await this.page.keyboard.press("End");
    await this.page.keyboard.type(typed);
  }

  /** The numbers of the lines that have a mark in the gutter. */
  async markedLines() {
    return await this.page.evaluate(() => {
      const numbers = [...document.querySelectorAll(".cm-lineNumbers .cm-gutterElement")].map((element) => [
        element.getBoundingClientRect().top,
        element.textContent,
      ]);
      return [...document.querySelectorAll(".cm-lint-marker-error")].map((marker) => {
        const top = marker.getBoundingClientRect().top;
        const nearest = numbers.reduce((best, number) =>
          Math.abs(number[0] - top) < Math.abs(best[0] - top) ? number : best,
        );
        return Number(nearest[1]);
      });
    });
  }

  /** Waits until that line has a mark in the gutter. */
  async marked(line) {
    for (let tries = 0; tries < 1000; tries++) {
      if ((await this.markedLines()).includes(line)) return;
      await this.page.waitForTimeout(20);
    }
    throw new Error(`line ${line} has no mark: ${await this.markedLines()}`);
  }

  async unmarked() {
    await this.page.locator(".cm-lint-marker-error").first().waitFor({ state: "detached" });
  }

  async underlined() {
    return await this.page.locator(".cm-lintRange-error").allTextContents();
  }

  // ---------- Run and its states

  async run() {
    await this.page.keyboard.press("ControlOrMeta+Enter");
  }

  /** Waits until the page is in one of these states. */
  async becomes(...states) {
    await this.page.locator(states.map((state) => `html[data-state="${state}"]`).join(", ")).waitFor();
  }

  async format() {
    await this.page.keyboard.press("Alt+Shift+F");
  }

  async undo() {
    await this.page.keyboard.press("ControlOrMeta+Z");
  }

  async press() {
    await this.page.locator("#run").click();
  }

  async chipSays(text) {
    await this.page.locator("#chip", { hasText: text }).waitFor();
  }

  /** The stages that the strip draws as failed. */
  async badStages() {
    return await this.page.locator("#strip .stages li.bad").evaluateAll((items) =>
      items.map((item) => item.textContent.trim().split(" ")[0]),
    );
  }

  async chip() {
    return ((await this.page.locator("#chip").textContent()) ?? "").trim();
  }

  async stages() {
    return await this.page.locator("#strip .stages li").allInnerTexts();
  }

  // ---------- the answer

  async address() {
    return await this.page.locator("#open-url").getAttribute("href");
  }

  async ask(path) {
    await this.page.locator("#url-path").fill(path);
    await this.page.locator("#url-path").press("Enter");
  }

  async reload() {
    await this.page.locator("#reload").click();
  }

  /** Waits until the preview's page holds `text`. */
  async answerHolds(text) {
    await this.page.frameLocator("#preview").getByText(text).first().waitFor();
  }

  async anotherTab() {
    const other = new Workshop(await this.page.context().newPage(), this.url);
    await other.open();
    await other.becomes("live");
    return other;
  }

  /** Ends the deployment that is shown, as its owner may. */
  async stopDeployment() {
    await this.page.evaluate(async () => {
      const slug = document.querySelector("#url-slug").textContent;
      const token = localStorage.getItem(`vivarium:owner:${slug}`);
      await fetch(`/api/v1/deployments/${slug}`, { method: "DELETE", headers: { Authorization: `Bearer ${token}` } });
    });
  }

  async copiedUrl() {
    await this.page.locator("#copy-url").click();
    return await this.page.evaluate(() => navigator.clipboard.readText());
  }

  // ---------- the panels

  async logHolds(text) {
    await this.page.locator('[data-panel-tab="logs"]').click();
    await this.page.locator("#log-lines li", { hasText: text }).first().waitFor();
  }

  async requests() {
    return await this.page.locator("#request-list .request").allInnerTexts();
  }

  async requestHolds(text) {
    await this.page.locator("#request-list .request", { hasText: text }).first().waitFor();
  }

  async detail() {
    return await this.page.locator("#request-detail").innerText();
  }

  async problems() {
    return await this.page.locator("#problems .problem-line").allInnerTexts();
  }

  async banner() {
    return await this.page.locator("#banner").innerText();
  }

  /** Waits for it: what draws the banner is loaded when there is something to say. */
  async bannerSays(text) {
    await this.page.locator("#banner", { hasText: text }).waitFor();
  }

  async bannerShown() {
    return await this.page.locator("#banner").isVisible();
  }

  async logs() {
    return await this.page.locator("#log-lines").innerText();
  }

  /** Waits until the list of the build's stages holds `text`, shown or not. */
  async buildHolds(text) {
    await this.page.locator("#build", { hasText: text }).waitFor({ state: "attached" });
  }

  // ---------- what is kept of the text

  async showVersions() {
    await this.page.locator("#starters-menu summary").click();
    await this.page.locator("#show-versions").click();
    await this.page.locator(".version").waitFor();
  }

  /** Why each version was kept, newest first. */
  async versions() {
    return await this.page.locator(".versions .mono").allInnerTexts();
  }

  async chooseVersion(why) {
    await this.page.locator(".versions button", { hasText: why }).first().click();
  }

  /** What going back would change, as lines with + and −. */
  async versionDiff() {
    return await this.page.locator(".diff").allInnerTexts();
  }

  async restoreVersion() {
    await this.page.getByRole("button", { name: "Restore" }).click();
    await this.page.locator("#share-sheet").waitFor({ state: "hidden" });
  }

  async otherTabSays(text) {
    await this.page.locator("#other-tab", { hasText: text }).waitFor();
  }

  /** Nothing is said of another tab. */
  async otherTabIsQuiet() {
    return await this.page.locator("#other-tab").isHidden();
  }

  /** The tab leaves this page for another one, which hides it first. */
  async hide() {
    await this.page.goto("about:blank");
  }

  async takeFromOtherTab() {
    await this.page.locator("#other-tab button").click();
  }

  // ---------- kept requests and what their answers must be like

  async showTests() {
    await this.page.locator('[data-panel-tab="tests"]').click();
  }

  /** Keeps another request; what is not given stays as it comes. */
  async keepRequest({ name, method, path, headers, body, tests }) {
    const add = this.page.getByRole("button", { name: /^Keep a(nother)? request$/ });
    await add.click();
    const form = this.page.locator(".test-form");
    await form.getByLabel("Name").fill(name);
    if (method !== undefined) await form.getByLabel("Method").selectOption(method);
    if (path !== undefined) await form.getByLabel("Path").fill(path);
    if (headers !== undefined) await form.getByLabel("Headers").fill(headers);
    if (body !== undefined) await form.getByLabel("Body", { exact: true }).fill(body);
    if (tests !== undefined) await form.getByLabel("Must hold").fill(tests);
  }

  async sendKept() {
    await this.page.locator('.test-form button[type="submit"]').click();
  }

  async sendAllKept() {
    await this.page.getByRole("button", { name: "Send all" }).click();
  }

  /** Waits until the panel says how many assertions hold. */
  async held(text) {
    await this.page.locator(".tests-head", { hasText: text }).waitFor();
  }

  async verdicts() {
    return (await this.page.locator(".verdicts li").allInnerTexts()).map((text) => text.replace(/\s+/g, " ").trim());
  }

  async testAnswer() {
    return (await this.page.locator(".test-form .output").allTextContents()).join("\n");
  }

  async copiedCurl() {
    await this.page.getByRole("button", { name: "Copy as curl" }).click();
    return await this.page.evaluate(() => navigator.clipboard.readText());
  }

  // ---------- programs

  async newFile(name) {
    await this.page.locator("#new-file").click();
    await this.page.keyboard.type(name);
    await this.page.keyboard.press("Enter");
    await this.page.locator("#files [role=tab][aria-selected=true]", { hasText: name }).waitFor();
  }

  /** The file that is shown, confirming that what is in it goes. */
  async deleteFile(name) {
    this.page.once("dialog", (dialog) => dialog.accept());
    await this.page.locator("#files [role=tab]", { hasText: name }).focus();
    await this.page.keyboard.press("Delete");
    await this.page.locator("#files [role=tab]", { hasText: name }).waitFor({ state: "detached" });
  }

  async rename(name) {
    await this.page.locator("#starters-menu summary").click();
    await this.page.locator("#rename").fill(name);
    await this.page.locator("#rename").press("Enter");
  }

  async chooseLanguage(name) {
    await this.page.locator(`.languages input[value="${name}"]`).check({ force: true });
  }

  async chooseStarter(name) {
    await this.page.locator("#starters-menu summary").click();
    await this.page.locator(`#starters-menu a[data-starter="${name}"]`).click();
    await this.page.locator("#program-name", { hasText: name }).waitFor();
  }

  /** Presses Share: the link is in the clipboard. `choice` is what it is to lead to, where it is not the usual one. */
  async shared(choice) {
    await this.page.locator("#share").click();
    const sheet = this.page.locator("#share-sheet");
    await sheet.getByText("Link copied").waitFor();
    if (choice !== undefined) {
      await sheet.locator(`input[value="${choice}"]`).check();
      await sheet.locator(`input[value="${choice}"]:checked`).waitFor();
    }
    const said = await sheet.innerText();
    await this.page.keyboard.press("Escape");
    await sheet.waitFor({ state: "hidden" });
    return { link: await this.page.evaluate(() => navigator.clipboard.readText()), said };
  }

  /** Deletes what is stored of the program that is shown. */
  async deleteShared() {
    await this.page.locator("#share").click();
    this.page.once("dialog", (dialog) => dialog.accept());
    await this.page.getByRole("button", { name: "Delete what is stored" }).click();
    await this.page.locator("#share-sheet").waitFor({ state: "hidden" });
  }

  async refusal() {
    const sheet = this.page.locator("#share-sheet", { hasText: "cannot be opened" });
    await sheet.waitFor();
    return await sheet.innerText();
  }

  async codeHolds(text) {
    await this.page.locator(".cm-content", { hasText: text.trim() }).waitFor();
  }

  /** The address in a browser that was never here. */
  async someoneElse(address) {
    const context = await this.page.context().browser().newContext();
    const page = await context.newPage();
    await page.goto(address);
    return new Workshop(page, this.url);
  }

  async runCommand(args, stdin) {
    await this.page.locator("#arguments").fill(args);
    await this.page.locator("#stdin").fill(stdin);
    await this.page.locator("#run").click();
  }

  async serveAnyway() {
    await this.page.locator("#serve").click();
  }

  async exit() {
    return await this.page.locator("#exit").innerText();
  }

  async output() {
    return await this.page.locator("#output").innerText();
  }

  async screenshot(path) {
    await this.page.evaluate(() => document.activeElement?.blur());
    await this.page.screenshot({ path });
  }
}

/** What must hold at the end of every story. */
export function assertClean(browser) {
  assert.deepEqual(browser.strangers, [], "the page asks nobody outside of this machine");
  assert.deepEqual(browser.complaints, [], "no script failed and the policy refused nothing");
}
