use crate::programs::{endless, flood, greeter, program, sleeper, trapping};
use crate::stage::{Stage, limits, loaded, response};
use std::io::{Read as _, Write as _};
use vivarium::control::messages::{Loaded, LogStream, Outcome, Run, Wanted};
use vivarium::gateway::supervisor::LoadFailure;
use vivarium::limits::Limits;

#[tokio::test]
async fn a_program_answers_at_its_address_and_in_the_path_form() {
    let stage = Stage::set(2, limits()).await;
    stage.deploy("fern", 1, &greeter("hello")).await;
    let answer = stage.get("fern", "/?leaves=5").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "hello"), "{answer:?}");
    assert!(answer.head.contains("content-type: text/plain") && answer.head.contains("server-timing: queue;dur="), "{answer:?}");
    let report = stage.heard.report_of("fern").await;
    assert_eq!((report.id, report.revision, report.status, report.bytes), (11, 1, 200, 5));
    assert_eq!((report.method.as_str(), report.path.as_str(), &report.outcome), ("GET", "/?leaves=5", &Outcome::Finished));
    assert!(report.timings.instantiate.is_some() && report.timings.run > Some(0.0) && report.timings.reset.is_some());
    let port = stage.address.port();
    let by_path = stage.ask(&format!("GET /_d/fern/x HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n")).await;
    assert_eq!((by_path.status, by_path.body.as_str()), (200, "hello"));
    assert!(by_path.head.contains("content-security-policy: sandbox"), "{by_path:?}");
}

#[tokio::test]
async fn what_is_not_served_has_a_page_of_its_own() {
    let stage = Stage::set(1, Limits { load_wait_ms: 100, ..limits() }).await;
    let wrong = stage.ask("GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n").await;
    assert_eq!(wrong.status, 421);
    let late = stage.get("oak", "/").await;
    assert_eq!(late.status, 503);
    assert!(late.head.contains("retry-after: 1"), "{late:?}");
    assert_eq!(stage.heard.wanted.lock().unwrap()[0].slug, "oak");
    let wanted = |slug: &str, revision| Wanted { slug: slug.to_owned(), revision };
    stage.gateway.unknown(wanted("oak", None));
    stage.gateway.expire("moss", 1_000);
    stage.gateway.failed(wanted("ivy", None), "its source is gone");
    stage.gateway.unknown(wanted("ash", Some(99)));
    stage.deploy("fern", 1, &greeter("hello")).await;
    assert_eq!(stage.get("oak", "/").await.status, 404);
    assert_eq!(stage.get("moss", "/").await.status, 410);
    assert_eq!(stage.get("ash--r99", "/").await.status, 404);
    assert_eq!(stage.get("ash", "/").await.status, 503, "that revision 99 is unknown says nothing of the deployment itself");
    let failed = stage.get("ivy", "/").await;
    assert!(failed.status == 503 && failed.body.contains("its source is gone"), "{failed:?}");
    assert_eq!(stage.get("fern", "/.viv/x").await.status, 404);
}

#[tokio::test]
async fn a_visitor_waits_while_the_workshop_loads_what_he_wants() {
    let stage = Stage::set(1, limits()).await;
    let artifact = stage.artifact(&greeter("late but here"));
    let (answer, ()) = tokio::join!(stage.get("fern", "/"), async {
        stage.heard.until("it is wanted", |heard| !heard.wanted.lock().unwrap().is_empty()).await;
        stage.gateway.load(loaded("fern", 4), &artifact).await.unwrap();
    });
    assert_eq!((answer.status, answer.body.as_str()), (200, "late but here"));
}

#[tokio::test]
async fn a_trap_is_told_with_its_kind_and_function() {
    let stage = Stage::set(1, limits()).await;
    stage.deploy("fern", 1, &trapping()).await;
    let answer = stage.get("fern", "/").await;
    assert!(answer.status == 500 && answer.body.contains("integer divide by zero") && answer.body.contains("frond"), "{answer:?}");
    let Outcome::Trapped(trap) = stage.heard.report_of("fern").await.outcome else { panic!("it trapped") };
    assert_eq!((trap.kind.as_str(), trap.function.as_deref()), ("integer_divide_by_zero", Some("frond")));
    assert_eq!(stage.get("fern", "/").await.status, 500, "the next instance begins afresh");
}

#[tokio::test]
async fn an_endless_loop_ends_at_its_deadline_while_neighbours_answer() {
    let stage = Stage::set(1, Limits { cpu_ms: 300, ..limits() }).await;
    stage.deploy("loop", 1, &endless()).await;
    stage.deploy("fern", 1, &greeter("hello")).await;
    let neighbours = async {
        let mut answered = 0;
        while stage.heard.reports.lock().unwrap().iter().filter(|report| report.slug == "loop").count() < 3 {
            assert_eq!(stage.get("fern", "/").await.status, 200);
            answered += 1;
        }
        answered
    };
    let (first, second, third, answered) = tokio::join!(stage.get("loop", "/"), stage.get("loop", "/"), stage.get("loop", "/"), neighbours);
    for answer in [first, second, third] {
        assert!(answer.status == 503 && answer.body.contains("cpu_ms"), "{answer:?}");
    }
    assert!(answered > 3, "{answered} neighbours were answered while three loops ran on their only thread");
}

#[tokio::test]
async fn lines_are_told_while_the_program_runs() {
    let stage = Stage::set(1, limits()).await;
    stage.deploy("fern", 1, &sleeper(400)).await;
    let (answer, early) = tokio::join!(stage.get("fern", "/"), async {
        stage.heard.until("its line", |heard| !heard.logs.lock().unwrap().is_empty()).await;
        stage.heard.reports.lock().unwrap().is_empty()
    });
    assert_eq!((answer.status, answer.body.as_str()), (200, "awake"));
    assert!(early, "the line came before the request's end");
    let line = stage.heard.logs.lock().unwrap()[0].clone();
    assert_eq!((line.text.as_str(), line.stream, line.request_id), ("going to sleep", LogStream::Stderr, Some(11)));
}

#[tokio::test]
async fn a_waiting_program_ends_at_the_wall() {
    let stage = Stage::set(1, Limits { wall_ms: 200, ..limits() }).await;
    stage.deploy("fern", 1, &sleeper(60_000)).await;
    let answer = stage.get("fern", "/").await;
    assert!(answer.status == 503 && answer.body.contains("wall_ms"), "{answer:?}");
}

#[tokio::test]
async fn requests_in_flight_end_on_the_revision_on_which_they_began() {
    let stage = Stage::set(1, limits()).await;
    stage.deploy("fern", 1, &sleeper(500)).await;
    let (old, new) = tokio::join!(stage.get("fern", "/"), async {
        stage.heard.until("the old one runs", |heard| !heard.logs.lock().unwrap().is_empty()).await;
        stage.deploy("fern", 2, &greeter("second")).await;
        stage.gateway.unload("fern", 1);
        stage.get("fern", "/").await
    });
    assert_eq!((old.body.as_str(), new.body.as_str()), ("awake", "second"));
}

#[tokio::test]
async fn in_flight_requests_of_one_deployment_are_bounded() {
    let stage = Stage::set(1, Limits { in_flight_per_deployment_max: 1, ..limits() }).await;
    stage.deploy("fern", 1, &sleeper(500)).await;
    let (first, second) = tokio::join!(stage.get("fern", "/"), async {
        stage.heard.until("it runs", |heard| !heard.logs.lock().unwrap().is_empty()).await;
        stage.get("fern", "/").await
    });
    assert_eq!((first.status, second.status), (200, 503));
    assert!(second.head.contains("retry-after"), "{second:?}");
}

#[tokio::test]
async fn a_broken_answer_is_a_502_and_plain_text_is_served_with_a_hint() {
    let stage = Stage::set(1, limits()).await;
    let say = |bytes: usize| format!("(call $say (i32.const 1) (i32.const 1024) (i32.const {bytes}))");
    stage.deploy("broken", 1, &program("Status: 999\\n\\nx", &say(14))).await;
    stage.deploy("plain", 1, &program("just text", &say(9))).await;
    assert_eq!(stage.get("broken", "/").await.status, 502);
    let plain = stage.get("plain", "/").await;
    assert_eq!((plain.status, plain.body.as_str()), (200, "just text"));
    stage
        .heard
        .until("a hint", |heard| heard.logs.lock().unwrap().iter().any(|line| line.slug == "plain" && line.stream == LogStream::Vivarium))
        .await;
}

#[tokio::test]
async fn too_long_a_body_is_refused_and_half_a_head_is_closed() {
    let stage = Stage::set(1, Limits { header_read_ms: 200, request_body_bytes_max: 10, ..limits() }).await;
    stage.deploy("fern", 1, &greeter("hello")).await;
    let port = stage.address.port();
    let long = format!("POST / HTTP/1.1\r\nHost: fern.localhost:{port}\r\nConnection: close\r\nContent-Length: 11\r\n\r\n01234567890");
    assert_eq!(stage.ask(&long).await.status, 413);
    let half = stage.ask("GET / HTTP/1.1\r\nHost: fern").await;
    assert_eq!(half.status, 0, "closed without an answer: {half:?}");
}

/// More than the buffers of a connection hold.
const FLOOD_PIECES: u32 = 192;

#[tokio::test]
async fn a_long_answer_to_a_late_body_waits_for_a_slow_visitor() {
    let stage = Stage::set(1, Limits { header_read_ms: 100, ..limits() }).await;
    stage.deploy("fern", 1, &flood(FLOOD_PIECES)).await;
    let address = stage.address;
    let received = tokio::task::spawn_blocking(move || {
        let pause = || std::thread::sleep(std::time::Duration::from_millis(300));
        let mut visitor = std::net::TcpStream::connect(address).unwrap();
        visitor.write_all(b"POST / HTTP/1.1\r\nHost: fern.localhost\r\nConnection: close\r\nContent-Length: 4\r\n\r\n").unwrap();
        pause();
        visitor.write_all(b"leaf").unwrap();
        pause();
        let mut first = vec![0; 1 << 20];
        visitor.read_exact(&mut first).unwrap();
        pause();
        let mut rest = Vec::new();
        visitor.read_to_end(&mut rest).unwrap();
        first.len() + rest.len()
    });
    let received = received.await.unwrap();
    assert!(received > FLOOD_PIECES as usize * 65_536, "{received} bytes came");
}

#[tokio::test]
async fn a_request_is_in_flight_until_its_answer_has_left() {
    let stage = Stage::set(1, Limits { in_flight_per_deployment_max: 1, ..limits() }).await;
    stage.deploy("fern", 1, &flood(FLOOD_PIECES)).await;
    let mut slow = std::net::TcpStream::connect(stage.address).unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nHost: fern.localhost\r\nConnection: close\r\n\r\n").unwrap();
    let report = stage.heard.report_of("fern").await;
    assert_eq!((report.status, report.bytes), (200, u64::from(FLOOD_PIECES) * 65_536));
    assert_eq!(stage.get("fern", "/").await.status, 503, "the slow visitor's answer is still held");
    let all = tokio::task::spawn_blocking(move || slow.read_to_end(&mut Vec::new()).unwrap()).await.unwrap();
    assert!(all as u64 > report.bytes);
    assert_eq!(stage.get("fern", "/").await.status, 200);
}

#[tokio::test]
async fn answers_that_wait_to_be_sent_count_as_memory() {
    let room = 2 * u64::from(FLOOD_PIECES) * 65_536;
    let stage = Stage::set(1, Limits { gateway_memory_bytes_max: room, stream_after_ms: 60_000, ..limits() }).await;
    stage.deploy("fern", 1, &flood(FLOOD_PIECES)).await;
    let slow = || {
        let mut visitor = std::net::TcpStream::connect(stage.address).unwrap();
        visitor.write_all(b"GET / HTTP/1.1\r\nHost: fern.localhost\r\n\r\n").unwrap();
        visitor
    };
    let first = slow();
    stage.heard.until("one answer waits", |heard| heard.reports.lock().unwrap().len() == 1).await;
    let second = slow();
    stage.heard.until("two answers wait", |heard| heard.reports.lock().unwrap().len() == 2).await;
    let refused = stage.get("fern", "/").await;
    assert!(refused.status == 503 && !refused.body.is_empty(), "{refused:?}");
    drop((first, second));
    let served = async {
        while stage.get("fern", "/").await.status != 200 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(crate::stage::PATIENCE, served).await.is_ok(), "visitors who left hold nothing");
}

#[tokio::test]
async fn a_revision_that_is_taken_back_leaves_the_one_before_it() {
    let stage = Stage::set(1, limits()).await;
    stage.deploy("fern", 1, &greeter("first")).await;
    stage.deploy("fern", 2, &greeter("second")).await;
    assert_eq!(stage.get("fern", "/").await.body, "second");
    stage.gateway.unload("fern", 2);
    stage.gateway.set_current("fern", 1);
    // A run is asked for after them on the same socket, so they have been heard once it is answered.
    stage.gateway.run(Run::default(), &stage.artifact(&greeter("run"))).await.unwrap();
    assert_eq!(stage.get("fern", "/").await.body, "first");
    let artifact = stage.artifact(&greeter("second"));
    stage.gateway.load(Loaded { current: false, ..loaded("fern", 2) }, &artifact[..artifact.len() - 1]).await.unwrap_err();
    assert_eq!(stage.get("fern", "/").await.body, "first", "a refused load changes nothing");
}

#[tokio::test]
async fn many_loads_are_all_answered() {
    let stage = Stage::set(2, limits()).await;
    let artifact = stage.artifact(&greeter("hello"));
    let mut loads = tokio::task::JoinSet::new();
    for number in 1..=100 {
        loads.spawn(stage.gateway.load(loaded(&format!("fern{number}"), number), &artifact));
    }
    for result in loads.join_all().await {
        assert!(result.is_ok(), "{result:?}");
    }
    for number in [1, 50, 100] {
        assert_eq!(stage.get(&format!("fern{number}"), "/").await.body, "hello");
    }
}

#[tokio::test]
async fn the_workshop_is_one_more_visitor() {
    let stage = Stage::set(1, limits()).await;
    stage.deploy("fern", 1, &greeter("hello")).await;
    let mut socket = stage.gateway.connect().unwrap();
    let answer = tokio::task::spawn_blocking(move || {
        socket.write_all(b"GET / HTTP/1.1\r\nHost: fern.localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    });
    assert_eq!(response(&answer.await.unwrap()).body, "hello");
}

#[tokio::test]
async fn an_artifact_that_was_changed_is_refused() {
    let stage = Stage::set(1, limits()).await;
    let mut artifact = stage.artifact(&greeter("hello"));
    let middle = artifact.len() / 2;
    artifact[middle] ^= 1;
    let refused = stage.gateway.load(loaded("fern", 1), &artifact).await.unwrap_err();
    assert!(matches!(refused, LoadFailure::Refused(_)) && refused.to_string().contains("signed by another key or changed"), "{refused}");
}

#[tokio::test]
async fn a_visitor_who_leaves_is_reported_and_his_program_ended() {
    let stage = Stage::set(1, limits()).await;
    stage.deploy("fern", 1, &sleeper(9_000)).await;
    let mut visitor = std::net::TcpStream::connect(stage.address).unwrap();
    visitor.write_all(b"GET / HTTP/1.1\r\nHost: fern.localhost\r\n\r\n").unwrap();
    stage.heard.until("it runs", |heard| !heard.logs.lock().unwrap().is_empty()).await;
    drop(visitor);
    let report = stage.heard.report_of("fern").await;
    assert_eq!((report.status, report.outcome), (499, Outcome::Failed { message: "the visitor left before the answer".into() }));
}
