// Pages of guests that mean no good: each tries to reach the workshop by another way, from a tab of its own and from the workshop's preview; and lines
// and diagnostics that would be code if they were not text. A real server's URL is given by VIVARIUM_URL.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { openBrowser } from "./browser.mjs";
import { Workshop } from "./workshop.mjs";

const url = process.env.VIVARIUM_URL;
const CANARY = "vermillion-kookaburra";
/** How long an attack may take; one that still waits then has reached nothing. */
const ATTACK_MS = 3_000;

/**
 * What a page of a guest tries, by name: code that gives what it has reached, or nothing. `workshop` is the workshop's origin, `waits` a promise of so many
 * milliseconds.
 */
const ATTACKS = {
  "fetch a page": `const answer = await fetch(workshop + "/"); return await answer.text();`,
  "fetch with credentials": `const answer = await fetch(workshop + "/healthz", { credentials: "include" }); return await answer.text();`,
  "fetch without asking": `const answer = await fetch(workshop + "/", { mode: "no-cors" }); return await answer.text();`,
  "deploy by a fetch": `const answer = await fetch(workshop + "/api/v1/deployments", { method: "POST", body: '{"language":"wat","files":{"main.wat":"(module)"}}' }); return answer.status;`,
  "deploy by a fetch that asks": `const answer = await fetch(workshop + "/api/v1/deployments", { method: "POST", headers: { "content-type": "application/json" }, body: "{}" }); return answer.status;`,
  "a request that blocks": `const request = new XMLHttpRequest(); request.open("GET", workshop + "/healthz", false); request.send(); return request.responseText;`,
  "a frame": `const frame = document.createElement("iframe"); frame.src = workshop + "/"; document.body.append(frame); await waits(700); return frame.contentDocument?.body?.textContent || frame.contentWindow.localStorage.length;`,
  "an object": `const object = document.createElement("object"); object.data = workshop + "/"; document.body.append(object); await waits(700); return object.contentDocument?.body?.textContent;`,
  "a window's document": `const opened = open(workshop + "/"); await waits(900); return opened.document.body.textContent || "document";`,
  "a window's storage": `const opened = open(workshop + "/"); await waits(900); return JSON.stringify(opened.localStorage);`,
  "a window's address": `const opened = open(workshop + "/"); await waits(900); return opened.location.href;`,
  "an opener": `return opener && opener.document.body.textContent;`,
  "a script of the workshop": `await new Promise((loaded, failed) => { const script = document.createElement("script"); script.src = workshop + "/healthz"; script.onload = loaded; script.onerror = failed; document.head.append(script); }); return "loaded";`,
  "a style of the workshop": `await new Promise((loaded, failed) => { const style = document.createElement("link"); style.rel = "stylesheet"; style.href = workshop + "/healthz"; style.onload = loaded; style.onerror = failed; document.head.append(style); }); return "loaded";`,
  "a picture of the workshop": `await new Promise((loaded, failed) => { const image = new Image(); image.src = workshop + "/healthz"; image.onload = loaded; image.onerror = failed; }); return "loaded";`,
  "its own storage": `return localStorage.getItem("canary") ?? sessionStorage.getItem("canary");`,
  "cookies of the site": `document.cookie = "shared=1; domain=localhost"; document.cookie = "shared=2; domain=.localhost; path=/"; document.cookie = "shared=3; domain=127.0.0.1"; return document.cookie;`,
  "a common domain": `document.domain = "localhost"; return document.domain === "localhost" && "localhost";`,
  "a worker for the workshop": `await navigator.serviceWorker.register(workshop + "/healthz", { scope: workshop + "/" }); return "registered";`,
  "events of the workshop": `return await new Promise((told, failed) => { const events = new EventSource(workshop + "/api/v1/events?topics=server"); events.onopen = () => told("open"); events.onerror = failed; });`,
  "a socket to the workshop": `return await new Promise((told, failed) => { const socket = new WebSocket(workshop.replace("http", "ws") + "/api/v1/events"); socket.onopen = () => told("open"); socket.onerror = failed; });`,
  "databases": `return (await indexedDB.databases()).map((database) => database.name).join() || (await caches.keys()).join();`,
  "a channel": `return await new Promise((told) => { for (const name of ["vivarium:drafts", "vivarium"]) new BroadcastChannel(name).onmessage = (event) => told(JSON.stringify(event.data)); });`,
  "locks": `return (await navigator.locks.query()).held.map((lock) => lock.name).join();`,
};

/** A page that runs the attack which its query names, and what it knows of the workshop. */
const PAGE = `<!doctype html><meta charset="utf-8"><title>hostile</title><body><script>
const workshop = ${JSON.stringify(url)}, waits = (ms) => new Promise((over) => setTimeout(over, ms));
const attacks = { "its own page": async () => document.title, ${Object.entries(ATTACKS)
  .map(([name, code]) => `${JSON.stringify(name)}: async () => { ${code} }`)
  .join(",\n")} };
const asked = decodeURIComponent(location.search.slice(1));
Promise.race([attacks[asked](), waits(${ATTACK_MS})]).then((reached) => { window.outcome = { reached: reached || null }; }, (error) => { window.outcome = { reached: null, error: String(error) }; });
</script>`;

/** What a page in the preview does besides, all at once. */
const FRAMED = `<!doctype html><meta charset="utf-8"><body>framed<script>
const reached = [];
const tries = (name, attempt) => { try { const what = attempt(); if (what !== undefined && what !== null) reached.push(name + ": " + what); } catch {} };
tries("document", () => parent.document.title);
tries("storage", () => parent.localStorage.getItem("canary"));
tries("address", () => parent.location.href);
tries("code", () => parent.eval("1"));
tries("frames", () => parent.frameElement);
tries("own frame", () => frameElement);
tries("dialog", () => (alert("hostile"), undefined));
tries("question", () => prompt("hostile") ?? undefined);
tries("navigation of the top", () => { top.location = "about:blank#hostile"; });
tries("replacing the top", () => { top.location.replace("about:blank#hostile"); });
tries("a link to the top", () => { const link = document.createElement("a"); link.href = "about:blank#hostile"; link.target = "_top"; document.body.append(link); link.click(); });
tries("a form to the top", () => { const form = document.createElement("form"); form.action = "/hostile"; form.target = "_top"; document.body.append(form); form.submit(); });
tries("a window", () => open("about:blank#hostile")?.closed);
for (let times = 0; times < 200; times++) parent.postMessage({ type: "run", event: "deployment", data: "<img src=x onerror=window.hostile=1>", canary: times }, "*");
setTimeout(() => { document.title = "over"; fetch("/reached?" + encodeURIComponent(JSON.stringify(reached))); }, 500);
</script>`;

/** Texts that would be code, were they not text. */
const PAYLOADS = [
  `<script>window.hostile=1</script>`,
  `</script><script>window.hostile=1</script>`,
  `<img src=x onerror=window.hostile=1>`,
  `"><img src=x onerror=window.hostile=1>`,
  `'><svg onload=window.hostile=1>`,
  `<svg><script>window.hostile=1</script></svg>`,
  `<iframe srcdoc="<script>parent.hostile=1</script>">`,
  `<body onload=window.hostile=1>`,
  `<details open ontoggle=window.hostile=1>`,
  `<input autofocus onfocus=window.hostile=1>`,
  `<a href="javascript:window.hostile=1">x</a>`,
  `<style>@import "javascript:window.hostile=1";</style>`,
  `<link rel=stylesheet href="data:text/css,*{background:url(x)}">`,
  `<base href="http://evil.example/">`,
  `<meta http-equiv=refresh content="0;url=about:blank#hostile">`,
  `<template><img src=x onerror=window.hostile=1></template>`,
  `<math><mi xlink:href="javascript:window.hostile=1">x</mi></math>`,
  `<object data="javascript:window.hostile=1">`,
  `<form action="javascript:window.hostile=1"><button>x</button></form>`,
  `<!--><img src=x onerror=window.hostile=1>-->`,
  `<![CDATA[<img src=x onerror=window.hostile=1>]]>`,
  `{{constructor.constructor('window.hostile=1')()}}`,
  "${window.hostile=1}",
  `\\u003cimg src=x onerror=window.hostile=1\\u003e`,
  `&lt;img src=x onerror=window.hostile=1&gt;`,
  `\u001b[31mred\u001b[0m \u001b]8;;javascript:window.hostile=1\u0007x\u001b]8;;\u0007`,
  `\u001b]0;title\u0007\u001b[2J\u001b[H`,
  `\u202egnirts desrever\u202c`,
  `data: {"name":"log"}\\n\\nevent: deployment`,
  `${"<b>".repeat(200)}<img src=x onerror=window.hostile=1>`,
];

/** A text as a C string, byte by byte. */
function cString(text) {
  return `"${[...Buffer.from(text)].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("")}"`;
}

/** A program that answers with these bytes. */
function answering(text) {
  const bytes = Buffer.from(`Content-Type: text/html\n\n${text}`);
  const data = [...bytes].map((byte) => `\\${byte.toString(16).padStart(2, "0")}`).join("");
  return `(module (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 2) (data (i32.const 1024) "${data}")
    (func (export "_start") (i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const ${bytes.length}))
      (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))`;
}

async function deployed(source) {
  const body = JSON.stringify({ language: "wat", files: { "main.wat": source } });
  const answer = await fetch(`${url}/api/v1/deployments`, { method: "POST", headers: { "content-type": "application/json" }, body });
  assert.equal(answer.status, 201, await answer.clone().text());
  return await answer.json();
}

async function live() {
  return (await (await fetch(`${url}/healthz`)).json()).deployments.live;
}

describe("a hostile guest", { skip: url === undefined && "VIVARIUM_URL names no server" }, () => {
  let browser;
  let workshop;

  before(async () => {
    browser = await openBrowser();
    workshop = new Workshop(browser.page, url);
    await workshop.open();
    await browser.page.evaluate((canary) => {
      localStorage.setItem("canary", canary);
      sessionStorage.setItem("canary", canary);
    }, CANARY);
  });
  after(async () => await browser?.close());

  test("reaches the workshop from none of its pages", async () => {
    const guest = await deployed(answering(PAGE));
    const before = await live();
    assert.ok(Object.keys(ATTACKS).length >= 20);
    // The first reaches something, which shows that it would be told.
    for (const name of ["its own page", ...Object.keys(ATTACKS)]) {
      const page = await browser.page.context().newPage();
      await page.goto(`${guest.url}?${encodeURIComponent(name)}`);
      // As the workshop does when something is typed: there is something to hear.
      if (name === "a channel")
        await browser.page.evaluate(() => new BroadcastChannel("vivarium:drafts").postMessage({ key: "c", at: 0, tab: "" }));
      await page.waitForFunction(() => window.outcome !== undefined, undefined, { timeout: 30_000 });
      const outcome = await page.evaluate(() => window.outcome);
      assert.equal(outcome.reached, name === "its own page" ? "hostile" : null, `${name} reached ${outcome.reached}`);
      for (const other of browser.page.context().pages()) if (other !== browser.page) await other.close();
    }
    assert.equal(await live(), before, "nothing was deployed");
    assert.equal(await browser.page.evaluate(() => document.cookie), "", "the workshop has no cookies, nor was it given any");
  });

  test("reaches nothing from the preview", async () => {
    const dialogs = [];
    browser.page.on("dialog", async (dialog) => {
      dialogs.push(dialog.message());
      await dialog.dismiss();
    });
    const told = [];
    let ran = false;
    browser.page.context().on("request", (request) => {
      const { pathname, search } = new URL(request.url());
      if (pathname === "/reached") {
        ran = true;
        told.push(...JSON.parse(decodeURIComponent(search.slice(1))));
      } else if (pathname === "/hostile" && request.isNavigationRequest() && request.frame() === browser.page.mainFrame()) told.push("the top");
    });
    await workshop.chooseLanguage("c");
    const program = `#include <stdio.h>\nint main(void) { fputs("Content-Type: text/html\\r\\n\\r\\n", stdout); fputs(${cString(FRAMED)}, stdout); }\n`;
    await workshop.paste(program);
    await workshop.run();
    await workshop.becomes("live");
    for (let tries = 0; tries < 300 && !ran; tries++) await browser.page.waitForTimeout(100);
    assert.ok(ran, "the hostile page ran in the preview");
    assert.deepEqual(told, []);
    assert.deepEqual(dialogs, [], "it cannot stop the workshop with a dialog");
    assert.equal(new URL(browser.page.url()).origin, new URL(url).origin, "the workshop is where it was");
    assert.equal(await browser.page.evaluate(() => window.hostile), undefined);
    assert.equal(browser.page.context().pages().length, 1, "it has opened no window");
  });

  test("runs nothing by its log, nor by what compilers say of it", async () => {
    assert.ok(PAYLOADS.length >= 30);
    const lines = PAYLOADS.map((payload) => `    fputs(${cString(`${payload}\n`)}, stderr);`).join("\n");
    await workshop.paste(`#include <stdio.h>\nint main(void) {\n${lines}\n    fputs("the last line\\n", stderr);\n    puts("Content-Type: text/plain\\n\\nx");\n}\n`);
    await workshop.run();
    await workshop.becomes("live");
    await workshop.logHolds("the last line");
    const shown = await browser.page.evaluate(() => document.body.innerText);
    assert.ok(shown.includes("<img src=x onerror=window.hostile=1>"), "a line is shown as it is");
    assert.ok(!/[\u001b\u0007]/.test(shown), "escapes of terminals are not shown");
    assert.equal(await browser.page.evaluate(() => window.hostile), undefined);

    const errors = PAYLOADS.filter((payload) => !/[\u001b\u0007\n]/.test(payload)).map((payload) => `#error ${payload}`);
    await workshop.paste(`${errors.join("\n")}\nint main(void) { return 0; }\n`);
    await workshop.run();
    await workshop.becomes("failed");
    await browser.page.waitForTimeout(500);
    assert.equal(await browser.page.evaluate(() => window.hostile), undefined);
    assert.equal(new URL(browser.page.url()).origin, new URL(url).origin);
  });
});
