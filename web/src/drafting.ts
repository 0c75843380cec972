// Keeps what is typed safe: each save also goes to the disk (drafts.ts), what a killed browser had not written to local storage comes back, and
// tabs that hold the same program hear of each other. A tab that was overtaken writes nothing away: the other's text becomes a version.

import { byId, make, replace, setText } from "./dom.js";
import { keepVersion, keyOf, readDraft, type Version, writeDraft } from "./drafts.js";
import { clockText } from "./numbers.js";
import {
  alsoSave,
  canKeepVersions,
  isSame,
  readAtOf,
  type Saved,
  save,
  savedOf,
  setCanKeepVersions,
  withSaved,
  writtenOf,
} from "./programs.js";
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

/** What keeping asks of the page. */
interface Page {
  /** Shows a language's program anew. */
  open(language: string): void;
  /** Brings what is typed into the state. */
  flush(): void;
  /** Something was typed into it. */
  isTouched(): boolean;
}

export class Drafting {
  readonly #store: Store<Workshop>;
  readonly #page: Page;
  readonly #tab = crypto.randomUUID();
  readonly #channel = new BroadcastChannel(CHANNEL);
  /** When this tab last saw each program's draft. */
  readonly #seen = new Map<string, number>();
  /** The program that the banner speaks of. */
  #toldOf: string | null = null;
  #writing: Promise<void> = Promise.resolve();
  #waiting = new Map<string, { program: Program; saved: Saved }>();

  constructor(store: Store<Workshop>, page: Page) {
    this.#store = store;
    this.#page = page;
    for (const program of Object.values(store.state.programs))
      this.#seen.set(keyOf(program), (readAtOf(program) ?? 0) + SAME_SAVE_MS);
    alsoSave((program, saved) => this.#saved(program, saved));
    this.#channel.onmessage = (event: MessageEvent<News>) => this.#heard(event.data);
    store.show(this.#keepRuns());
    store.show((workshop) => this.#untell(workshop));
    // Nothing is written before what is there has been read.
    this.#writing = this.#recover();
  }

  /** What was typed before the browser was killed, where local storage does not have it. */
  async #recover(): Promise<void> {
    for (const program of Object.values(this.#store.state.programs)) {
      const draft = await readDraft(keyOf(program)).catch(() => null);
      if (draft === null || draft.at <= (this.#seen.get(draft.key) ?? 0)) continue;
      this.#seen.set(draft.key, draft.at);
      if (isSame(draft.kept, savedOf(program))) continue;
      // What is on the screen counts where it was typed in the meantime or came from elsewhere.
      if (
        readAtOf(program) === null ||
        this.#page.isTouched() ||
        this.#store.state.programs[program.language] !== program
      ) {
        await keepVersion({ key: draft.key, kept: draft.kept, at: draft.at, why: "before it was replaced" });
        continue;
      }
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
    this.#store.update(() => Object.assign(program, writtenOf(version.kept)));
    save(program);
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
      if (other !== null) this.#tell(key, "What another tab had typed here since is kept among the versions.", null);
      await keepVersion({ key, kept: saved, at, why: "typed" });
      this.#works(true);
    } catch {
      this.#works(false);
    }
  }

  /** The note in the code's head says where nothing is kept. */
  #works(works: boolean): void {
    if (works !== canKeepVersions()) this.#store.update(() => setCanKeepVersions(works));
  }

  /** Another tab has typed into the program that this one shows. */
  #heard({ key, at, tab }: News): void {
    const program = currentProgram(this.#store.state);
    if (tab === this.#tab || key !== keyOf(program) || at <= (this.#seen.get(key) ?? 0)) return;
    const clock = clockText(new Date(at).toISOString()).slice(0, 8);
    const take = () => this.#takeFromThere(program.language, key);
    this.#tell(key, `Another tab has changed this program, at ${clock}.`, take);
  }

  /** The other tab's text comes into the program it was typed into, whatever is shown by now; what was there becomes a version. */
  async #takeFromThere(language: string, key: string): Promise<void> {
    const draft = await readDraft(key);
    this.#page.flush();
    const before = this.#store.state.programs[language];
    if (draft === null || before === undefined || keyOf(before) !== key) return;
    await keepVersion({ key, kept: savedOf(before), at: Date.now(), why: "before it was replaced" });
    this.#page.flush();
    if (this.#store.state.programs[language] !== before) return;
    this.#seen.set(key, draft.at);
    this.#replace(before, draft.kept);
  }

  #tell(key: string, sentence: string, take: (() => Promise<void>) | null): void {
    this.#toldOf = key;
    const banner = byId("other-tab");
    banner.hidden = false;
    const shown = banner.querySelector("span");
    if (shown !== null) setText(shown, sentence);
    const button = banner.querySelector("button") ?? make("button");
    replace(button, take === null ? "Good" : "Take it from there");
    button.onclick = () => {
      banner.hidden = true;
      // A browser that keeps nothing more has nothing to give: what is there stays.
      void take?.().catch(() => undefined);
    };
  }

  /** Another program is shown: the banner speaks of none that can be seen. */
  #untell(workshop: Workshop): void {
    if (this.#toldOf === null || this.#toldOf === keyOf(currentProgram(workshop))) return;
    this.#toldOf = null;
    byId("other-tab").hidden = true;
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
