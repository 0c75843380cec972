// The state that the page begins with: what the server wrote into it, and what this browser kept.

import { byId } from "./dom.js";
import type { Language, Starter } from "./objects.js";
import { chosenLanguage, keepOwnerToken, programOf, restored } from "./programs.js";
import type { Program, Workshop } from "./state.js";

interface Embedded {
  languages: Language[];
  language: string;
  ttl_seconds_default: number;
}

export function initialWorkshop(): Workshop {
  const embedded = JSON.parse(byId("workshop-data").textContent ?? "") as Embedded;
  const { starters } = JSON.parse(byId("starters-data").textContent ?? "") as { starters: Starter[] };
  const programs: Record<string, Program> = {};
  for (const language of embedded.languages) programs[language.name] = restored(language, starters);
  const workshop: Workshop = {
    languages: embedded.languages,
    starters,
    ttlSeconds: embedded.ttl_seconds_default,
    language: firstLanguage(embedded, programs),
    programs,
    panel: "build",
    tab: "code",
    online: true,
    problem: 0,
    previewVersion: 0,
  };
  takeTyped(workshop, embedded.language);
  takeStarter(workshop);
  return workshop;
}

/** The one that the address asks for, else the last that was used here, else the server's choice. */
function firstLanguage(embedded: Embedded, programs: Record<string, Program>): string {
  const slug = location.hash.slice(1);
  const ofSlug = Object.values(programs).find((program) => slug !== "" && program.slug === slug)?.language;
  const wanted =
    ofSlug ?? new URLSearchParams(location.search).get("language") ?? chosenLanguage() ?? embedded.language;
  const known = embedded.languages.find((language) => language.name === wanted && language.available);
  return known?.name ?? embedded.language;
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
  program.files = { ...program.files, [main]: source.value };
  const slug = byId<HTMLInputElement>("form-slug").value;
  const token = byId<HTMLInputElement>("form-owner-token").value;
  if (slug === "" || token === "") return;
  program.slug = slug;
  keepOwnerToken(slug, token);
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
