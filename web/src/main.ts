// The workshop page: one state, the views that draw it, and the events and keys that change it.
//
//   boot ─► Store<Workshop> ─► views (chip, files, problems, …)        programs.ts keeps what is typed
//              ▲      ▲
//        run.ts│      │listening.ts (one EventSource), in the chunk of answering.ts with the views of what answered

import type { Answering } from "./answering.js";
import { isHealthy } from "./api.js";
import { initialWorkshop } from "./boot.js";
import { Checking } from "./checking.js";
import { chipView } from "./chip.js";
import { byId } from "./dom.js";
import type { Drafting } from "./drafting.js";
import { Editor } from "./editor.js";
import { filesView } from "./files.js";
import { connectKeyboard, isMac } from "./keyboard.js";
import type { Kind } from "./objects.js";
import { connectPanels, pageView, runButtonView } from "./panels.js";
import { type Place, problemsView } from "./problems.js";
import { chooseLanguage, save } from "./programs.js";
import { connectSharing } from "./sharing.js";
import { connectSplitters } from "./splitters.js";
import { connectStarters, putAsideView } from "./starters.js";
import { currentProgram, isBusy, type Tab, type Workshop } from "./state.js";
import { Store } from "./store.js";
import { connectTabKey } from "./tab_key.js";
import { connectThemeSwitch } from "./theme.js";
import { Typing } from "./typing.js";

const RETRY_MS = 2000;

/** Something was typed since the page was opened. */
let isTouched = false;

const store = new Store<Workshop>(initialWorkshop());
const typing = new Typing(store);
const checking = new Checking(store, () => typing.flush());
const nonce = byId<HTMLLinkElement>("styles").nonce;
const editor = new Editor(byId("editor"), nonce, {
  run: () => press(),
  nextProblem,
  changed: (file, text) => {
    isTouched = true;
    typing.changed(file, text);
    // What was saved before this was there to hear it is saved once more.
    if (drafting === null) void drafts().then(() => typing.touched());
    checking.changed();
  },
});

// ---------- commands

/** `kind` serves a program that looks like a command. */
function press(kind: Kind | null = null): void {
  typing.flush();
  void answering().then((answering) => answering.run(kind));
}

let answered: Promise<Answering> | null = null;
let answer: Answering | null = null;

/** What a run needs, loaded once. A server that is gone is asked again until it has it. */
function answering(): Promise<Answering> {
  answered ??= loadAnswering();
  return answered;
}

async function loadAnswering(): Promise<Answering> {
  for (;;) {
    const chunk = await import("./answering.js").catch(() => null);
    store.update((workshop) => (workshop.online = chunk !== null));
    if (chunk !== null) {
      answer = chunk.connectAnswering(store, {
        run: (kind) => press(kind ?? null),
        reload,
        selectRequest,
        touched: () => typing.touched(),
      });
      return answer;
    }
    do await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    while (!(await isHealthy()));
  }
}

let drafting: Promise<Drafting> | null = null;

/** What keeps the text safe from a browser that is killed and from other tabs, loaded once something is typed. */
function drafts(): Promise<Drafting> {
  drafting ??= import("./drafting.js").then(
    ({ Drafting }) =>
      new Drafting(store, { open: openReplaced, flush: () => typing.flush(), isTouched: () => isTouched }),
  );
  drafting.catch(() => (drafting = null));
  return drafting;
}

/** Only a browser that was typed into before has anything to bring back. */
async function recover(): Promise<void> {
  const known = await indexedDB.databases();
  if (known.some(({ name }) => name === "vivarium")) await drafts();
}

async function showVersions(): Promise<void> {
  typing.flush();
  const [{ showVersions }, kept] = await Promise.all([import("./versions_sheet.js"), drafts()]);
  await showVersions(store, kept);
}

function formatCode(): void {
  typing.flush();
  const show = () => {
    const program = currentProgram(store.state);
    save(program);
    editor.show(program);
  };
  void import("./formatting.js").then(({ format }) => format(store, show));
}

/** Something was run, or looks as if it will be in a moment. */
function wantsAnswering(workshop: Workshop): boolean {
  const { attempt, slug, kind } = currentProgram(workshop);
  return attempt !== null || slug !== null || kind === "command" || workshop.missingSlug !== null;
}

function cancel(): void {
  answer?.cancel();
}

function reload(): void {
  store.update((workshop) => (workshop.previewVersion += 1));
}

function nextProblem(step: 1 | -1): void {
  const count = currentProgram(store.state).diagnostics.length;
  // Where none is chosen, the first and the last are next.
  const from = Math.max(store.state.problem, step === 1 ? -1 : 0);
  if (count > 0) chooseProblem((from + step + count) % count);
}

function chooseProblem(index: number): void {
  store.update((workshop) => {
    workshop.problem = index;
    workshop.panel = "problems";
  });
  const diagnostic = currentProgram(store.state).diagnostics[index];
  if (diagnostic !== undefined) goToPlace(diagnostic);
}

function goToPlace({ file, line, column }: Place): void {
  const program = currentProgram(store.state);
  if (typeof file !== "string" || typeof line !== "number" || !(file in program.files)) return;
  openFile(file);
  store.update((workshop) => (workshop.tab = "code"));
  document.documentElement.dataset.tab = "code";
  editor.goTo(line, column ?? 1);
}

function openFile(file: string): void {
  typing.flush();
  const program = currentProgram(store.state);
  store.update(() => (program.activeFile = file));
  save(program);
  editor.show(program);
}

function openLanguage(name: string): void {
  typing.flush();
  chooseLanguage(name);
  store.update((workshop) => {
    workshop.language = name;
    workshop.missingSlug = null;
    workshop.problem = 0;
  });
  const program = currentProgram(store.state);
  editor.show(program);
  if (program.slug !== null) void answering().then((answering) => answering.recall(program));
}

/** Another program is in that language's place. */
function openReplaced(language: string): void {
  editor.forget(language);
  openLanguage(language);
}

function selectRequest(id: number): void {
  store.update((workshop) => {
    currentProgram(workshop).selected = id;
    if (workshop.tab === "logs") workshop.tab = "answer";
  });
}

// ---------- the page

function connectForm(): void {
  byId<HTMLFormElement>("program").addEventListener("submit", (event) => {
    event.preventDefault();
    if (isBusy(currentProgram(store.state))) cancel();
    else press();
  });
  for (const radio of document.querySelectorAll<HTMLInputElement>('input[name="language"]')) {
    radio.addEventListener("change", () => openLanguage(radio.value));
  }
  byId<HTMLSelectElement>("phone-language").addEventListener("change", (event) => {
    openLanguage((event.target as HTMLSelectElement).value);
  });
}

function showLanguage(workshop: Workshop): void {
  for (const radio of document.querySelectorAll<HTMLInputElement>('input[name="language"]')) {
    radio.checked = radio.value === workshop.language;
  }
  byId<HTMLSelectElement>("phone-language").value = workshop.language;
}

/** The address of a stored program stands for it only while it is the one that is shown. */
function addressBar(workshop: Workshop): void {
  const { stored } = currentProgram(workshop);
  const of = /^\/[sf]\/([^/]+)/.exec(location.pathname)?.[1];
  if (of !== undefined && of !== stored?.fiddle && of !== stored?.share)
    history.replaceState(null, "", `/${location.hash}`);
}

function showMarks(workshop: Workshop): void {
  const { diagnostics } = currentProgram(workshop);
  editor.mark(diagnostics, diagnostics[workshop.problem] ?? null);
}

function goTo(pane: Tab): void {
  store.update((workshop) => (workshop.tab = pane));
  if (pane === "code") editor.focus();
  else if (pane === "logs") byId(store.state.panel).focus();
  else byId("url-path").focus();
}

editor.show(currentProgram(store.state));
connectForm();
connectPanels(store);
connectSplitters();
connectThemeSwitch();
connectTabKey(editor);
connectKeyboard({ run: () => press(), cancel, nextProblem, goTo, reload, format: formatCode });
connectStarters(store, openReplaced);
connectSharing(store, () => typing.flush(), openReplaced);
store.show(pageView());
store.show(showLanguage);
store.show(putAsideView());
store.show(addressBar);
store.show(chipView());
store.show(runButtonView(isMac));
store.show(filesView(store, openFile, () => editor.focus()));
store.show(problemsView(goToPlace, chooseProblem));
store.show(showMarks);
store.show((workshop) => {
  if (answered === null && wantsAnswering(workshop)) void answering();
});
byId("show-versions").addEventListener("click", () => {
  byId<HTMLDetailsElement>("starters-menu").open = false;
  void showVersions();
});
// A browser that keeps nothing has nothing to bring back.
void recover().catch(() => undefined);
let hasTests = false;
store.show((workshop) => {
  if (hasTests || (workshop.panel !== "tests" && currentProgram(workshop).savedRequests.length === 0)) return;
  hasTests = true;
  void import("./tests_panel.js").then(
    ({ testsView }) => store.show(testsView(store, selectRequest)),
    () => (hasTests = false),
  );
});
// Whoever types or points is about to press Run.
for (const sign of ["keydown", "pointerdown"] as const)
  window.addEventListener(sign, () => void answering(), { once: true, passive: true });
if (currentProgram(store.state).slug !== null)
  void answering().then((answering) => answering.recall(currentProgram(store.state)));
