//! Results in the Test Anything Protocol, version 14: a line for each assertion, what was found below those that do not hold.

use super::observed::Verdict;

/// A request that was sent for its assertions.
pub struct Tested<'a> {
    pub name: &'a str,
    /// Why there was no answer.
    pub error: Option<&'a str>,
    pub verdicts: &'a [Verdict],
}

pub fn tap(tested: &[Tested<'_>]) -> String {
    let mut lines = Vec::new();
    for Tested { name, error, verdicts } in tested {
        // One that was answered, and of which nothing was said, has passed.
        match error {
            Some(error) => lines.push((false, name.to_string(), error.to_string())),
            None if verdicts.is_empty() => lines.push((true, name.to_string(), String::new())),
            None => {
                lines.extend(verdicts.iter().map(|verdict| (verdict.passed, format!("{name}: {}", verdict.label), verdict.message.clone())))
            }
        }
    }
    let mut text = format!("TAP version 14\n1..{}\n", lines.len());
    for (index, (passed, said, message)) in lines.iter().enumerate() {
        text += &format!("{} {} - {}\n", if *passed { "ok" } else { "not ok" }, index + 1, escaped(said));
        if !message.is_empty() {
            // A JSON string is a YAML scalar too.
            text += &format!("  ---\n  message: {}\n  ...\n", serde_json::Value::from(message.as_str()));
        }
    }
    text
}

/// `#` begins a directive, and a line ends at its end.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('#', "\\#").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_assertion_is_a_line_and_each_failure_says_what_was_found() {
        let verdict = |label: &str, passed, message: &str| Verdict { label: label.into(), line: 1, passed, message: message.into() };
        let verdicts = [verdict("status is 200", true, ""), verdict("body is #1", false, "body is \"x\"")];
        let tested = [
            Tested { name: "first", error: None, verdicts: &verdicts },
            Tested { name: "second", error: Some("it was not answered"), verdicts: &[] },
            Tested { name: "third", error: None, verdicts: &[] },
        ];
        let expected = "TAP version 14\n1..4\nok 1 - first: status is 200\nnot ok 2 - first: body is \\#1\n  ---\n  message: \"body is \\\"x\\\"\"\n  ...\nnot ok 3 - second\n  ---\n  message: \"it was not answered\"\n  ...\nok 4 - third\n";
        assert_eq!(tap(&tested), expected);
    }
}
