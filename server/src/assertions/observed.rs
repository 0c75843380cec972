//! What there was to look at after a request, and what of an assertion became of it.

use serde::Serialize;
use serde_json::Value;

use super::comparison::text_of;
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
    /// One verdict for each line that says something.
    pub fn judge(&self, lines: &[Result<Assertion, Unreadable>]) -> Vec<Verdict> {
        lines.iter().map(|line| line.as_ref().map_or_else(unreadable, |assertion| self.verdict(assertion))).collect()
    }

    fn verdict(&self, assertion: &Assertion) -> Verdict {
        let found = self.find(&assertion.target);
        let holds = found.as_ref().is_ok_and(|found| assertion.comparison.holds(found.as_ref()));
        let message = match found {
            _ if holds => String::new(),
            Err(reason) => reason.to_owned(),
            Ok(None) => format!("there is no {}", assertion.target),
            Ok(Some(value)) => format!("{} is {}", assertion.target, shown(&assertion.target, &value)),
        };
        Verdict { label: assertion.label.clone(), line: assertion.line, passed: holds, message }
    }

    /// `None` is not there; the error is why it cannot be said.
    fn find(&self, target: &Target) -> Result<Option<Value>, &'static str> {
        let report = || self.report.as_ref().ok_or("the server's report of this request did not come in time");
        Ok(match target {
            Target::Status => Some(Value::from(self.status)),
            Target::Header(name) => self.header(name).map(Value::from),
            Target::Body => Some(Value::from(String::from_utf8_lossy(&self.body))),
            Target::BodyLength => Some(Value::from(self.body.len())),
            Target::Json(steps) => {
                let json = serde_json::from_slice(&self.body).map_err(|_| "the body is no JSON")?;
                reach(&json, steps)
            }
            Target::Log => (!self.log.is_empty()).then(|| Value::from(self.log.join("\n"))),
            Target::LogCount => Some(Value::from(self.log.len())),
            Target::LogLine(line) => self.log.get(*line).map(|line| Value::from(line.as_str())),
            Target::Timing(stage) => timing(&report()?.0, stage).map(Value::from),
            Target::Outcome => outcome_part(&report()?.1, "kind"),
            Target::OutcomePart(part) => outcome_part(&report()?.1, part),
        })
    }

    fn header(&self, name: &str) -> Option<String> {
        let values: Vec<_> = self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }
}

fn unreadable(line: &Unreadable) -> Verdict {
    Verdict { label: line.text.clone(), line: line.line, passed: false, message: line.reason.clone() }
}

fn reach(json: &Value, steps: &[Step]) -> Option<Value> {
    let Some((step, rest)) = steps.split_first() else { return Some(json.clone()) };
    match (json, step) {
        (Value::Array(elements), Step::Key(key)) if key == "length" => Some(Value::from(elements.len())),
        (Value::String(text), Step::Key(key)) if key == "length" => Some(Value::from(text.chars().count())),
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
    let whole = if value.is_string() { format!("{:?}", text_of(value)) } else { value.to_string() };
    match whole.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        None => whole,
        Some((at, _)) => format!("{}…", &whole[..at]),
    }
}

#[cfg(test)]
mod tests;
