// Lays the program out anew, as its language's own formatter does. The server does it; what cannot be read stays as it is, and is marked.

import { call } from "./api.js";
import { byId, setText } from "./dom.js";
import type { Diagnostic, Files } from "./objects.js";
import { currentProgram, type Workshop } from "./state.js";
import type { Store } from "./store.js";

interface Formatted {
  files: Files;
  diagnostics: Diagnostic[];
}

/** `show` brings changed files into the editor, where one Undo takes it back. */
export async function format(store: Store<Workshop>, show: () => void): Promise<void> {
  const program = currentProgram(store.state);
  const { language, files } = program;
  try {
    const done = await call<Formatted>("/format", { method: "POST", body: { language, files } });
    // Typed in the meantime: that counts.
    if (program.files !== files) return;
    store.update(() => {
      program.files = done.files;
      if (done.diagnostics.length > 0) program.diagnostics = done.diagnostics;
    });
    show();
    const isSame = JSON.stringify(done.files) === JSON.stringify(files);
    setText(
      byId("announcer"),
      done.diagnostics.length > 0 ? "Not formatted: it cannot be read" : isSame ? "Formatted already" : "Formatted",
    );
  } catch (error) {
    setText(byId("announcer"), error instanceof Error ? error.message : String(error));
  }
}
