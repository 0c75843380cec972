//! What an assertion looks at.

use std::fmt;

/// One step into JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Key(String),
    Index(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Status,
    /// All fields of that name, joined by ", ".
    Header(String),
    Body,
    /// Bytes.
    BodyLength,
    /// Into the body, read as JSON. `length` of a list or a text is how long it is.
    Json(Vec<Step>),
    /// Lines that the program logged for this request, one below the other.
    Log,
    LogCount,
    /// One line, from 0.
    LogLine(usize),
    /// Microseconds: of a stage, or of all together.
    Timing(String),
    /// "finished", "exited", "trapped", "limited" or "failed".
    Outcome,
    /// The kind of a trap, the name of a limit, an exit code.
    OutcomePart(String),
}

pub const STAGES: [&str; 5] = ["queue", "instantiate", "run", "reset", "total"];
const OUTCOME_PARTS: [&str; 4] = ["trap", "limit", "exit_code", "place"];

impl Target {
    /// The target of these words; the error is a sentence.
    pub fn read(text: &str) -> Result<Target, String> {
        let (name, rest) = text.split_at(text.find(['.', '[']).unwrap_or(text.len()));
        let part = rest.strip_prefix('.');
        match (name, part) {
            ("status", None) if rest.is_empty() => Ok(Target::Status),
            ("header" | "headers", Some(field)) if !field.is_empty() => Ok(Target::Header(field.to_ascii_lowercase())),
            ("body", None) if rest.is_empty() => Ok(Target::Body),
            ("body", Some("length")) => Ok(Target::BodyLength),
            ("json", _) => Ok(Target::Json(steps(rest)?)),
            ("log", None) if rest.is_empty() => Ok(Target::Log),
            ("log", Some("count")) => Ok(Target::LogCount),
            ("log", None) => match steps(rest)?.as_slice() {
                [Step::Index(line)] => Ok(Target::LogLine(*line)),
                _ => Err(format!("{text:?} names no line of the log: write log[0] for the first")),
            },
            ("timings", Some(stage)) if STAGES.contains(&stage) => Ok(Target::Timing(stage.to_owned())),
            ("timings", _) => Err(format!("there is no {text:?}: use timings. with one of {}", STAGES.join(", "))),
            ("outcome", None) if rest.is_empty() => Ok(Target::Outcome),
            ("outcome", Some(part)) if OUTCOME_PARTS.contains(&part) => Ok(Target::OutcomePart(part.to_owned())),
            ("outcome", _) => Err(format!("there is no {text:?}: use outcome, or outcome. with one of {}", OUTCOME_PARTS.join(", "))),
            _ => Err(format!("there is no {text:?} to look at: use status, header.NAME, body, json.PATH, log, timings.STAGE or outcome")),
        }
    }
}

/// `.items[0]["odd key"]`
fn steps(path: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut rest = path;
    let unreadable = || format!("the path {path:?} cannot be read: write .name, [0] or [\"any name\"] after each other");
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix("[\"") {
            let end = quoted.find("\"]").ok_or_else(unreadable)?;
            steps.push(Step::Key(quoted[..end].to_owned()));
            rest = &quoted[end + 2..];
        } else if let Some(index) = rest.strip_prefix('[') {
            let end = index.find(']').ok_or_else(unreadable)?;
            steps.push(Step::Index(index[..end].parse().map_err(|_| unreadable())?));
            rest = &index[end + 1..];
        } else {
            let key = rest.strip_prefix('.').ok_or_else(unreadable)?;
            let end = key.find(['.', '[']).unwrap_or(key.len());
            if end == 0 {
                return Err(unreadable());
            }
            steps.push(Step::Key(key[..end].to_owned()));
            rest = &key[end..];
        }
    }
    Ok(steps)
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Status => f.write_str("status"),
            Target::Header(name) => write!(f, "header.{name}"),
            Target::Body => f.write_str("body"),
            Target::BodyLength => f.write_str("body.length"),
            Target::Json(steps) => {
                f.write_str("json")?;
                steps.iter().try_for_each(|step| match step {
                    Step::Key(key) => write!(f, ".{key}"),
                    Step::Index(index) => write!(f, "[{index}]"),
                })
            }
            Target::Log => f.write_str("log"),
            Target::LogCount => f.write_str("log.count"),
            Target::LogLine(line) => write!(f, "log[{line}]"),
            Target::Timing(stage) => write!(f, "timings.{stage}"),
            Target::Outcome => f.write_str("outcome"),
            Target::OutcomePart(part) => write!(f, "outcome.{part}"),
        }
    }
}
