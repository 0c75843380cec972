// The menu of the program: its name, and programs to begin with. A starter takes the place of what is in its language's editor, which is put aside and can be brought back.

import * as api from "./api.js";
import { byId, setText } from "./dom.js";
import { broughtBack, isWork, programOf, putAside, save } from "./programs.js";
import { currentProgram, type Program, type Workshop } from "./state.js";
import type { Store } from "./store.js";

const UNNAMED = "untitled";

export function connectStarters(store: Store<Workshop>, open: (language: string) => void): void {
  const menu = byId<HTMLDetailsElement>("starters-menu");
  const aside = byId("put-aside");
  document.addEventListener("click", (event) => {
    const target = event.target instanceof Element ? event.target : null;
    const link = target?.closest<HTMLAnchorElement>("a[data-starter]");
    if (link) {
      event.preventDefault();
      // Without the server's answer the link itself leads there, or to the browser's word on why not.
      void begin(store, link.dataset.language ?? "", link.dataset.starter ?? "", open).catch(() =>
        location.assign(link.href),
      );
    }
    if (menu.open && (link || !target?.closest("#starters-menu"))) menu.open = false;
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menu.open = false;
    menu.querySelector("summary")?.focus();
    event.stopPropagation();
  });
  const name = byId<HTMLInputElement>("rename");
  // At the click, not when the menu tells that it is open: that comes later, when somebody may be typing already.
  menu.querySelector("summary")?.addEventListener("click", () => {
    name.value = currentProgram(store.state).starter;
  });
  name.addEventListener("input", () => {
    const program = currentProgram(store.state);
    store.update(() => (program.starter = name.value.trim() || UNNAMED));
    save(program);
  });
  name.addEventListener("keydown", (event) => {
    if (event.key === "Enter") menu.open = false;
  });
  aside.querySelector("button")?.addEventListener("click", () => {
    store.update((workshop) => (workshop.putAside = null));
    bringBack(store, store.state.language, open);
  });
}

async function begin(
  store: Store<Workshop>,
  languageName: string,
  name: string,
  open: (language: string) => void,
): Promise<void> {
  if (!store.state.starters.some((known) => known.language === languageName && known.name === name)) {
    const all = await api.starters();
    store.update((workshop) => (workshop.starters = all));
  }
  const { languages, starters, programs } = store.state;
  const language = languages.find((known) => known.name === languageName);
  const starter = starters.find((known) => known.language === languageName && known.name === name);
  const program = programs[languageName];
  if (language === undefined || starter === undefined || program === undefined) return;
  const same = program.starter === name && JSON.stringify(starter.files) === JSON.stringify(program.files);
  if (same) open(languageName);
  else replaceProgram(store, programOf(language, starter), open);
}

/** Puts a program in the place of what is in its language's editor, which is put aside unless it is nobody's work. */
export function replaceProgram(store: Store<Workshop>, program: Program, open: (language: string) => void): void {
  const { programs, starters } = store.state;
  const before = programs[program.language];
  if (before === undefined) return;
  const kept = isWork(before, starters);
  if (kept) putAside(before);
  store.update((workshop) => {
    workshop.programs[program.language] = program;
    workshop.panel = "build";
    workshop.putAside = kept ? before.starter : null;
  });
  save(program);
  open(program.language);
}

function bringBack(store: Store<Workshop>, languageName: string, open: (language: string) => void): void {
  const language = store.state.languages.find((known) => known.name === languageName);
  const program = language === undefined ? null : broughtBack(language);
  if (program !== null) replaceProgram(store, program, open);
}

/** Says that a program was put aside for the one that is shown. */
export function putAsideView(): (workshop: Workshop) => void {
  const aside = byId("put-aside");
  const text = aside.querySelector("span");
  return ({ putAside }) => {
    aside.hidden = putAside === null;
    if (text !== null && putAside !== null) setText(text, `${putAside} was put aside, with its URL.`);
  };
}
