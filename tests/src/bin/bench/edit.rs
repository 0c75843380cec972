//! Edits on a warm server, one person. An asc worker serves one build and is replaced behind it, so AssemblyScript is measured at a person's pace,
//! and once more without any pause.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vivarium_tests::server::{Server, eventually};
use vivarium_tests::table::{Row, percentile};

/// Edits of each program that are measured; one more before them is not.
const EDITS: usize = 30;
/// Starts of the server that are measured.
const STARTS: usize = 10;

struct Program {
    name: &'static str,
    language: &'static str,
    file: &'static str,
    /// `NNN` stands for what changes.
    source: &'static str,
    /// Pause before each edit, in milliseconds.
    pause_ms: u64,
    /// Most that the median may be, in milliseconds.
    goal_ms: Option<f64>,
}

const ASSEMBLYSCRIPT: &str = "const n: i32 = NNN;\nconsole.log(\"Content-Type: text/plain\\n\\n\" + n.toString());\n";

const PROGRAMS: [Program; 5] = [
    Program {
        name: "C",
        language: "c",
        file: "main.c",
        source: "#include <stdio.h>\nint main(void) {\n    int n = NNN;\n    fprintf(stderr, \"n is %d\\n\", n);\n    printf(\"Content-Type: text/plain\\n\\n%d\\n\", n);\n    return 0;\n}\n",
        pause_ms: 0,
        goal_ms: Some(400.0),
    },
    Program {
        name: "Rust, -O0",
        language: "rust",
        file: "main.rs",
        source: "fn main() {\n    let n: u32 = NNN;\n    eprintln!(\"n is {n}\");\n    println!(\"Content-Type: text/plain\\n\\n{n}\");\n}\n",
        pause_ms: 0,
        goal_ms: Some(800.0),
    },
    Program {
        name: "AssemblyScript, 3 s apart",
        language: "assemblyscript",
        file: "main.ts",
        source: ASSEMBLYSCRIPT,
        pause_ms: 3000,
        goal_ms: Some(800.0),
    },
    Program {
        name: "AssemblyScript, no pause",
        language: "assemblyscript",
        file: "main.ts",
        source: ASSEMBLYSCRIPT,
        pause_ms: 0,
        goal_ms: None,
    },
    Program {
        name: "WAT",
        language: "wat",
        file: "main.wat",
        source: "(module\n    (import \"wasi_snapshot_preview1\" \"fd_write\" (func $write (param i32 i32 i32 i32) (result i32)))\n    (memory (export \"memory\") 1)\n    (data (i32.const 100) \"Content-Type: text/plain\\n\\nNNN\\n\")\n    (func (export \"_start\")\n        (i32.store (i32.const 0) (i32.const 100)) (i32.store (i32.const 4) (i32.const 32))\n        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))\n",
        pause_ms: 0,
        goal_ms: Some(100.0),
    },
];

/// All rows of the group.
pub fn rows() -> Vec<Value> {
    let server = Server::start();
    // The asc workers warm up behind the first request.
    eventually("every language", || {
        let languages = server.get("/api/v1/languages").json();
        languages["languages"].as_array()?.iter().all(|language| language["available"] == true).then_some(())
    });
    let mut rows = Vec::new();
    for (index, program) in PROGRAMS.iter().enumerate() {
        // No two programs share a source: the server remembers what it has built. Six digits, for WAT states its output's length.
        rows.extend(measure(&server, program, 100_000 + 1000 * index));
    }
    rows.push(starts(server));
    rows
}

/// From starting the server over a data folder that has deployments to its page being answered, in milliseconds.
fn starts(server: Server) -> Value {
    let mut data = server.kill();
    let mut times = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        let started = Instant::now();
        let server = Server::start_in(data);
        assert_eq!(server.get("/").status, 200);
        times.push(started.elapsed().as_secs_f64() * 1000.0);
        data = server.kill();
    }
    row("start of the server → page", times, Some(2000.0), "")
}

/// Rows for edits of one program, and for sending it unchanged.
fn measure(server: &Server, program: &Program, first: usize) -> Vec<Value> {
    let deployment = server.deployed(program.language, program.file, &program.source.replace("NNN", &first.to_string()));
    let mut parts: Vec<Value> = Vec::new();
    let edits: Vec<f64> = (0..=EDITS).map(|edit| edited(server, program, &deployment, first + 1 + edit, &mut parts)).skip(1).collect();
    let unpaused = Program { pause_ms: 0, ..*program };
    let same: Vec<f64> = (0..EDITS).map(|_| edited(server, &unpaused, &deployment, first + 1 + EDITS, &mut Vec::new())).collect();
    let where_time_went = median_parts(&parts);
    vec![
        row(&format!("{}: edit → answer", program.name), edits, program.goal_ms, &where_time_went),
        row(&format!("{}: unchanged → answer", program.name), same, Some(100.0), ""),
    ]
}

/// Sends one edit and asks until the new code answers, in milliseconds.
fn edited(server: &Server, program: &Program, deployment: &Value, number: usize, parts: &mut Vec<Value>) -> f64 {
    let source = program.source.replace("NNN", &number.to_string());
    let body = json!({"language": program.language, "files": {program.file: source}, "slug": deployment["slug"]});
    std::thread::sleep(Duration::from_millis(program.pause_ms));
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

fn row(name: &str, values: Vec<f64>, goal: Option<f64>, parts: &str) -> Value {
    Row { group: "edit", name, unit: "ms", values, goal, said: parts }.print()
}
