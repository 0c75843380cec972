//! A program is compiled twice: at once, and optimised when its owner is quiet. The swap loses no request and changes no answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use vivarium_artifact::Setting;
use vivarium_tests::engine;
use vivarium_tests::server::{Server, eventually};

const SQUARES: &str = r#"#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(void) {
    const char *query = getenv("QUERY_STRING");
    if (strncmp(query, "slow", 4) == 0) sleep(5);
    long long number = atoll(query + strcspn(query, "0123456789"));
    printf("Content-Type: text/plain\n\n%lld FACTOR %lld\n", number, number * number);
}
"#;
/// Visitors at the same time.
const VISITORS: u32 = 3;

fn requests(server: &Server, deployment: &Value) -> Vec<Value> {
    let path = format!("/api/v1/deployments/{}/requests", deployment["slug"].as_str().unwrap());
    server.get(&path).json()["requests"].as_array().unwrap().clone()
}

fn until_answered_by(server: &Server, deployment: &Value, setting: &str) {
    eventually(setting, || requests(server, deployment).iter().any(|request| request["setting"] == setting).then_some(()));
}

/// Asks for squares for as long as `on`; every answer must be right. How many there were.
fn ask(server: &Server, deployment: &Value, first: u32, on: &AtomicBool) -> u32 {
    let mut asked = 0;
    while on.load(Ordering::Relaxed) {
        let number = u64::from(first + asked);
        let answer = server.visit(deployment, &format!("/?{number}"));
        assert_eq!((answer.status, answer.text()), (200, format!("{number} FACTOR {}\n", number * number)));
        asked += 1;
    }
    asked
}

#[test]
fn every_answer_is_right_while_optimised_code_is_swapped_in() {
    let server = Server::start();
    let deployment = server.deployed("c", "main.c", SQUARES);
    let (on, answers) = (AtomicBool::new(true), AtomicU32::new(0));
    std::thread::scope(|scope| {
        // It begins before the swap and ends after it.
        let slow = scope.spawn(|| server.visit(&deployment, "/?slow7"));
        for visitor in 0..VISITORS {
            let (server, deployment, on, answers) = (&server, &deployment, &on, &answers);
            scope.spawn(move || answers.fetch_add(ask(server, deployment, visitor * 1_000_000, on), Ordering::Relaxed));
        }
        until_answered_by(&server, &deployment, "fast");
        until_answered_by(&server, &deployment, "best");
        let slow = slow.join().unwrap();
        assert_eq!((slow.status, slow.text()), (200, "7 FACTOR 49\n".to_owned()));
        eventually("its report", || {
            let of_slow = requests(&server, &deployment).into_iter().find(|request| request["path"] == "/?slow7")?;
            assert_eq!(of_slow["setting"], "fast", "an instance keeps the code that it began with");
            Some(())
        });
        on.store(false, Ordering::Relaxed);
    });
    assert!(answers.load(Ordering::Relaxed) > 0);
    let after = server.visit(&deployment, "/?9");
    assert_eq!(after.text(), "9 FACTOR 81\n");
}

#[test]
fn an_edit_is_served_at_once_and_what_was_before_it_never_comes_back() {
    let server = Server::start();
    let deployment = server.deployed("c", "main.c", SQUARES);
    let token = deployment["owner_token"].as_str();
    // Edits around the moment at which the revision before is swapped.
    for edit in 0..6 {
        let source = SQUARES.replace("FACTOR", &format!("edit{edit}"));
        let body = json!({"language": "c", "files": {"main.c": source}, "slug": deployment["slug"]});
        let answer = server.call("POST", "/api/v1/deployments", Some(&body), token);
        assert_eq!(answer.status, 200, "{}", answer.text());
        for _ in 0..20 {
            assert_eq!(server.visit(&deployment, "/?3").text(), format!("3 edit{edit} 9\n"));
        }
        std::thread::sleep(Duration::from_millis(500 * edit));
        assert_eq!(server.visit(&deployment, "/?3").text(), format!("3 edit{edit} 9\n"));
    }
    eventually("optimised code of the last edit", || {
        assert_eq!(server.visit(&deployment, "/?3").text(), "3 edit5 9\n");
        requests(&server, &deployment).iter().any(|request| request["setting"] == "best" && request["revision"] == 7).then_some(())
    });
}

#[test]
fn code_that_was_swapped_out_is_let_go_with_its_last_instance() {
    let pool = engine::pool(4);
    let module = engine::load_wat("(module (memory 1) (func (export \"f\") (result i32) (i32.const 7)))", Setting::Fast);
    let running = pool.acquire(&module, engine::limits()).unwrap();
    pool.forget(&module);
    // A request that had found the module before it was swapped out.
    let mut late = pool.acquire(&module, engine::limits()).unwrap();
    assert_eq!(engine::call(&mut late, "f", &[]).ok(), Some(vec![7]));
    drop((running, late));
    assert_eq!(Arc::strong_count(&module), 1, "nobody else keeps it mapped");
}

#[test]
fn slots_that_are_ready_stay_so_for_code_whose_instances_begin_alike() {
    let wat = |byte: char| {
        format!(
            "(module (memory 1) (global $g (mut i32) (i32.const 3)) (data (i32.const 9) \"{byte}\") (func (export \"f\") (result i32)
            (i32.store8 (i32.const 9) (i32.add (i32.load8_u (i32.const 9)) (global.get $g))) (i32.load8_u (i32.const 9))))"
        )
    };
    let [fast, best] = [Setting::Fast, Setting::Best].map(|setting| engine::load_wat(&wat('a'), setting));
    let other = engine::load_wat(&wat('b'), Setting::Best);
    assert!(best.begins_as(&fast) && fast.begins_as(&best) && !other.begins_as(&fast));
    let pool = engine::pool(3);
    let serve = |module, expected: u8| {
        let mut instances = [0; 2].map(|_| pool.acquire(module, engine::limits()).unwrap());
        for instance in &mut instances {
            assert_eq!(engine::call(instance, "f", &[]).ok(), Some(vec![u128::from(expected)]));
        }
        instances
    };
    for _ in 0..5 {
        serve(&fast, b'd');
    }
    let running = pool.acquire(&fast, engine::limits()).unwrap();
    let warm = pool.warm_bytes();
    pool.succeed(&fast, &best);
    assert!(warm > 0 && pool.warm_bytes() == warm, "they hold what they held");
    for _ in 0..5 {
        assert!(serve(&best, b'd').iter().all(|instance| instance.module().digest() == best.digest()));
    }
    assert_eq!(pool.reset_method(&best), Some(engine::runtime().reset_method()), "what was learned of its writes holds");
    drop(running);
    assert_eq!(Arc::strong_count(&fast), 1, "code that was swapped out is let go");
    pool.forget(&best);
    drop(serve(&other, b'e'));
    assert_eq!(pool.discarded(), 0);
}
