//! Stores by name that a deployment keeps for its program: config stores, which are dictionaries too, secret stores, and which key-value stores there are.
//!
//! What key-value stores hold is another matter: their program changes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use thiserror::Error;

use crate::control::settings::{DEFAULT_KV_STORE, DEFAULT_SECRET_STORE, NamedStores};
use crate::limits::Limits;

/// A longer name of a store, or of what is in it, cannot be opened by programs, in bytes.
const NAME_BYTES_MAX: usize = 255;

#[derive(Clone, Default, PartialEq, Eq)]
pub struct Stores {
    pub config: NamedStores,
    pub secrets: NamedStores,
    /// Beside the one that every deployment has.
    pub kv: BTreeSet<String>,
}

/// Changes by name; what has none goes: a store, or one entry of it.
#[derive(Clone, Default, Deserialize)]
pub struct StoreChanges {
    #[serde(default)]
    config: ChangedStores,
    #[serde(default)]
    secret_stores: ChangedStores,
    #[serde(default)]
    kv_stores: BTreeMap<String, Option<KvStoreSettings>>,
}

type ChangedStores = BTreeMap<String, Option<BTreeMap<String, Option<String>>>>;

/// A key-value store has nothing to be set yet.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KvStoreSettings {}

#[derive(Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    #[error("{0:?} is no name of a store or of what is in it: use 1 to {NAME_BYTES_MAX} bytes without control characters")]
    Name(String),
    #[error("the secret store {DEFAULT_SECRET_STORE:?} holds what is in \"secrets\": change it there")]
    OfSecrets,
    #[error("{count} stores are more than the limit stores_max of {stores_max}")]
    TooMany { count: usize, stores_max: usize },
    #[error("config and secret stores are {bytes} bytes together, more than the limit stores_bytes_max of {stores_bytes_max}")]
    TooLarge { bytes: usize, stores_bytes_max: usize },
}

impl StoreError {
    /// The limit that was passed.
    pub fn limit(&self) -> Option<&'static str> {
        match self {
            StoreError::TooMany { .. } => Some("stores_max"),
            StoreError::TooLarge { .. } => Some("stores_bytes_max"),
            StoreError::Name(_) | StoreError::OfSecrets => None,
        }
    }
}

/// No value appears in a message.
impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?} {:?}", self.config.keys(), self.secrets.keys(), self.kv)
    }
}

impl StoreChanges {
    pub fn is_empty(&self) -> bool {
        self.config.is_empty() && self.secret_stores.is_empty() && self.kv_stores.is_empty()
    }

    /// Key-value stores of which all contents go.
    pub fn emptied(&self) -> Vec<String> {
        self.kv_stores.iter().filter(|(_, settings)| settings.is_none()).map(|(name, _)| name.clone()).collect()
    }
}

impl Stores {
    /// Names of all key-value stores.
    pub fn kv_names(&self) -> BTreeSet<String> {
        self.kv.iter().cloned().chain([DEFAULT_KV_STORE.to_owned()]).collect()
    }

    /// Of each secret store the names of what it holds.
    pub fn secret_names(&self) -> BTreeMap<String, Vec<String>> {
        self.secrets.iter().map(|(store, secrets)| (store.clone(), secrets.keys().cloned().collect())).collect()
    }

    /// The same with changes; those that are not allowed leave all as it is.
    pub fn changed(&self, changes: StoreChanges, limits: &Limits) -> Result<Stores, StoreError> {
        if changes.secret_stores.contains_key(DEFAULT_SECRET_STORE) {
            return Err(StoreError::OfSecrets);
        }
        let mut stores = self.clone();
        change(&mut stores.config, changes.config)?;
        change(&mut stores.secrets, changes.secret_stores)?;
        for (name, settings) in changes.kv_stores {
            check(&name)?;
            match settings {
                Some(KvStoreSettings {}) if name == DEFAULT_KV_STORE => {}
                Some(KvStoreSettings {}) => drop(stores.kv.insert(name)),
                None => drop(stores.kv.remove(&name)),
            }
        }
        let (count, stores_max) = (stores.config.len() + stores.secrets.len() + stores.kv.len(), limits.stores_max);
        if count > stores_max {
            return Err(StoreError::TooMany { count, stores_max });
        }
        let (bytes, stores_bytes_max) = (bytes(&stores.config) + bytes(&stores.secrets), limits.stores_bytes_max);
        if bytes > stores_bytes_max { Err(StoreError::TooLarge { bytes, stores_bytes_max }) } else { Ok(stores) }
    }
}

fn change(stores: &mut NamedStores, changes: ChangedStores) -> Result<(), StoreError> {
    for (name, entries) in changes {
        check(&name)?;
        let Some(entries) = entries else {
            stores.remove(&name);
            continue;
        };
        let store = stores.entry(name).or_default();
        for (key, value) in entries {
            check(&key)?;
            match value {
                Some(value) => drop(store.insert(key, value)),
                None => drop(store.remove(&key)),
            }
        }
    }
    Ok(())
}

fn check(name: &str) -> Result<(), StoreError> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains(char::is_control) {
        return Err(StoreError::Name(name.chars().take(80).collect()));
    }
    Ok(())
}

fn bytes(stores: &NamedStores) -> usize {
    let entries = |entries: &BTreeMap<String, String>| entries.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
    stores.iter().map(|(name, store)| name.len() + entries(store)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(json: &str) -> StoreChanges {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn stores_and_entries_are_set_and_removed() {
        let limits = Limits::default();
        let first =
            r#"{"config":{"leaves":{"oak":"lobed","ash":"long"}},"secret_stores":{"roots":{"key":"deep"}},"kv_stores":{"nuts":{}}}"#;
        let stores = Stores::default().changed(changes(first), &limits).unwrap();
        assert_eq!(stores.kv_names().into_iter().collect::<Vec<_>>(), ["kv", "nuts"]);
        assert!(!format!("{stores:?}").contains("deep"));
        let second =
            r#"{"config":{"leaves":{"ash":null,"elm":"rough"},"empty":{}},"secret_stores":{"roots":null},"kv_stores":{"nuts":null}}"#;
        let changes = changes(second);
        assert_eq!(changes.emptied(), ["nuts"]);
        let stores = stores.changed(changes, &limits).unwrap();
        let leaves: Vec<(&str, &str)> = stores.config["leaves"].iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(leaves, [("elm", "rough"), ("oak", "lobed")]);
        assert!(stores.config["empty"].is_empty() && stores.secrets.is_empty() && stores.kv.is_empty());
    }

    #[test]
    fn what_is_no_store_is_refused_with_a_sentence() {
        let limits = Limits { stores_max: 2, stores_bytes_max: 10, ..Limits::default() };
        for (json, said) in [
            (r#"{"config":{"":{}}}"#, "no name"),
            (r#"{"config":{"a\nb":{}}}"#, "no name"),
            (r#"{"kv_stores":{"a\u0000":{}}}"#, "no name"),
            (r#"{"secret_stores":{"a":{"":"x"}}}"#, "no name"),
            (r#"{"secret_stores":{"secrets":{"a":"b"}}}"#, "change it there"),
            (r#"{"kv_stores":{"a":{},"b":{},"c":{}}}"#, "stores_max of 2"),
            (r#"{"config":{"a":{"b":"123456789"}}}"#, "stores_bytes_max of 10"),
        ] {
            let refused = Stores::default().changed(changes(json), &limits).unwrap_err().to_string();
            assert!(refused.contains(said), "{json}: {refused}");
        }
        assert!(serde_json::from_str::<StoreChanges>(r#"{"kv_stores":{"a":{"bytes":1}}}"#).is_err());
    }
}
