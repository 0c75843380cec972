//! What an escaped guest would find: native code in a gateway, in a compile worker and in a compiler's jail tries every way out, on a system that gives
//! all walls and on one that does not.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use vivarium_tests::server::{Server, binary, eventually, toolchains};

const ATTACK: &str = env!("CARGO_BIN_EXE_attack");
const LESSER: &str = env!("CARGO_BIN_EXE_lesser-system");
const EPERM: i32 = 1;
/// The last attempt of all.
const LAST: &str = "hostname";
const HELLO: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 100) "Content-Type: text/plain\n\nhello")
    (func (export "_start")
        (i32.store (i32.const 0) (i32.const 100)) (i32.store (i32.const 4) (i32.const 31))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

/// Attempts that landlock, the empty root, the namespaces and the lack of capabilities refuse by themselves.
const WITHOUT_SECCOMP: &[&str] = &[
    "open",
    "openat",
    "openat-parent",
    "openat2",
    "creat",
    "create",
    "own-memory-file",
    "stat",
    "statx",
    "readlink",
    "mkdir",
    "connect",
    "mknod",
    "execve",
    "execveat",
    "kill-parent",
    "kill-init",
    "tgkill-parent",
    "sigqueue",
    "ptrace",
    "setns",
    "mount",
    "chroot",
    "pivot_root",
    "reboot",
    "kexec",
    "module",
    "swapon",
    "clock",
    "hostname",
];

/// Attempts of which no compiler needs what it tries.
const IN_A_JAIL: &[&str] = &[
    "open",
    "openat",
    "openat-parent",
    "openat2",
    "own-memory-file",
    "name_to_handle",
    "mknod",
    "socket",
    "socket-datagram",
    "socket-unix",
    "socket-netlink",
    "connect",
    "send-fast-open",
    "bind",
    "listen",
    "kill-parent",
    "kill-init",
    "tkill",
    "tgkill-parent",
    "sigqueue",
    "pidfd_open",
    "pidfd_getfd",
    "pidfd_send_signal",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "kcmp",
    "clone-namespace",
    "unshare",
    "setns",
    "personality",
    "userfaultfd",
    "io_uring",
    "bpf",
    "perf_event",
    "keyctl",
    "add_key",
    "modify_ldt",
    "x32-open",
    "mount",
    "chroot",
    "pivot_root",
    "reboot",
    "kexec",
    "module",
    "swapon",
    "iopl",
    "clock",
    "hostname",
];

/// The errno of each attempt, 0 for what went through, by the place of the attacker and its name.
fn told(lines: &str) -> BTreeMap<(String, String), i32> {
    let attempt = |line: &str| {
        let mut words = line.split(' ').skip_while(|word| *word != "attack").skip(1);
        let (place, name, errno) = (words.next()?, words.next()?, words.next()?);
        Some(((place.to_owned(), name.to_owned()), errno.parse().ok()?))
    };
    lines.lines().filter_map(attempt).collect()
}

fn of_place(told: &BTreeMap<(String, String), i32>, place: &str) -> BTreeMap<String, i32> {
    told.iter().filter(|((other, _), _)| other == place).map(|((_, name), errno)| (name.clone(), *errno)).collect()
}

/// A server whose gateways and compile workers attack, and what they have told by the time that both have tried everything.
fn attacked(mut command: Command) -> (Server, BTreeMap<String, i32>, BTreeMap<String, i32>) {
    let data = TempDir::new().unwrap();
    let log = data.path().join("stderr");
    command.stderr(File::create(&log).unwrap());
    let server = Server::start_as(command, &[], data);
    let deployment = server.deployed("wat", "main.wat", HELLO);
    let told = eventually("all attempts", || {
        let told = told(&fs::read_to_string(&log).unwrap());
        let both = ["gateway", "compile-worker"].into_iter().all(|place| told.contains_key(&(place.to_owned(), LAST.to_owned())));
        both.then_some(told)
    });
    assert_eq!(server.visit(&deployment, "/").text(), "hello", "an attacker that reached nothing disturbs nobody");
    let (gateway, worker) = (of_place(&told, "gateway"), of_place(&told, "compile-worker"));
    (server, gateway, worker)
}

fn walls(server: &Server) -> Value {
    eventually("a gateway", || Some(server.get("/healthz").json()["gateways"].clone()).filter(|gateways| gateways[0]["ready"] == true))[0]["walls"]
        .clone()
}

#[test]
fn nothing_that_an_escaped_guest_tries_leaves_its_process() {
    let (server, gateway, worker) = attacked(Command::new(ATTACK));
    for (place, attempts) in [("gateway", gateway), ("compile worker", worker)] {
        assert!(attempts.len() >= 80, "{} attempts", attempts.len());
        for (name, errno) in attempts {
            assert_eq!(errno, EPERM, "{place}: {name}");
        }
    }
    assert_eq!(walls(&server), serde_json::json!({ "seccomp": true, "landlock": true, "namespaces": true, "missing": [] }));
}

#[test]
fn the_same_attempts_get_through_where_there_are_no_walls() {
    let place = TempDir::new().unwrap();
    let output = Command::new(ATTACK).arg("nowhere").current_dir(place.path()).output().unwrap();
    let attempts = of_place(&told(&String::from_utf8_lossy(&output.stderr)), "nowhere");
    let refused: Vec<_> = attempts.iter().filter(|(_, errno)| **errno == EPERM).map(|(name, _)| name).collect();
    // An ordinary user is refused what only root may do.
    assert!(
        attempts.len() >= 80 && attempts.len() - refused.len() >= 60,
        "of {} attempts the system itself refuses {refused:?}",
        attempts.len()
    );
}

#[test]
fn a_gateway_has_no_privilege_left() {
    let server = Server::start();
    walls(&server);
    let pid = server.gateway_pid().unwrap();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim_start_matches(':').trim().to_owned();
    assert_eq!([line("CapEff"), line("CapPrm"), line("CapInh")], ["0000000000000000"; 3]);
    assert_eq!([line("NoNewPrivs"), line("Seccomp")], ["1", "2"]);
    assert_eq!(fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap().trim(), "500");
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"]);
}

#[test]
fn without_seccomp_no_guest_runs_unless_the_risk_is_named() {
    let lesser = |program: &Path| {
        let mut command = Command::new(LESSER);
        command.args(["seccomp", program.to_str().unwrap()]);
        command
    };
    let server = Server::start_as(lesser(&binary()), &[], TempDir::new().unwrap());
    let answer = server.deploy("wat", serde_json::json!({ "main.wat": HELLO }));
    assert_eq!(answer.status, 503, "{}", answer.text());
    let said = eventually("a reason", || server.get("/healthz").json()["gateways"][0]["last_end"].as_str().map(str::to_owned));
    assert!(said.contains("refuses seccomp") && said.contains("VIVARIUM_WITHOUT_SECCOMP"), "{said}");
    drop(server);

    let mut command = lesser(Path::new(ATTACK));
    command.env("VIVARIUM_WITHOUT_SECCOMP", "an-escaped-guest-may-reach-this-system");
    let (server, gateway, worker) = attacked(command);
    let walls = walls(&server);
    assert_eq!(
        (&walls["seccomp"], &walls["landlock"], &walls["namespaces"]),
        (&Value::from(false), &Value::from(true), &Value::from(true))
    );
    assert!(walls["missing"][0].as_str().unwrap().contains("seccomp"), "{walls}");
    for (place, attempts) in [("gateway", gateway), ("compile worker", worker)] {
        let through: Vec<_> = WITHOUT_SECCOMP.iter().filter(|name| attempts[**name] == 0).collect();
        assert!(through.is_empty(), "{place}: the other walls let {through:?} through");
    }
}

#[test]
fn what_a_system_lacks_besides_is_said_and_guests_are_served() {
    let data = TempDir::new().unwrap();
    let log = data.path().join("stderr");
    let mut command = Command::new(LESSER);
    command.args(["landlock,namespaces", ATTACK]).stderr(File::create(&log).unwrap());
    let server = Server::start_as(command, &[], data);
    let walls = walls(&server);
    assert_eq!(
        (&walls["seccomp"], &walls["landlock"], &walls["namespaces"]),
        (&Value::from(true), &Value::from(false), &Value::from(false))
    );
    assert_eq!(walls["missing"].as_array().unwrap().len(), 2, "{walls}");
    let printed = fs::read_to_string(&log).unwrap();
    for missing in ["namespaces of its own", "Landlock"] {
        assert!(walls.to_string().contains(missing) && printed.contains(missing), "{missing}: {walls} {printed}");
    }
    let deployment = server.deployed("wat", "main.wat", HELLO);
    assert_eq!(server.visit(&deployment, "/").text(), "hello");
    let attempts = eventually("all attempts", || {
        Some(of_place(&told(&fs::read_to_string(&log).unwrap()), "gateway")).filter(|attempts| attempts.contains_key(LAST))
    });
    assert!(attempts.iter().all(|(_, errno)| *errno == EPERM), "{attempts:?}");
}

#[test]
fn a_compiler_that_was_taken_over_reaches_nothing_by_native_code() {
    for kind in ["bwrap", "landlock"] {
        let job = tempfile::Builder::new().prefix("attack-").tempdir_in(toolchains().join("root/job")).unwrap();
        for (name, mode) in [("src", 0o755), ("out", 0o777), ("", 0o755)] {
            fs::create_dir_all(job.path().join(name)).unwrap();
            fs::set_permissions(job.path().join(name), Permissions::from_mode(mode)).unwrap();
        }
        fs::copy(ATTACK, job.path().join("src/attack")).unwrap();
        // As the ordinary user of an ordinary server sees them; root's compilers have the root of the toolchains as their own.
        let is_root = fs::metadata("/proc/self").is_ok_and(|about| std::os::unix::fs::MetadataExt::uid(&about) == 0);
        let root = if kind == "landlock" && !is_root { toolchains().join("root").display().to_string() } else { String::new() };
        let mut command = Command::new(ATTACK);
        command.args(["jail", "--kind", kind, "--toolchains"]).arg(toolchains()).arg("--job").arg(job.path());
        command.args(["--cpu-seconds", "10", "--data-bytes", "2147483648", "--file-bytes", "1048576", "--processes", "512", "--"]);
        command.arg(format!("{root}/lib64/ld-linux-x86-64.so.2")).args(["./attack", "inside"]);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        if said.contains("GLIBC_") {
            println!("not run: the C library of the toolchains is older than this system's");
            return;
        }
        let attempts = of_place(&told(&said), "inside");
        assert!(attempts.contains_key(LAST), "{kind}: {said}");
        let through: Vec<_> = IN_A_JAIL.iter().filter(|name| attempts[**name] == 0).collect();
        assert!(through.is_empty(), "{kind}: {through:?} went through");
        assert!(IN_A_JAIL.len() >= 40);
    }
}
