// The state that the page begins with: what the server wrote into it, and what this browser kept.

import { byId } from "./dom.js";
import type { Fiddle, Language, Share, Starter } from "./objects.js";
import {
  broughtBack,
  chosenLanguage,
  isAside,
  isWork,
  keepOwnerToken,
  programOf,
  programOfSnapshot,
  putAside,
  restored,
  save,
  storedOf,
} from "./programs.js";
import type { Program, Workshop } from "./state.js";

interface Embedded {
  languages: Language[];
  language: string;
  ttl_seconds_default: number;
}

const SLUG = /^[a-z2-7]{20}$/;

export function initialWorkshop(): Workshop {
  const embedded = JSON.parse(byId("workshop-data").textContent ?? "") as Embedded;
  const { starters } = JSON.parse(byId("starters-data").textContent ?? "") as { starters: Starter[] };
  const programs: Record<string, Program> = {};
  for (const language of embedded.languages) programs[language.name] = restored(language, starters);
  const workshop: Workshop = {
    languages: embedded.languages,
    starters,
    ttlSeconds: embedded.ttl_seconds_default,
    language: firstLanguage(embedded),
    programs,
    panel: "build",
    tab: "code",
    online: true,
    missingSlug: null,
    problem: 0,
    putAside: null,
    previewVersion: 0,
  };
  takeStored(workshop);
  takeSlug(workshop);
  takeTyped(workshop, embedded.language);
  takeStarter(workshop);
  return workshop;
}

/** The one that the address asks for, else the last that was used here, else the server's choice. */
function firstLanguage(embedded: Embedded): string {
  const wanted = new URLSearchParams(location.search).get("language") ?? chosenLanguage() ?? embedded.language;
  const known = embedded.languages.find((language) => language.name === wanted && language.available);
  return known?.name ?? embedded.language;
}

/** The page of a share or a fiddle opens that program. What was typed upon it here stays, and nothing of it is lost when a newer revision comes. */
function takeStored(workshop: Workshop): void {
  const embedded = document.getElementById("stored-data")?.textContent;
  if (!embedded) return;
  const view = JSON.parse(embedded) as Share | Fiddle;
  const language = workshop.languages.find((known) => known.name === view.language);
  const here = workshop.programs[view.language];
  if (language === undefined || here === undefined) return;
  workshop.language = language.name;
  const stored = storedOf(view);
  if (here.stored?.share === stored.share) return;
  if (isWork(here, workshop.starters)) {
    putAside(here);
    workshop.putAside = here.starter;
  }
  workshop.programs[language.name] = programOfSnapshot(language, view, stored);
}

/** `/#SLUG`, as the visitor's pages link to it, opens the program that is deployed there, also one that was put aside. */
function takeSlug(workshop: Workshop): void {
  const slug = location.hash.slice(1);
  if (!SLUG.test(slug)) return;
  history.replaceState(null, "", location.pathname + location.search);
  const languages = workshop.languages.filter((language) => language.available);
  const open = languages.find(({ name }) => workshop.programs[name]?.slug === slug);
  const aside = languages.find(({ name }) => isAside(name, slug));
  const found = open ?? aside;
  if (found === undefined) {
    workshop.missingSlug = slug;
    return;
  }
  workshop.language = found.name;
  const replaced = workshop.programs[found.name];
  const program = open === undefined ? broughtBack(found, slug) : null;
  if (program === null || replaced === undefined) return;
  putAside(replaced);
  save(program);
  workshop.programs[found.name] = program;
}

/** Text that was typed, or sent by the plain form, before this script ran is the newest there is. */
function takeTyped(workshop: Workshop, language: string): void {
  const source = byId<HTMLTextAreaElement>("source");
  const answered = document.documentElement.dataset.state !== "ready";
  const main = workshop.languages.find((known) => known.name === language)?.main_file;
  const program = workshop.programs[language];
  if (main === undefined || program === undefined) return;
  if (!answered && source.value === source.defaultValue) return;
  workshop.language = language;
  const typed = { ...program, files: { ...program.files, [main]: source.value } };
  workshop.programs[language] = typed;
  const slug = byId<HTMLInputElement>("form-slug").value;
  const token = byId<HTMLInputElement>("form-owner-token").value;
  if (slug !== "" && token !== "") {
    typed.slug = slug;
    keepOwnerToken(slug, token);
  }
  save(typed);
}

/** `/?language=…&starter=…` names a starter; it is taken where nothing else was typed in that language. */
function takeStarter(workshop: Workshop): void {
  const name = new URLSearchParams(location.search).get("starter");
  const program = workshop.programs[workshop.language];
  const language = workshop.languages.find((known) => known.name === workshop.language);
  if (location.search !== "") history.replaceState(null, "", location.pathname + location.hash);
  const starter = workshop.starters.find((known) => known.language === workshop.language && known.name === name);
  if (starter === undefined || program === undefined || language === undefined) return;
  const untouched = workshop.starters.some((known) => JSON.stringify(known.files) === JSON.stringify(program.files));
  if (untouched && program.slug === null) workshop.programs[language.name] = programOf(language, starter);
}
