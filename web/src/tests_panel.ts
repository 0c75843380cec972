// The Tests panel: requests that are kept with the program, each sent by a click, with what its answer must be like in lines. The server sends
// them and judges; this draws what it said.

import { ApiError, call } from "./api.js";
import { append, byId, icon, make, replace, setText } from "./dom.js";
import { byteText, countText, millisecondText } from "./numbers.js";
import type { SavedRequest, Timings } from "./objects.js";
import { METHODS, save } from "./programs.js";
import { currentProgram, type Program, type Workshop } from "./state.js";
import type { Store } from "./store.js";

interface Verdict {
  label: string;
  line: number;
  passed: boolean;
  message: string;
}

interface Answer {
  status: number;
  headers: [name: string, value: string][];
  body: string;
  body_bytes: number;
  body_truncated: boolean;
  log: string[];
  timings: Timings | null;
}

interface Result {
  name: string;
  passed: boolean;
  request_id: number | null;
  error: string | null;
  assertions: Verdict[];
  answer: Answer | null;
}

/** As many as the server keeps with a program. */
const REQUESTS_MAX = 64;
/** What a round of all of them may take. */
const ROUND_MS_MAX = 300_000;
const EXAMPLE = 'status is 200\n[says hello] body includes "hello"\ntimings.run isBelow 5 ms\noutcome isNot trapped';

/** What came of the requests of one program, and which of them is shown. */
interface Bench {
  program: Program;
  chosen: number;
  results: Map<SavedRequest, Result>;
  refusal: string | null;
  isSending: boolean;
}

export function testsView(store: Store<Workshop>, select: (id: number) => void): (workshop: Workshop) => void {
  const panel = byId("tests");
  const benches = new WeakMap<Program, Bench>();
  let drawn: unknown[] = [];

  const benchOf = (program: Program): Bench => {
    const bench = benches.get(program) ?? { program, chosen: 0, results: new Map(), refusal: null, isSending: false };
    benches.set(program, bench);
    return bench;
  };
  const redraw = () => {
    drawn = [];
    store.update(() => undefined);
  };

  return (workshop) => {
    const program = currentProgram(workshop);
    const bench = benchOf(program);
    drawCount(bench);
    if (workshop.panel !== "tests") return;
    const now = [program, program.savedRequests, program.slug, bench.chosen, bench.isSending, bench.results.size];
    if (now.every((value, index) => value === drawn[index])) return;
    drawn = now;
    draw(panel, bench, redraw, select);
  };
}

function drawCount({ program, results }: Bench): void {
  const count = byId("test-count");
  const all = program.savedRequests.map((request) => results.get(request)).filter((result) => result !== undefined);
  const failed = all.filter(({ passed }) => !passed).length;
  count.hidden = program.savedRequests.length === 0;
  count.classList.toggle("danger", failed > 0);
  setText(count, String(failed > 0 ? failed : program.savedRequests.length));
}

/** What had the focus has it again: a form that is drawn anew must not throw its reader out. */
function draw(panel: HTMLElement, bench: Bench, redraw: () => void, select: (id: number) => void): void {
  const active = panel.contains(document.activeElement) ? document.activeElement : null;
  const called = active === null || active === panel ? null : callOf(active);
  const caret =
    active instanceof HTMLTextAreaElement || active instanceof HTMLInputElement ? active.selectionStart : null;
  drawAnew(panel, bench, redraw, select);
  if (called === null) return;
  const controls = [...panel.querySelectorAll<HTMLElement>(CONTROLS)];
  const again =
    controls.find((control) => callOf(control) === called) ?? panel.querySelector<HTMLElement>(".test[aria-current]");
  again?.focus();
  if (again instanceof HTMLTextAreaElement || again instanceof HTMLInputElement) again.setSelectionRange(caret, caret);
}

const CONTROLS = "button, input, select, textarea, summary, pre";

/** What a control is called, by which it is found again. Of the list's rows it is the chosen one. */
function callOf(control: Element): string {
  if (control.matches(".test")) return control.hasAttribute("aria-current") ? "test" : "";
  const label = control.getAttribute("aria-label") ?? control.closest("label")?.querySelector("span")?.textContent;
  return `${control.tagName} ${label ?? control.textContent}`;
}

function drawAnew(panel: HTMLElement, bench: Bench, redraw: () => void, select: (id: number) => void): void {
  const requests = bench.program.savedRequests;
  bench.chosen = Math.min(bench.chosen, Math.max(0, requests.length - 1));
  const chosen = requests[bench.chosen];
  const head = toolbar(bench, redraw);
  if (chosen === undefined) {
    const add = make("button", { class: "button small", type: "button" }, icon("i-plus"), "Keep a request");
    add.addEventListener("click", () => addRequest(bench, redraw));
    const text =
      "A request is kept with the program and shared with it: method, path, headers, body, and what its answer must be like.";
    replace(panel, make("div", { class: "tests-empty" }, make("p", {}, text), add));
    return;
  }
  const list = make("ul", { class: "tests-list" });
  append(
    list,
    requests.map((request, index) => row(bench, request, index, redraw)),
  );
  const side = make("div", { class: "tests-side" }, head, list);
  replace(panel, make("div", { class: "tests" }, side, form(bench, chosen, redraw, select)));
}

function toolbar(bench: Bench, redraw: () => void): HTMLElement {
  const { program, results } = bench;
  const all = make(
    "button",
    { class: "button small", type: "button", "aria-disabled": bench.isSending && "true" },
    icon("i-run"),
    "Send all",
  );
  all.addEventListener("click", () => void send(bench, program.savedRequests, redraw));
  const add = make(
    "button",
    { class: "quiet square", type: "button", "aria-label": "Keep another request", title: "Keep another request" },
    icon("i-plus"),
  );
  add.addEventListener("click", () => addRequest(bench, redraw));
  const verdicts = [...results.values()].flatMap(({ assertions }) => assertions);
  const passed = verdicts.filter((verdict) => verdict.passed).length;
  const sum = verdicts.length === 0 ? "" : `${passed} of ${verdicts.length} hold`;
  return make(
    "div",
    { class: "tests-head" },
    all,
    make("span", { class: "note", role: "status" }, sum),
    make("span", { class: "gap" }),
    add,
  );
}

function row(bench: Bench, request: SavedRequest, index: number, redraw: () => void): HTMLElement {
  const result = bench.results.get(request);
  const [shape, colour, word] = shapeOf(result);
  const line = make(
    "button",
    { type: "button", class: "test", "aria-current": index === bench.chosen && "true" },
    icon(shape, colour),
    make("span", { class: "visually-hidden" }, word),
    make("b", {}, nameOf(request)),
    make("span", { class: "mono dim" }, `${request.method || "GET"} ${request.path || "/"}`),
  );
  line.addEventListener("click", () => {
    bench.chosen = index;
    redraw();
  });
  return make("li", {}, line);
}

function shapeOf(result: Result | undefined): [shape: string, colour: string, word: string] {
  if (result === undefined) return ["s-ready", "", "not sent"];
  return result.passed ? ["s-exited", "accent-text", "holds"] : ["s-failed", "danger-text", "does not hold"];
}

function nameOf(request: SavedRequest): string {
  return request.name || "unnamed";
}

function form(bench: Bench, request: SavedRequest, redraw: () => void, select: (id: number) => void): HTMLElement {
  const change = (changes: Partial<SavedRequest>) => {
    Object.assign(request, changes);
    save(bench.program);
  };
  const field = (label: string, control: HTMLElement, className = "") =>
    make("label", { class: `test-field ${className}` }, make("span", {}, label), control);
  const input = (value: string, changed: (text: string) => void) => {
    const made = make("input", {
      class: "mono",
      value,
      spellcheck: "false",
      autocapitalize: "off",
      autocomplete: "off",
    });
    made.addEventListener("input", () => changed(made.value));
    return made;
  };
  const area = (value: string, rows: number, placeholder: string, changed: (text: string) => void) => {
    const made = make(
      "textarea",
      { class: "mono", rows, placeholder, spellcheck: "false", autocapitalize: "off" },
      value,
    );
    made.addEventListener("input", () => changed(made.value));
    return made;
  };
  const method = make(
    "select",
    {},
    ...METHODS.map((name) => make("option", { selected: name === (request.method || "GET") }, name)),
  );
  method.addEventListener("change", () => change({ method: method.value === "GET" ? "" : method.value }));
  const headers = (request.headers ?? []).map(([name, value]) => `${name}: ${value}`).join("\n");
  const result = bench.results.get(request);
  const submit = make(
    "button",
    { class: "button primary", type: "submit", "aria-disabled": bench.isSending && "true" },
    icon("i-run"),
    "Send",
  );
  const made = make(
    "form",
    { class: "test-form" },
    make(
      "div",
      { class: "test-line" },
      field(
        "Name",
        input(request.name, (name) => change({ name })),
        "name",
      ),
      field("Method", method),
      field(
        "Path",
        input(request.path ?? "/", (path) => change({ path })),
        "grow",
      ),
      submit,
    ),
    bench.refusal !== null && make("p", { class: "danger-text" }, bench.refusal),
    ...(result === undefined ? [] : drawResult(result, select)),
    make(
      "div",
      { class: "test-line" },
      field(
        "Headers, one a line",
        area(headers, 2, "Accept: text/html", (text) => change({ headers: headersOf(text) })),
        "grow",
      ),
      field(
        "Body",
        area(request.body ?? "", 2, "", (body) => change({ body })),
        "grow",
      ),
    ),
    field(
      "Must hold, one a line: [label] target comparison value",
      area(request.tests ?? "", 4, EXAMPLE, (tests) => change({ tests })),
    ),
    buttons(bench, request, redraw),
  );
  made.addEventListener("submit", (event) => {
    event.preventDefault();
    void send(bench, [request], redraw);
  });
  return made;
}

/** "Name: value" a line. */
export function headersOf(text: string): [name: string, value: string][] {
  const lines = text.split("\n").map((line) => line.trim());
  return lines
    .filter((line) => line !== "")
    .map((line) => {
      const colon = line.indexOf(":");
      return colon < 0 ? [line, ""] : [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
    });
}

function buttons(bench: Bench, request: SavedRequest, redraw: () => void): HTMLElement {
  const curl = make("button", { class: "button small", type: "button" }, icon("i-copy"), "Copy as curl");
  curl.addEventListener("click", () => {
    const { deployment } = bench.program;
    const command = curlOf(request, deployment?.path_url ?? "http://127.0.0.1:7879/_d/SLUG/");
    void navigator.clipboard.writeText(command).then(() => setText(byId("announcer"), "Copied"));
  });
  const remove = make("button", { class: "link", type: "button" }, "Remove");
  remove.addEventListener("click", () => {
    bench.program.savedRequests = bench.program.savedRequests.filter((known) => known !== request);
    bench.results.delete(request);
    save(bench.program);
    redraw();
  });
  return make("div", { class: "test-buttons" }, curl, make("span", { class: "gap" }), remove);
}

/** As a person types it in a shell; the path form needs no wildcard name. */
export function curlOf({ method, path, headers, body }: SavedRequest, pathUrl: string): string {
  const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  const parts = ["curl"];
  if (method === "HEAD") parts.push("--head");
  else if (method) parts.push("-X", quoted(method));
  for (const [name, value] of headers ?? []) parts.push("-H", quoted(`${name}: ${value}`));
  if (body) parts.push("--data-raw", quoted(body));
  parts.push(quoted(pathUrl.replace(/\/$/, "") + (path || "/")));
  return parts.join(" ");
}

function drawResult(result: Result, select: (id: number) => void): (HTMLElement | false)[] {
  const { answer, error, request_id: id } = result;
  if (answer === null) return [make("p", { class: "danger-text" }, error ?? "There was no answer.")];
  const verdicts = make("ul", { class: "verdicts", "aria-label": "What holds" });
  for (const verdict of result.assertions)
    append(verdicts, [
      make(
        "li",
        {},
        icon(verdict.passed ? "s-exited" : "s-failed", verdict.passed ? "accent-text" : "danger-text"),
        make("span", { class: "visually-hidden" }, verdict.passed ? "holds: " : "does not hold: "),
        make("span", {}, verdict.label),
        verdict.message !== "" && make("span", { class: "dim" }, verdict.message),
      ),
    ]);
  const took = answer.timings === null ? "" : `, ${millisecondText(timeOf(answer.timings))}`;
  const facts = make("span", { class: "mono" }, `${answer.status} · ${byteText(answer.body_bytes)}${took}`);
  const link = id !== null && make("button", { class: "link", type: "button" }, `req-${id}`);
  if (link) link.addEventListener("click", () => select(id));
  const headers = answer.headers.map(([name, value]) => `${name}: ${value}`).join("\n");
  return [
    result.assertions.length > 0 && verdicts,
    make("div", { class: "test-answer" }, facts, " ", link),
    make(
      "details",
      {},
      make("summary", {}, countText(answer.headers.length, "header")),
      make("pre", { class: "output", tabindex: 0 }, headers),
    ),
    make(
      "pre",
      { class: "output", tabindex: 0, "aria-label": "Body" },
      answer.body.slice(0, 20_000),
      answer.body_truncated ? "\n…" : "",
    ),
  ];
}

function timeOf({ queue, instantiate, run, reset }: Timings): number {
  return [queue, instantiate, run, reset].reduce<number>((sum, time) => sum + (time ?? 0), 0);
}

function addRequest(bench: Bench, redraw: () => void): void {
  const { program } = bench;
  if (program.savedRequests.length >= REQUESTS_MAX) return;
  const request: SavedRequest = {
    name: `request ${program.savedRequests.length + 1}`,
    path: program.path,
    tests: "status is 200",
  };
  program.savedRequests = [...program.savedRequests, request];
  bench.chosen = program.savedRequests.length - 1;
  save(program);
  redraw();
  byId("tests").querySelector<HTMLInputElement>(".test-form input")?.select();
}

async function send(bench: Bench, requests: SavedRequest[], redraw: () => void): Promise<void> {
  const { program } = bench;
  if (bench.isSending) return;
  bench.refusal = program.slug === null ? "Press Run first: there is nothing yet that could answer." : null;
  if (program.slug === null) return refused(bench, redraw);
  bench.isSending = true;
  try {
    const body = { requests };
    const { results } = await call<{ results: Result[] }>(`/deployments/${program.slug}/tests`, {
      method: "POST",
      body,
      timeout_ms: ROUND_MS_MAX,
    });
    results.forEach((result, index) => {
      const request = requests[index];
      if (request !== undefined) bench.results.set(request, result);
    });
    const failed = results.filter(({ passed }) => !passed).length;
    setText(byId("announcer"), failed === 0 ? "All hold" : `${failed} of ${results.length} do not hold`);
  } catch (error) {
    bench.refusal = error instanceof ApiError || error instanceof Error ? error.message : String(error);
  } finally {
    bench.isSending = false;
    if (bench.refusal === null) redraw();
    else refused(bench, redraw);
  }
}

function refused(bench: Bench, redraw: () => void): void {
  setText(byId("announcer"), bench.refusal ?? "");
  redraw();
}
