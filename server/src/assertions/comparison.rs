//! How what was found is compared with what was said.

use std::borrow::Cow;

use regex_lite::Regex;
use serde_json::Value;

/// Compiled expressions may take so many bytes. Looking for one takes as many steps as it is long for each byte of the answer, and nothing
/// interrupts it.
const EXPRESSION_BYTES_MAX: usize = 32 * 1024;

#[derive(Debug, Clone)]
pub enum Comparison {
    Is(Value),
    IsNot(Value),
    IsOneOf(Vec<Value>),
    IsAbove(f64),
    IsAtLeast(f64),
    IsBelow(f64),
    IsAtMost(f64),
    StartsWith(String),
    EndsWith(String),
    Includes(Value),
    DoesNotInclude(Value),
    Matches(Regex),
    DoesNotMatch(Regex),
    Exists,
    IsAbsent,
}

const NAMES: &str = "is, isNot, isOneOf, isAbove, isAtLeast, isBelow, isAtMost, startsWith, endsWith, includes, doesNotInclude, matches, doesNotMatch, exists, isAbsent";

impl Comparison {
    /// `value` is what stands behind the word. Times need a unit where `is_time`.
    pub fn read(word: &str, value: &str, is_time: bool) -> Result<Comparison, String> {
        let needs = |what: &str| format!("{word} needs {what} behind it");
        let no_more = |comparison| if value.is_empty() { Ok(comparison) } else { Err(format!("nothing stands behind {word}")) };
        let any = || if value.is_empty() { Err(needs("a value")) } else { value_of(value, is_time) };
        let number = || any()?.as_f64().ok_or_else(|| needs("a number"));
        let text = || any().map(|value| text_of(&value).into_owned());
        match word {
            "is" => Ok(Comparison::Is(any()?)),
            "isNot" => Ok(Comparison::IsNot(any()?)),
            "isOneOf" => match any()? {
                Value::Array(values) => Ok(Comparison::IsOneOf(values)),
                _ => Err(needs("a list, such as [200, 204],")),
            },
            "isAbove" => Ok(Comparison::IsAbove(number()?)),
            "isAtLeast" => Ok(Comparison::IsAtLeast(number()?)),
            "isBelow" => Ok(Comparison::IsBelow(number()?)),
            "isAtMost" => Ok(Comparison::IsAtMost(number()?)),
            "startsWith" => Ok(Comparison::StartsWith(text()?)),
            "endsWith" => Ok(Comparison::EndsWith(text()?)),
            "includes" => Ok(Comparison::Includes(any()?)),
            "doesNotInclude" => Ok(Comparison::DoesNotInclude(any()?)),
            "matches" => Ok(Comparison::Matches(expression(&text()?)?)),
            "doesNotMatch" => Ok(Comparison::DoesNotMatch(expression(&text()?)?)),
            "exists" => no_more(Comparison::Exists),
            "isAbsent" => no_more(Comparison::IsAbsent),
            _ => Err(format!("there is no comparison {word:?}: use one of {NAMES}")),
        }
    }

    /// Whether it holds of what was found; `None` was not there.
    pub fn holds(&self, found: Option<&Value>) -> bool {
        let Some(found) = found else { return matches!(self, Comparison::IsAbsent) };
        let number = || number_of(found);
        match self {
            Comparison::Is(value) => equal(found, value),
            Comparison::IsNot(value) => !equal(found, value),
            Comparison::IsOneOf(values) => values.iter().any(|value| equal(found, value)),
            Comparison::IsAbove(least) => number().is_some_and(|number| number > *least),
            Comparison::IsAtLeast(least) => number().is_some_and(|number| number >= *least),
            Comparison::IsBelow(most) => number().is_some_and(|number| number < *most),
            Comparison::IsAtMost(most) => number().is_some_and(|number| number <= *most),
            Comparison::StartsWith(text) => text_of(found).starts_with(text),
            Comparison::EndsWith(text) => text_of(found).ends_with(text),
            Comparison::Includes(value) => includes(found, value),
            Comparison::DoesNotInclude(value) => !includes(found, value),
            Comparison::Matches(expression) => expression.is_match(&text_of(found)),
            Comparison::DoesNotMatch(expression) => !expression.is_match(&text_of(found)),
            Comparison::Exists => true,
            Comparison::IsAbsent => false,
        }
    }
}

/// A list has it as an element, a text within it.
fn includes(found: &Value, value: &Value) -> bool {
    match found {
        Value::Array(elements) => elements.iter().any(|element| equal(element, value)),
        _ => text_of(found).contains(&*text_of(value)),
    }
}

/// Numbers by their value, else JSON by its content; a header has text only, so "200" is 200.
fn equal(found: &Value, value: &Value) -> bool {
    match (found, value) {
        (Value::Number(_), _) | (_, Value::Number(_)) => number_of(found).is_some() && number_of(found) == number_of(value),
        (Value::String(_), _) | (_, Value::String(_)) => text_of(found) == text_of(value),
        _ => found == value,
    }
}

fn number_of(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

pub fn text_of(value: &Value) -> Cow<'_, str> {
    value.as_str().map_or_else(|| value.to_string().into(), Cow::Borrowed)
}

/// JSON, a time with its unit, or the words as they stand.
fn value_of(text: &str, is_time: bool) -> Result<Value, String> {
    if is_time {
        return microseconds(text).map(Value::from).ok_or_else(|| format!("{text:?} is no time: give a number with µs, ms or s"));
    }
    match serde_json::from_str(text) {
        Ok(value) => Ok(value),
        Err(error) if text.starts_with(['"', '[', '{']) => Err(format!("the value cannot be read as JSON: {error}")),
        Err(_) => Ok(Value::from(text)),
    }
}

fn microseconds(text: &str) -> Option<f64> {
    let (number, unit) = text.split_at(text.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?);
    let factor = match unit.trim() {
        "µs" | "us" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        _ => return None,
    };
    number.parse::<f64>().ok().map(|number| number * factor)
}

/// `/…/` or as it stands.
fn expression(text: &str) -> Result<Regex, String> {
    let bare = text.strip_prefix('/').and_then(|text| text.strip_suffix('/')).unwrap_or(text);
    regex_lite::RegexBuilder::new(bare)
        .size_limit(EXPRESSION_BYTES_MAX)
        .build()
        .map_err(|error| format!("the expression {bare:?} cannot be read: {error}"))
}
