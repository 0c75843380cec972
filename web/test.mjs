// Bundles the unit tests into a temporary folder and runs them with Node's own runner: `npm test [-- node's test options]`.

import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL(".", import.meta.url));
const outdir = await mkdtemp(join(tmpdir(), "vivarium-web-tests-"));
try {
  const names = (await readdir(join(root, "tests"))).filter((name) => name.endsWith(".test.ts"));
  await build({
    absWorkingDir: root,
    entryPoints: names.map((name) => join("tests", name)),
    bundle: true,
    platform: "node",
    format: "esm",
    outExtension: { ".js": ".mjs" },
    outdir,
    logLevel: "warning",
  });
  const bundled = names.map((name) => join(outdir, name.replace(/\.ts$/, ".mjs")));
  const { status } = spawnSync(process.execPath, ["--test", ...process.argv.slice(2), ...bundled], {
    stdio: "inherit",
  });
  process.exitCode = status ?? 1;
} finally {
  await rm(outdir, { recursive: true, force: true });
}
