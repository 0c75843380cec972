// Bundles the front end into dist/: hashed names, a chunk for each grammar, and manifest.json, which tells the server the names.

import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { FIRST_LOAD_BYTES_MAX, PAGE_BYTES_MAX } from "./budget.mjs";

const root = fileURLToPath(new URL(".", import.meta.url));
const dist = join(root, "dist");
const ENTRIES = ["src/main.ts", "src/appearance.ts", "styles/workshop.css"];

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
  entryPoints: ["src/main.ts", "styles/workshop.css"],
  format: "esm",
  splitting: true,
});
const appearance = await build({ ...shared, entryPoints: ["src/appearance.ts"], format: "iife" });

const manifest = {
  ...entries(page.metafile),
  ...entries(appearance.metafile),
  "mark.svg": await copyHashed("styles/mark.svg"),
};
await writeFile(join(dist, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
await weigh(page.metafile);

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

/** Everything that main imports without asking, the styles, and the largest chunk that a language may ask for. */
async function weigh(metafile) {
  const sizes = new Map();
  for (const name of await readdir(dist))
    sizes.set(`dist/${name}`, gzipSync(await readFile(join(dist, name)), { level: 9 }).length);
  const first = new Set();
  const visit = (path) => {
    if (first.has(path)) return;
    first.add(path);
    for (const { path: imported, kind } of metafile.outputs[path]?.imports ?? [])
      if (kind === "import-statement") visit(imported);
  };
  for (const name of Object.values(manifest)) visit(`dist/${name}`);
  const sum = (paths) => [...paths].reduce((total, path) => total + (sizes.get(path) ?? 0), 0);
  const grammars = (manifestPath) => {
    const before = new Set(first);
    const own = new Set();
    const walk = (path) => {
      if (before.has(path) || own.has(path)) return;
      own.add(path);
      for (const { path: imported, kind } of metafile.outputs[path]?.imports ?? [])
        if (kind === "import-statement") walk(imported);
    };
    walk(manifestPath);
    return sum(own);
  };
  const lazy = Object.values(metafile.outputs)
    .flatMap((output) => output.imports)
    .filter(({ kind }) => kind === "dynamic-import");
  const largest = Math.max(0, ...lazy.map(({ path }) => grammars(path)));
  const total = PAGE_BYTES_MAX + sum(first) + largest;
  console.log(
    `first load ${kilobytes(sum(first))}, with the page and the largest grammar ${kilobytes(total)} of ${kilobytes(FIRST_LOAD_BYTES_MAX)} allowed, gzipped`,
  );
  if (total > FIRST_LOAD_BYTES_MAX)
    throw new Error("The first load is heavier than it may be; see FIRST_LOAD_BYTES_MAX.");
}

function kilobytes(bytes) {
  return `${(bytes / 1000).toFixed(1)} KB`;
}
