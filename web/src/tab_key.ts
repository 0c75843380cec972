// Whether Tab indents, chosen in the sheet of keys and remembered. Off at first: then Tab leaves the editor, as everywhere on a page.

import { byId } from "./dom.js";

const SETTING = "vivarium:tab-indents";

export function connectTabKey(editor: { tabIndents: boolean }): void {
  const box = byId<HTMLInputElement>("tab-indents");
  box.checked = remembered();
  editor.tabIndents = box.checked;
  box.addEventListener("change", () => {
    editor.tabIndents = box.checked;
    try {
      localStorage.setItem(SETTING, box.checked ? "on" : "off");
    } catch {
      // Where nothing may be stored, the choice lives as long as the page.
    }
  });
}

function remembered(): boolean {
  try {
    return localStorage.getItem(SETTING) === "on";
  } catch {
    return false;
  }
}
