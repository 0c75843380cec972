// The chosen problem, told in the text below its line, as a person reads it: where it is, without a pointer over it.

import { type Extension, StateEffect, StateField } from "@codemirror/state";
import { Decoration, type DecorationSet, EditorView, WidgetType } from "@codemirror/view";
import { offsetOf } from "./diagnostics.js";
import { make } from "./dom.js";
import type { Diagnostic } from "./objects.js";

class Explanation extends WidgetType {
  readonly diagnostic: Diagnostic;

  constructor(diagnostic: Diagnostic) {
    super();
    this.diagnostic = diagnostic;
  }

  override eq(other: Explanation): boolean {
    return other.diagnostic === this.diagnostic;
  }

  toDOM(): HTMLElement {
    const { severity, message, code } = this.diagnostic;
    const [first = ""] = message.split("\n");
    const sentence = make(
      "div",
      { class: `explanation ${severity}` },
      make("span", {}, first),
      code !== null && make("code", {}, code),
    );
    // The editor measures the outer box; a margin would stand outside of it and set the line numbers off.
    return make("div", { class: "explained" }, sentence);
  }

  override get estimatedHeight(): number {
    return 32;
  }
}

const setExplained = StateEffect.define<Diagnostic | null>();

const field = StateField.define<{ diagnostic: Diagnostic | null; set: DecorationSet }>({
  create: () => ({ diagnostic: null, set: Decoration.none }),
  update(value, transaction) {
    for (const effect of transaction.effects) {
      if (!effect.is(setExplained)) continue;
      const diagnostic = effect.value;
      if (diagnostic === null || diagnostic.line === null) return { diagnostic, set: Decoration.none };
      const { doc } = transaction.state;
      const line = doc.lineAt(offsetOf(doc, diagnostic.line, diagnostic.column ?? 1));
      const widget = Decoration.widget({ widget: new Explanation(diagnostic), side: 1, block: true });
      return { diagnostic, set: Decoration.set([widget.range(line.to)]) };
    }
    return { diagnostic: value.diagnostic, set: value.set.map(transaction.changes) };
  },
  provide: (own) => EditorView.decorations.from(own, (value) => value.set),
});

export const explanation: Extension = field;

export function explain(view: EditorView, diagnostic: Diagnostic | null): void {
  if (view.state.field(field).diagnostic !== diagnostic) view.dispatch({ effects: setExplained.of(diagnostic) });
}
