//! Where a deployment's programs may send requests: origins by name, none unless somebody names them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use vivarium_abi::{Backends, NoOrigin, Origin};

use crate::limits::Limits;

/// One backend as the API has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backend {
    pub origin: String,
}

/// Changes by name; one without a backend removes.
pub type BackendChanges = BTreeMap<String, Option<Backend>>;

/// A longer name is none, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// What is shown of what is none, in characters.
const SHOWN_MAX: usize = 80;

#[derive(Debug, PartialEq, Eq, Error)]
pub enum BackendError {
    #[error("{0:?} is no name of a backend: use up to {NAME_BYTES_MAX} letters, digits, '_', '-' and '.'")]
    Name(String),
    #[error("the backend {name} cannot be {origin:?}: {why}; write https://host or http://host:port")]
    Origin { name: String, origin: String, why: NoOrigin },
    #[error("{count} backends are more than the limit backends_max of {backends_max}")]
    TooMany { count: usize, backends_max: usize },
}

impl BackendError {
    /// The limit that was passed.
    pub fn limit(&self) -> Option<&'static str> {
        matches!(self, BackendError::TooMany { .. }).then_some("backends_max")
    }
}

/// The same with changes; those that are not allowed leave all as it is.
pub fn changed(before: &Backends, changes: BackendChanges, limits: &Limits) -> Result<Backends, BackendError> {
    let mut backends = before.clone();
    for (name, backend) in changes {
        match backend {
            Some(backend) => {
                let (name, origin) = checked(&name, &backend.origin)?;
                backends.insert(name, origin);
            }
            None => drop(backends.remove(&name)),
        }
    }
    let (count, backends_max) = (backends.len(), limits.backends_max);
    if count > backends_max { Err(BackendError::TooMany { count, backends_max }) } else { Ok(backends) }
}

/// A name and an origin as somebody wrote them.
pub fn checked(name: &str, origin: &str) -> Result<(String, Origin), BackendError> {
    let shown = |text: &str| text.chars().take(SHOWN_MAX).collect::<String>();
    let spelled = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !spelled {
        return Err(BackendError::Name(shown(name)));
    }
    match origin.parse() {
        Ok(origin) => Ok((name.to_owned(), origin)),
        Err(why) => Err(BackendError::Origin { name: name.to_owned(), origin: shown(origin), why }),
    }
}

/// As the API shows them.
pub fn shown(backends: &Backends) -> BTreeMap<String, Backend> {
    backends.iter().map(|(name, origin)| (name.clone(), Backend { origin: origin.to_string() })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(json: &str) -> BackendChanges {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn backends_are_named_replaced_and_removed() {
        let limits = Limits::default();
        let first =
            changed(&Backends::new(), changes(r#"{"a":{"origin":"https://EXAMPLE.org/"},"b":{"origin":"http://b.test:81"}}"#), &limits);
        let second = changed(&first.unwrap(), changes(r#"{"a":null,"b":{"origin":"http://b.test"}}"#), &limits).unwrap();
        assert_eq!(serde_json::to_string(&shown(&second)).unwrap(), r#"{"b":{"origin":"http://b.test"}}"#);
    }

    #[test]
    fn what_is_no_backend_is_refused_with_a_sentence() {
        let limits = Limits { backends_max: 1, ..Limits::default() };
        for (json, said) in [
            (r#"{"":{"origin":"https://a.test"}}"#, "is no name of a backend"),
            (r#"{"a b":{"origin":"https://a.test"}}"#, "is no name of a backend"),
            (r#"{"a":{"origin":"a.test"}}"#, "it begins neither with http:// nor with https://"),
            (r#"{"a":{"origin":"https://a.test/path"}}"#, "no path"),
            (r#"{"a":{"origin":"https://u@a.test"}}"#, "no user name"),
            (r#"{"a":{"origin":"http://0x7f000001"}}"#, "as they are usually written"),
            (r#"{"a":{"origin":"https://a.test"},"b":{"origin":"https://b.test"}}"#, "backends_max of 1"),
        ] {
            let refused = changed(&Backends::new(), changes(json), &limits).unwrap_err().to_string();
            assert!(refused.contains(said), "{json}: {refused}");
        }
    }
}
