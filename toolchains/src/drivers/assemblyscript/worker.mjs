// Compiles AssemblyScript: loads the compiler once, then takes requests. It runs in the jail and is replaced after one tenant.
//
//   node worker.mjs ASC_FOLDER OUTPUT_FOLDER
//     stdin     a line is the name of a request's file beside this one, or "ping", which is answered with "pong"
//     request   {"files":{name:text},"sdk":{name:text},"options":[…]}
//     stdout    a line for each: {"compiled":bool,"diagnostics":[…],"output":text}, and main.wasm in the output folder
//
// Files are in memory only: asc asks `readFile` for everything, and a project's file can stand for nothing but itself.
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { posix as path } from "node:path";
import { createInterface } from "node:readline";

const PROJECT = "/project", SDK = "/sdk";
const DIAGNOSTICS_MAX = 200, OUTPUT_UNITS_MAX = 128 * 1024;
const SEVERITIES = ["note", "note", "warning", "error"];

const [, , ascFolder, outputFolder] = process.argv;
const asc = await import(path.join(ascFolder, "node_modules/assemblyscript/dist/asc.js"));

// Modules that programs import by name, by the folder of each.
const libraries = new Map();
const librariesFolder = path.join(ascFolder, "lib");
if (existsSync(librariesFolder)) {
  for (const file of readdirSync(librariesFolder, { recursive: true }).filter((name) => name.endsWith(".ts"))) {
    libraries.set(path.join(SDK, file), readFileSync(path.join(librariesFolder, file), "utf8"));
  }
}

// Functions that asc writes anew for its shadow stack find their lines again by name, and it knows the start functions of files by none.
class NamedStartFunctions {
  afterInitialize(program) {
    for (const { startFunction } of program.filesByName.values()) program.instancesByName.set(startFunction.internalName, startFunction);
  }
}

async function compile({ files, sdk, options }) {
  const found = fileSystem(files, sdk);
  const diagnostics = [], output = [];
  let wasm = null, map = null;
  const print = { write: (text) => output.push(String(text)) };
  const { error } = await asc.main(["main.ts", "--outFile", "main.wasm", "--lib", SDK, ...options], {
    stdout: print,
    stderr: print,
    transforms: [NamedStartFunctions],
    readFile: (name, base) => found.get(path.resolve(PROJECT, base, name)) ?? null,
    writeFile: (name, content) => {
      if (name === "main.wasm") wasm = content;
      if (name === "main.wasm.map") map = content;
    },
    listFiles: (folder, base) => {
      const prefix = path.resolve(PROJECT, base, folder) + "/";
      return [...found.keys()].filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
    },
    reportDiagnostic: (diagnostic) => { if (diagnostics.length < DIAGNOSTICS_MAX) diagnostics.push(described(diagnostic, found)); },
  });
  if (error !== null && diagnostics.length === 0) output.push(`${error.message}\n`);
  const compiled = error === null && wasm !== null;
  if (compiled) writeFileSync(path.join(outputFolder, "main.wasm"), map === null ? wasm : withSourceMap(wasm, map));
  return { compiled, diagnostics, output: output.join("").slice(0, OUTPUT_UNITS_MAX) };
}

// The source map goes with the binary, in a custom section; without the sources themselves.
function withSourceMap(wasm, map) {
  const { version, sources, mappings } = JSON.parse(map);
  const name = Buffer.from("vivarium.source_map");
  const contents = Buffer.concat([Buffer.from([name.length]), name, Buffer.from(JSON.stringify({ version, sources, mappings }))]);
  return Buffer.concat([wasm, Buffer.from([0, ...leb128(contents.length)]), contents]);
}

function leb128(number) {
  const bytes = [];
  for (; number >= 0x80; number >>>= 7) bytes.push((number & 0x7f) | 0x80);
  return [...bytes, number];
}

function fileSystem(files, sdk) {
  const found = new Map(libraries);
  for (const [name, text] of Object.entries(files)) found.set(path.join(PROJECT, name), text);
  for (const [name, text] of Object.entries(sdk)) found.set(path.join(SDK, name), text);
  return found;
}

// What asc reports has offsets, in the UTF-16 units in which JavaScript and editors count.
function described({ message, code, category, range, relatedRange }, found) {
  const related = placeOf(relatedRange, found);
  const notes = related.file === null ? [] : [{ message: "related to this", file: related.file, line: related.line, column: related.column }];
  return { ...placeOf(range, found), severity: SEVERITIES[category] ?? "error", code: `AS${code}`, message, source: "asc", notes };
}

function placeOf(range, found) {
  const file = range?.source?.normalizedPath ?? null;
  const text = file === null ? undefined : found.get(path.join(PROJECT, file));
  if (text === undefined) return { file, line: null, column: null, end_line: null, end_column: null };
  const [line, column] = lineAndColumn(text, range.start), [end_line, end_column] = lineAndColumn(text, range.end);
  return { file, line, column, end_line, end_column };
}

function lineAndColumn(text, offset) {
  const before = text.slice(0, offset);
  return [before.split("\n").length, offset - before.lastIndexOf("\n")];
}

for await (const name of createInterface({ input: process.stdin })) {
  if (name === "ping") {
    process.stdout.write("pong\n");
    continue;
  }
  const request = JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8"));
  process.stdout.write(JSON.stringify(await compile(request)) + "\n");
}
