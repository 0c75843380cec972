//! Runs a program of our own under node's WASI, until it is a guest of the runtime. Node is the toolchain root's.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use super::folder;

const RUN: &str = "
const { WASI } = require('node:wasi');
const wasi = new WASI({ version: 'preview1', args: ['main', ...process.argv.slice(2)], env: { QUERY_STRING: process.env.QUERY }, returnOnExit: true });
const module = new WebAssembly.Module(require('node:fs').readFileSync(process.argv[1]));
process.exitCode = wasi.start(new WebAssembly.Instance(module, wasi.getImportObject()));
";

/// The program's answer to a query string, or, for a command, to arguments and stdin.
pub fn run(wasm: &[u8], query: &str, args: &[&str], stdin: &str) -> Output {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(wasm).unwrap();
    let root = folder().join("root");
    let mut node = Command::new(root.join("usr/bin/node"))
        .args(["--no-warnings", "-e", RUN, "--"])
        .arg(file.path())
        .args(args)
        .env("LD_LIBRARY_PATH", root.join("usr/lib/x86_64-linux-gnu"))
        .env("QUERY", query)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    node.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    node.wait_with_output().unwrap()
}
