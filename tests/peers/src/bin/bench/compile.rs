//! How quick the compiler is: real modules with both settings beside Wasmtime, starters beside Winch, an edit beside Wasmtime's whole compile.

use std::time::Instant;

use serde_json::{Value, json};
use vivarium_artifact::Setting;
use vivarium_tests::real;
use vivarium_tests::server::Server;
use vivarium_tests::table::Beside;
use vivarium_toolchains::starters;
use wasmparser::{Parser, Payload};
use wasmtime::{Config, Engine, OptLevel, Strategy};

use crate::kernels::geometric_mean;
use crate::ours;

/// From 0.1 to 10 MB of code, and how often each is compiled.
const MODULES: [(&str, usize); 5] = [
    ("@jsquash/png/codec/pkg/squoosh_png_bg.wasm", 9),
    ("sql.js/dist/sql-wasm.wasm", 5),
    ("@resvg/resvg-wasm/index_bg.wasm", 3),
    ("@dprint/typescript/plugin.wasm", 3),
    ("@esbuild/wasi-preview1/esbuild.wasm", 1),
];
const BEST_GOAL: f64 = 0.95;
const FAST_GOAL: f64 = 1.5;
const FAST_GOAL_IN_MEAN: f64 = 2.0;
const EDIT_GOAL: f64 = 5.0;
const EDITS: usize = 20;

const PROGRAM: &str = r#"#include <stdio.h>
#include <stdlib.h>
static int longest(int count, char **arguments) {
    int most = NNN;
    for (int i = 0; i < count; i++) most = most > atoi(arguments[i]) ? most : atoi(arguments[i]);
    return most;
}
int main(int count, char **arguments) { printf("%d %.2f\n", longest(count, arguments), count / 3.0); }
"#;

pub fn rows() -> Vec<Value> {
    let speed = engine(Strategy::Cranelift);
    let mut rows = throughput(&speed);
    let server = Server::start();
    rows.extend(first_compiles(&server, &engine(Strategy::Winch)));
    rows.push(edits(&server, &speed));
    rows
}

fn engine(strategy: Strategy) -> Engine {
    let mut config = Config::new();
    config.strategy(strategy);
    if strategy == Strategy::Cranelift {
        config.cranelift_opt_level(OptLevel::Speed);
    }
    Engine::new(&config).expect("Wasmtime starts")
}

/// Time for each megabyte of wasm code.
fn throughput(speed: &Engine) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut ratios = Vec::new();
    for (path, times) in MODULES {
        let wasm = real::file(path);
        let megabytes = code_bytes(&wasm) as f64 / 1e6;
        let policy = real::policy(&wasm);
        let [mut fast, mut best, mut peer] = [vec![], vec![], vec![]];
        for _ in 0..times {
            for (setting, times) in [(Setting::Fast, &mut fast), (Setting::Best, &mut best)] {
                times.push(
                    milliseconds(|| {
                        let compiled = vivarium_compiler::compile(&wasm, &policy, setting, &|_, _, _| {});
                        assert!(!compiled.expect("our compiler takes it").artifact.encode().expect("it encodes").is_empty());
                    }) / megabytes,
                );
            }
            peer.push(milliseconds(|| assert!(!speed.precompile_module(&wasm).expect("Wasmtime takes it").is_empty())) / megabytes);
        }
        let name = path.trim_start_matches('@').split('/').next_back().unwrap_or(path);
        let package = path.rsplit_once(['/']).map_or(path, |(folder, _)| folder.split('/').take(2).last().unwrap_or(folder));
        for (setting, ours, goal) in [("fast", fast, FAST_GOAL), ("best", best, BEST_GOAL)] {
            let name = format!("compile {package} {name}, {megabytes:.1} MB of code, {setting}");
            let row = Beside {
                group: "compiler",
                name: &name,
                unit: "ms/MB",
                ours,
                peer: peer.clone(),
                peer_name: "Wasmtime speed",
                goal: Some(goal),
            };
            let row = row.print();
            if setting == "fast" {
                ratios.push(row["ratio"].as_f64().expect("a ratio is a number"));
            }
            rows.push(row);
        }
    }
    rows.push(geometric_mean("compile with fast, geometric mean", ratios, "Wasmtime speed", FAST_GOAL_IN_MEAN));
    rows
}

fn milliseconds(work: impl FnOnce()) -> f64 {
    let started = Instant::now();
    work();
    started.elapsed().as_secs_f64() * 1e3
}

/// Of all bodies.
fn code_bytes(wasm: &[u8]) -> usize {
    let body = |payload| match payload {
        Ok(Payload::CodeSectionEntry(body)) => (body.range().end - body.range().start) as usize,
        _ => 0,
    };
    Parser::new(0).parse_all(wasm).map(body).sum()
}

/// Each starter, compiled by a server that has never seen it: its compile worker's four stages.
fn first_compiles(server: &Server, winch: &Engine) -> Vec<Value> {
    let mut rows = Vec::new();
    for starter in starters::all() {
        let files: serde_json::Map<String, Value> = starter.files.iter().map(|(name, text)| (name.to_string(), json!(text))).collect();
        let language = json!(starter.language.name());
        let (build, wasm) = ours::build(server, language.as_str().expect("a name"), files.into());
        let Ok(_) = winch.precompile_module(&wasm) else {
            println!("{} {}: Winch does not take it", starter.language.name(), starter.name);
            continue;
        };
        let peer = (0..5).map(|_| milliseconds(|| _ = winch.precompile_module(&wasm))).collect();
        let name = format!("first compile of the starter {} {}", starter.language.name(), starter.name);
        let ours = vec![compiled_ms(&build)];
        rows.push(Beside { group: "compiler", name: &name, unit: "ms", ours, peer, peer_name: "Winch", goal: Some(1.0) }.print());
    }
    rows
}

/// One function of a program changes: our compile with what its author's last one left, beside Wasmtime's compile of the same module.
fn edits(server: &Server, speed: &Engine) -> Value {
    let source = |number: usize| json!({"main.c": PROGRAM.replace("NNN", &number.to_string())});
    let deployment = server.deployed("c", "main.c", &PROGRAM.replace("NNN", "1000"));
    let [mut ours, mut peer] = [vec![], vec![]];
    for number in 1001..=1000 + EDITS {
        let body = json!({"language": "c", "files": source(number), "slug": deployment["slug"]});
        let answer = server.call("POST", "/api/v1/deployments", Some(&body), deployment["owner_token"].as_str());
        assert_eq!(answer.status, 200, "{}", answer.text());
        ours.push(compiled_ms(&answer.json()));
        let (_, wasm) = ours::build(server, "c", source(number));
        peer.push(milliseconds(|| assert!(!speed.precompile_module(&wasm).expect("Wasmtime takes it").is_empty())));
    }
    let name = "one function edited: compile again";
    Beside { group: "compiler", name, unit: "ms", ours, peer, peer_name: "Wasmtime speed", goal: Some(EDIT_GOAL) }.print()
}

fn compiled_ms(report: &Value) -> f64 {
    let stages = ["validate", "translate", "codegen", "link"];
    stages.iter().map(|stage| report["timings"][stage].as_f64().expect("every stage ran")).sum::<f64>() / 1000.0
}
