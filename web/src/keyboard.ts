// The keys of the page, in one list: what is bound is what the sheet behind `?` shows.

import { append, byId, make } from "./dom.js";

export interface Keys {
  run(): void;
  cancel(): void;
  nextProblem(step: 1 | -1): void;
  goTo(pane: "code" | "answer" | "logs"): void;
  reload(): void;
  format(): void;
}

interface Key {
  shown: string[];
  does: string;
  when?: (event: KeyboardEvent) => boolean;
  act?: (keys: Keys, event: KeyboardEvent) => void;
}

export const isMac = /Mac|iPhone|iPad/.test(navigator.platform);
const command = isMac ? "⌘" : "Ctrl";
const withCommand = (event: KeyboardEvent) => (isMac ? event.metaKey : event.ctrlKey);

const KEYS: Key[] = [
  {
    shown: [`${command} Enter`],
    does: "run",
    when: (event) => event.key === "Enter" && withCommand(event),
    act: (keys) => keys.run(),
  },
  {
    shown: ["Esc"],
    does: "cancel while it builds or runs, close what floats",
    when: (event) => event.key === "Escape",
    act: (keys) => keys.cancel(),
  },
  {
    shown: ["F8", "Shift F8"],
    does: "next, previous problem",
    when: (event) => event.key === "F8",
    act: (keys, event) => keys.nextProblem(event.shiftKey ? -1 : 1),
  },
  {
    shown: ["Alt 1"],
    does: "the code",
    when: (event) => event.altKey && event.code === "Digit1",
    act: (keys) => keys.goTo("code"),
  },
  {
    shown: ["Alt 2"],
    does: "the answer",
    when: (event) => event.altKey && event.code === "Digit2",
    act: (keys) => keys.goTo("answer"),
  },
  {
    shown: ["Alt 3"],
    does: "the logs",
    when: (event) => event.altKey && event.code === "Digit3",
    act: (keys) => keys.goTo("logs"),
  },
  {
    shown: ["Alt R"],
    does: "ask for the answer again",
    when: (event) => event.altKey && event.code === "KeyR",
    act: (keys) => keys.reload(),
  },
  {
    shown: ["Alt Shift F"],
    does: "format the code",
    when: (event) => event.altKey && event.shiftKey && event.code === "KeyF",
    act: (keys) => keys.format(),
  },
  { shown: [`${command} F`], does: "find in the code" },
  {
    shown: ["Esc then Tab", isMac ? "Shift-Alt M" : "Ctrl M"],
    does: "leave the editor, also where Tab indents",
  },
  { shown: ["F2", "Delete"], does: "on a file's tab: rename, delete" },
  { shown: ["Arrows"], does: "on a splitter: resize; on tabs and requests: move" },
  { shown: ["?"], does: "this list", when: isQuestion, act: () => byId<HTMLDialogElement>("keys").showModal() },
];

function isQuestion(event: KeyboardEvent): boolean {
  const target = event.target instanceof HTMLElement ? event.target : null;
  return event.key === "?" && !target?.closest("input, textarea, [contenteditable='true']");
}

export function connectKeyboard(keys: Keys): void {
  const sheet = byId<HTMLDialogElement>("keys");
  const list = byId("key-list");
  for (const key of KEYS) {
    const shown = key.shown.flatMap((text) => [" ", make("kbd", {}, text)]).slice(1);
    append(list, [make("div", {}, make("dt", {}, ...shown), make("dd", {}, key.does))]);
  }
  byId("show-keys").addEventListener("click", () => sheet.showModal());
  sheet.addEventListener("click", (event) => {
    if (event.target === sheet) sheet.close();
  });
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || sheet.open) return;
    const key = KEYS.find((known) => known.when?.(event));
    if (key?.act === undefined) return;
    if (event.key !== "Escape") event.preventDefault();
    key.act(keys, event);
  });
}
