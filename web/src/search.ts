// Finding text in the editor. The panel is a chunk of its own, loaded with the first Ctrl+F: most programs fit on a screen.

import { Compartment, type Extension } from "@codemirror/state";
import { type EditorView, keymap } from "@codemirror/view";

const place = new Compartment();

function open(view: EditorView): boolean {
  void load(view);
  return true;
}

async function load(view: EditorView): Promise<void> {
  const { highlightSelectionMatches, openSearchPanel, searchKeymap } = await import("@codemirror/search");
  view.dispatch({ effects: place.reconfigure([highlightSelectionMatches(), keymap.of(searchKeymap)]) });
  openSearchPanel(view);
}

export const search: Extension = place.of(keymap.of([{ key: "Mod-f", run: open }]));
