// What is typed, written where a browser that is killed does not lose it: IndexedDB, with each transaction on the disk before it counts. Local
// storage, which the page reads at its start, is written down seconds later by some browsers; what is newer here takes its place.
//
//   drafts    one for each program: its text now, which tab wrote it, when
//   versions  its text as it was, some time apart or where something was run or put aside; the last fifty of each program

import type { Saved } from "./programs.js";
import type { Program } from "./state.js";

const NAME = "vivarium";
const DRAFTS = "drafts";
const VERSIONS = "versions";
export const VERSIONS_MAX = 50;
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

/** On the disk when it resolves. What another tab wrote after `seenAt` is handed back: this tab had not seen it. */
export async function writeDraft(draft: Draft, seenAt: number): Promise<Draft | null> {
  const database = await open();
  const transaction = database.transaction(DRAFTS, "readwrite", { durability: "strict" });
  const drafts = transaction.objectStore(DRAFTS);
  const before = await answer<Draft | undefined>(drafts.get(draft.key));
  drafts.put(draft);
  await ended(transaction);
  const overtook = before !== undefined && before.tab !== draft.tab && before.at > seenAt;
  return overtook && JSON.stringify(before.kept.files) !== JSON.stringify(draft.kept.files) ? before : null;
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
  const before = await readVersions(version.key);
  const last = before[0];
  if (last !== undefined && JSON.stringify(last.kept.files) === JSON.stringify(version.kept.files)) return;
  if (version.why === "typed" && last !== undefined && version.at - last.at < VERSION_PACE_MS) return;
  const database = await open();
  const transaction = database.transaction(VERSIONS, "readwrite", { durability: "strict" });
  const versions = transaction.objectStore(VERSIONS);
  versions.add(version);
  for (const { id } of before.slice(VERSIONS_MAX - 1)) if (id !== undefined) versions.delete(id);
  await ended(transaction);
}
