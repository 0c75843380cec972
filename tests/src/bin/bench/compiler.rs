//! Group `compiler`: what compile workers report of programs that nobody saw before, for which only the libraries were compiled ahead, and of edits of one
//! that its owner has compiled. A goal is of the compiler's four stages together; the way to the worker and back is in group `edit`.

use serde_json::{Value, json};
use vivarium_tests::server::{Server, eventually};
use vivarium_tests::table::Row;

/// Programs and edits of each that are measured.
const TIMES: usize = 30;

struct Program {
    name: &'static str,
    language: &'static str,
    file: &'static str,
    /// `NNN` stands for what makes it another program.
    source: &'static str,
    /// Most that the median of what was never seen may be, in milliseconds.
    goal_ms: f64,
}

const PROGRAMS: [Program; 2] = [
    Program {
        name: "C of ten lines",
        language: "c",
        file: "main.c",
        source: r#"#include <stdio.h>
#include <stdlib.h>
int main(int count, char **arguments) {
    char *line = malloc(64);
    int n = count > 1 ? atoi(arguments[1]) : NNN;
    for (int i = 0; i < count; i++)
        n += snprintf(line, 64, "%s %d", arguments[i], NNN);
    printf("Content-Type: text/plain\n\n%d %.2f\n", n, n / 3.0);
    free(line);
}
"#,
        goal_ms: 5.0,
    },
    Program {
        name: "Rust hello, -O0",
        language: "rust",
        file: "main.rs",
        source: "fn main() {\n    println!(\"Content-Type: text/plain\\n\\nhello {}\", NNN);\n}\n",
        goal_ms: 10.0,
    },
];

/// All rows of the group.
pub fn rows() -> Vec<Value> {
    let server = Server::start();
    // The first server of a build of the compiler compiles the libraries behind its back, which takes seconds.
    let mut number = 6_000_000..;
    eventually("the libraries' code", || {
        let found = compiled_ms(&built(&server, &PROGRAMS[0], number.next()?)["timings"]);
        (found < PROGRAMS[0].goal_ms).then_some(())
    });
    PROGRAMS.iter().flat_map(|program| measure(&server, program)).collect()
}

fn measure(server: &Server, program: &Program) -> Vec<Value> {
    let first = (0..TIMES).map(|number| compiled_ms(&built(server, program, 7_000_000 + number)["timings"])).collect();
    let deployment = server.deployed(program.language, program.file, &source(program, 8_000_000));
    let edits = (1..=TIMES).map(|number| {
        let files = json!({program.file: source(program, 8_000_000 + number)});
        let body = json!({"language": program.language, "files": files, "slug": deployment["slug"]});
        let answer = server.call("POST", "/api/v1/deployments", Some(&body), deployment["owner_token"].as_str());
        assert_eq!(answer.status, 200, "{}", answer.text());
        compiled_ms(&answer.json()["timings"])
    });
    let edits = edits.collect();
    let named = |what: &str| format!("{}: {what}", program.name);
    let row = |name: &str, values, goal| Row { group: "compiler", name, unit: "ms", values, goal, said: "" }.print();
    vec![row(&named("never seen → compiled"), first, Some(program.goal_ms)), row(&named("edited → compiled"), edits, None)]
}

fn source(program: &Program, number: usize) -> String {
    program.source.replace("NNN", &number.to_string())
}

/// A build of nobody's.
fn built(server: &Server, program: &Program, number: usize) -> Value {
    let body = json!({"language": program.language, "files": {program.file: source(program, number)}});
    let build = server.call("POST", "/api/v1/builds?wait=60", Some(&body), None).json();
    assert_eq!(build["state"], "ready", "{build}");
    build
}

fn compiled_ms(timings: &Value) -> f64 {
    let stages = ["validate", "translate", "codegen", "link"];
    stages.iter().map(|stage| timings[stage].as_f64().expect("every stage ran")).sum::<f64>() / 1000.0
}
