//! Which server a command talks to, and as whose owner.
//!
//! ```text
//! DATA/owner_tokens.json   {"http://127.0.0.1:7878": {"<slug>": "<token>"}}, mode 0600
//! ```
//! A token that a deployment was made with is remembered here, so that later commands need only its slug.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use clap::Args;

use super::Context;
use super::client::Client;
use super::failure::Failure;
use crate::data_folder::DataFolder;

const DEFAULT: &str = "http://127.0.0.1:7878";
const FILE: &str = "owner_tokens.json";
const MODE: u32 = 0o600;

#[derive(Debug, Args)]
pub struct Server {
    /// The server to ask [default: VIVARIUM_SERVER, else http://127.0.0.1:7878]
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// The owner token [default: VIVARIUM_TOKEN, else the one that the deployment was made with here]
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
}

/// Tokens by server and slug.
type Tokens = BTreeMap<String, BTreeMap<String, String>>;

impl Server {
    pub fn client(&self) -> Result<Client, Failure> {
        Client::of(&self.url())
    }

    fn url(&self) -> String {
        let named = self.server.clone().or_else(|| variable("VIVARIUM_SERVER"));
        named.map_or_else(|| DEFAULT.to_owned(), |url| url.trim_end_matches('/').to_owned())
    }

    /// The token for a deployment; without a slug: for whatever is made.
    pub fn token(&self, context: &Context, slug: Option<&str>) -> Result<Option<String>, Failure> {
        if let Some(token) = self.token.clone().or_else(|| variable("VIVARIUM_TOKEN")) {
            return Ok(Some(token));
        }
        let Some(slug) = slug else { return Ok(None) };
        Ok(read(context)?.get(&self.url()).and_then(|tokens| tokens.get(slug)).cloned())
    }

    /// As [`Server::token`], for what only an owner may do.
    pub fn owner_token(&self, context: &Context, slug: &str) -> Result<String, Failure> {
        let missing = format!("the owner token of {slug} is not known here: give it with --token, or in VIVARIUM_TOKEN");
        self.token(context, Some(slug))?.ok_or(Failure::Usage(missing))
    }

    pub fn remember(&self, context: &Context, slug: &str, token: &str) -> Result<(), Failure> {
        let mut tokens = read(context)?;
        tokens.entry(self.url()).or_default().insert(slug.to_owned(), token.to_owned());
        context.data_folder()?;
        let place = place(context)?;
        let written = place.with_extension("json.new");
        let failed = |error: std::io::Error| Failure::system(format!("cannot write {}: {error}", written.display()));
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(MODE).open(&written).map_err(failed)?;
        file.write_all(&serde_json::to_vec_pretty(&tokens).map_err(Failure::system)?).map_err(failed)?;
        std::fs::rename(&written, &place).map_err(failed)
    }
}

fn place(context: &Context) -> Result<PathBuf, Failure> {
    Ok(DataFolder::place(context.data.clone())?.join(FILE))
}

fn read(context: &Context) -> Result<Tokens, Failure> {
    let place = place(context)?;
    match std::fs::read(&place) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|_| Failure::system(format!("{} is damaged: delete it, and give tokens with --token", place.display()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Tokens::new()),
        Err(error) => Err(Failure::system(format!("cannot read {}: {error}", place.display()))),
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
