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

async function laidOut(text) {
  const decorators = decoratorsOf(text);
  let mark = "decorator";
  while (text.includes(mark)) mark += "_";
  let hidden = "", end = 0;
  decorators.forEach((range, number) => {
    hidden += `${text.slice(end, range.start)}/*${mark} ${number}*/`;
    end = range.end;
  });
  hidden += text.slice(end);
  const formatted = await prettier.format(hidden, { parser: "typescript", printWidth: 120, plugins });
  return formatted.replace(new RegExp(`/\\*${mark} (\\d+)\\*/`, "g"), (_, number) => text.slice(decorators[number].start, decorators[number].end));
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
