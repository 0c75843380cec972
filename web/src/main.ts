// The workshop page: one state, the views that draw it, and the events and keys that change it.
//
//   boot ─► Store<Workshop> ─► views (chip, strip, problems, logs, requests, preview, …)
//              ▲      ▲
//        run.ts│      │listening.ts (one EventSource)      programs.ts keeps what is typed

import { initialWorkshop } from "./boot.js";
import { Checking } from "./checking.js";
import { chipView } from "./chip.js";
import { commandView } from "./command.js";
import { addressView, bannerView, expiryView } from "./deployment.js";
import { byId } from "./dom.js";
import { Editor } from "./editor.js";
import { filesView } from "./files.js";
import { connectKeyboard, isMac } from "./keyboard.js";
import { Listening } from "./listening.js";
import { logsView } from "./logs.js";
import { connectPanels, pageView, runButtonView } from "./panels.js";
import { previewView } from "./preview.js";
import { type Place, problemsView } from "./problems.js";
import { chooseLanguage, save } from "./programs.js";
import { requestsView } from "./requests.js";
import { cancel, keepDeployment, run } from "./run.js";
import { connectSharing } from "./sharing.js";
import { connectSplitters } from "./splitters.js";
import { connectStarters } from "./starters.js";
import { currentProgram, isBusy, type Tab, type Workshop } from "./state.js";
import { Store } from "./store.js";
import { stripView } from "./strip.js";
import { connectTabKey } from "./tab_key.js";
import { connectThemeSwitch } from "./theme.js";
import { Typing } from "./typing.js";

const COUNTDOWN_MS = 1000;

const store = new Store<Workshop>(initialWorkshop());
const typing = new Typing(store);
const checking = new Checking(store, () => typing.flush());
const listening = new Listening(store);
const nonce = byId<HTMLLinkElement>("styles").nonce;
const editor = new Editor(byId("editor"), nonce, {
  run: press,
  nextProblem,
  changed: (file, text) => {
    typing.changed(file, text);
    checking.changed();
  },
});

// ---------- commands

function press(): void {
  typing.flush();
  void run(store);
}

/** As a service, though it looks like a command. */
function serve(): void {
  typing.flush();
  void run(store, "service");
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
  void listening.recall(program);
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
    if (isBusy(currentProgram(store.state))) cancel(store);
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

const deploymentCommands = { run: press, keep: () => void keepDeployment(store), reload };
const expiry = expiryView(deploymentCommands);

editor.show(currentProgram(store.state));
connectForm();
connectPanels(store);
connectSplitters();
connectThemeSwitch();
connectTabKey(editor);
connectKeyboard({ run: press, cancel: () => cancel(store), nextProblem, goTo, reload });
connectStarters(store, openReplaced);
connectSharing(store, () => typing.flush(), openReplaced);
store.show(pageView());
store.show(showLanguage);
store.show(chipView());
store.show(runButtonView(isMac));
store.show(stripView(store));
store.show(filesView(store, openFile, () => editor.focus()));
store.show(problemsView(goToPlace, chooseProblem));
store.show(showMarks);
store.show(logsView(selectRequest));
store.show(requestsView(selectRequest));
store.show(commandView(store, () => typing.touched(), serve));
store.show(addressView(deploymentCommands));
store.show(bannerView(deploymentCommands));
store.show(previewView(store, () => typing.touched()));
store.show(expiry);
store.show((workshop) => listening.follow(workshop));
setInterval(() => expiry(store.state), COUNTDOWN_MS);
void listening.recall(currentProgram(store.state));
