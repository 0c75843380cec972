use crate::programs::{flood, greeter, sleeper};
use crate::stage::{Stage, limits, loaded};
use std::io::{Read as _, Write as _};

use rustix::process::{Pid, Signal, kill_process};
use vivarium::control::messages::{Run, Wanted};
use vivarium::gateway::supervisor::LoadFailure;

fn end(pid: u32) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_killed_gateway_is_started_again_and_asks_for_what_visitors_want() {
    let stage = Stage::set(2, limits()).await;
    stage.deploy("fern", 1, &greeter("hello")).await;
    assert_eq!(stage.get("fern", "/").await.body, "hello");
    let artifact = stage.artifact(&greeter("hello again"));
    let first = stage.gateway.pid().unwrap();
    end(first);
    // The listener is open all the while: this visitor queues until the next gateway lives.
    let (answer, ()) = tokio::join!(stage.get("fern", "/"), async {
        stage.heard.until("it is wanted", |heard| !heard.wanted.lock().unwrap().is_empty()).await;
        stage.gateway.load(loaded("fern", 1), &artifact).await.unwrap();
    });
    assert_eq!(answer.body, "hello again");
    let status = stage.gateway.status();
    assert_eq!((status.restarts, status.ready), (1, true));
    assert_ne!(status.pid, Some(first));
    assert!(status.last_end.is_some_and(|reason| reason.contains("signal: 9")), "the reason names the signal");
}

#[tokio::test]
async fn questions_that_a_gateway_took_with_it_are_answered() {
    let stage = Stage::set(1, limits()).await;
    let running = stage.gateway.run(Run::default(), &stage.artifact(&sleeper(9_000)));
    stage.deploy("fern", 1, &sleeper(9_000)).await;
    end(stage.gateway.pid().unwrap());
    let lost = running.await.unwrap_err();
    assert!(lost.contains("try again"), "{lost}");
}

#[tokio::test]
async fn a_gateway_that_hangs_is_replaced() {
    let stage = Stage::set(1, limits()).await;
    let first = stage.gateway.pid().unwrap();
    kill_process(Pid::from_raw(i32::try_from(first).unwrap()).unwrap(), Signal::STOP).unwrap();
    stage.heard.until("another", |heard| *heard.starts.lock().unwrap() > 1).await;
    assert_ne!(stage.gateway.pid(), Some(first));
}

#[tokio::test]
async fn a_gateway_that_takes_no_messages_is_replaced_and_its_loads_are_lost() {
    let stage = Stage::set(1, limits()).await;
    let artifact = stage.artifact(&greeter("hello"));
    let first = stage.gateway.pid().unwrap();
    kill_process(Pid::from_raw(i32::try_from(first).unwrap()).unwrap(), Signal::STOP).unwrap();
    // More than the socket holds: not even a question whether it lives goes through any more.
    for _ in 0..20 {
        stage.gateway.failed(Wanted { slug: "oak".into(), revision: None }, &"x".repeat(60_000));
    }
    let lost = stage.gateway.load(loaded("fern", 1), &artifact).await;
    assert_eq!(lost, Err(LoadFailure::Lost));
    stage.heard.until("another", |heard| *heard.starts.lock().unwrap() > 1).await;
    assert_ne!(stage.gateway.pid(), Some(first));
    // What nobody waits for any more is not done by the next one.
    stage.gateway.load(loaded("moss", 1), &artifact).await.unwrap();
    assert_eq!((stage.get("moss", "/").await.status, stage.get("fern", "/").await.status), (200, 503));
}

#[tokio::test]
async fn a_drained_gateway_answers_what_is_in_flight() {
    let stage = Stage::set(1, limits()).await;
    stage.deploy("fern", 1, &sleeper(300)).await;
    let (answer, ()) = tokio::join!(stage.get("fern", "/"), async {
        stage.heard.until("it runs", |heard| !heard.logs.lock().unwrap().is_empty()).await;
        stage.gateway.drain().await;
    });
    assert_eq!(answer.body, "awake");
}

#[tokio::test]
async fn a_drained_gateway_sends_what_it_has_begun_to_send() {
    let stage = Stage::set(1, limits()).await;
    stage.deploy("fern", 1, &flood(192)).await;
    let mut slow = std::net::TcpStream::connect(stage.address).unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nHost: fern.localhost\r\nConnection: close\r\n\r\n").unwrap();
    let report = stage.heard.report_of("fern").await;
    let draining = stage.gateway.drain();
    let reading = tokio::task::spawn_blocking(move || {
        std::thread::sleep(std::time::Duration::from_millis(500));
        slow.read_to_end(&mut Vec::new()).unwrap()
    });
    let (all, ()) = tokio::join!(reading, draining);
    assert!(all.unwrap() as u64 > report.bytes);
}

#[tokio::test]
async fn a_gateway_ends_with_its_supervisor() {
    let stage = Stage::set(1, limits()).await;
    let pid = stage.gateway.pid().unwrap();
    drop(stage);
    let gone = async {
        while std::path::Path::new(&format!("/proc/{pid}")).exists() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(crate::stage::PATIENCE, gone).await.is_ok());
}

#[tokio::test]
async fn every_thread_of_a_gateway_is_sealed() {
    let stage = Stage::set(2, limits()).await;
    let tasks = std::fs::read_dir(format!("/proc/{}/task", stage.gateway.pid().unwrap())).unwrap();
    let statuses: Vec<String> = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("status")).unwrap()).collect();
    assert!(statuses.len() >= 4, "control, loader, two threads");
    for status in statuses {
        let line = |name: &str| status.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
        assert_eq!((line("Seccomp:").as_str(), line("NoNewPrivs:").as_str()), ("Seccomp:\t2", "NoNewPrivs:\t1"), "{}", line("Name"));
    }
}
