// What is shown where: the lower panels, the panes of a phone, and what the page's state makes of the Run button.

import { byId, icon, make, replace, setText } from "./dom.js";
import { canKeepVersions, canSave } from "./programs.js";
import {
  currentProgram,
  isBusy,
  isNewer,
  type Panel,
  pageState,
  servedRevision,
  type Tab,
  viewOf,
  type Workshop,
} from "./state.js";
import type { Store } from "./store.js";

export function connectPanels(store: Store<Workshop>): void {
  for (const tab of document.querySelectorAll<HTMLButtonElement>("[data-panel-tab]")) {
    tab.addEventListener("click", () => store.update((workshop) => (workshop.panel = tab.dataset.panelTab as Panel)));
  }
  for (const tab of document.querySelectorAll<HTMLButtonElement>("[data-goto]")) {
    tab.addEventListener("click", () => store.update((workshop) => (workshop.tab = tab.dataset.goto as Tab)));
  }
  for (const list of document.querySelectorAll<HTMLElement>('[role="tablist"]'))
    list.addEventListener("keydown", arrows);
}

/** Arrows move within a row of tabs, as a screen reader's user expects. */
function arrows(event: KeyboardEvent): void {
  if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
  const list = event.currentTarget as HTMLElement;
  const tabs = [...list.querySelectorAll<HTMLButtonElement>('[role="tab"]')];
  const index = tabs.indexOf(document.activeElement as HTMLButtonElement);
  if (index < 0) return;
  const next = tabs[(index + (event.key === "ArrowRight" ? 1 : tabs.length - 1)) % tabs.length];
  event.preventDefault();
  next?.click();
  // The click may have drawn the tabs anew.
  queueMicrotask(() => list.querySelector<HTMLButtonElement>('[aria-selected="true"]')?.focus());
}

export function pageView(): (workshop: Workshop) => void {
  const page = document.documentElement;
  return (workshop) => {
    const program = currentProgram(workshop);
    page.dataset.state = pageState(program);
    page.dataset.view = viewOf(program);
    page.dataset.panel = workshop.panel;
    page.dataset.tab = workshop.tab;
    for (const tab of document.querySelectorAll<HTMLButtonElement>("[data-panel-tab]")) {
      const selected = tab.dataset.panelTab === workshop.panel;
      tab.setAttribute("aria-selected", String(selected));
      tab.tabIndex = selected ? 0 : -1;
    }
    for (const tab of document.querySelectorAll("[data-goto]")) {
      if ((tab as HTMLElement).dataset.goto === workshop.tab) tab.setAttribute("aria-current", "page");
      else tab.removeAttribute("aria-current");
    }
    const name = program.starter;
    setText(byId("program-name"), name);
    document.title = `${name} · Vivarium`;
    setText(byId("saved"), savedText(workshop));
  };
}

function savedText(workshop: Workshop): string {
  const program = currentProgram(workshop);
  if (!canSave()) return "Not saved: this browser keeps nothing";
  const served = servedRevision(program);
  if (!canKeepVersions()) return "Saved here, without versions";
  return isNewer(program) && served !== null ? `Saved here, newer than ${served}` : "Saved here";
}

/** Run, Cancel while it builds, Deploy again after the end. */
export function runButtonView(macKeyboard: boolean): (workshop: Workshop) => void {
  const button = byId<HTMLButtonElement>("run");
  let drawn = "";
  return (workshop) => {
    const program = currentProgram(workshop);
    const expired = pageState(program) === "expired";
    const mode = isBusy(program) ? "cancel" : expired ? "again" : "run";
    if (mode === drawn) return;
    drawn = mode;
    button.classList.toggle("primary", mode !== "cancel");
    button.dataset.mode = mode;
    const keys = make("kbd", { class: "wide" }, mode === "cancel" ? "Esc" : macKeyboard ? "⌘ ⏎" : "Ctrl ⏎");
    const label = make("span", {}, mode === "cancel" ? "Cancel" : expired ? "Deploy" : "Run");
    if (expired) label.append(make("span", { class: "wide" }, " again"));
    button.title = expired ? "It gets a new URL" : "";
    replace(button, icon(mode === "cancel" ? "i-stop" : "i-run"), label, keys);
  };
}
