// The one place of the page's state. Changes are made within `update`; views are told once for each turn of the event loop, or, of what
// streams down in hundreds of events, once for each frame.

const FRAME_MS = 16;

export class Store<State> {
  readonly #state: State;
  readonly #views: ((state: State) => void)[] = [];
  #pending = false;
  #soon: ReturnType<typeof setTimeout> | undefined;

  constructor(state: State) {
    this.#state = state;
  }

  get state(): State {
    return this.#state;
  }

  update(change: (state: State) => void): void {
    change(this.#state);
    if (this.#pending) return;
    this.#pending = true;
    queueMicrotask(() => {
      this.#pending = false;
      this.#tell();
    });
  }

  /** A change that nobody waits for: the views are told within a frame, of all such changes at once. */
  updateSoon(change: (state: State) => void): void {
    change(this.#state);
    if (!this.#pending) this.#soon ??= setTimeout(() => this.#tell(), FRAME_MS);
  }

  #tell(): void {
    clearTimeout(this.#soon);
    this.#soon = undefined;
    for (const view of this.#views) {
      try {
        view(this.#state);
      } catch (error) {
        // One view's fault stops no other: it is told as any error of the page is.
        reportError(error);
      }
    }
  }

  /** `view` draws what it shows from the state, now and after each change. */
  show(view: (state: State) => void): void {
    this.#views.push(view);
    view(this.#state);
  }
}
