//! How a run ended. What the guest did is an [`Outcome`], never an error of the host.

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};

/// The end of one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Flat", into = "Flat")]
pub enum Outcome {
    /// The guest's entry function returned.
    Finished,
    /// The guest ended itself with this code.
    Exited {
        exit_code: u32,
    },
    Trapped(TrapReport),
    /// A bound of `Limits` ended it.
    Limited(LimitReport),
    /// The host could not run it.
    Failed {
        message: String,
    },
}

/// A trap, as the page shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrapReport {
    /// The kind in snake case, such as `integer_divide_by_zero`.
    pub kind: String,
    /// The kind as the specification words it.
    pub message: String,
    /// The function in which it happened, when known.
    pub function: Option<String>,
    pub wasm_offset: Option<u64>,
    /// Innermost first.
    pub frames: Vec<TrapFrame>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrapFrame {
    pub function: String,
    pub wasm_offset: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitReport {
    /// The field of `Limits`.
    pub name: String,
    /// A sentence with the bound in it.
    pub message: String,
}

/// The shape of the contract: one object with what applies. JSON leaves out what does not; the wire cannot.
#[derive(Deserialize)]
struct Flat {
    kind: Kind,
    #[serde(default)]
    exit_code: Option<u32>,
    #[serde(default)]
    trap: Option<TrapReport>,
    #[serde(default)]
    limit: Option<LimitReport>,
    #[serde(default)]
    message: Option<String>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Finished,
    Exited,
    Trapped,
    Limited,
    Failed,
}

impl Flat {
    fn of(kind: Kind) -> Flat {
        Flat { kind, exit_code: None, trap: None, limit: None, message: None }
    }
}

impl From<Outcome> for Flat {
    fn from(outcome: Outcome) -> Flat {
        match outcome {
            Outcome::Finished => Flat::of(Kind::Finished),
            Outcome::Exited { exit_code } => Flat { exit_code: Some(exit_code), ..Flat::of(Kind::Exited) },
            Outcome::Trapped(trap) => Flat { trap: Some(trap), ..Flat::of(Kind::Trapped) },
            Outcome::Limited(limit) => Flat { limit: Some(limit), ..Flat::of(Kind::Limited) },
            Outcome::Failed { message } => Flat { message: Some(message), ..Flat::of(Kind::Failed) },
        }
    }
}

impl From<Flat> for Outcome {
    fn from(flat: Flat) -> Outcome {
        let message = flat.message.unwrap_or_default();
        match (flat.kind, flat.exit_code, flat.trap, flat.limit) {
            (Kind::Finished, ..) => Outcome::Finished,
            (Kind::Exited, Some(exit_code), ..) => Outcome::Exited { exit_code },
            (Kind::Trapped, _, Some(trap), _) => Outcome::Trapped(trap),
            (Kind::Limited, _, _, Some(limit)) => Outcome::Limited(limit),
            _ => Outcome::Failed { message },
        }
    }
}

impl Serialize for Flat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return (self.kind, self.exit_code, &self.trap, &self.limit, &self.message).serialize(serializer);
        }
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("kind", &self.kind)?;
        self.exit_code.map_or(Ok(()), |code| map.serialize_entry("exit_code", &code))?;
        self.trap.as_ref().map_or(Ok(()), |trap| map.serialize_entry("trap", trap))?;
        self.limit.as_ref().map_or(Ok(()), |limit| map.serialize_entry("limit", limit))?;
        self.message.as_ref().map_or(Ok(()), |message| map.serialize_entry("message", message))?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(outcome: Outcome, json: &str) {
        assert_eq!(serde_json::to_string(&outcome).unwrap(), json);
        assert_eq!(serde_json::from_str::<Outcome>(json).unwrap(), outcome);
        assert_eq!(postcard::from_bytes::<Outcome>(&postcard::to_stdvec(&outcome).unwrap()).unwrap(), outcome);
    }

    #[test]
    fn json_has_what_applies_and_both_forms_read_back() {
        check(Outcome::Finished, r#"{"kind":"finished"}"#);
        check(Outcome::Exited { exit_code: 3 }, r#"{"kind":"exited","exit_code":3}"#);
        check(Outcome::Failed { message: "no slot".into() }, r#"{"kind":"failed","message":"no slot"}"#);
        check(
            Outcome::Limited(LimitReport { name: "cpu_ms".into(), message: "500 ms of processor time are used up".into() }),
            r#"{"kind":"limited","limit":{"name":"cpu_ms","message":"500 ms of processor time are used up"}}"#,
        );
        let frame = TrapFrame { function: "frond".into(), wasm_offset: Some(1234) };
        let trap = TrapReport {
            kind: "unreachable".into(),
            message: "unreachable".into(),
            function: Some("frond".into()),
            wasm_offset: Some(1234),
            frames: vec![frame],
        };
        check(
            Outcome::Trapped(trap),
            r#"{"kind":"trapped","trap":{"kind":"unreachable","message":"unreachable","function":"frond","wasm_offset":1234,"frames":[{"function":"frond","wasm_offset":1234}]}}"#,
        );
    }
}
