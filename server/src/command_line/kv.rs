//! `vivarium kv`: what a deployment's key-value stores hold.

use std::io::{Read as _, Write as _};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use http::Method;
use serde_json::json;

use super::Context;
use super::client::{Ask, segment};
use super::failure::Failure;
use super::server::Server;
use crate::control::settings::DEFAULT_KV_STORE;

#[derive(Debug, Args)]
pub struct Kv {
    #[command(subcommand)]
    command: Command,
    /// The store
    #[arg(long, global = true, default_value = DEFAULT_KV_STORE)]
    store: String,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the value of a key, as it is
    Get { slug: String, key: String },
    /// Set a key to a value, or to what comes from stdin
    Set {
        slug: String,
        key: String,
        value: Option<String>,
        /// It goes by itself after so many seconds
        #[arg(long, value_name = "SECONDS")]
        ttl: Option<u64>,
    },
    /// Print keys, one a line
    List {
        slug: String,
        /// Only keys that begin so
        #[arg(long, default_value = "")]
        prefix: String,
    },
    /// Remove a key
    Delete { slug: String, key: String },
}

impl Kv {
    pub fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let client = self.server.client()?;
        let slug = match &self.command {
            Command::Get { slug, .. } | Command::Set { slug, .. } | Command::List { slug, .. } | Command::Delete { slug, .. } => {
                slug.clone()
            }
        };
        let token = self.server.owner_token(context, &slug)?;
        let store = format!("/api/v1/deployments/{}/kv/{}", segment(&slug), segment(&self.store));
        let ask = |method: Method, rest: String, body: Ask<'_>| client.ask(method, &(store.clone() + &rest), Some(&token), body)?.done();
        let at = |key: &str| format!("/{}", segment(key));
        match self.command {
            Command::Get { key, .. } => {
                let entry = ask(Method::GET, at(&key), Ask::Nothing)?;
                if context.json {
                    let value = String::from_utf8_lossy(&entry.body);
                    let header = |name: &str| entry.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
                    let generation = header("vivarium-generation").and_then(|generation| generation.parse::<u64>().ok());
                    let about = [header("vivarium-metadata"), header("vivarium-expires-at")];
                    println!(
                        "{}",
                        json!({ "key": key, "value": value, "generation": generation, "metadata": about[0], "expires_at": about[1] })
                    );
                } else {
                    // A reader that went away is no failure of ours.
                    let _ = std::io::stdout().write_all(&entry.body);
                }
            }
            Command::Set { key, value, ttl, .. } => {
                let value = value.map_or_else(from_stdin, |value| Ok(value.into_bytes()))?;
                let (bytes, ttl) = (value.len(), ttl.map(|ttl| format!("?ttl_seconds={ttl}")).unwrap_or_default());
                ask(Method::PUT, at(&key) + &ttl, Ask::Bytes(value.into()))?;
                context.print(|| json!({ "key": key, "bytes": bytes }), String::new);
            }
            Command::List { prefix, .. } => {
                let (mut keys, mut after) = (Vec::<String>::new(), String::new());
                loop {
                    let page =
                        ask(Method::GET, format!("?limit=1000&prefix={}&after={}", segment(&prefix), segment(&after)), Ask::Nothing)?
                            .json()?;
                    keys.extend(page["keys"].as_array().into_iter().flatten().filter_map(|key| key.as_str().map(str::to_owned)));
                    match page["next_after"].as_str() {
                        Some(next) => next.clone_into(&mut after),
                        None => break,
                    }
                }
                context.print(|| json!({ "keys": keys }), || keys.iter().map(|key| format!("{key}\n")).collect());
            }
            Command::Delete { key, .. } => {
                ask(Method::DELETE, at(&key), Ask::Nothing)?;
                context.print(|| json!({ "key": key }), String::new);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn from_stdin() -> Result<Vec<u8>, Failure> {
    let mut value = Vec::new();
    std::io::stdin().lock().read_to_end(&mut value).map_err(|error| Failure::usage(format!("cannot read stdin: {error}")))?;
    Ok(value)
}
