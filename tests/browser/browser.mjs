// Debian's Chromium, driven through playwright-core, which is a development dependency of web/.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const { chromium } = createRequire(new URL("../../web/package.json", import.meta.url))("playwright-core");

const FLAGS = [
  "--headless=new",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

/** A browser with a profile of its own, gone when it is closed. Every request it makes beyond this machine is an error of the page. */
export async function openBrowser({ javaScript = true, width = 1440, height = 900, colorScheme = "light" } = {}) {
  const profile = await mkdtemp(join(tmpdir(), "vivarium-browser-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.VIVARIUM_CHROMIUM ?? "/usr/bin/chromium",
    args: FLAGS,
    viewport: { width, height },
    colorScheme,
    javaScriptEnabled: javaScript,
  });
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const strangers = [];
  context.on("request", (request) => {
    const { protocol, hostname } = new URL(request.url());
    const local = hostname === "127.0.0.1" || hostname === "localhost" || hostname.endsWith(".localhost");
    if (protocol.startsWith("http") && !local) strangers.push(request.url());
  });
  const complaints = [];
  context.on("page", (page) => listen(page, complaints));
  for (const page of context.pages()) listen(page, complaints);
  return {
    page: context.pages()[0] ?? (await context.newPage()),
    /** Requests that left this machine. */
    strangers,
    /** Errors of scripts, and what the Content-Security-Policy refused. */
    complaints,
    async close() {
      await context.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}

function listen(page, complaints) {
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && /Content Security Policy|Uncaught/.test(message.text()))
      complaints.push(`${message.text()} (${JSON.stringify(message.location())})`);
  });
}

/** A browser over a profile that outlives it, to be killed as a crash or a power cut would. */
export async function openKillable(profile) {
  const port = new Promise((resolve, reject) => {
    const args = [...FLAGS, `--user-data-dir=${profile}`, "--remote-debugging-port=0", "about:blank"];
    const child = spawn(process.env.VIVARIUM_CHROMIUM ?? "/usr/bin/chromium", args, { stdio: ["ignore", "ignore", "pipe"], detached: true });
    let said = "";
    child.stderr.on("data", (data) => {
      said += data;
      const address = /ws:\/\/\S+/.exec(said)?.[0];
      if (address !== undefined) resolve({ child, address });
    });
    child.on("exit", () => reject(new Error(`the browser ended: ${said}`)));
  });
  const { child, address } = await port;
  const browser = await chromium.connectOverCDP(address);
  const page = browser.contexts()[0].pages()[0] ?? (await browser.contexts()[0].newPage());
  return {
    page,
    /** All of its processes, at once. */
    async kill() {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      process.kill(-child.pid, "SIGKILL");
      await ended;
      await browser.close().catch(() => undefined);
    },
  };
}
