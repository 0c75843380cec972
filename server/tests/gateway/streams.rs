//! Answers that leave while their program still runs, and what comes of those that never become whole.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::programs::program;
use super::stage::{PATIENCE, Stage, limits};
use vivarium::control::messages::Outcome;
use vivarium::limits::Limits;

/// Head and "one", then "two" and "three" at 1024 and after.
const DATA: &str = "Content-Type: text/plain\\n\\none two three";
const HEAD_AND_ONE: &str = "(call $say (i32.const 1) (i32.const 1024) (i32.const 29))";
const TWO: &str = "(call $say (i32.const 1) (i32.const 1053) (i32.const 4))";
const THREE: &str = "(call $say (i32.const 1) (i32.const 1057) (i32.const 6))";
const NAP: &str = "(call $sleep (i64.const 200))";
const LONG_SLEEP: &str = "(call $sleep (i64.const 9000))";

fn visit(stage: &Stage, method: &str) -> TcpStream {
    let mut visitor = TcpStream::connect(stage.address).unwrap();
    visitor.set_read_timeout(Some(PATIENCE)).unwrap();
    visitor.write_all(format!("{method} / HTTP/1.1\r\nHost: fern.localhost\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
    visitor
}

async fn read_to_end(mut visitor: TcpStream) -> String {
    let read = move || {
        let mut answer = String::new();
        // An answer that is not whole may end in a reset.
        let _ = visitor.read_to_string(&mut answer);
        answer
    };
    tokio::task::spawn_blocking(read).await.unwrap()
}

#[tokio::test]
async fn a_piece_leaves_when_it_was_printed_and_all_of_them_make_the_answer() {
    let stage = Stage::set(1, limits()).await;
    stage.deploy("fern", 1, &program(DATA, &format!("{HEAD_AND_ONE} {NAP} {TWO} {NAP} {THREE}"))).await;
    let answer = read_to_end(visit(&stage, "GET")).await;
    assert!(answer.to_lowercase().contains("transfer-encoding: chunked"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n3\r\none\r\n4\r\n two\r\n6\r\n three\r\n0\r\n\r\n"), "{answer:?}");
    let report = stage.heard.report_of("fern").await;
    assert_eq!((report.status, report.bytes, report.outcome), (200, 13, Outcome::Finished));
}

#[tokio::test]
async fn the_first_piece_arrives_before_the_program_ends() {
    let stage = Stage::set(1, limits()).await;
    stage.deploy("fern", 1, &program(DATA, &format!("{HEAD_AND_ONE} {LONG_SLEEP}"))).await;
    let mut visitor = visit(&stage, "GET");
    let visitor = tokio::task::spawn_blocking(move || {
        let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
        while !answer.ends_with(b"one\r\n") {
            let length = visitor.read(&mut piece).unwrap();
            assert_ne!(length, 0, "closed early");
            answer.extend_from_slice(&piece[..length]);
        }
        visitor
    });
    let visitor = visitor.await.unwrap();
    assert!(stage.heard.reports.lock().unwrap().is_empty(), "it still runs");
    drop(visitor);
    let report = stage.heard.report_of("fern").await;
    assert_eq!((report.status, report.outcome), (499, Outcome::Failed { message: "the visitor left before the answer".into() }));
}

#[tokio::test]
async fn nobody_takes_an_answer_for_whole_whose_program_trapped() {
    let stage = Stage::set(1, limits()).await;
    stage.deploy("fern", 1, &program(DATA, &format!("{HEAD_AND_ONE} {NAP} unreachable"))).await;
    let answer = read_to_end(visit(&stage, "GET")).await;
    assert!(answer.contains("\r\none\r\n") && !answer.ends_with("0\r\n\r\n"), "{answer:?}");
    let report = stage.heard.report_of("fern").await;
    assert!(report.status == 200 && matches!(report.outcome, Outcome::Trapped(_)), "{report:?}");
    stage.heard.until("the log says so", |heard| heard.logs.lock().unwrap().iter().any(|line| line.text.contains("was closed"))).await;
}

#[tokio::test]
async fn one_who_does_not_read_uses_up_the_time_of_his_request() {
    let stage = Stage::set(1, Limits { stream_ms: 600, stream_after_ms: 20, ..limits() }).await;
    let flood = "(loop $more (call $say (i32.const 1) (i32.const 65536) (i32.const 65536)) (call $sleep (i64.const 1)) (br $more))";
    stage.deploy("fern", 1, &program(DATA, &format!("{HEAD_AND_ONE} {NAP} {flood}"))).await;
    let visitor = visit(&stage, "GET");
    let report = stage.heard.report_of("fern").await;
    assert!(matches!(&report.outcome, Outcome::Limited(limit) if limit.name == "stream_ms"), "{report:?}");
    assert!(report.bytes < limits().response_bytes_max as u64, "it did not run on: {} bytes", report.bytes);
    drop(visitor);
}

#[tokio::test]
async fn an_answer_without_a_body_is_not_begun_early() {
    let stage = Stage::set(1, limits()).await;
    stage.deploy("fern", 1, &program(DATA, &format!("{HEAD_AND_ONE} {NAP} {TWO}"))).await;
    let answer = read_to_end(visit(&stage, "HEAD")).await;
    assert!(answer.to_lowercase().contains("content-length: 7"), "{answer}");
    assert_eq!(stage.heard.report_of("fern").await.outcome, Outcome::Finished);
}

#[tokio::test]
async fn headers_of_the_connection_are_a_502_and_a_line_in_the_log() {
    let stage = Stage::set(1, limits()).await;
    let printed = "Content-Type: text/plain\\nTransfer-Encoding: chunked\\n\\n";
    let say = "(call $say (i32.const 1) (i32.const 1024) (i32.const 53))";
    stage.deploy("fern", 1, &program(printed, say)).await;
    assert_eq!(stage.get("fern", "/").await.status, 502);
    let said = |text: &str| text.contains("Transfer-Encoding: chunked") && text.contains("leave it out");
    stage.heard.until("the log says so", |heard| heard.logs.lock().unwrap().iter().any(|line| said(&line.text))).await;
}
