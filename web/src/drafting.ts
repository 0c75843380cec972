// Keeps what is typed safe: each save also goes to the disk (drafts.ts), what a killed browser had not written to local storage comes back, and
// tabs that hold the same program hear of each other. A tab that was overtaken writes nothing away: the other's text becomes a version.

import { byId, make, replace, setText } from "./dom.js";
import { keepVersion, keyOf, readDraft, type Version, writeDraft } from "./drafts.js";
import { clockText } from "./numbers.js";
import { alsoSave, type Saved, savedAt, savedOf, withSaved } from "./programs.js";
import { currentProgram, type Program, type Workshop } from "./state.js";
import type { Store } from "./store.js";

const CHANNEL = "vivarium:drafts";
/** Local storage and the draft are written one after the other; this is not yet a difference. */
const SAME_SAVE_MS = 50;

interface News {
  key: string;
  at: number;
  tab: string;
}

export class Drafting {
  readonly #store: Store<Workshop>;
  readonly #page: { open(language: string): void; isTouched(): boolean };
  readonly #tab = crypto.randomUUID();
  readonly #channel = new BroadcastChannel(CHANNEL);
  /** When this tab last saw each program's draft. */
  readonly #seen = new Map<string, number>();
  #writing: Promise<void> = Promise.resolve();
  #waiting = new Map<string, { program: Program; saved: Saved }>();

  /** `open` shows a language's program anew; touched is a page into which something was typed. */
  constructor(store: Store<Workshop>, page: { open(language: string): void; isTouched(): boolean }) {
    this.#store = store;
    this.#page = page;
    for (const program of Object.values(store.state.programs))
      this.#seen.set(keyOf(program), savedAt(program.language) + SAME_SAVE_MS);
    alsoSave((program, saved) => this.#saved(program, saved));
    this.#channel.onmessage = (event: MessageEvent<News>) => this.#heard(event.data);
    store.show(this.#keepRuns());
    // Nothing is written before what is there has been read.
    this.#writing = this.#recover();
  }

  /** What was typed before the browser was killed, where local storage does not have it. */
  async #recover(): Promise<void> {
    for (const program of Object.values(this.#store.state.programs)) {
      const draft = await readDraft(keyOf(program)).catch(() => null);
      if (draft === null || draft.at <= (this.#seen.get(draft.key) ?? 0)) continue;
      if (JSON.stringify(draft.kept.files) === JSON.stringify(program.files)) continue;
      // What is on the screen counts where it was typed in the meantime.
      if (this.#page.isTouched() || this.#store.state.programs[program.language] !== program) {
        await keepVersion({ key: draft.key, kept: draft.kept, at: draft.at, why: "before it was replaced" });
        continue;
      }
      this.#seen.set(draft.key, draft.at);
      this.#replace(program, draft.kept);
    }
  }

  /** Puts another text in the place of a program's. */
  #replace(program: Program, kept: Saved): void {
    this.#store.update((workshop) => {
      workshop.programs[program.language] = withSaved(program, kept);
    });
    if (this.#store.state.language === program.language) this.#page.open(program.language);
  }

  /** As it was in a version; what is there now becomes one. */
  async restore(version: Version): Promise<void> {
    const program = currentProgram(this.#store.state);
    await keepVersion({ key: keyOf(program), kept: savedOf(program), at: Date.now(), why: "before it was replaced" });
    const { files, activeFile, arguments: line, stdin, savedRequests } = version.kept;
    this.#store.update(() => Object.assign(program, { files, activeFile, arguments: line, stdin, savedRequests }));
    this.#page.open(program.language);
  }

  /** Writes follow each other; while one is under way only the newest of each program waits. */
  #saved(program: Program, saved: Saved): void {
    this.#waiting.set(keyOf(program), { program, saved });
    this.#writing = this.#writing.then(() => this.#writeNext());
  }

  async #writeNext(): Promise<void> {
    const next = this.#waiting.entries().next().value;
    if (next === undefined) return;
    const [key, { saved }] = next;
    this.#waiting.delete(key);
    const at = saved.savedAt ?? Date.now();
    try {
      const other = await writeDraft({ key, kept: saved, at, tab: this.#tab }, this.#seen.get(key) ?? 0);
      this.#seen.set(key, at);
      this.#channel.postMessage({ key, at, tab: this.#tab } satisfies News);
      if (other !== null) {
        await keepVersion({ key, kept: other.kept, at: other.at, why: "in another tab" });
        tell("What another tab had typed here since is kept among the versions.", null);
      }
      await keepVersion({ key, kept: saved, at, why: "typed" });
    } catch {
      // A browser that keeps nothing: the note in the code's head says so.
    }
  }

  /** Another tab has typed into the program that this one shows. */
  #heard({ key, at, tab }: News): void {
    const program = currentProgram(this.#store.state);
    if (tab === this.#tab || key !== keyOf(program) || at <= (this.#seen.get(key) ?? 0)) return;
    tell(`Another tab has changed this program, at ${clockText(new Date(at).toISOString()).slice(0, 8)}.`, async () => {
      const draft = await readDraft(key);
      if (draft === null) return;
      this.#seen.set(key, draft.at);
      this.#replace(currentProgram(this.#store.state), draft.kept);
    });
  }

  /** What was run and what was shared are versions that one looks for. */
  #keepRuns(): (workshop: Workshop) => void {
    const known = new WeakMap<Program, { attempt: unknown; share: unknown }>();
    return (workshop) => {
      const program = currentProgram(workshop);
      const now = { attempt: program.attempt, share: program.stored?.share };
      const before = known.get(program);
      known.set(program, now);
      if (before === undefined) return;
      const why = before.attempt !== now.attempt ? "run" : before.share !== now.share ? "shared" : null;
      if (why === null || (why === "run" && now.attempt === null)) return;
      const version = { key: keyOf(program), kept: savedOf(program), at: Date.now(), why } as const;
      this.#writing = this.#writing.then(() => keepVersion(version)).catch(() => undefined);
    };
  }
}

function tell(sentence: string, take: (() => Promise<void>) | null): void {
  const banner = byId("other-tab");
  banner.hidden = false;
  const shown = banner.querySelector("span");
  if (shown !== null) setText(shown, sentence);
  const button = banner.querySelector("button") ?? make("button");
  replace(button, take === null ? "Good" : "Take it from there");
  button.onclick = () => {
    banner.hidden = true;
    void take?.();
  };
}
