// Lays out AssemblyScript with prettier, which reads TypeScript: decorators where TypeScript has none become comments on the way.
//
//   node format.mjs ASC_FOLDER ANSWER_FILE
//     request.json   {"files":{name:text}}, beside this script
//     answer         {"files":{name:text},"diagnostics":[…]}: files with mistakes are told in the second and are not in the first
import { readFileSync, writeFileSync } from "node:fs";
import { posix as path } from "node:path";

const [, , ascFolder, answerFile] = process.argv;
const modules = path.join(ascFolder, "node_modules");
const prettier = await import(path.join(modules, "prettier/standalone.mjs"));
const plugins = await Promise.all(["estree", "typescript"].map((name) => import(path.join(modules, `prettier/plugins/${name}.mjs`))));
const { Parser, NodeKind } = await import(path.join(modules, "assemblyscript/dist/assemblyscript.js"));

// Classes and their members may have decorators in TypeScript too, and prettier has rules for these.
const DECORATED_IN_TYPESCRIPT = [NodeKind.ClassDeclaration, NodeKind.MethodDeclaration, NodeKind.FieldDeclaration];

function decoratorsOf(text) {
  const parser = new Parser();
  parser.parseFile(text, "main.ts", true);
  const found = [];
  const visit = (node) => {
    if (node.decorators && !DECORATED_IN_TYPESCRIPT.includes(node.kind)) found.push(...node.decorators.map(({ range }) => range));
    (node.statements ?? node.members ?? []).forEach(visit);
  };
  parser.sources.forEach(visit);
  return found.sort((a, b) => a.start - b.start);
}

// The text with comments in the place of those decorators, what finds them again, and where each was: `at` and `end` in the text, `hidden` behind its comment.
function hide(text) {
  const decorators = decoratorsOf(text);
  let mark = "decorator";
  while (text.includes(mark)) mark += "_";
  let hidden = "", end = 0;
  const places = decorators.map((range, number) => {
    hidden += text.slice(end, range.start);
    const start = hidden.length;
    hidden += `/*${mark} ${number}*/`;
    end = range.end;
    return { at: range.start, end, start, hidden: hidden.length };
  });
  return { hidden: hidden + text.slice(end), places, comments: new RegExp(`/\\*${mark} (\\d+)\\*/`, "g") };
}

// A line and column, both from 1, of the hidden text as those of the text.
function originalPlace(text, { hidden, places }, { line, column }) {
  let offset = hidden.split("\n").slice(0, line - 1).reduce((sum, before) => sum + before.length + 1, 0) + column - 1;
  const before = places.findLast((place) => place.start <= offset);
  if (before) offset = offset < before.hidden ? before.at : offset - before.hidden + before.end;
  const lines = text.slice(0, offset).split("\n");
  return { line: lines.length, column: lines.at(-1).length + 1 };
}

async function laidOut(text) {
  const hiding = hide(text);
  let formatted;
  try {
    formatted = await prettier.format(hiding.hidden, { parser: "typescript", printWidth: 120, plugins });
  } catch (error) {
    if (error.loc?.start) error.loc.start = originalPlace(text, hiding, error.loc.start);
    throw error;
  }
  let shown = 0;
  const whole = formatted.replace(hiding.comments, (_, number) => {
    shown += 1;
    return text.slice(hiding.places[number].at, hiding.places[number].end);
  });
  if (shown !== hiding.places.length) throw new Error("prettier would lose a decorator of this file");
  return whole;
}

function described(file, { message, loc }) {
  const place = loc?.start ?? { line: null, column: null };
  const sentence = message.split("\n")[0].replace(/ \(\d+:\d+\)$/, "");
  return { file, ...place, end_line: null, end_column: null, severity: "error", code: null, message: sentence, source: "prettier", notes: [] };
}

const { files } = JSON.parse(readFileSync(new URL("request.json", import.meta.url), "utf8"));
const answer = { files: {}, diagnostics: [] };
for (const [name, text] of Object.entries(files)) {
  try {
    answer.files[name] = await laidOut(text);
  } catch (error) {
    answer.diagnostics.push(described(name, error));
  }
}
writeFileSync(answerFile, JSON.stringify(answer));
