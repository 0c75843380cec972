// Marks in the text and in the gutter for what a compiler found.

import { Compartment, type Extension } from "@codemirror/state";
import type { EditorView } from "@codemirror/view";
import { marksOf } from "./diagnostics.js";
import type { Diagnostic } from "./objects.js";

type Lint = typeof import("./lint.js");

const gutter = new Compartment();
let lint: Lint | null = null;

/** The place of the gutter; each editor state has it, whether it has marks or not. */
export const marking: Extension = gutter.of([]);

/** Loads the marks' code if there is something to mark. Tells whether `mark` may be called. */
export async function readyToMark(diagnostics: Diagnostic[]): Promise<boolean> {
  if (lint === null && diagnostics.length > 0) lint = await import("./lint.js").catch(() => null);
  return lint !== null;
}

export function mark(view: EditorView, diagnostics: Diagnostic[], file: string): void {
  if (lint === null) return;
  const shown = gutter.get(view.state);
  if (Array.isArray(shown) && shown.length === 0 && diagnostics.length > 0) {
    view.dispatch({ effects: gutter.reconfigure([lint.lintGutter()]) });
  }
  view.dispatch(lint.setDiagnostics(view.state, marksOf(diagnostics, file, view.state.doc)));
}
