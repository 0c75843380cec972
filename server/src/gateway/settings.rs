//! What a deployment keeps for its program, in the shape in which programs are given it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use vivarium_abi::{Backends, Stores};

use crate::control::messages::Settings;

#[derive(Default)]
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

/// Without values: some of them are secret.
impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.environment.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Held").field("environment", &names).field("kv_stores", &self.kv_stores).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_not_shown() {
        let secrets = [("vault".to_owned(), [("key".to_owned(), "hidden".to_owned())].into())].into();
        let settings = Settings { environment: vec![("NAME".into(), "hidden".into())], secrets, ..Settings::default() };
        let shown = format!("{:?}", Held::of(settings));
        assert!(shown.contains("NAME") && !shown.contains("hidden"), "{shown}");
    }
}
