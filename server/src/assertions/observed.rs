//! What there was to look at after a request, and what of an assertion became of it.

use std::borrow::Cow;
use std::cell::OnceCell;

use serde::Serialize;
use serde_json::Value;

use super::line::{Assertion, Unreadable};
use super::target::{Step, Target};
use crate::control::messages::{Outcome, Timings};

/// Characters of what was found that a message shows.
const SHOWN_CHARACTERS_MAX: usize = 200;

/// An answer, and what the server knows of the request.
#[derive(Debug, Clone)]
pub struct Observed {
    pub status: u16,
    /// In lower case, in order.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub log: Vec<String>,
    /// None where the report did not come in time.
    pub report: Option<(Timings, Outcome)>,
}

/// What became of one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    pub label: String,
    pub line: usize,
    pub passed: bool,
    /// What was found instead; empty where it holds.
    pub message: String,
}

impl Observed {
    /// One verdict for each line that says something. `in_time` says before each why no more of them are looked at.
    pub fn judge(&self, lines: &[Result<Assertion, Unreadable>], in_time: impl Fn() -> Result<(), String>) -> Vec<Verdict> {
        let read = Read { observed: self, body: OnceCell::new(), json: OnceCell::new(), log: OnceCell::new() };
        lines.iter().map(|line| line.as_ref().map_or_else(unreadable, |assertion| read.verdict(assertion, &in_time))).collect()
    }

    fn header(&self, name: &str) -> Option<String> {
        let values: Vec<_> = self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }
}

/// What was observed, with what many lines look at read once.
struct Read<'a> {
    observed: &'a Observed,
    body: OnceCell<Value>,
    /// None where the body is no JSON.
    json: OnceCell<Option<Value>>,
    log: OnceCell<Value>,
}

impl Read<'_> {
    fn verdict(&self, assertion: &Assertion, in_time: impl Fn() -> Result<(), String>) -> Verdict {
        let found = in_time().and_then(|()| self.find(&assertion.target).map_err(str::to_owned));
        let holds = found.as_ref().is_ok_and(|found| assertion.comparison.holds(found.as_deref()));
        let message = match found {
            _ if holds => String::new(),
            Err(reason) => reason,
            Ok(None) => format!("there is no {}", assertion.target),
            Ok(Some(value)) => format!("{} is {}", assertion.target, shown(&assertion.target, &value)),
        };
        Verdict { label: assertion.label.clone(), line: assertion.line, passed: holds, message }
    }

    /// `None` is not there; the error is why it cannot be said.
    fn find(&self, target: &Target) -> Result<Option<Cow<'_, Value>>, &'static str> {
        let Observed { status, body, log, report, .. } = self.observed;
        let report = || report.as_ref().ok_or("the server's report of this request did not come in time");
        let made = match target {
            Target::Status => Some(Value::from(*status)),
            Target::Header(name) => self.observed.header(name).map(Value::from),
            Target::Body => return Ok(Some(Cow::Borrowed(self.body.get_or_init(|| Value::from(String::from_utf8_lossy(body)))))),
            Target::BodyLength => Some(Value::from(body.len())),
            Target::Json(steps) => {
                let json = self.json.get_or_init(|| serde_json::from_slice(body).ok());
                return Ok(reach(json.as_ref().ok_or("the body is no JSON")?, steps));
            }
            Target::Log if log.is_empty() => None,
            Target::Log => return Ok(Some(Cow::Borrowed(self.log.get_or_init(|| Value::from(log.join("\n")))))),
            Target::LogCount => Some(Value::from(log.len())),
            Target::LogLine(line) => log.get(*line).map(|line| Value::from(line.as_str())),
            Target::Timing(stage) => timing(&report()?.0, stage).map(Value::from),
            Target::Outcome => outcome_part(&report()?.1, "kind"),
            Target::OutcomePart(part) => outcome_part(&report()?.1, part),
        };
        Ok(made.map(Cow::Owned))
    }
}

fn unreadable(line: &Unreadable) -> Verdict {
    Verdict { label: line.text.clone(), line: line.line, passed: false, message: line.reason.clone() }
}

fn reach<'a>(json: &'a Value, steps: &[Step]) -> Option<Cow<'a, Value>> {
    let Some((step, rest)) = steps.split_first() else { return Some(Cow::Borrowed(json)) };
    match (json, step) {
        (Value::Array(elements), Step::Key(key)) if key == "length" => Some(Cow::Owned(Value::from(elements.len()))),
        (Value::String(text), Step::Key(key)) if key == "length" => Some(Cow::Owned(Value::from(text.chars().count()))),
        (_, Step::Key(key)) => reach(json.get(key)?, rest),
        (_, Step::Index(index)) => reach(json.get(index)?, rest),
    }
}

fn timing(timings: &Timings, stage: &str) -> Option<f64> {
    match stage {
        "queue" => timings.queue,
        "instantiate" => timings.instantiate,
        "run" => timings.run,
        "reset" => timings.reset,
        _ => Some([timings.queue, timings.instantiate, timings.run, timings.reset].into_iter().flatten().sum()),
    }
}

fn outcome_part(outcome: &Outcome, part: &str) -> Option<Value> {
    // Plain fields serialize.
    let shown = serde_json::to_value(outcome).unwrap_or_default();
    match part {
        "trap" => shown["trap"].get("kind").cloned(),
        "limit" => shown["limit"].get("name").cloned(),
        "place" => match outcome {
            Outcome::Trapped(trap) => trap.place.as_ref().map(|place| Value::from(format!("{}:{}", place.file, place.line))),
            _ => None,
        },
        _ => shown.get(part).cloned(),
    }
}

fn shown(target: &Target, value: &Value) -> String {
    if let (Target::Timing(_), Some(us)) = (target, value.as_f64()) {
        return format!("{:.3} ms", us / 1000.0);
    }
    // Of a long text, no more is written down than is shown, and a letter that shows that it goes on.
    let whole = match value.as_str() {
        Some(text) => format!("{:?}", text.chars().take(SHOWN_CHARACTERS_MAX + 1).collect::<String>()),
        None => value.to_string(),
    };
    match whole.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        None => whole,
        Some((at, _)) => format!("{}…", &whole[..at]),
    }
}

#[cfg(test)]
mod tests;
