// The preview: the program's own page, on its own origin, in a frame that may not navigate the workshop.

import { pathOf, urlOf } from "./address.js";
import { byId } from "./dom.js";
import { currentProgram, viewOf, type Workshop } from "./state.js";
import type { Store } from "./store.js";

/** As the template has it. The program's origin is its own, so that its scripts reach nothing of the workshop. */
const SANDBOX = "allow-scripts allow-forms allow-same-origin";

export function previewView(store: Store<Workshop>, save: () => void): (workshop: Workshop) => void {
  const frame = byId<HTMLIFrameElement>("preview");
  const path = byId<HTMLInputElement>("url-path");
  let shown = "";

  path.addEventListener("keydown", (event) => {
    if (event.key === "Escape") path.value = currentProgram(store.state).path;
    if (event.key !== "Enter") return;
    event.preventDefault();
    store.update((workshop) => {
      currentProgram(workshop).path = pathOf(path.value);
      workshop.previewVersion += 1;
    });
    path.value = currentProgram(store.state).path;
    save();
  });

  return (workshop) => {
    const program = currentProgram(workshop);
    const deployment = program.deployment;
    if (viewOf(program) !== "service" || deployment === null) return;
    const url = urlOf(deployment, program.path);
    const wanted = `${url} ${workshop.previewVersion}`;
    if (wanted === shown) return;
    // What the page was served with stands in the frame already.
    const served = shown === "" && frame.getAttribute("src") === url;
    shown = wanted;
    if (!served) navigate(frame, url);
  };
}

/** Replaces the frame's page without an entry in the browser's history, which Back would go through one by one. */
function navigate(frame: HTMLIFrameElement, url: string): void {
  if (!frame.hasAttribute("src") || frame.contentWindow === null) {
    // Not earlier: the empty page that stands in the frame until then is the workshop's own, which no sandbox holds.
    frame.setAttribute("sandbox", SANDBOX);
    frame.src = url;
  } else frame.contentWindow.location.replace(url);
}
