//! What was acknowledged is there again: after storms of deployments in which processes are killed, on a full disk, from a backup. And what keeps a server
//! from starting is said in one sentence.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use vivarium_tests::server::{Server, binary, eventually, toolchains};

/// Names how many storms there are.
const STORMS: &str = "VIVARIUM_STORMS";
const STORMS_DEFAULT: u64 = 20;
const DEPLOYERS: usize = 3;

fn service(text: &str) -> String {
    let answer: String = format!("Content-Type: text/plain\n\n{text}").bytes().map(|byte| format!("\\{byte:02x}")).collect();
    let length = answer.len() / 3;
    format!(
        r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 100) "{answer}")
        (func (export "_start")
            (i32.store (i32.const 0) (i32.const 100)) (i32.store (i32.const 4) (i32.const {length}))
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#
    )
}

/// Numbers that are different for each storm and the same in each run.
fn scattered(seed: u64) -> u64 {
    seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33
}

fn kill(pid: u32) {
    // It may have ended by itself meanwhile.
    let _ = Command::new("kill").args(["-9", &pid.to_string()]).stderr(std::process::Stdio::null()).status();
}

/// All acknowledged deployments by slug, with what each says.
type Acknowledged = Mutex<Vec<(String, String)>>;

/// Deploys until the workshop is gone or the storm is over.
fn deploy_on(url: &str, name: &str, over: &AtomicBool, acknowledged: &Acknowledged) {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(60))).build().into();
    for number in 0.. {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let text = format!("{name}-{number}.");
        let program = json!({ "language": "wat", "files": { "main.wat": service(&text) } });
        let answer = agent.post(format!("{url}/api/v1/deployments")).content_type("application/json").send(program.to_string());
        let Ok(mut answer) = answer else { return };
        let Ok(body) = answer.body_mut().read_to_string() else { return };
        match (answer.status().as_u16(), serde_json::from_str::<Value>(&body)) {
            (201, Ok(view)) => acknowledged.lock().unwrap().push((view["slug"].as_str().unwrap().to_owned(), text)),
            // A process that it needed was killed.
            (503, _) => {}
            (422, _) if body.contains("the compiler ended without an answer") => {}
            (status, _) => panic!("{status}: {body}"),
        }
    }
}

#[test]
fn nothing_that_was_acknowledged_is_lost_in_storms_of_deployments_and_deaths() {
    let storms: u64 = std::env::var(STORMS).ok().and_then(|number| number.parse().ok()).unwrap_or(STORMS_DEFAULT);
    let options = ["--limit", "deployments_per_minute_max=1000000", "--limit", "deployments_max=100000"];
    let acknowledged = Acknowledged::default();
    let mut data = TempDir::new().unwrap();
    let mut killed = [0; 3];
    for storm in 0..storms {
        let server = Server::start_as(Command::new(binary()), &options, data);
        let (url, over) = (server.url.clone(), AtomicBool::new(false));
        data = std::thread::scope(|scope| {
            for deployer in 0..DEPLOYERS {
                let (url, over, acknowledged) = (&url, &over, &acknowledged);
                scope.spawn(move || deploy_on(url, &format!("{storm}-{deployer}"), over, acknowledged));
            }
            // However busy the machine is: some deployments, and a moment of the next ones.
            let enough = acknowledged.lock().unwrap().len() as u64 + 1 + scattered(storm) % 6;
            eventually("some deployments", || (acknowledged.lock().unwrap().len() as u64 >= enough).then_some(()));
            std::thread::sleep(Duration::from_millis(scattered(storm + 3_000) % 40));
            let victim = (storm % 3) as usize;
            match victim {
                0 => {}
                1 => server.gateway_pid().into_iter().for_each(kill),
                _ => server.children("compile-worker").into_iter().for_each(kill),
            }
            killed[victim] += 1;
            if victim != 0 {
                std::thread::sleep(Duration::from_millis(scattered(storm + 2_000) % 120));
            }
            over.store(true, Ordering::Relaxed);
            // A deployer in the middle of its last request loses it, or has it acknowledged.
            server.kill()
        });
        check_database(data.path());
    }
    let acknowledged = acknowledged.into_inner().unwrap();
    assert!(acknowledged.len() as u64 >= storms, "{} deployments in {storms} storms are none", acknowledged.len());
    let server = Server::start_as(Command::new(binary()), &options, data);
    for (slug, text) in &acknowledged {
        let view = server.get(&format!("/api/v1/deployments/{slug}"));
        assert_eq!(view.status, 200, "{slug} of {} is lost", acknowledged.len());
        let answer = eventually("an answer", || Some(server.visit(&view.json(), "/")).filter(|answer| answer.status != 503));
        assert_eq!((answer.status, answer.text()), (200, text.clone()), "{slug}");
    }
    println!(
        "{storms} storms, killed {killed:?} (workshop alone, gateway and workshop, compile workers and workshop), {} acknowledged, 0 lost",
        acknowledged.len()
    );
}

fn check_database(data: &Path) {
    let database = rusqlite::Connection::open(data.join("vivarium.sqlite")).unwrap();
    let verdict: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    let lone: i64 = database
        .query_row("SELECT count(*) FROM revisions WHERE slug NOT IN (SELECT slug FROM deployments)", [], |row| row.get(0))
        .unwrap();
    assert_eq!(lone, 0, "revisions without a deployment");
}

#[test]
fn a_backup_made_under_load_restores_to_a_server_that_answers() {
    let server = Server::start_with(&["--limit", "deployments_per_minute_max=1000000"]);
    let acknowledged = Acknowledged::default();
    let (url, over) = (server.url.clone(), AtomicBool::new(false));
    let place = TempDir::new().unwrap();
    let archive = place.path().join("backup.tar");
    let before = std::thread::scope(|scope| {
        for deployer in 0..DEPLOYERS {
            let (url, over, acknowledged) = (&url, &over, &acknowledged);
            scope.spawn(move || deploy_on(url, &format!("b-{deployer}"), over, acknowledged));
        }
        eventually("some deployments", || (acknowledged.lock().unwrap().len() >= 10).then_some(()));
        let before = acknowledged.lock().unwrap().clone();
        let output = Command::new(binary()).args(["backup", "--data"]).arg(server.data()).arg(&archive).output().unwrap();
        over.store(true, Ordering::Relaxed);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        before
    });
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&archive).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600, "it holds secrets");
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "nothing else is left behind");
    drop(server);

    let restored = TempDir::new().unwrap();
    assert!(Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(restored.path()).status().unwrap().success());
    let server = Server::start_in(restored);
    for (slug, text) in &before {
        let view = server.get(&format!("/api/v1/deployments/{slug}"));
        assert_eq!(view.status, 200, "{slug}: {}", view.text());
        let answer = eventually("an answer", || Some(server.visit(&view.json(), "/")).filter(|answer| answer.status != 503));
        assert_eq!(answer.text(), *text);
    }
    let nothing = TempDir::new().unwrap();
    let output = Command::new(binary()).args(["backup", "--data"]).arg(nothing.path()).arg(&archive).output().unwrap();
    assert!(!output.status.success() && sentence(&output).contains("nothing to back up"), "{}", sentence(&output));
}

/// The size of the disk in these tests, and a file that takes what is left of it.
const DISK: &str = "size=48m";
const FILLER: &str = "filler";

/// Files of a process in a mount namespace of its own, as that process sees them.
fn seen_by(pid: u32, path: &Path) -> PathBuf {
    Path::new(&format!("/proc/{pid}/root")).join(path.strip_prefix("/").unwrap())
}

#[test]
fn on_a_full_disk_urls_answer_and_new_deployments_are_refused_until_there_is_room() {
    let data = TempDir::new().unwrap();
    let mount = format!("mount -t tmpfs -o {DISK} none {} && exec \"$0\" \"$@\"", data.path().display());
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &mount, binary().to_str().unwrap()]);
    if !Command::new("unshare").args(["--user", "--map-root-user", "--mount", "true"]).status().is_ok_and(|status| status.success()) {
        println!("not run: this system gives no user namespace in which a disk could be mounted");
        return;
    }
    let server = Server::start_as(command, &[], data);
    let before = server.deployed("wat", "main.wat", &service("before"));
    assert_eq!(server.visit(&before, "/").text(), "before");
    let filler = seen_by(server.pid(), server.data()).join(FILLER);
    fill(&filler);

    let mut refused = 0;
    for number in 0..20 {
        // Each has other files, which have to be stored.
        let text = service(&format!("no room {number}"));
        let assets = json!({ "noise.txt": "A".repeat(400_000 - 4 * number) });
        let program = json!({ "language": "wat", "files": { "main.wat": text }, "assets": assets });
        let answer = server.post("/api/v1/deployments", &program);
        assert_eq!(answer.status, 507, "{}", answer.text());
        assert!(answer.text().contains("disk of the data folder is full"), "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        refused += 1;
        assert_eq!(server.visit(&before, "/").text(), "before");
    }
    let health = server.get("/healthz").json();
    assert_eq!(health["deployments"]["live"], 1, "{refused} that were refused are rolled back: {health}");

    fs::remove_file(&filler).unwrap();
    let after = server.deployed("wat", "main.wat", &service("after"));
    assert_eq!((server.visit(&after, "/").text(), server.visit(&before, "/").text()), ("after".into(), "before".into()));
}

/// Takes all room that there is.
fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    for bytes in [1 << 20, 4096, 1] {
        let block = vec![7; bytes];
        while file.write_all(&block).is_ok() {}
    }
}

fn sentence(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

/// A server that should not start; what it says.
fn refused_to_start(options: &[&str], data: &Path) -> String {
    let mut command = Command::new(binary());
    command.args(["serve", "--workshop", "127.0.0.1:0", "--gateway", "127.0.0.1:0", "--data"]).arg(data).args(options);
    let output = command.env("VIVARIUM_TOOLCHAINS", toolchains()).output().unwrap();
    assert!(!output.status.success(), "it started");
    let said = sentence(&output);
    assert_eq!(said.lines().count(), 1, "one sentence: {said}");
    said
}

#[test]
fn what_keeps_a_server_from_starting_is_said_in_one_sentence() {
    let data = TempDir::new().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for option in ["--workshop", "--gateway"] {
        let mut command = Command::new(binary());
        command.args(["serve", "--data"]).arg(data.path()).args([option, &taken]);
        let other = if option == "--workshop" { "--gateway" } else { "--workshop" };
        let output = command.args([other, "127.0.0.1:0"]).output().unwrap();
        let said = sentence(&output);
        assert!(!output.status.success() && said.contains(&taken) && said.contains("give another address with"), "{said}");
    }
    // Root may write everywhere, but not below a file.
    let file = data.path().join("a file");
    fs::write(&file, "x").unwrap();
    let said = refused_to_start(&[], &file.join("data"));
    assert!(said.contains("cannot make") && said.contains("a file"), "{said}");
    let said = refused_to_start(&["--limit", "memory=1"], data.path());
    assert!(said.contains("there is no limit \"memory\""), "{said}");

    drop(Server::start_in(TempDir::new().unwrap()));
    let newer = TempDir::new().unwrap();
    let database = rusqlite::Connection::open(newer.path().join("vivarium.sqlite")).unwrap();
    database.pragma_update(None, "user_version", 9_999).unwrap();
    drop(database);
    let said = refused_to_start(&[], newer.path());
    assert!(said.contains("version 9999") && said.contains("start the newer Vivarium"), "{said}");

    let damaged = TempDir::new().unwrap();
    fs::write(damaged.path().join("vivarium.sqlite"), "this is no database, and long enough to be taken for a damaged one".repeat(100))
        .unwrap();
    let said = refused_to_start(&[], damaged.path());
    assert!(said.contains("damaged") && said.contains("backup"), "{said}");

    let server = Server::start();
    let said = refused_to_start(&[], server.data());
    assert!(said.contains("in use by another Vivarium server"), "{said}");
}
