//! `vivarium deploy`: source to a URL on a running server, once or whenever a file changes.

use std::collections::BTreeMap;
use std::io::BufRead as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use http::Method;
use serde_json::{Value, json};

use super::Context;
use super::client::{Ask, Client};
use super::failure::Failure;
use super::server::Server;
use super::source::Source;
use crate::limits::Limits;

/// How often files are looked at.
const WATCH_PACE: Duration = Duration::from_millis(300);

#[derive(Debug, Args)]
pub struct Deploy {
    /// A source file, or a folder with a main file
    path: PathBuf,
    /// Make it the next revision of this deployment
    #[arg(long)]
    slug: Option<String>,
    /// How long it lives, such as 90s, 30m, 2h or 3d
    #[arg(long, value_name = "TIME", value_parser = parse_ttl)]
    ttl: Option<u64>,
    /// A variable of the program's environment; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_pair)]
    env: Vec<(String, String)>,
    /// A secret: its value is the variable NAME of this command's environment, else a line of stdin; may be given several times
    #[arg(long, value_name = "NAME")]
    secret: Vec<String>,
    /// An entry of a config store; may be given several times
    #[arg(long, value_name = "STORE/KEY=VALUE", value_parser = parse_entry)]
    config: Vec<(String, String, String)>,
    /// A key-value store beside the one named kv; may be given several times
    #[arg(long, value_name = "STORE")]
    kv: Vec<String>,
    /// Where the program may send requests, and by which name; may be given several times
    #[arg(long, value_name = "NAME=ORIGIN", value_parser = parse_pair)]
    backend: Vec<(String, String)>,
    /// Deploy again whenever a file changes, until ctrl-C
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    server: Server,
}

impl Deploy {
    pub fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let (client, limits) = (self.server.client()?, Limits::default());
        // Read once: a secret may be a line of stdin.
        let mut settings = self.settings()?;
        let mut source = Source::read(&self.path, &limits)?;
        let first = self.deploy(context, &client, &source, &settings, self.slug.as_deref());
        if !self.watch {
            return first.map(|_| ExitCode::SUCCESS);
        }
        let mut slug = self.slug.clone();
        let mut done = first;
        loop {
            match done {
                // The deployment keeps them from its first revision on.
                Ok(made) => (slug, settings) = (Some(made), json!({})),
                // The next change of a file may mend it, and a server that is busy has time then; without a server nothing does.
                Err(failure @ (Failure::Program(_) | Failure::Busy(_))) => drop(failure.report(context.json)),
                Err(failure) => return Err(failure),
            }
            source = self.changed(&source, &limits);
            done = self.deploy(context, &client, &source, &settings, slug.as_deref());
        }
    }

    /// Waits until the program is another one. What cannot be read is being written.
    fn changed(&self, before: &Source, limits: &Limits) -> Source {
        loop {
            std::thread::sleep(WATCH_PACE);
            if let Ok(now) = Source::read(&self.path, limits)
                && now.body() != before.body()
            {
                return now;
            }
        }
    }

    /// Deploys it and says so; its slug.
    fn deploy(&self, context: &Context, client: &Client, source: &Source, settings: &Value, slug: Option<&str>) -> Result<String, Failure> {
        let mut body = source.body();
        let token = self.server.token(context, slug)?;
        for (name, value) in [("slug", json!(slug)), ("ttl_seconds", json!(self.ttl))] {
            body[name] = value;
        }
        if let (Some(body), Value::Object(settings)) = (body.as_object_mut(), settings) {
            body.extend(settings.clone());
        }
        let answer = client.ask(Method::POST, "/api/v1/deployments", token.as_deref(), Ask::Json(&body))?.json();
        let made = answer.map_err(|failure| failure.renamed(|text| source.as_given(text)))?;
        let text = |name: &str| made[name].as_str().unwrap_or_default().to_owned();
        let slug = text("slug");
        if !context.json {
            eprintln!("{slug} r{} lives until {}", made["revision"], text("expires_at"));
        }
        context.print(|| made.clone(), || format!("{}\n", text("url")));
        if let Some(token) = made["owner_token"].as_str() {
            let kept = self.server.remember(context, &slug, token);
            kept.map_err(|failure| failure.with(&format!("the owner token of {slug} is {token}, keep it: it is not kept here")))?;
        }
        Ok(slug)
    }

    /// What the deployment keeps for the program, as the API takes it.
    fn settings(&self) -> Result<Value, Failure> {
        let env: BTreeMap<&String, &String> = self.env.iter().map(|(name, value)| (name, value)).collect();
        let mut config: BTreeMap<&String, BTreeMap<&String, &String>> = BTreeMap::new();
        for (store, key, value) in &self.config {
            config.entry(store).or_default().insert(key, value);
        }
        let secrets = self.secret.iter().map(|name| Ok((name, secret(name)?))).collect::<Result<BTreeMap<_, _>, Failure>>()?;
        let kv_stores: BTreeMap<&String, Value> = self.kv.iter().map(|name| (name, json!({}))).collect();
        let backends: BTreeMap<&String, Value> = self.backend.iter().map(|(name, origin)| (name, json!({ "origin": origin }))).collect();
        Ok(json!({ "env": env, "secrets": secrets, "config": config, "kv_stores": kv_stores, "backends": backends }))
    }
}

/// Never from the command line, which others can read.
fn secret(name: &str) -> Result<String, Failure> {
    if let Ok(value) = std::env::var(name) {
        return Ok(value);
    }
    let mut line = String::new();
    let read =
        std::io::stdin().lock().read_line(&mut line).map_err(|error| Failure::usage(format!("cannot read the secret {name}: {error}")))?;
    if read == 0 {
        return Err(Failure::usage(format!("the secret {name} has no value: set the variable {name}, or write it as a line to stdin")));
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("give it as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn parse_entry(text: &str) -> Result<(String, String, String), String> {
    let wrong = "give it as STORE/KEY=VALUE";
    let (place, value) = text.split_once('=').ok_or(wrong)?;
    let (store, key) = place.split_once('/').ok_or(wrong)?;
    Ok((store.to_owned(), key.to_owned(), value.to_owned()))
}

fn parse_ttl(text: &str) -> Result<u64, String> {
    let number = text.trim_end_matches(|unit: char| unit.is_ascii_alphabetic());
    let seconds = match &text[number.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => 0,
    };
    let ttl = number.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds)).filter(|ttl| *ttl > 0);
    ttl.ok_or_else(|| "give a time such as 90s, 30m, 2h or 3d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        assert_eq!([parse_ttl("90"), parse_ttl("90s"), parse_ttl("2h"), parse_ttl("3d")].map(Result::unwrap), [90, 90, 7_200, 259_200]);
        for wrong in ["", "h", "0", "2w", "-1", "1.5h"] {
            assert!(parse_ttl(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn entries_name_their_store() {
        assert_eq!(parse_entry("leaves/a/b=c=d"), Ok(("leaves".into(), "a/b".into(), "c=d".into())));
        assert!(parse_entry("leaves=x").is_err() && parse_entry("leaves/x").is_err());
    }
}
