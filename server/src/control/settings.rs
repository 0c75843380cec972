//! What a deployment keeps for its program beside its code, as its gateway is told of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The key-value store that every deployment has.
pub const DEFAULT_KV_STORE: &str = "kv";
/// The secret store that holds a deployment's secrets.
pub const DEFAULT_SECRET_STORE: &str = "secrets";

/// Values by name, in stores by name.
pub type NamedStores = BTreeMap<String, BTreeMap<String, String>>;

#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    pub environment: Vec<(String, String)>,
    /// Config stores, which are dictionaries too.
    pub config: NamedStores,
    pub secrets: NamedStores,
    /// Names of key-value stores, [`DEFAULT_KV_STORE`] included.
    pub kv_stores: BTreeSet<String>,
    /// Where its programs may send requests: origins by name.
    pub backends: BTreeMap<String, String>,
}

/// No value appears in a message: some are secret.
impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.environment.iter().map(|(name, _)| name.as_str()).collect();
        write!(f, "{names:?} {:?} {:?} {:?}", self.config.keys(), self.secrets.keys(), self.kv_stores)
    }
}
