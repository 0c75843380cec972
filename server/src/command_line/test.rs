//! `vivarium test`: deploys a program for as long as it takes to send the requests that are kept with it, and says which of their assertions hold.
//!
//! The requests lie beside the source as `requests.json`, in the form in which the page shares them:
//! `[{"name": "a leaf", "path": "/?seed=3", "tests": "status is 200\nbody includes fern"}]`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use http::Method;
use serde_json::{Value, json};

use super::Context;
use super::client::{Ask, Client, segment};
use super::failure::Failure;
use super::server::Server;
use super::source::Source;
use crate::assertions::{Tested, Verdict, tap};
use crate::limits::Limits;

const REQUESTS: &str = "requests.json";
/// Long enough for all requests; it is ended when they have been answered.
const TTL_SECONDS: u64 = 600;

#[derive(Debug, Args)]
pub struct Test {
    /// A source file, or a folder with a main file
    path: PathBuf,
    /// The requests and what must hold of their answers [default: requests.json beside the source]
    #[arg(long, value_name = "FILE")]
    requests: Option<PathBuf>,
    /// Print the results in the Test Anything Protocol
    #[arg(long)]
    tap: bool,
    #[command(flatten)]
    server: Server,
}

impl Test {
    pub fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let requests = self.read_requests()?;
        let (client, source) = (self.server.client()?, Source::read(&self.path, &Limits::default())?);
        let mut body = source.body();
        body["ttl_seconds"] = json!(TTL_SECONDS);
        let made = client.ask(Method::POST, "/api/v1/deployments", None, Ask::Json(&body))?.json();
        let made = made.map_err(|failure| failure.renamed(|text| source.as_given(text)))?;
        let tested = test(&client, &made, &requests);
        // Whatever came of it, nothing stays behind.
        end(&client, &made);
        let results = tested?;
        let has_passed = results["passed"] == json!(true);
        context.print(|| results.clone(), || if self.tap { tap_of(&results) } else { list_of(&results) });
        Ok(if has_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn read_requests(&self) -> Result<Value, Failure> {
        let folder = if self.path.is_dir() { Some(self.path.as_path()) } else { self.path.parent() };
        let beside = || folder.map_or_else(|| REQUESTS.into(), |folder| folder.join(REQUESTS));
        let file = self.requests.clone().unwrap_or_else(beside);
        let shown = file.display();
        let text =
            std::fs::read_to_string(&file).map_err(|error| Failure::usage(format!("cannot read the requests in {shown}: {error}")))?;
        serde_json::from_str(&text).map_err(|error| Failure::usage(format!("{shown} is no JSON: {error}")))
    }
}

fn test(client: &Client, made: &Value, requests: &Value) -> Result<Value, Failure> {
    let path = format!("/api/v1/deployments/{}/tests", segment(made["slug"].as_str().unwrap_or_default()));
    client.ask(Method::POST, &path, None, Ask::Json(&json!({ "requests": requests })))?.json()
}

fn end(client: &Client, made: &Value) {
    let path = format!("/api/v1/deployments/{}", segment(made["slug"].as_str().unwrap_or_default()));
    // It ends by itself where this does not arrive.
    drop(client.ask(Method::DELETE, &path, made["owner_token"].as_str(), Ask::Nothing));
}

/// A request with its verdicts, as the server told them.
struct Told<'a> {
    name: &'a str,
    error: Option<&'a str>,
    verdicts: Vec<Verdict>,
}

fn told(results: &Value) -> Vec<Told<'_>> {
    let all = results["results"].as_array().map(Vec::as_slice).unwrap_or_default();
    let verdict = |value: &Value| Verdict {
        label: value["label"].as_str().unwrap_or_default().to_owned(),
        line: value["line"].as_u64().unwrap_or(0) as usize,
        passed: value["passed"] == json!(true),
        message: value["message"].as_str().unwrap_or_default().to_owned(),
    };
    let verdicts = |result: &Value| result["assertions"].as_array().into_iter().flatten().map(verdict).collect();
    all.iter()
        .map(|result| Told {
            name: result["name"].as_str().unwrap_or_default(),
            error: result["error"].as_str(),
            verdicts: verdicts(result),
        })
        .collect()
}

fn tap_of(results: &Value) -> String {
    let told = told(results);
    let tested: Vec<Tested<'_>> = told.iter().map(|told| Tested { name: told.name, error: told.error, verdicts: &told.verdicts }).collect();
    tap(&tested)
}

fn list_of(results: &Value) -> String {
    let mut text = String::new();
    for Told { name, error, verdicts } in told(results) {
        text += &format!("{name}\n");
        if let Some(error) = error {
            text += &format!("  no answer: {error}\n");
        }
        for Verdict { label, passed, message, .. } in verdicts {
            text += &match (passed, message.is_empty()) {
                (true, _) => format!("  holds  {label}\n"),
                (false, true) => format!("  fails  {label}\n"),
                (false, false) => format!("  fails  {label}: {message}\n"),
            };
        }
    }
    text + &format!("{} hold, {} fail\n", results["passes"], results["failures"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_a_list_or_tap() {
        let verdicts = json!([
            { "label": "status is 200", "line": 1, "passed": true, "message": "" },
            { "label": "body is x", "line": 2, "passed": false, "message": "body is \"y\"" }
        ]);
        let results = json!({
            "passed": false, "passes": 1, "failures": 1,
            "results": [{ "name": "leaf", "error": null, "assertions": verdicts }, { "name": "moss", "error": "it broke", "assertions": [] }]
        });
        let list = "leaf\n  holds  status is 200\n  fails  body is x: body is \"y\"\nmoss\n  no answer: it broke\n1 hold, 1 fail\n";
        assert_eq!(list_of(&results), list);
        assert!(tap_of(&results).starts_with("TAP version 14\n1..3\nok 1 - leaf: status is 200\nnot ok 2 - leaf: body is x\n"));
    }
}
