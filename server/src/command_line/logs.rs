//! `vivarium logs`: what a deployment's program wrote, and what it writes.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use http::Method;
use serde_json::{Value, json};

use super::Context;
use super::client::{Ask, Client, segment};
use super::failure::Failure;
use super::server::Server;

/// Before a stream that ended is opened again, and how often that is tried without anything coming of it.
const PAUSE: Duration = Duration::from_millis(500);
const TRIES_MAX: u32 = 20;

#[derive(Debug, Args)]
pub struct Logs {
    /// The deployment
    slug: String,
    /// Go on with what is written from now on, until ctrl-C
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    server: Server,
}

impl Logs {
    pub fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let client = self.server.client()?;
        let path = format!("/api/v1/deployments/{}/logs", segment(&self.slug));
        let logs = client.ask(Method::GET, &path, None, Ask::Nothing)?.json()?;
        if self.follow {
            return self.follow(context, &client);
        }
        let lines = logs["logs"].as_array().cloned().unwrap_or_default();
        let text = || lines.iter().map(|line| shown(line) + "\n").collect();
        context.print(|| json!({ "logs": lines }), text);
        Ok(ExitCode::SUCCESS)
    }

    /// Each line once, also over a stream that ends and is opened again.
    fn follow(&self, context: &Context, client: &Client) -> Result<ExitCode, Failure> {
        let (mut last_id, mut tries) = (0, 0);
        loop {
            let path = format!("/api/v1/events?topics=deployment:{}", segment(&self.slug));
            let mut lost = Failure::system("the server ended the stream of lines");
            match client.lines(&path) {
                Ok(lines) => {
                    let mut name = String::new();
                    for line in lines {
                        match line.split_once(':') {
                            Some(("event", event)) => event.trim().clone_into(&mut name),
                            Some(("data", data)) if name == "log" => {
                                tries = 0;
                                tell(context, data, &mut last_id);
                            }
                            _ => {}
                        }
                    }
                }
                Err(failure @ (Failure::System(_) | Failure::Busy(_))) => lost = failure,
                Err(failure) => return Err(failure),
            }
            tries += 1;
            if tries > TRIES_MAX {
                return Err(lost);
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// Prints a line unless it was printed before.
fn tell(context: &Context, data: &str, last_id: &mut u64) {
    let Ok(line) = serde_json::from_str::<Value>(data) else { return };
    let id = line["id"].as_u64().unwrap_or(u64::MAX);
    if id > *last_id {
        *last_id = id;
        context.print(|| line.clone(), || shown(&line) + "\n");
    }
}

fn shown(line: &Value) -> String {
    let text = |name: &str| line[name].as_str().unwrap_or_default();
    let request = line["request_id"].as_u64().map(|id| format!(" #{id}")).unwrap_or_default();
    format!("{} {}{request} {}", text("time"), text("stream"), text("text"))
}
