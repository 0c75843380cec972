//! Which server a command talks to, and as whose owner.
//!
//! ```text
//! DATA/owner_tokens.json   {"http://127.0.0.1:7878": {"<slug>": "<token>"}}, mode 0600
//! ```
//! A token that a deployment was made with is remembered here, so that later commands need only its slug.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Context;
use super::client::Client;
use super::failure::Failure;
use crate::data_folder::DataFolder;

const DEFAULT: &str = "http://127.0.0.1:7878";
const FILE: &str = "owner_tokens.json";
const LOCK: &str = "owner_tokens.lock";
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
        context.data_folder()?;
        let place = place(context)?;
        remember_in(&place, || {
            let mut tokens = read_from(&place)?;
            tokens.entry(self.url()).or_default().insert(slug.to_owned(), token.to_owned());
            Ok(tokens)
        })
    }
}

fn place(context: &Context) -> Result<PathBuf, Failure> {
    Ok(DataFolder::place(context.data.clone())?.join(FILE))
}

/// Replaces the file whole. Commands that run at the same time change it one after the other: `changed` is called when it is this one's turn.
fn remember_in(place: &Path, changed: impl FnOnce() -> Result<Tokens, Failure>) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::system(format!("cannot write {}: {error}", place.display()));
    let folder = place.parent().unwrap_or(Path::new("."));
    // The file itself is replaced, so its lock would be that of a file which has no name any more.
    let turn = OpenOptions::new().write(true).create(true).truncate(false).mode(MODE).open(folder.join(LOCK)).map_err(failed)?;
    turn.lock().map_err(failed)?;
    let bytes = serde_json::to_vec_pretty(&changed()?).map_err(Failure::system)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(&bytes).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(place).map_err(|error| failed(error.error))?;
    Ok(())
}

fn read(context: &Context) -> Result<Tokens, Failure> {
    read_from(&place(context)?)
}

fn read_from(place: &Path) -> Result<Tokens, Failure> {
    match std::fs::read(place) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|_| Failure::system(format!("{} is damaged: delete it, and give tokens with --token", place.display()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Tokens::new()),
        Err(error) => Err(Failure::system(format!("cannot read {}: {error}", place.display()))),
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_that_run_at_the_same_time_forget_no_token() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join(FILE);
        std::thread::scope(|threads| {
            for number in 0..16 {
                let place = &place;
                threads.spawn(move || {
                    let changed = || -> Result<Tokens, Failure> {
                        let mut tokens = read_from(place)?;
                        tokens.entry("server".into()).or_default().insert(number.to_string(), "token".into());
                        Ok(tokens)
                    };
                    remember_in(place, changed).unwrap();
                });
            }
        });
        assert_eq!(read_from(&place).unwrap()["server"].len(), 16);
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&place).unwrap().permissions());
        assert_eq!(mode & 0o777, MODE);
    }
}
