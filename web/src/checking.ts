// Problems as one types: some time after the last key the program is checked, and what is wrong is marked where it is. A build's word counts
// more: while one is on its way nothing is checked, and its problems stay until the text changes.

import * as api from "./api.js";
import { currentProgram, isBusy, type Workshop } from "./state.js";
import type { Store } from "./store.js";

const CHECK_AFTER_MS = 700;

export class Checking {
  readonly #store: Store<Workshop>;
  readonly #flush: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #abort = new AbortController();

  /** `flush` brings what is typed into the state. */
  constructor(store: Store<Workshop>, flush: () => void) {
    this.#store = store;
    this.#flush = flush;
  }

  /** What is typed has changed: a check of the text before is of no use. */
  changed(): void {
    this.#abort.abort();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#check(), CHECK_AFTER_MS);
  }

  async #check(): Promise<void> {
    this.#flush();
    const program = currentProgram(this.#store.state);
    const { language, files } = program;
    const known = this.#store.state.languages.find(({ name }) => name === language);
    if (isBusy(program) || known?.available !== true) return;
    this.#abort = new AbortController();
    // A busy server, or none: the marks stay as they are, and Run will say why.
    const diagnostics = await api.check(language, files, this.#abort.signal).catch(() => null);
    if (diagnostics === null || isBusy(program) || program.files !== files) return;
    this.#store.update((workshop) => {
      program.diagnostics = diagnostics;
      // Nothing moves below the caret: a problem is told in the text when it is asked for.
      if (currentProgram(workshop) === program) workshop.problem = -1;
    });
  }
}
