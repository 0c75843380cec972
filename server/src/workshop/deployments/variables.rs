//! What a deployment keeps for its program: variables, secrets, which are variables whose values nobody is shown any more, and backends.
//!
//! Variables and secrets share one set of names. All belong to the deployment, not to a revision: what is changed holds for each of its revisions from the
//! next request on.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use thiserror::Error;
use vivarium_abi::{Backends, Origin};

use super::backends::{self, BackendChanges, BackendError};
use crate::limits::Limits;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    environment: BTreeMap<String, Variable>,
    backends: Backends,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Variable {
    pub value: String,
    pub secret: bool,
}

/// Changes by name; one without a value removes.
#[derive(Clone, Default, Deserialize)]
pub struct VariableChanges {
    #[serde(default)]
    env: BTreeMap<String, Option<String>>,
    #[serde(default)]
    secrets: BTreeMap<String, Option<String>>,
    #[serde(default)]
    backends: BackendChanges,
}

#[derive(Debug, PartialEq, Eq, Error)]
pub enum VariableError {
    #[error("{0:?} is no name of a variable: use letters, digits and '_', and no digit first")]
    Name(String),
    #[error("{0} is set by the server for each request: name the variable otherwise")]
    OfRequests(String),
    #[error("{0} is both in env and in secrets: it can be one of them")]
    Both(String),
    #[error("{count} variables and secrets are more than the limit environment_max of {environment_max}")]
    TooMany { count: usize, environment_max: usize },
    #[error("the variables and secrets are {bytes} bytes together, more than the limit variables_bytes_max of {variables_bytes_max}")]
    TooLarge { bytes: usize, variables_bytes_max: usize },
    #[error("the name or value of {name} is longer than the limit argument_bytes_max of {argument_bytes_max} bytes")]
    TooLong { name: String, argument_bytes_max: usize },
    #[error("the value of {0} holds a zero byte, which no program can be given")]
    Zero(String),
    #[error(transparent)]
    Backend(#[from] BackendError),
}

impl VariableError {
    /// The limit that was passed.
    pub fn limit(&self) -> Option<&'static str> {
        match self {
            VariableError::TooMany { .. } => Some("environment_max"),
            VariableError::TooLarge { .. } => Some("variables_bytes_max"),
            VariableError::TooLong { .. } => Some("argument_bytes_max"),
            VariableError::Backend(error) => error.limit(),
            VariableError::Name(_) | VariableError::OfRequests(_) | VariableError::Both(_) | VariableError::Zero(_) => None,
        }
    }
}

/// No value of a secret appears in a message.
impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secret { "a secret" } else { &self.value })
    }
}

impl VariableChanges {
    pub fn is_empty(&self) -> bool {
        self.env.is_empty() && self.secrets.is_empty() && self.backends.is_empty()
    }
}

impl Variables {
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Variable)> {
        self.environment.iter()
    }

    pub fn insert(&mut self, name: String, variable: Variable) {
        self.environment.insert(name, variable);
    }

    pub fn backends(&self) -> &Backends {
        &self.backends
    }

    pub fn insert_backend(&mut self, name: String, origin: Origin) {
        self.backends.insert(name, origin);
    }

    /// As the program finds them, secrets included.
    pub fn environment(&self) -> Vec<(String, String)> {
        self.environment.iter().map(|(name, variable)| (name.clone(), variable.value.clone())).collect()
    }

    /// Secrets alone, as a store of them.
    pub fn secrets(&self) -> BTreeMap<String, String> {
        let secrets = self.environment.iter().filter(|(_, variable)| variable.secret);
        secrets.map(|(name, variable)| (name.clone(), variable.value.clone())).collect()
    }

    /// Those that may be shown, and the names of the others.
    pub fn shown(&self) -> (BTreeMap<String, String>, Vec<String>) {
        let all = &self.environment;
        let shown = all.iter().filter(|(_, variable)| !variable.secret).map(|(name, variable)| (name.clone(), variable.value.clone()));
        (shown.collect(), all.iter().filter(|(_, variable)| variable.secret).map(|(name, _)| name.clone()).collect())
    }

    /// The same with changes; those that are not allowed leave all as it is.
    pub fn changed(&self, changes: VariableChanges, limits: &Limits) -> Result<Variables, VariableError> {
        if let Some(name) = changes.env.keys().find(|name| changes.secrets.contains_key(*name)) {
            return Err(VariableError::Both(name.clone()));
        }
        let backends = backends::changed(&self.backends, changes.backends, limits)?;
        let mut variables = self.environment.clone();
        let env = changes.env.into_iter().map(|change| (change, false));
        for ((name, value), secret) in env.chain(changes.secrets.into_iter().map(|change| (change, true))) {
            let Some(value) = value else {
                variables.remove(&name);
                continue;
            };
            check(&name, &value, limits)?;
            variables.insert(name, Variable { value, secret });
        }
        let (count, environment_max) = (variables.len(), limits.environment_max);
        if count > environment_max {
            return Err(VariableError::TooMany { count, environment_max });
        }
        let bytes = variables.iter().map(|(name, variable)| name.len() + variable.value.len()).sum();
        let variables_bytes_max = limits.variables_bytes_max;
        if bytes > variables_bytes_max {
            return Err(VariableError::TooLarge { bytes, variables_bytes_max });
        }
        Ok(Variables { environment: variables, backends })
    }
}

fn check(name: &str, value: &str, limits: &Limits) -> Result<(), VariableError> {
    let argument_bytes_max = limits.argument_bytes_max;
    let shown = || name.chars().take(80).collect::<String>();
    if name.len() > argument_bytes_max || value.len() > argument_bytes_max {
        return Err(VariableError::TooLong { name: shown(), argument_bytes_max });
    }
    let spelled = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if name.is_empty() || !spelled || name.as_bytes()[0].is_ascii_digit() {
        return Err(VariableError::Name(shown()));
    }
    if OF_REQUESTS.contains(&name) || OF_REQUESTS_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning)) {
        return Err(VariableError::OfRequests(name.to_owned()));
    }
    if value.contains('\0') { Err(VariableError::Zero(name.to_owned())) } else { Ok(()) }
}

/// What a request says (RFC 3875, 4.1): a variable of the same name would hide it.
const OF_REQUESTS: [&str; 11] = [
    "AUTH_TYPE",
    "CONTENT_LENGTH",
    "CONTENT_TYPE",
    "GATEWAY_INTERFACE",
    "PATH_INFO",
    "PATH_TRANSLATED",
    "QUERY_STRING",
    "REQUEST_METHOD",
    "REQUEST_URI",
    "SCRIPT_NAME",
    "FASTLY_TRACE_ID",
];
const OF_REQUESTS_BEGINNINGS: [&str; 3] = ["HTTP_", "REMOTE_", "SERVER_"];

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(json: &str) -> VariableChanges {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn all_together_leave_room_for_what_a_request_adds() {
        let many = |count: usize| VariableChanges {
            env: (0..count).map(|number| (format!("V{number}"), Some("x".repeat(8_000)))).collect(),
            ..VariableChanges::default()
        };
        let limits = Limits::default();
        assert!(Variables::default().changed(many(6), &limits).is_ok());
        let refused = Variables::default().changed(many(7), &limits).unwrap_err();
        assert_eq!(refused.limit(), Some("variables_bytes_max"));
        assert!(limits.variables_bytes_max as u64 + limits.header_bytes_max as u64 <= limits.environment_bytes_max);
    }

    #[test]
    fn changes_set_replace_and_remove() {
        let limits = Limits::default();
        let first = changes(r#"{"env":{"A":"1","B":"2"},"secrets":{"KEY":"fern"}}"#);
        let variables = Variables::default().changed(first, &limits).unwrap();
        assert_eq!(variables.environment().len(), 3);
        let variables = variables.changed(changes(r#"{"env":{"A":null,"B":"3"},"secrets":{"NEW":"moss"}}"#), &limits).unwrap();
        let (shown, secrets) = variables.shown();
        assert_eq!((shown.into_iter().collect::<Vec<_>>(), secrets), (vec![("B".into(), "3".into())], vec!["KEY".into(), "NEW".into()]));
        assert!(!format!("{variables:?}").contains("fern"));
        let variables = variables.changed(changes(r#"{"secrets":{"B":"hidden"}}"#), &limits).unwrap();
        assert!(variables.shown().0.is_empty(), "what became a secret is shown no more");
    }

    #[test]
    fn what_is_no_variable_is_refused_with_a_sentence() {
        let limits = Limits { environment_max: 2, argument_bytes_max: 20, ..Limits::default() };
        for (json, said) in [
            (r#"{"env":{"1A":""}}"#, "no name"),
            (r#"{"env":{"":""}}"#, "no name"),
            (r#"{"secrets":{"A=B":""}}"#, "no name"),
            (r#"{"env":{"HTTP_PROXY":"evil"}}"#, "set by the server"),
            (r#"{"env":{"PATH_INFO":"/"}}"#, "set by the server"),
            (r#"{"env":{"A":"a\u0000b"}}"#, "zero byte"),
            (r#"{"env":{"A":"123456789012345678901"}}"#, "argument_bytes_max of 20"),
            (r#"{"env":{"A":"","B":"","C":""}}"#, "environment_max of 2"),
            (r#"{"env":{"A":""},"secrets":{"A":""}}"#, "both in env and in secrets"),
        ] {
            let refused = Variables::default().changed(changes(json), &limits).unwrap_err().to_string();
            assert!(refused.contains(said), "{json}: {refused}");
        }
    }
}
