// The grammars of the editor, each a chunk of its own that is loaded when its language is first chosen. A module for each, so that the
// bundler leaves out what of a package is not used; a package that is imported as it runs comes whole.

import { type Language, LanguageSupport } from "@codemirror/language";
import type { Extension } from "@codemirror/state";

const GRAMMARS: Record<string, () => Promise<{ language: Language }>> = {
  c: () => import("./grammars/c.js"),
  // The grammar of C is that of C++ as well.
  cpp: () => import("./grammars/c.js"),
  rust: () => import("./grammars/rust.js"),
  assemblyscript: () => import("./grammars/assemblyscript.js"),
  wat: () => import("./grammars/wat.js"),
};

/** Plain text for a language without a grammar, and when the chunk cannot be loaded: the text matters more than its colours. */
export async function grammar(language: string): Promise<Extension> {
  const load = GRAMMARS[language];
  if (load === undefined) return [];
  return await load().then(
    (loaded) => new LanguageSupport(loaded.language),
    () => [],
  );
}
