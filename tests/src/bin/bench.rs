//! `make bench`: the figures, measured on the server that a person would use, as a table and in `target/bench.json`.
//!
//! Group `edit`: from sending an edited source to the new code answering at its URL, on a warm server, one person.
#![forbid(unsafe_code)]

use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};
use vivarium_tests::server::{Server, eventually};

/// Edits of each program that are measured; one more before them is not.
const EDITS: usize = 30;

struct Program {
    name: &'static str,
    language: &'static str,
    file: &'static str,
    /// `NNN` stands for what changes.
    source: &'static str,
    /// Most that the median may be, in milliseconds.
    goal_ms: f64,
}

const PROGRAMS: [Program; 4] = [
    Program {
        name: "C",
        language: "c",
        file: "main.c",
        source: "#include <stdio.h>\nint main(void) {\n    int n = NNN;\n    fprintf(stderr, \"n is %d\\n\", n);\n    printf(\"Content-Type: text/plain\\n\\n%d\\n\", n);\n    return 0;\n}\n",
        goal_ms: 400.0,
    },
    Program {
        name: "Rust, -O0",
        language: "rust",
        file: "main.rs",
        source: "fn main() {\n    let n: u32 = NNN;\n    eprintln!(\"n is {n}\");\n    println!(\"Content-Type: text/plain\\n\\n{n}\");\n}\n",
        goal_ms: 800.0,
    },
    Program {
        name: "AssemblyScript",
        language: "assemblyscript",
        file: "main.ts",
        source: "const n: i32 = NNN;\nconsole.log(\"Content-Type: text/plain\\n\\n\" + n.toString());\n",
        goal_ms: 800.0,
    },
    Program {
        name: "WAT",
        language: "wat",
        file: "main.wat",
        source: "(module\n    (import \"wasi_snapshot_preview1\" \"fd_write\" (func $write (param i32 i32 i32 i32) (result i32)))\n    (memory (export \"memory\") 1)\n    (data (i32.const 100) \"Content-Type: text/plain\\n\\nNNN\\n\")\n    (func (export \"_start\")\n        (i32.store (i32.const 0) (i32.const 100)) (i32.store (i32.const 4) (i32.const 32))\n        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))\n",
        goal_ms: 100.0,
    },
];

fn main() {
    let server = Server::start();
    // The asc workers warm up behind the first request.
    eventually("every language", || {
        let languages = server.get("/api/v1/languages").json();
        languages["languages"].as_array()?.iter().all(|language| language["available"] == true).then_some(())
    });
    let mut rows = Vec::new();
    for program in &PROGRAMS {
        rows.extend(measure(&server, program));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace").join("target/bench.json");
    std::fs::write(&path, serde_json::to_string_pretty(&rows).expect("rows are JSON")).expect("target/ can be written");
}

/// Rows for edits of one program, and for sending it unchanged.
fn measure(server: &Server, program: &Program) -> Vec<Value> {
    let deployment = server.deployed(program.language, program.file, &program.source.replace("NNN", "100000"));
    let mut parts: Vec<Value> = Vec::new();
    let edits: Vec<f64> = (0..=EDITS).map(|edit| edited(server, program, &deployment, 100_001 + edit, &mut parts)).skip(1).collect();
    let same: Vec<f64> = (0..EDITS).map(|_| edited(server, program, &deployment, 100_001 + EDITS, &mut Vec::new())).collect();
    let where_time_went = median_parts(&parts);
    vec![
        row(&format!("{}: edit → answer", program.name), edits, program.goal_ms, &where_time_went),
        row(&format!("{}: unchanged → answer", program.name), same, 100.0, ""),
    ]
}

/// Sends one edit and asks until the new code answers, in milliseconds.
fn edited(server: &Server, program: &Program, deployment: &Value, number: usize, parts: &mut Vec<Value>) -> f64 {
    let source = program.source.replace("NNN", &number.to_string());
    let body = json!({"language": program.language, "files": {program.file: source}, "slug": deployment["slug"]});
    let started = Instant::now();
    let answer = server.call("POST", "/api/v1/deployments", Some(&body), deployment["owner_token"].as_str());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let visit = server.visit(deployment, "/");
    let elapsed = started.elapsed().as_secs_f64() * 1000.0;
    assert_eq!(visit.text().trim(), number.to_string(), "the new code answers at once");
    parts.push(answer.json()["timings"].clone());
    elapsed
}

fn median_parts(parts: &[Value]) -> String {
    let stage = |name: &str| {
        let values: Vec<f64> = parts.iter().filter_map(|timings| timings[name].as_f64()).map(|us| us / 1000.0).collect();
        (!values.is_empty()).then(|| format!("{name} {:.1}", percentile(&values, 0.5)))
    };
    ["queue", "build", "validate", "translate", "codegen", "link", "load"].into_iter().filter_map(stage).collect::<Vec<_>>().join(" · ")
}

fn percentile(values: &[f64], rank: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * rank).round() as usize]
}

fn row(name: &str, values: Vec<f64>, goal: f64, parts: &str) -> Value {
    let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|rank| percentile(&values, rank));
    let verdict = if p50 <= goal { "" } else { "  above its goal" };
    println!("{name:<34} p50 {p50:7.1} ms  p95 {p95:7.1}  p99 {p99:7.1}  goal {goal:5.0}{verdict}  {parts}");
    json!({"group": "edit", "name": name, "unit": "ms", "ours": p50, "peer": null, "peer_name": null, "ratio": null, "goal": goal, "p99": p99})
}
