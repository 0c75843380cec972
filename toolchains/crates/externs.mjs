// Usage: externs.mjs CRATES TARGET DEST <MESSAGES
//
// Copies what cargo says that it built, for the target and procedural macros, to DEST, and writes DEST/externs: of each dependency of
// CRATES/Cargo.toml the name that programs use, version, file and, where it differs, its own name.
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

const [crates, target, dest] = process.argv.slice(2);
const messages = readFileSync(0, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line));
const built = new Map();
for (const { reason, package_id: id, target: { kind } = {}, filenames } of messages) {
  if (reason !== "compiler-artifact" || kind.includes("custom-build")) continue;
  const file = filenames.find((name) => name.endsWith(".so") || (name.endsWith(".rlib") && name.includes(`/${target}/`)));
  if (!file) continue;
  // …#name@version, or …/name#version where the folder has the same name.
  const [, name, version] = /([^/#]+)[@#]([^@#]+)$/.exec(id);
  built.set(`${name} ${version}`, basename(file));
  copyFileSync(file, join(dest, basename(file)));
}

const lines = [];
const wanted = readFileSync(join(crates, "Cargo.toml"), "utf8").split(/^\[/m).find((section) => section.startsWith("dependencies]"));
for (const [, name, , spec] of wanted.matchAll(/^([\w-]+) = (("[^"]*")|\{.*\})/gm)) {
  const value = spec ?? wanted.split("\n").find((line) => line.startsWith(`${name} =`));
  const version = /(?:^"|version = ")=([^"]+)"/.exec(value)[1];
  const crate = /package = "([^"]+)"/.exec(value)?.[1] ?? name;
  const file = built.get(`${crate} ${version}`);
  if (!file) throw new Error(`${crate} ${version} was not built`);
  const used = name.replaceAll("-", "_");
  lines.push([used, version, file, ...(used === crate ? [] : [crate])].join(" "));
}
writeFileSync(join(dest, "externs"), lines.join("\n") + "\n");
