// The sheet behind Share: the link is in the clipboard already. What it leads to can be chosen: the newest revision, this one, or a copy
// that is in the link itself and stored nowhere.

import { ApiError } from "./api.js";
import { append, byId, icon, make, replace, setText } from "./dom.js";
import { create, isOwn, store as keep, remove } from "./fiddles.js";
import { linkOf } from "./link.js";
import { byteText, countdownText } from "./numbers.js";
import type { Fiddle } from "./objects.js";
import { save, storedOf } from "./programs.js";
import { currentProgram, type Program, type Workshop } from "./state.js";
import type { Store } from "./store.js";

export { programOfLink } from "./link.js";

/** Longer links are cut by some chat programs and mail readers. */
const LINK_UNITS_SAFE = 8000;
const CHOICE = "vivarium:share";

type Choice = "newest" | "revision" | "private";

/** One opening of the sheet. */
interface Sharing {
  store: Store<Workshop>;
  program: Program;
  /** What a private link begins with. */
  begin: string;
  choice: Choice;
  fiddle: Fiddle | null;
  /** Under way: what is shared once is stored once. */
  storing: Promise<void> | null;
  /** Why it is not stored, where it was to be, or why there is no link. */
  refusal: { sentence: string; overtaken: boolean } | null;
  copied: boolean;
  isOpen: boolean;
}

/** `begin` is what a private link begins with. */
export async function showSheet(store: Store<Workshop>, begin: string): Promise<void> {
  const sheet = byId<HTMLDialogElement>("share-sheet");
  // A second click, before the first has opened the sheet.
  if (sheet.open) return;
  const program = currentProgram(store.state);
  const sharing: Sharing = {
    store,
    program,
    begin,
    choice: chosen(),
    fiddle: null,
    storing: null,
    refusal: null,
    copied: false,
    isOpen: true,
  };
  sheet.onclick = (event) => {
    if (event.target === sheet) sheet.close();
  };
  sheet.addEventListener("close", () => (sharing.isOpen = false), { once: true });
  // At once: a server that hangs must not look like a button that does nothing.
  replace(sheet, ...head("Share", null), make("p", { class: "shared", role: "status" }, "Making the link."));
  sheet.showModal();
  await take(sharing, sharing.choice);
}

export function showRefusal(sentence: string): void {
  const sheet = byId<HTMLDialogElement>("share-sheet");
  replace(sheet, ...head("This link cannot be opened", null), make("p", { class: "shared" }, sentence));
  sheet.onclick = null;
  sheet.showModal();
}

/** Makes the link that was chosen and copies it. What cannot be stored is shared by a private link. */
async function take(sharing: Sharing, choice: Choice): Promise<void> {
  sharing.choice = choice;
  sharing.refusal = null;
  if (choice !== "private" && sharing.fiddle === null) await storeOnce(sharing, keep);
  const link = await linkNow(sharing).catch((error: Error) => {
    const before = sharing.refusal === null ? "" : `${sharing.refusal.sentence} `;
    sharing.refusal = { sentence: `${before}No private link: ${error.message}`, overtaken: false };
    return "";
  });
  // Closed in the meantime: the sheet, and what was copied since, are somebody else's.
  if (!sharing.isOpen) return;
  sharing.copied = link !== "" && (await copy(link));
  draw(sharing, link);
  if (sharing.copied) setText(byId("announcer"), "Link copied");
}

async function storeOnce(sharing: Sharing, by: (program: Program) => Promise<Fiddle>): Promise<void> {
  sharing.storing ??= storeIt(sharing, by).finally(() => (sharing.storing = null));
  await sharing.storing;
}

async function storeIt(sharing: Sharing, by: (program: Program) => Promise<Fiddle>): Promise<void> {
  const { program, store } = sharing;
  try {
    const fiddle = await by(program);
    sharing.fiddle = fiddle;
    store.update(() => (program.stored = storedOf(fiddle)));
    save(program);
  } catch (error) {
    const overtaken = error instanceof ApiError && error.status === 412;
    const sentence = `Not stored: ${error instanceof Error ? error.message : String(error)}`;
    sharing.refusal = { sentence, overtaken };
  }
}

async function linkNow({ program, begin, choice, fiddle }: Sharing): Promise<string> {
  if (choice === "private" || fiddle === null) return begin + (await linkOf(program));
  return choice === "newest" ? fiddle.url : fiddle.share_url;
}

function draw(sharing: Sharing, link: string): void {
  const { program, fiddle, refusal, copied } = sharing;
  const field = make("input", { class: "mono", readonly: true, "aria-label": "Link", value: link });
  field.addEventListener("focus", () => field.select());
  const isPrivate = sharing.choice === "private" || fiddle === null;
  replace(
    byId("share-sheet"),
    ...head(copied ? "Link copied" : "Share", copied ? "s-exited" : null),
    link !== "" && copyLine(field, "Copy the link", link),
    refusal !== null && refusalLine(sharing, refusal),
    choices(sharing, link),
    make("p", { class: "shared banner info" }, isPrivate ? privateText(link) : storedText(program)),
    ...terminal(program),
    ...(fiddle === null ? [] : files(sharing, fiddle)),
  );
}

function head(title: string, shape: string | null): HTMLElement[] {
  const close = make("button", { class: "quiet square", "aria-label": "Close" }, icon("i-close"));
  const heading = make("h2", { id: "share-title" }, shape === null ? null : icon(shape), title);
  return [make("div", { class: "sheet-head" }, heading, make("form", { method: "dialog" }, close))];
}

function refusalLine(sharing: Sharing, { sentence, overtaken }: { sentence: string; overtaken: boolean }): HTMLElement {
  const line = make("p", { class: "shared banner warning" }, icon("s-warning"), make("span", {}, sentence));
  if (!overtaken) return line;
  const fork = make("button", { class: "link", type: "button" }, "Store as a fork");
  fork.addEventListener("click", () => {
    sharing.refusal = null;
    void storeOnce(sharing, (program) => create(program, program.stored?.fiddle ?? null)).then(() =>
      take(sharing, sharing.choice),
    );
  });
  line.append(fork);
  return line;
}

function choices(sharing: Sharing, link: string): HTMLElement {
  const { fiddle } = sharing;
  const length = sharing.choice === "private" || fiddle === null ? `, ${byteText(link.length)}` : "";
  const all: [Choice, string, string][] = [
    [
      "newest",
      "Newest revision",
      fiddle === null ? "follows what you share" : `now r${fiddle.revision}; follows what you share`,
    ],
    ["revision", fiddle === null ? "Only this" : `Only r${fiddle.revision}`, "code and every setting, never changes"],
    ["private", "Private", `the code is in the link${length}; nothing is stored`],
  ];
  const set = make(
    "fieldset",
    { class: "choices" },
    make("legend", { class: "visually-hidden" }, "What the link leads to"),
  );
  for (const [choice, title, text] of all) {
    const radio = make("input", { type: "radio", name: "link", value: choice, checked: choice === sharing.choice });
    radio.addEventListener("change", () => {
      choose(choice);
      void take(sharing, choice).then(() =>
        byId("share-sheet").querySelector<HTMLInputElement>(`input[value="${choice}"]`)?.focus(),
      );
    });
    append(set, [make("label", {}, radio, make("span", {}, make("b", {}, title), ` ${text}`))]);
  }
  return set;
}

function privateText(link: string): string {
  const long = link.length > LINK_UNITS_SAFE ? " It is long: some mail and chat programs cut such links off." : "";
  return `Whoever has the link can read, run and change a copy of this code. It is stored nowhere.${long}`;
}

function storedText({ deployment }: Program): string {
  const ends =
    deployment === null || deployment.state === "expired"
      ? ""
      : ` The URL that answers is another one, and expires in ${countdownText(Date.parse(deployment.expires_at) - Date.now())}.`;
  return `Anyone with the link can read and fork this code. It stays until you delete it.${ends}`;
}

/** The deployment asked by curl, in the form that needs no wildcard name. */
function terminal(program: Program): HTMLElement[] {
  const deployment = program.deployment;
  if (deployment === null || deployment.state === "expired") return [];
  const command = `curl '${deployment.path_url.replace(/\/$/, "")}${program.path.replaceAll("'", "%27")}'`;
  const shown = make("code", { class: "snippet", tabindex: 0 }, command);
  return [make("h3", {}, "From a terminal"), copyLine(shown, "Copy the curl command", command)];
}

/** What the address of this revision has beside its page, and the end of it all. */
function files(sharing: Sharing, fiddle: Fiddle): HTMLElement[] {
  const at = fiddle.share_url;
  const link = (name: string, href: string) => make("a", { href, target: "_blank", rel: "noopener" }, name);
  const line = make("p", { class: "files mono" });
  for (const [name, text] of Object.entries(fiddle.files)) {
    const bytes = make("span", { class: "dim" }, byteText(new TextEncoder().encode(text).length));
    append(line, [link(name, `${at}/raw/${name.split("/").map(encodeURIComponent).join("/")}`), " ", bytes, " "]);
  }
  for (const form of [".zip", ".wasm", ".wat"]) append(line, [link(form, at + form), " "]);
  if (isOwn(fiddle.id)) {
    const end = make("button", { class: "link danger-text", type: "button" }, "Delete what is stored");
    end.addEventListener("click", () => void forget(sharing, fiddle));
    line.append(end);
  }
  return [make("h3", {}, "Files"), line];
}

async function forget(sharing: Sharing, fiddle: Fiddle): Promise<void> {
  if (!confirm("Delete all revisions? Links to them will lead nowhere. The code in this editor stays.")) return;
  const refused = await remove(fiddle.id).then(
    () => null,
    (error: Error) => error.message,
  );
  if (refused !== null) return setText(byId("announcer"), refused);
  sharing.store.update(() => (sharing.program.stored = null));
  save(sharing.program);
  sharing.fiddle = null;
  byId<HTMLDialogElement>("share-sheet").close();
  setText(byId("announcer"), "Deleted");
}

function copyLine(shown: HTMLElement, label: string, text: string): HTMLElement {
  const button = make("button", { class: "button", type: "button", "aria-label": label }, icon("i-copy"), "Copy");
  button.addEventListener("click", () => {
    void copy(text).then((done) => setText(byId("announcer"), done ? "Copied" : "The browser did not allow copying"));
  });
  return make("div", { class: "copyline" }, shown, button);
}

async function copy(text: string): Promise<boolean> {
  return await navigator.clipboard.writeText(text).then(
    () => true,
    () => false,
  );
}

function chosen(): Choice {
  try {
    const choice = localStorage.getItem(CHOICE);
    return choice === "private" || choice === "revision" ? choice : "newest";
  } catch {
    return "newest";
  }
}

function choose(choice: Choice): void {
  try {
    localStorage.setItem(CHOICE, choice);
  } catch {
    // Where nothing may be stored, the choice lives as long as the sheet.
  }
}
