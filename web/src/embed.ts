// An embed: a program's code and, when its reader presses Run, what it answers. It stores nothing and knows nothing of the workshop's state.

import { urlOf } from "./address.js";
import * as api from "./api.js";
import { byId, icon, make, replace, setText } from "./dom.js";
import { Editor } from "./editor.js";
import { durationText } from "./numbers.js";
import type { Build, Deployment, Language, RunResult, Snapshot, Timings } from "./objects.js";
import { programOfSnapshot } from "./programs.js";
import { countErrors, limitText, type Program, trapText } from "./state.js";
import { splitArguments } from "./words.js";

interface Embedded {
  /** None for a program that is in the address. */
  snapshot: Snapshot | null;
  languages: Language[];
  file: string;
  lines: [first: number, last: number] | null;
  read_only: boolean;
  ttl_seconds: number;
}

const LINK = "#v1:";
/** Seconds that the server holds one question after a build. */
const WAIT_SECONDS = 20;
/** Twice a second: ten minutes. */
const POLLS_MAX = 1_200;
const SANDBOX = "allow-scripts allow-forms allow-same-origin";

const page = document.documentElement;
const data = JSON.parse(byId("embed-data").textContent ?? "") as Embedded;

async function start(): Promise<void> {
  page.dataset.script = "on";
  connectViews();
  const program = await given().catch((error: Error) => {
    say("danger", "s-failed", error.message);
    return null;
  });
  if (program === null) return;
  if (data.file in program.files) program.activeFile = data.file;
  const lines = data.lines === null ? null : { file: program.activeFile, first: data.lines[0], last: data.lines[1] };
  const editor = new Editor(
    byId("editor"),
    byId<HTMLLinkElement>("styles").nonce,
    {
      run: () => void run(program, editor),
      nextProblem: () => undefined,
      changed: (file, text) => {
        program.files = { ...program.files, [file]: text.toString() };
        say("quiet", "s-ready", "Edited here");
      },
    },
    { readOnly: data.read_only, lines },
  );
  editor.show(program);
  if (data.lines !== null) editor.scrollTo(data.lines[0]);
  byId("run").addEventListener("click", () => void run(program, editor));
  const file = byId<HTMLSelectElement>("file");
  file.addEventListener("change", () => {
    program.activeFile = file.value;
    editor.show(program);
  });
}

/** The program that the server sent, or the one in the address. */
async function given(): Promise<Program> {
  if (data.snapshot !== null) {
    const { snapshot } = data;
    const language = data.languages.find(({ name }) => name === snapshot.language);
    if (language === undefined) throw new Error("The language of this program is not known here.");
    return programOfSnapshot(language, snapshot, null);
  }
  if (!location.hash.startsWith(LINK)) throw new Error("There is no program in this address.");
  const { programOfLink } = await import("./link.js");
  const program = await programOfLink(location.hash.slice(LINK.length), data.languages);
  const names = Object.keys(program.files);
  setText(byId("name"), program.starter);
  setText(byId("only-file"), program.activeFile);
  byId("only-file").hidden = names.length > 1;
  byId("file").hidden = names.length < 2;
  replace(byId("file"), ...names.map((name) => make("option", { selected: name === program.activeFile }, name)));
  byId<HTMLAnchorElement>("open").href = `/${location.hash}`;
  return program;
}

let isRunning = false;

async function run(program: Program, editor: Editor): Promise<void> {
  if (isRunning) return;
  isRunning = true;
  byId<HTMLButtonElement>("run").disabled = true;
  say("busy", "s-building", "Building");
  try {
    const build = await built(program);
    editor.mark(build.diagnostics, build.diagnostics[0] ?? null);
    if (build.state === "failed") return failed(build);
    show("run");
    if (build.kind === "command") await runCommand(program, build);
    else await deploy(program, build);
  } catch (error) {
    say("danger", "s-failed", error instanceof Error ? error.message : String(error));
  } finally {
    isRunning = false;
    byId<HTMLButtonElement>("run").disabled = false;
  }
}

async function built({ language, files, kind }: Program): Promise<Build> {
  const body = kind === null ? { language, files } : { language, files, kind };
  let build = await api.call<Build>(`/builds?wait=${WAIT_SECONDS}`, { method: "POST", body });
  for (let polls = 0; build.state !== "ready" && build.state !== "failed"; polls += 1) {
    if (polls === POLLS_MAX) throw new Error("The build takes too long. Press Run to ask for it again.");
    await new Promise((resolve) => setTimeout(resolve, 500));
    build = await api.build(build.id);
  }
  return build;
}

function failed(build: Build): void {
  const errors = countErrors(build.diagnostics);
  const text = build.error ?? `Build failed: ${errors === 1 ? "1 error" : `${errors} errors`}`;
  say("danger", "s-failed", text);
  show("code");
}

async function deploy(program: Program, build: Build): Promise<void> {
  const body = { build_id: build.id, assets: program.assets, ttl_seconds: data.ttl_seconds };
  const deployment = await api.call<Deployment>("/deployments", { method: "POST", body });
  const frame = byId<HTMLIFrameElement>("preview");
  present(frame);
  // Not earlier: the empty page that stands in the frame until then is the workshop's own, which no sandbox holds.
  frame.setAttribute("sandbox", SANDBOX);
  frame.src = urlOf(deployment, program.path);
  say("live", "s-live", `Live for ${Math.round(data.ttl_seconds / 60)} min`);
  setText(byId("time"), durationText(total({ ...build.timings, load: deployment.timings.load })));
}

async function runCommand(program: Program, build: Build): Promise<void> {
  say("busy", "s-building", "Running");
  const result = await api.run(build.id, program.assets, splitArguments(program.arguments), program.stdin, null);
  const output = byId("output");
  present(output);
  replace(output, result.stdout, result.stderr !== "" && make("span", { class: "err" }, result.stderr));
  const [kind, shape, text] = ending(result);
  say(kind, shape, text);
  setText(byId("time"), durationText(total(result.timings)));
}

function ending({ exit_code, outcome }: RunResult): [kind: string, shape: string, text: string] {
  if (exit_code !== null) return [exit_code === 0 ? "done" : "warning", "s-exited", `Exit ${exit_code}`];
  return outcome.kind === "limited"
    ? ["warning", "s-limited", `Stopped: ${limitText(outcome)}`]
    : ["danger", "s-trapped", `Trapped: ${trapText(outcome)}`];
}

function total(timings: Timings): number {
  return Object.values(timings).reduce<number>((sum, time) => sum + (time ?? 0), 0);
}

function present(shown: HTMLElement): void {
  for (const id of ["nothing", "preview", "output"]) byId(id).hidden = byId(id) !== shown;
}

/** The state, as a shape and in words. */
function say(kind: string, shape: string, text: string): void {
  const chip = byId("chip");
  chip.dataset.kind = kind;
  replace(chip, icon(shape, shape === "s-building" ? "turning" : ""), make("span", {}, text));
}

function connectViews(): void {
  for (const radio of document.querySelectorAll<HTMLInputElement>('input[name="view"]'))
    radio.addEventListener("change", () => show(radio.value === "run" ? "run" : "code"));
}

/** Where there is no room for both, the code or the answer. */
function show(view: "code" | "run"): void {
  page.dataset.view = view;
  for (const radio of document.querySelectorAll<HTMLInputElement>('input[name="view"]'))
    radio.checked = radio.value === view;
}

void start();
