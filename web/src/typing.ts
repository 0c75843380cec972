// What is typed reaches the state and the browser's storage 150 ms after a key, and at once when something needs it.

import type { Text } from "@codemirror/state";
import { SAVE_PACE_MS, save } from "./programs.js";
import { currentProgram, type Program, type Workshop } from "./state.js";
import type { Store } from "./store.js";

export class Typing {
  readonly #store: Store<Workshop>;
  #pending: { program: Program; file: string; text: Text } | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(store: Store<Workshop>) {
    this.#store = store;
    const flush = () => this.flush();
    document.addEventListener("visibilitychange", flush);
    window.addEventListener("pagehide", flush);
  }

  changed(file: string, text: Text): void {
    const program = currentProgram(this.#store.state);
    if (this.#pending !== null && (this.#pending.program !== program || this.#pending.file !== file)) this.flush();
    this.#pending = { program, file, text };
    this.#later();
  }

  /** Something other than the text of a file has changed. */
  touched(): void {
    this.#later();
  }

  /** Saves what waits for it. Where nothing does, another tab may have saved something newer. */
  flush(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const pending = this.#pending;
    this.#pending = null;
    if (pending !== null && pending.file in pending.program.files) {
      this.#store.update(() => {
        pending.program.files = { ...pending.program.files, [pending.file]: pending.text.toString() };
      });
    }
    save(pending?.program ?? currentProgram(this.#store.state));
  }

  #later(): void {
    // At a pace, not after a pause: who types without one must lose no more.
    this.#timer ??= setTimeout(() => this.flush(), SAVE_PACE_MS);
  }
}
