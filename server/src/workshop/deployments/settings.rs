//! All that a deployment keeps for its program beside its code: variables, and stores by name.
//!
//! They belong to the deployment, not to a revision: what is changed holds for each of its revisions from the next request on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::backends;
use super::error::DeploymentError;
use super::named_stores::{StoreChanges, Stores};
use super::record::DeploymentView;
use super::variables::{VariableChanges, Variables};
use crate::control::messages;
use crate::control::settings::DEFAULT_SECRET_STORE;
use crate::limits::Limits;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    pub variables: Variables,
    pub stores: Stores,
}

#[derive(Clone, Default, Deserialize)]
pub struct SettingChanges {
    #[serde(flatten)]
    variables: VariableChanges,
    #[serde(flatten)]
    pub stores: StoreChanges,
}

/// How much a key-value store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KvStoreView {
    pub entries: u64,
    pub bytes: u64,
}

/// No value appears in a message: some are secret.
impl std::fmt::Debug for SettingChanges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_empty() { "no changes" } else { "changes" })
    }
}

impl SettingChanges {
    pub fn is_empty(&self) -> bool {
        self.variables.is_empty() && self.stores.is_empty()
    }
}

impl Settings {
    /// The same with changes; those that are not allowed leave all as it is.
    pub fn changed(&self, changes: SettingChanges, limits: &Limits) -> Result<Settings, DeploymentError> {
        let variables = self.variables.changed(changes.variables, limits)?;
        Ok(Settings { variables, stores: self.stores.changed(changes.stores, limits)? })
    }

    /// As its gateway is told.
    pub fn told(&self) -> messages::Settings {
        let mut secrets = self.stores.secrets.clone();
        secrets.insert(DEFAULT_SECRET_STORE.to_owned(), self.variables.secrets());
        let (config, kv_stores) = (self.stores.config.clone(), self.stores.kv_names());
        let backends = self.variables.backends().iter().map(|(name, origin)| (name.clone(), origin.to_string())).collect();
        messages::Settings { environment: self.variables.environment(), config, secrets, kv_stores, backends }
    }

    /// The view as its owner may see it: of secrets only their names.
    pub fn shown_in(&self, view: DeploymentView, held: &BTreeMap<String, KvStoreView>) -> DeploymentView {
        let (env, secrets) = self.variables.shown();
        let kv = self.stores.kv_names().into_iter().map(|name| (name.clone(), held.get(&name).copied().unwrap_or_default()));
        DeploymentView {
            env: Some(env),
            secrets: Some(secrets),
            config: Some(self.stores.config.clone()),
            secret_stores: Some(self.stores.secret_names()),
            kv_stores: Some(kv.collect()),
            backends: Some(backends::shown(self.variables.backends())),
            ..view
        }
    }
}
