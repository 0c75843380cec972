// The tabs of a program's files: show, add, rename, delete. The main file stays what it is.

import { append, byId, icon, make, replace } from "./dom.js";
import { countText } from "./numbers.js";
import { currentProgram, type Program, type Workshop } from "./state.js";
import type { Store } from "./store.js";

/** As the server allows them: relative, no dot-dot, no hidden file. */
const FILE_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]*(\/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$/;
const FILE_NAME_BYTES_MAX = 128;

/** Why a file may not have this name; `null` when it may. */
export function nameRefusal(name: string, files: string[]): string | null {
  if (!FILE_NAME.test(name) || name.includes(".."))
    return "A file name has letters, digits, _ - . and / between folders.";
  if (name.length > FILE_NAME_BYTES_MAX) return `A file name has ${FILE_NAME_BYTES_MAX} characters at most.`;
  return files.includes(name) ? `There is a file ${name} already.` : null;
}

export function filesView(
  store: Store<Workshop>,
  open: (file: string) => void,
  focusEditor: () => void,
): (workshop: Workshop) => void {
  const list = byId("files");
  let drawn = "";
  byId("new-file").addEventListener("click", () => askName(list, "", (name) => add(store, name, open), focusEditor));

  return (workshop) => {
    const program = currentProgram(workshop);
    const main = workshop.languages.find((known) => known.name === program.language)?.main_file ?? "";
    const errors = errorCounts(program);
    const text = JSON.stringify([program.language, Object.keys(program.files), program.activeFile, [...errors]]);
    if (text === drawn) return;
    drawn = text;
    replace(list);
    for (const name of Object.keys(program.files)) {
      const actions =
        name === main
          ? null
          : {
              rename: () => renameFile(store, list, name, open, focusEditor),
              remove: () => remove(store, name, main, open),
            };
      append(list, [fileTab(name, name === program.activeFile, errors.get(name) ?? 0, () => open(name), actions)]);
    }
  };
}

function errorCounts(program: Program): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { file, severity } of program.diagnostics) {
    if (file !== null && severity === "error") counts.set(file, (counts.get(file) ?? 0) + 1);
  }
  return counts;
}

interface FileActions {
  rename(): void;
  remove(): void;
}

function fileTab(
  name: string,
  active: boolean,
  errors: number,
  open: () => void,
  actions: FileActions | null,
): HTMLElement {
  const tab = make(
    "button",
    {
      role: "tab",
      type: "button",
      "aria-selected": active ? "true" : "false",
      "aria-controls": "editor",
      tabindex: active ? 0 : -1,
    },
    name,
  );
  if (errors > 0) tab.append(make("span", { class: "count danger" }, String(errors)));
  tab.addEventListener("click", open);
  if (actions === null || !active) return tab;
  tab.title = "F2 renames, Delete deletes";
  tab.addEventListener("dblclick", actions.rename);
  tab.addEventListener("keydown", (event) => {
    if (event.key === "F2") actions.rename();
    if (event.key === "Delete") actions.remove();
  });
  // For a pointer only: a row of tabs may hold nothing but tabs, and the key for it is Delete.
  const close = make("span", { class: "quiet tab-close", "aria-hidden": "true", title: "Delete" }, icon("i-close"));
  close.addEventListener("click", actions.remove);
  return make("span", { class: "tab-with-close", role: "presentation" }, tab, close);
}

/** A field among the tabs; Enter takes the name and leads to the editor, Escape back to where it was asked for, leaving it takes nothing. */
function askName(
  list: HTMLElement,
  name: string,
  take: (name: string) => string | null,
  focusEditor: () => void,
): void {
  const asker = document.activeElement;
  const field = make("input", {
    class: "file-name mono",
    "aria-label": "File name",
    placeholder: "name",
    value: name,
    spellcheck: "false",
  });
  // Removing the field takes the focus from it, which is heard as leaving it.
  let gone = false;
  const done = () => {
    if (gone) return;
    gone = true;
    field.remove();
  };
  field.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Escape") {
      done();
      if (asker instanceof HTMLElement) asker.focus();
    }
    if (event.key !== "Enter") return;
    event.preventDefault();
    const refusal = take(field.value.trim());
    if (refusal === null) {
      done();
      return focusEditor();
    }
    field.setCustomValidity(refusal);
    field.reportValidity();
  });
  field.addEventListener("input", () => field.setCustomValidity(""));
  field.addEventListener("blur", done);
  list.append(field);
  field.focus();
  field.select();
}

function add(store: Store<Workshop>, name: string, open: (file: string) => void): string | null {
  const program = currentProgram(store.state);
  const refusal = nameRefusal(name, Object.keys(program.files));
  if (refusal !== null) return refusal;
  store.update(() => {
    program.files = { ...program.files, [name]: "" };
  });
  open(name);
  return null;
}

function renameFile(
  store: Store<Workshop>,
  list: HTMLElement,
  from: string,
  open: (file: string) => void,
  focusEditor: () => void,
): void {
  const rename = (to: string): string | null => {
    const program = currentProgram(store.state);
    const refusal = to === from ? null : nameRefusal(to, Object.keys(program.files));
    if (refusal !== null || to === from) return refusal;
    store.update(() => {
      program.files = Object.fromEntries(
        Object.entries(program.files).map(([name, text]) => [name === from ? to : name, text]),
      );
      program.activeFile = to;
    });
    open(to);
    return null;
  };
  askName(list, from, rename, focusEditor);
}

function remove(store: Store<Workshop>, name: string, main: string, open: (file: string) => void): void {
  const program = currentProgram(store.state);
  const text = program.files[name] ?? "";
  if (text.trim() !== "" && !confirm(`Delete ${name} with its ${countText(text.split("\n").length, "line")}?`)) return;
  store.update(() => {
    program.files = Object.fromEntries(Object.entries(program.files).filter(([known]) => known !== name));
    program.activeFile = main;
  });
  open(main);
}
