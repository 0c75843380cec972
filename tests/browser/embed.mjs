// An embed within somebody's page, as its reader uses it. Only this file knows how it is made.

export class Embed {
  constructor(page, title) {
    this.page = page;
    this.frame = page.frameLocator(`iframe[title="${title}"]`);
    page.setDefaultTimeout(30_000);
  }

  async codeHolds(text) {
    await this.frame.locator(".cm-content", { hasText: text }).waitFor();
  }

  async code() {
    return await this.frame.locator(".cm-content").innerText();
  }

  /** Lines that stand out, in order. */
  async linesThatStandOut() {
    const lines = await this.frame.locator(".stands-out").allInnerTexts();
    return lines.map((line) => (line.includes("asked for") ? /asked for/ : line));
  }

  async theme() {
    return await this.frame.locator("html").getAttribute("data-theme");
  }

  async opens() {
    return await this.frame.locator("#open").getAttribute("href");
  }

  async state() {
    return (await this.frame.locator("#chip").innerText()).trim();
  }

  async becomes(pattern) {
    await this.frame.locator("#chip").getByText(pattern).waitFor();
  }

  async run() {
    await this.frame.locator("#run").click();
  }

  async answerHolds(text) {
    await this.frame.frameLocator("#preview").getByText(text).waitFor();
  }

  async output() {
    return await this.frame.locator("#output").innerText();
  }

  async typeAfterLine(text, typed) {
    await this.frame.locator(".cm-line", { hasText: text }).first().click();
    await this.page.keyboard.press("End");
    await this.page.keyboard.type(typed);
  }

  /** Places that are underlined as wrong. */
  async marks() {
    await this.frame.locator(".cm-lintRange-error, .cm-lintPoint").first().waitFor();
    return await this.frame.locator(".explanation").count();
  }
}
