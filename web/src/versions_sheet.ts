// The sheet of versions: the program as it was, what differs from now, and the way back.

import { around, diffOf } from "./diff.js";
import { append, byId, icon, make, replace } from "./dom.js";
import type { Drafting } from "./drafting.js";
import { keyOf, readVersions, type Version } from "./drafts.js";
import { clockText } from "./numbers.js";
import { currentProgram, type Program, type Workshop } from "./state.js";
import type { Store } from "./store.js";

const CONTEXT_LINES = 3;

export async function showVersions(store: Store<Workshop>, drafting: Drafting): Promise<void> {
  const program = currentProgram(store.state);
  const versions = await readVersions(keyOf(program)).catch(() => []);
  const sheet = byId<HTMLDialogElement>("share-sheet");
  const title = make("h2", { id: "share-title" }, "Versions");
  const close = make("button", { class: "quiet square", "aria-label": "Close" }, icon("i-close"));
  const head = make("div", { class: "sheet-head" }, title, make("form", { method: "dialog" }, close));
  const list = make("ul", { class: "versions" });
  const shown = make("div", { class: "version" });
  const choose = (version: Version, row: HTMLElement) => {
    for (const other of list.querySelectorAll("[aria-current]")) other.removeAttribute("aria-current");
    row.setAttribute("aria-current", "true");
    draw(shown, program, version, () => {
      sheet.close();
      void drafting.restore(version);
    });
  };
  for (const version of versions) {
    const row = make(
      "button",
      { type: "button", class: "test" },
      icon("s-ready"),
      make("b", {}, dayText(version.at)),
      make("span", { class: "mono dim" }, version.why),
    );
    row.addEventListener("click", () => choose(version, row));
    append(list, [make("li", {}, row)]);
  }
  const none =
    "Nothing was kept yet. A version is kept with each Run, with each Share, and once a minute while you type.";
  replace(
    sheet,
    head,
    versions.length === 0 ? make("p", { class: "shared" }, none) : make("div", { class: "history" }, list, shown),
  );
  sheet.classList.add("large");
  sheet.onclose = () => sheet.classList.remove("large");
  sheet.onclick = (event) => {
    if (event.target === sheet) sheet.close();
  };
  sheet.showModal();
  const first = list.querySelector<HTMLElement>("button");
  if (first !== null && versions[0] !== undefined) choose(versions[0], first);
}

function dayText(at: number): string {
  const date = new Date(at);
  const clock = clockText(date.toISOString()).slice(0, 8);
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday ? clock : `${date.toLocaleDateString(undefined, { day: "numeric", month: "short" })}, ${clock}`;
}

/** What going back would change: "+" comes, "−" goes. */
function draw(place: HTMLElement, program: Program, version: Version, restore: () => void): void {
  const button = make("button", { class: "button primary small", type: "button" }, "Restore");
  button.addEventListener("click", restore);
  const parts: HTMLElement[] = [];
  const names = [...new Set([...Object.keys(program.files), ...Object.keys(version.kept.files)])].sort();
  for (const name of names) {
    const [now, then] = [program.files[name], version.kept.files[name]];
    if (now === then) continue;
    parts.push(make("h3", { class: "mono" }, name), diffBlock(now ?? "", then ?? ""));
  }
  const same = make("p", { class: "shared" }, "This is the program as it is now.");
  replace(
    place,
    make(
      "div",
      { class: "test-buttons" },
      make("span", { class: "note" }, "What Restore changes"),
      make("span", { class: "gap" }),
      button,
    ),
    ...(parts.length === 0 ? [same] : parts),
  );
}

function diffBlock(now: string, then: string): HTMLElement {
  const block = make("pre", { class: "diff", tabindex: 0 });
  const marks = { same: " ", added: "+", removed: "−" };
  for (const line of around(diffOf(now, then), CONTEXT_LINES))
    append(block, [
      line === null
        ? make("span", { class: "dim" }, "⋯")
        : make("span", { class: line.kind }, `${marks[line.kind]} ${line.text}`),
    ]);
  return block;
}
