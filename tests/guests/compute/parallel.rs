use fastly::http::request::{PollResult, select};
use fastly::{Error, Request, Response};

#[fastly::main]
fn main(_: Request) -> Result<Response, Error> {
    let ask = |path: &str| Request::get(format!("http://elsewhere.test{path}")).send_async("origin");
    let mut pending = vec![ask("/1")?, ask("/2")?, ask("/3")?];
    let mut answers = Vec::new();
    while pending.len() > 1 {
        let (answer, rest) = select(pending);
        answers.push(answer?.into_body_str());
        pending = rest;
    }
    let mut last = pending.remove(0);
    let answer = loop {
        match last.poll() {
            PollResult::Pending(still) => last = still,
            PollResult::Done(answer) => break answer?,
        }
    };
    answers.push(answer.into_body_str());
    answers.sort();
    Ok(Response::from_body(answers.join("|")))
}
