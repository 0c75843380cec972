//! How a run ended. What the guest did is an [`Outcome`], never an error of the host.

use std::fmt;

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
    /// Where that is in the source, when known.
    pub place: Option<SourcePlace>,
    /// Innermost first.
    pub frames: Vec<TrapFrame>,
}

/// A place in the source, under the names that its author gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourcePlace {
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1; 0 where it is not known.
    pub column: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrapFrame {
    pub function: String,
    pub wasm_offset: Option<u64>,
    pub place: Option<SourcePlace>,
}

/// `main.c:23:5`
impl fmt::Display for SourcePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)?;
        if self.column > 0 { write!(f, ":{}", self.column) } else { Ok(()) }
    }
}

/// `integer divide by zero in frond at main.c:23:5`; where that function has no lines, the nearest caller that has some is told too.
impl fmt::Display for TrapReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let Some(function) = &self.function else { return Ok(()) };
        write!(f, " in {function}")?;
        let caller = self.frames.iter().find_map(|frame| Some((&frame.function, frame.place.as_ref()?)));
        match (&self.place, caller) {
            (Some(place), _) => write!(f, " at {place}"),
            (None, Some((caller, place))) => write!(f, ", called from {caller} at {place}"),
            (None, None) => Ok(()),
        }
    }
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
        let place = SourcePlace { file: "main.c".into(), line: 23, column: 5 };
        let frame = TrapFrame { function: "frond".into(), wasm_offset: Some(1234), place: Some(place.clone()) };
        let trap = TrapReport {
            kind: "unreachable".into(),
            message: "unreachable".into(),
            function: Some("frond".into()),
            wasm_offset: Some(1234),
            place: Some(place),
            frames: vec![frame],
        };
        check(
            Outcome::Trapped(trap),
            r#"{"kind":"trapped","trap":{"kind":"unreachable","message":"unreachable","function":"frond","wasm_offset":1234,"place":{"file":"main.c","line":23,"column":5},"frames":[{"function":"frond","wasm_offset":1234,"place":{"file":"main.c","line":23,"column":5}}]}}"#,
        );
    }

    #[test]
    fn the_sentence_names_a_line_that_the_user_wrote() {
        let place = |line| Some(SourcePlace { file: "main.rs".into(), line, column: 0 });
        let frame = |function: &str, place| TrapFrame { function: function.into(), wasm_offset: None, place };
        let check = |place: Option<SourcePlace>, frames: Vec<TrapFrame>, text: &str| {
            let (kind, message) = ("unreachable".to_owned(), "unreachable".to_owned());
            let trap = TrapReport {
                kind,
                message,
                function: frames.first().map(|frame| frame.function.clone()),
                wasm_offset: None,
                place,
                frames,
            };
            assert_eq!(trap.to_string(), text);
        };
        check(place(3), vec![frame("main::deep", place(3))], "unreachable in main::deep at main.rs:3");
        let unwound = vec![frame("abort", None), frame("main::deep", place(3)), frame("main::main", place(9))];
        check(None, unwound, "unreachable in abort, called from main::deep at main.rs:3");
        check(None, vec![frame("f", None)], "unreachable in f");
        check(None, vec![], "unreachable");
    }
}
