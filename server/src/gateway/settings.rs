//! What a deployment keeps for its program, in the shape in which programs are given it.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use vivarium_abi::Stores;

use crate::control::messages::Settings;

#[derive(Debug, Default)]
pub struct Held {
    /// Names and values of variables.
    pub environment: Vec<(String, String)>,
    pub stores: Arc<Stores>,
    pub kv_stores: BTreeSet<String>,
}

impl Held {
    pub fn of(settings: Settings) -> Held {
        let Settings { environment, config, secrets, kv_stores } = settings;
        let bytes = |(name, value): (String, String)| (name, Bytes::from(value));
        let secrets = secrets.into_iter().map(|(store, secrets)| (store, secrets.into_iter().map(bytes).collect())).collect();
        Held { environment, stores: Arc::new(Stores { config, secrets }), kv_stores }
    }
}
