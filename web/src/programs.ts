// Programs as this browser keeps them: one for each language, saved while it is typed, and the owner tokens of their deployments.

import { pathOf } from "./address.js";
import type { Fiddle, Files, Kind, Language, SavedRequest, Share, Snapshot, Starter } from "./objects.js";
import type { Program, Stored } from "./state.js";

const PROGRAM = "vivarium:program:";
const ASIDE = "vivarium:aside:";
const ASIDE_MAX = 8;
const OWNER = "vivarium:owner:";
const LANGUAGE = "vivarium:language";
/** What is typed is saved at this pace: so much of it can be lost. */
export const SAVE_PACE_MS = 150;

/** Of a request that is kept with a program; the first is what none at all means. */
export const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/** What outlives the tab. */
export interface Saved {
  starter: string;
  files: Files;
  activeFile: string;
  arguments: string;
  stdin: string;
  kind: Kind | null;
  slug: string | null;
  path: string;
  deployedFiles: string | null;
  assets: Files;
  savedRequests: SavedRequest[];
  stored: Stored | null;
  /** Milliseconds since 1970; none before this was kept. */
  savedAt?: number;
}

export function programOf(language: Language, starter: Starter | null): Program {
  return {
    language: language.name,
    starter: starter?.name ?? "untitled",
    files: starter === null ? { [language.main_file]: "" } : { ...starter.files },
    assets: {},
    activeFile: language.main_file,
    arguments: "",
    stdin: starter?.stdin ?? "",
    kind: starter?.kind ?? null,
    slug: null,
    path: "/",
    deployedFiles: null,
    attempt: null,
    deployment: null,
    elsewhere: false,
    diagnostics: [],
    rows: [],
    rowsVersion: 0,
    rowsLeftOut: 0,
    requests: [],
    savedRequests: [],
    stored: null,
    runs: [],
    selected: null,
    lastTotal: null,
  };
}

/** The program of a snapshot; nothing of it was run here yet. */
export function programOfSnapshot(language: Language, snapshot: Snapshot, stored: Stored | null): Program {
  return {
    ...programOf(language, null),
    starter: snapshot.name || "untitled",
    files: snapshot.files,
    assets: snapshot.assets ?? {},
    arguments: snapshot.arguments ?? "",
    stdin: snapshot.stdin ?? "",
    kind: snapshot.kind ?? null,
    path: pathOf(snapshot.path ?? ""),
    savedRequests: (snapshot.requests ?? []).map(withKnownMethod),
    stored,
  };
}

/** What the form could not show is not sent either. */
function withKnownMethod(request: SavedRequest): SavedRequest {
  return METHODS.includes(request.method || "GET") ? request : { ...request, method: "" };
}

export function storedOf(view: Share | Fiddle): Stored {
  const isFiddle = "revision" in view;
  return isFiddle
    ? { fiddle: view.id, revision: view.revision, share: view.share_id }
    : { fiddle: null, revision: 0, share: view.id };
}

/** Whether somebody would miss it: it is no starter as it came, or it has a URL. */
export function isWork(program: Program, starters: Starter[]): boolean {
  const isUntouched = starters.some(
    (known) => known.language === program.language && JSON.stringify(known.files) === JSON.stringify(program.files),
  );
  return !isUntouched || program.slug !== null;
}

/** The program last typed in this language, else its first starter. */
export function restored(language: Language, starters: Starter[]): Program {
  const first = starters.find((starter) => starter.language === language.name) ?? null;
  const program = programOf(language, first);
  const saved = read<Saved>(PROGRAM + language.name);
  const isWhole = saved !== null && language.main_file in saved.files;
  const found = isWhole ? withSaved(program, saved) : program;
  readAt.set(found, isWhole ? (saved.savedAt ?? 0) : 0);
  return found;
}

/** When that was saved which a program was read from. */
const readAt = new WeakMap<Program, number>();

/** `null` of a program that came from elsewhere, as from an address: nothing that is kept takes its place. */
export function readAtOf(program: Program): number | null {
  return readAt.get(program) ?? null;
}

/** The program as it was saved. */
export function withSaved(program: Program, { savedAt: _, ...saved }: Saved): Program {
  return { ...program, ...saved };
}

export function save(program: Program): void {
  const saved = savedOf(program);
  write(PROGRAM + program.language, saved);
  onSave?.(program, saved);
}

let onSave: ((program: Program, saved: Saved) => void) | null = null;

/** Told of whatever is saved from now on: local storage alone does not outlive a browser that is killed. */
export function alsoSave(listener: (program: Program, saved: Saved) => void): void {
  onSave = listener;
}

/** Puts a program aside that another is to replace, so that it can be brought back; the last few are kept. */
export function putAside(program: Program): void {
  const saved = savedOf(program);
  const others = aside(program.language).filter((one) => one.slug !== saved.slug || !isSame(one, saved));
  write(ASIDE + program.language, [saved, ...others].slice(0, ASIDE_MAX));
}

/** Newest first. */
function aside(language: string): Saved[] {
  const kept = read<Saved | Saved[]>(ASIDE + language);
  return kept === null ? [] : [kept].flat();
}

export function isAside(language: string, slug: string): boolean {
  return aside(language).some((saved) => saved.slug === slug);
}

/** The newest of those, or the one with this slug. */
export function broughtBack(language: Language, slug: string | null = null): Program | null {
  const all = aside(language.name);
  const saved = all.find((one) => slug === null || one.slug === slug);
  if (saved === undefined) return null;
  write(
    ASIDE + language.name,
    all.filter((one) => one !== saved),
  );
  return withSaved(programOf(language, null), saved);
}

/** What a person has written of it. */
const WRITTEN = ["starter", "files", "assets", "arguments", "stdin", "path", "savedRequests"] as const;

/** Whether both hold the same of what a person has written. */
export function isSame(one: Saved, other: Saved): boolean {
  return WRITTEN.every((key) => JSON.stringify(one[key]) === JSON.stringify(other[key]));
}

/** What comes back with a version: what was written, which file was open, and the kind where it was known by then. */
export function writtenOf(saved: Saved): Partial<Saved> {
  const keys = [...WRITTEN, "activeFile", "kind"] as const;
  return Object.fromEntries(keys.map((key) => [key, saved[key]]).filter(([, value]) => (value ?? null) !== null));
}

export function savedOf(program: Program): Saved {
  const { starter, files, assets, activeFile, stdin, kind, slug, path, deployedFiles, savedRequests, stored } = program;
  return {
    starter,
    files,
    assets,
    activeFile,
    arguments: program.arguments,
    stdin,
    kind,
    slug,
    path,
    deployedFiles,
    savedRequests,
    stored,
    savedAt: Date.now(),
  };
}

export function ownerToken(slug: string | null): string | null {
  return slug === null ? null : stored(OWNER + slug);
}

export function keepOwnerToken(slug: string, token: string): void {
  store(OWNER + slug, token);
}

export function chosenLanguage(): string | null {
  return stored(LANGUAGE);
}

export function chooseLanguage(name: string): void {
  store(LANGUAGE, name);
}

function read<Value>(key: string): Value | null {
  try {
    return JSON.parse(stored(key) ?? "null") as Value | null;
  } catch {
    return null;
  }
}

function write(key: string, value: unknown): void {
  store(key, JSON.stringify(value));
}

// Storage can be full or forbidden; the page then works without it, as the note in the code's head says.
let storageWorks = true;

export function canSave(): boolean {
  return storageWorks;
}

// Drafts and versions are kept in a database, which can be full or forbidden where storage is not.
let draftsWork = true;

export function canKeepVersions(): boolean {
  return draftsWork;
}

export function setCanKeepVersions(works: boolean): void {
  draftsWork = works;
}

function stored(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    storageWorks = false;
    return null;
  }
}

function store(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
    storageWorks = true;
  } catch {
    storageWorks = false;
  }
}
