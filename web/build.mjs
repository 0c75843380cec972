// Bundles the front end into dist/: hashed names, a chunk for each grammar, and manifest.json, which tells the server the names.

import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { EMBED_BYTES_MAX, EMBED_PAGE_BYTES_MAX, FIRST_LOAD_BYTES_MAX, PAGE_BYTES_MAX } from "./budget.mjs";

const root = fileURLToPath(new URL(".", import.meta.url));
const dist = join(root, "dist");
const ENTRIES = [
  "src/main.ts",
  "src/embed.ts",
  "src/appearance.ts",
  "src/embedding.ts",
  "styles/workshop.css",
  "styles/embed.css",
];
const WORKSHOP = ["main.js", "appearance.js", "workshop.css", "mark.svg"];
const EMBED = ["embed.js", "embed.css", "mark.svg"];

const shared = {
  absWorkingDir: root,
  bundle: true,
  minify: true,
  target: "es2022",
  outdir: "dist",
  entryNames: "[name]-[hash]",
  chunkNames: "chunk-[hash]",
  metafile: true,
  legalComments: "none",
  logLevel: "warning",
};

await rm(dist, { recursive: true, force: true });
await mkdir(dist, { recursive: true });
const page = await build({
  ...shared,
  entryPoints: ["src/main.ts", "src/embed.ts", "styles/workshop.css", "styles/embed.css"],
  format: "esm",
  splitting: true,
});
const alone = await build({ ...shared, entryPoints: ["src/appearance.ts", "src/embedding.ts"], format: "iife" });

const manifest = {
  ...entries(page.metafile),
  ...entries(alone.metafile),
  "mark.svg": await copyHashed("styles/mark.svg"),
};
await writeFile(join(dist, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
const sizes = new Map();
for (const name of await readdir(dist))
  sizes.set(`dist/${name}`, gzipSync(await readFile(join(dist, name)), { level: 9 }).length);
weigh("first load", page.metafile, WORKSHOP, PAGE_BYTES_MAX, FIRST_LOAD_BYTES_MAX);
weigh("embed", page.metafile, EMBED, EMBED_PAGE_BYTES_MAX, EMBED_BYTES_MAX);

/** The hashed name of each entry, by its logical one. */
function entries(metafile) {
  const found = Object.entries(metafile.outputs).filter(([, output]) => ENTRIES.includes(output.entryPoint));
  return Object.fromEntries(
    found.map(([path, { entryPoint }]) => [basename(entryPoint).replace(/\.ts$/, ".js"), basename(path)]),
  );
}

async function copyHashed(path) {
  const bytes = await readFile(join(root, path));
  const hash = createHash("sha256").update(bytes).digest("hex").slice(0, 8).toUpperCase();
  const name = basename(path).replace(/(\.[a-z]+)$/, `-${hash}$1`);
  await writeFile(join(dist, name), bytes);
  return name;
}

/** Everything that these files of the manifest import without asking, and the largest chunk that one of them may ask for. */
function weigh(what, metafile, names, pageBytes, bytesMax) {
  const first = new Set();
  const visit = (path, found, known) => {
    if (found.has(path) || known.has(path)) return found;
    found.add(path);
    for (const { path: imported, kind } of metafile.outputs[path]?.imports ?? [])
      if (kind === "import-statement") visit(imported, found, known);
    return found;
  };
  for (const name of names) visit(`dist/${manifest[name]}`, first, new Set());
  const sum = (paths) => [...paths].reduce((total, path) => total + (sizes.get(path) ?? 0), 0);
  const lazy = [...first]
    .flatMap((path) => metafile.outputs[path]?.imports ?? [])
    .filter(({ kind }) => kind === "dynamic-import");
  const largest = Math.max(0, ...lazy.map(({ path }) => sum(visit(path, new Set(), first))));
  const total = pageBytes + sum(first) + largest;
  console.log(
    `${what} ${kilobytes(sum(first))}, with the page and the largest chunk on demand ${kilobytes(total)} of ${kilobytes(bytesMax)} allowed, gzipped`,
  );
  if (total > bytesMax) throw new Error(`The ${what} is heavier than it may be; see budget.mjs.`);
}

function kilobytes(bytes) {
  return `${(bytes / 1000).toFixed(1)} KB`;
}
