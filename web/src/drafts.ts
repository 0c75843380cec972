// What is typed, written where a browser that is killed does not lose it: IndexedDB, with each transaction on the disk before it counts. Local
// storage, which the page reads at its start, is written down seconds later by some browsers; what is newer here takes its place.
//
//   drafts    one for each program: its text now, which tab wrote it, when
//   versions  its text as it was, some time apart or where something was run or put aside; the last fifty of each program

import { isSame, type Saved } from "./programs.js";
import type { Program } from "./state.js";

const NAME = "vivarium";
const DRAFTS = "drafts";
const VERSIONS = "versions";
/** Of one program. */
const VERSIONS_MAX = 50;
/** Of all programs: the oldest go, whosever they are. */
const VERSIONS_ALL_MAX = 2_000;
const DRAFTS_MAX = 200;
/** Between two versions that nobody asked for. */
const VERSION_PACE_MS = 60_000;

/** A program's text with its settings, as local storage has it too. */
export type Kept = Saved;

export interface Draft {
  key: string;
  kept: Kept;
  at: number;
  /** The tab that wrote it. */
  tab: string;
}

export interface Version {
  id?: number;
  key: string;
  kept: Kept;
  at: number;
  why: "typed" | "run" | "shared" | "before it was replaced" | "in another tab";
}

/** The programs of one language follow each other in its editor; a fiddle has a history of its own. */
export function keyOf({ language, stored }: Pick<Program, "language" | "stored">): string {
  return stored?.fiddle ?? stored?.share ?? language;
}

let opened: Promise<IDBDatabase> | null = null;

function open(): Promise<IDBDatabase> {
  opened ??= new Promise((resolve, reject) => {
    const asked = indexedDB.open(NAME, 1);
    asked.onupgradeneeded = () => {
      asked.result.createObjectStore(DRAFTS, { keyPath: "key" });
      const versions = asked.result.createObjectStore(VERSIONS, { keyPath: "id", autoIncrement: true });
      versions.createIndex("key", "key");
    };
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
  // What was refused once may be allowed the next time.
  opened.catch(() => (opened = null));
  return opened;
}

function ended(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
}

function answer<Value>(request: IDBRequest<Value>): Promise<Value> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** On the disk when it resolves. What another tab wrote after `seenAt` is a version by then and handed back: this tab had not seen it. */
export async function writeDraft(draft: Draft, seenAt: number): Promise<Draft | null> {
  const database = await open();
  const transaction = database.transaction([DRAFTS, VERSIONS], "readwrite", { durability: "strict" });
  const finished = ended(transaction);
  const drafts = transaction.objectStore(DRAFTS);
  const before = await answer<Draft | undefined>(drafts.get(draft.key));
  drafts.put(draft);
  if (before === undefined) await dropDrafts(drafts);
  const overtook = before !== undefined && before.tab !== draft.tab && before.at > seenAt;
  const other = overtook && !isSame(before.kept, draft.kept) ? before : null;
  if (other !== null)
    await addVersion(transaction, { key: other.key, kept: other.kept, at: other.at, why: "in another tab" });
  await finished;
  return other;
}

/** The oldest beyond as many as are kept. Only a program that is new here makes one too many. */
async function dropDrafts(drafts: IDBObjectStore): Promise<void> {
  const beyond = (await answer(drafts.count())) - DRAFTS_MAX;
  if (beyond <= 0) return;
  const all = await answer<Draft[]>(drafts.getAll());
  for (const { key } of all.sort((one, other) => one.at - other.at).slice(0, beyond)) drafts.delete(key);
}

export async function readDraft(key: string): Promise<Draft | null> {
  const database = await open();
  return (await answer<Draft | undefined>(database.transaction(DRAFTS).objectStore(DRAFTS).get(key))) ?? null;
}

/** Newest first. */
export async function readVersions(key: string): Promise<Version[]> {
  const database = await open();
  const index = database.transaction(VERSIONS).objectStore(VERSIONS).index("key");
  return (await answer<Version[]>(index.getAll(key))).reverse();
}

/** Keeps a version unless it is what the last one was; what was merely typed waits its time. The oldest beyond fifty go. */
export async function keepVersion(version: Version): Promise<void> {
  const database = await open();
  const transaction = database.transaction(VERSIONS, "readwrite", { durability: "strict" });
  const finished = ended(transaction);
  await addVersion(transaction, version);
  await finished;
}

async function addVersion(transaction: IDBTransaction, version: Version): Promise<void> {
  const versions = transaction.objectStore(VERSIONS);
  const index = versions.index("key");
  const last = (await answer(index.openCursor(version.key, "prev")))?.value as Version | undefined;
  if (last !== undefined && isSame(last.kept, version.kept)) return;
  if (version.why === "typed" && last !== undefined && version.at - last.at < VERSION_PACE_MS) return;
  versions.add(version);
  const beyond = (await answer(index.count(version.key))) - VERSIONS_MAX;
  const beyondAll = (await answer(versions.count())) - VERSIONS_ALL_MAX;
  // Keys grow with time, so that the first are the oldest.
  if (beyond > 0) for (const id of await answer(index.getAllKeys(version.key, beyond))) versions.delete(id);
  if (beyondAll > 0) for (const id of await answer(versions.getAllKeys(null, beyondAll))) versions.delete(id);
}
