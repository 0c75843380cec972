// Programs that the server keeps: the calls for them, and what this browser remembers of those that are its own.

import { ApiError, call } from "./api.js";
import { snapshotOf } from "./link.js";
import type { Fiddle } from "./objects.js";
import { keepOwnerToken, ownerToken } from "./programs.js";
import type { Program } from "./state.js";

/** The token by which this browser owns what it stores, under a name that no fiddle has. */
const BROWSER = "fiddles";

/** A private link is better than a longer wait. */
const timeout_ms = 15_000;

/** Stores the program as it is: the next revision of a fiddle of one's own, else a new one that says what it came from. */
export async function store(program: Program): Promise<Fiddle> {
  const { stored } = program;
  const fiddle = stored?.fiddle ?? null;
  const token = ownerToken(fiddle);
  const body = snapshotOf(program);
  if (fiddle !== null && token !== null && stored !== null) {
    try {
      return await call(`/fiddles/${fiddle}`, { method: "PUT", body, token, ifMatch: stored.share, timeout_ms });
    } catch (error) {
      // It was deleted, from here or by another tab: then it is stored anew.
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
    }
  }
  return await create(program, fiddle ?? stored?.share ?? null);
}

/** A new fiddle of this browser's own. */
export async function create(program: Program, forkedFrom: string | null): Promise<Fiddle> {
  const token = ownerToken(BROWSER);
  const body = { ...snapshotOf(program), ...(forkedFrom === null ? {} : { forked_from: forkedFrom }) };
  const made = await call<Fiddle>("/fiddles", { method: "POST", body, token, timeout_ms });
  const owner = made.owner_token ?? token ?? "";
  keepOwnerToken(BROWSER, owner);
  keepOwnerToken(made.id, owner);
  return made;
}

export function isOwn(fiddle: string): boolean {
  return ownerToken(fiddle) !== null;
}

export async function remove(fiddle: string): Promise<void> {
  await call(`/fiddles/${fiddle}`, { method: "DELETE", token: ownerToken(fiddle) });
}
