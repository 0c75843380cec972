use super::*;
use crate::assertions::read;
use crate::control::messages::{LimitReport, SourcePlace, TrapReport};

fn answer() -> Observed {
    Observed {
        status: 200,
        headers: vec![
            ("content-type".into(), "application/json".into()),
            ("vary".into(), "a".into()),
            ("vary".into(), "b".into()),
            ("x-count".into(), "12".into()),
        ],
        body: br#"{"name":"fern","leaves":[{"size":3},{"size":5.5}],"tags":["a","b"],"odd key":null,"deep":{"length":7},"dead":false}"#
            .to_vec(),
        log: vec!["sown".into(), "grown in 3 days".into()],
        report: Some((Timings { queue: Some(10.0), run: Some(1_900.0), ..Timings::default() }, Outcome::Exited { exit_code: 3 })),
    }
}

fn check_of(observed: &Observed, line: &str, expected: Result<(), &str>) {
    let verdicts = observed.judge(&read(line), || Ok(()));
    let [verdict] = verdicts.as_slice() else { panic!("{line}: {verdicts:?}") };
    match expected {
        Ok(()) => assert!(verdict.passed && verdict.message.is_empty(), "{line}: {verdict:?}"),
        Err(said) => assert!(!verdict.passed && verdict.message.contains(said), "{line}: {verdict:?}, not {said}"),
    }
}

fn check(line: &str, expected: Result<(), &str>) {
    check_of(&answer(), line, expected);
}

#[test]
fn status_headers_and_body() {
    check("status is 200", Ok(()));
    check("status is 404", Err("status is 200"));
    check("status isOneOf [200, 204]", Ok(()));
    check("status isAtLeast 200", Ok(()));
    check("status isBelow 200", Err("status is 200"));
    check("header.Content-Type startsWith application/", Ok(()));
    check("header.content-type is \"application/json\"", Ok(()));
    check("header.vary is a, b", Ok(()));
    check("header.x-count isAbove 11", Ok(()));
    check("header.set-cookie isAbsent", Ok(()));
    check("header.vary isAbsent", Err("header.vary is \"a, b\""));
    check("header.etag exists", Err("there is no header.etag"));
    check("body includes \"fern\"", Ok(()));
    check("body doesNotInclude moss", Ok(()));
    check("body matches /\"size\":\\d/", Ok(()));
    check("body doesNotMatch ^fern", Ok(()));
    check("body endsWith }", Ok(()));
    check("body.length isAbove 100", Ok(()));
}

#[test]
fn paths_into_json() {
    check("json.name is fern", Ok(()));
    check("json.name isNot \"moss\"", Ok(()));
    check("json.leaves[1].size is 5.5", Ok(()));
    check("json.leaves.length is 2", Ok(()));
    check("json.name.length is 4", Ok(()));
    check("json.deep.length is 7", Ok(()));
    check("json.tags includes \"b\"", Ok(()));
    check("json.tags includes \"c\"", Err("json.tags is [\"a\",\"b\"]"));
    check("json.tags is [\"a\", \"b\"]", Ok(()));
    check("json[\"odd key\"] is null", Ok(()));
    check("json.dead is false", Ok(()));
    check("json.leaves[7] exists", Err("there is no json.leaves[7]"));
    check_of(&Observed { body: b"fern".to_vec(), ..answer() }, "json.name is fern", Err("no JSON"));
}

#[test]
fn logs_timings_and_outcomes() {
    check("log includes grown", Ok(()));
    check("log.count is 2", Ok(()));
    check("log[1] matches \\d days", Ok(()));
    check("log[2] isAbsent", Ok(()));
    check_of(&Observed { log: vec![], ..answer() }, "log isAbsent", Ok(()));
    check("timings.run isBelow 2 ms", Ok(()));
    check("timings.run isBelow 1.8ms", Err("timings.run is 1.900 ms"));
    check("timings.total isAbove 1900 µs", Ok(()));
    check("timings.reset isAbsent", Ok(()));
    check("outcome is exited", Ok(()));
    check("outcome.exit_code is 3", Ok(()));
    check("outcome.trap isAbsent", Ok(()));
    let limit = LimitReport { name: "cpu_ms".into(), message: "500 ms are used up".into() };
    let limited = Observed { report: Some((Timings::default(), Outcome::Limited(limit))), ..answer() };
    check_of(&limited, "outcome.limit is cpu_ms", Ok(()));
    let trap = TrapReport {
        kind: "unreachable".into(),
        message: "unreachable".into(),
        function: None,
        wasm_offset: None,
        place: Some(SourcePlace { file: "main.c".into(), line: 13, column: 0 }),
        frames: vec![],
    };
    let trapped = Observed { report: Some((Timings::default(), Outcome::Trapped(trap))), ..answer() };
    check_of(&trapped, "outcome.trap is unreachable", Ok(()));
    check_of(&trapped, "outcome.place is main.c:13", Ok(()));
    check_of(&Observed { report: None, ..answer() }, "outcome is finished", Err("did not come in time"));
}

#[test]
fn what_cannot_be_read_fails_with_a_sentence() {
    check("weather is 200", Err("there is no \"weather\" to look at"));
    check("status equals 200", Err("there is no comparison \"equals\""));
    check("status", Err("nothing is said of status"));
    check("status is", Err("is needs a value"));
    check("status isAbove many", Err("isAbove needs a number"));
    check("status exists 3", Err("nothing stands behind exists"));
    check("timings.run isBelow 5", Err("is no time"));
    check("timings.boot isBelow 5 ms", Err("queue, instantiate, run, reset, total"));
    check("body matches /(/", Err("cannot be read"));
    check("json..name is 3", Err("the path \"..name\""));
    check("json[x] is 3", Err("the path \"[x]\""));
    check("[open status is 200", Err("no ]"));
    check("body is \"open", Err("cannot be read as JSON"));
    check("outcome.mood is 3", Err("exit_code"));
}

#[test]
fn labels_comments_and_lines_are_kept() {
    let verdicts = answer().judge(&read("# what a fern is like\n\n[is there] status is 200\n  body includes fern  \n"), || Ok(()));
    let kept: Vec<_> = verdicts.iter().map(|verdict| (verdict.label.as_str(), verdict.line, verdict.passed)).collect();
    assert_eq!(kept, [("is there", 3, true), ("body includes fern", 4, true)]);
}

#[test]
fn a_long_body_is_cut_in_the_message() {
    let long = Observed { body: "é".repeat(5_000).into_bytes(), ..answer() };
    let verdicts = long.judge(&read("body is fern"), || Ok(()));
    assert!(verdicts[0].message.len() < 500 && verdicts[0].message.ends_with('…'), "{}", verdicts[0].message);
}

#[test]
fn what_is_not_looked_at_in_time_fails_and_says_so() {
    let left = std::cell::Cell::new(1);
    let in_time = || if left.replace(0) > 0 { Ok(()) } else { Err("the time is over".to_owned()) };
    let verdicts = answer().judge(&read("status is 200\nbody isAbsent\nstatus is 200"), in_time);
    let told: Vec<_> = verdicts.iter().map(|verdict| (verdict.passed, verdict.message.as_str())).collect();
    assert_eq!(told, [(true, ""), (false, "the time is over"), (false, "the time is over")]);
}

#[test]
fn what_many_lines_look_at_is_read_once() {
    let observed = answer();
    let read = Read { observed: &observed, body: OnceCell::new(), json: OnceCell::new(), log: OnceCell::new() };
    for target in ["body", "json", "log"] {
        let target = Target::read(target).unwrap();
        let at = |found: Option<Cow<'_, Value>>| std::ptr::from_ref(found.unwrap().as_ref());
        assert_eq!(at(read.find(&target).unwrap()), at(read.find(&target).unwrap()), "{target}");
    }
}
