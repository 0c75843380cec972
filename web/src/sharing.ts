// Share, and links that were shared. What makes and reads them is a chunk of its own, loaded when it is needed.

import { byId } from "./dom.js";
import { replaceProgram } from "./starters.js";
import type { Workshop } from "./state.js";
import type { Store } from "./store.js";

const LINK = "#v1:";
const sheet = () => import("./share_sheet.js");

/** `flush` brings what is typed into the state. */
export function connectSharing(store: Store<Workshop>, flush: () => void, open: (language: string) => void): void {
  byId("share").addEventListener("click", () => {
    flush();
    void sheet().then(({ showSheet }) => showSheet(store, `${location.origin}/${LINK}`));
  });
  const missing = JSON.parse(document.getElementById("missing-data")?.textContent ?? "null") as string | null;
  if (missing !== null) {
    history.replaceState(null, "", "/");
    void sheet().then(({ showRefusal }) => showRefusal(missing));
  }
  const take = () => void takeLink(store, flush, open);
  window.addEventListener("hashchange", take);
  take();
}

/** Opens the program that the address holds. The address is cleared: what is in the editor changes from here on. */
async function takeLink(store: Store<Workshop>, flush: () => void, open: (language: string) => void): Promise<void> {
  if (!location.hash.startsWith(LINK)) return;
  const text = location.hash.slice(LINK.length);
  history.replaceState(null, "", location.pathname + location.search);
  const { programOfLink, showRefusal } = await sheet();
  await programOfLink(text, store.state.languages).then(
    (program) => {
      flush();
      replaceProgram(store, program, open);
    },
    (error: Error) => showRefusal(error.message),
  );
}
