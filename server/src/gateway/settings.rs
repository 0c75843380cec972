//! What a deployment keeps for its program, in the shape in which programs are given it.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use vivarium_abi::{Backends, Stores};

use crate::control::messages::Settings;

#[derive(Debug, Default)]
pub struct Held {
    /// Names and values of variables.
    pub environment: Vec<(String, String)>,
    pub stores: Arc<Stores>,
    pub kv_stores: BTreeSet<String>,
    /// Where programs may send requests.
    pub backends: Arc<Backends>,
}

impl Held {
    pub fn of(settings: Settings) -> Held {
        let Settings { environment, config, secrets, kv_stores, backends } = settings;
        let bytes = |(name, value): (String, String)| (name, Bytes::from(value));
        let secrets = secrets.into_iter().map(|(store, secrets)| (store, secrets.into_iter().map(bytes).collect())).collect();
        // The workshop checked them; what is none all the same is nowhere to go.
        let backends = backends.into_iter().filter_map(|(name, origin)| Some((name, origin.parse().ok()?))).collect();
        Held { environment, stores: Arc::new(Stores { config, secrets }), kv_stores, backends: Arc::new(backends) }
    }
}
