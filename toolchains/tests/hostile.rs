//! A compiler that a stranger has taken over: node runs the stranger's script behind each wall, and everything that it tries is refused.

mod support;

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Output};

use support::{JAILS, folder, jail_program};
use vivarium_toolchains::JailKind;

/// Tries what it should not be able to do; prints a line `NAME: refused` or `NAME: DONE …` for each.
const ATTEMPTS: &str = "
const fs = require('node:fs'), net = require('node:net'), { spawnSync } = require('node:child_process');
const [canary, port, victim, jobs] = process.argv.slice(2);
const attempt = (name, action) => { try { console.log(name + ': DONE ' + action()); } catch (error) { console.log(name + ': refused'); } };
attempt('read the canary', () => fs.readFileSync(canary, 'utf8'));
attempt('read /etc/passwd', () => fs.readFileSync('/etc/passwd', 'utf8'));
attempt('read the environment of the parent', () => fs.readFileSync('/proc/' + process.ppid + '/environ', 'utf8'));
attempt('list the jobs of others', () => { const found = fs.readdirSync(jobs).filter((name) => name.includes('hostile')); if (found.length === 0) throw 0; return found; });
attempt('write into the root', () => fs.writeFileSync(process.execPath + '.x', 'x'));
attempt('write a source', () => fs.writeFileSync('new.c', 'x'));
attempt('make a link in the output', () => fs.symlinkSync('/etc/passwd', process.env.TMPDIR + '/link') ?? fs.readFileSync(process.env.TMPDIR + '/link'));
attempt('kill a process of the host', () => process.kill(Number(victim), 'SIGKILL'));
attempt('run a shell', () => { const { error, stdout } = spawnSync('/bin/sh', ['-c', 'id']); if (error) throw error; return stdout; });
console.log('user: ' + process.getuid());
const socket = net.connect(Number(port), '127.0.0.1', () => { console.log('connect: DONE'); process.exit(); });
socket.on('error', () => { console.log('connect: refused'); });
";

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Runs the script as a compiler would run, with room for so many processes and threads.
fn run(jail: JailKind, processes: &str, args: &[&str]) -> Output {
    let jobs = folder().join("root/job");
    let job = tempfile::Builder::new().prefix("hostile-").tempdir_in(&jobs).unwrap();
    for (name, mode) in [("src", 0o755), ("out", 0o777), ("", 0o755)] {
        let path = job.path().join(name);
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    }
    fs::write(job.path().join("src/attempts.cjs"), ATTEMPTS).unwrap();
    let root = if jail == JailKind::Landlock && !is_root() { folder().join("root").display().to_string() } else { String::new() };
    let numbers = [("--cpu-seconds", "10"), ("--data-bytes", "2147483648"), ("--file-bytes", "1048576"), ("--processes", processes)];
    let mut command = Command::new(jail_program());
    command.args(["jail", "--kind", &jail.to_string(), "--toolchains"]).arg(folder()).arg("--job").arg(job.path());
    command.args(numbers.iter().flat_map(|(option, value)| [option, value])).arg("--");
    command.args([&format!("{root}/usr/bin/node"), "attempts.cjs"]).args(args).arg(format!("{root}/job")).output().unwrap()
}

#[test]
fn a_compiler_that_was_taken_over_reaches_nothing() {
    let mut canary = tempfile::Builder::new().permissions(Permissions::from_mode(0o644)).tempfile().unwrap();
    std::io::Write::write_all(&mut canary, b"secret").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    for jail in JAILS {
        let mut victim = Command::new("sleep").arg("30").spawn().unwrap();
        let output = run(jail, "512", &[&canary.path().display().to_string(), &port, &victim.id().to_string()]);
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let results: BTreeMap<&str, &str> = told.lines().filter_map(|line| line.split_once(": ")).collect();
        assert_eq!(results.len(), 11, "{jail}: {told}{}", String::from_utf8_lossy(&output.stderr));
        let user = results["user"];
        assert_ne!(user, "0", "{jail}: the compiler runs as root");
        for (name, result) in results.iter().filter(|(name, _)| **name != "user") {
            assert_eq!(*result, "refused", "{jail}: {name}");
        }
        assert!(victim.try_wait().unwrap().is_none(), "{jail}: a process of the host was killed");
        victim.kill().unwrap();
        victim.wait().unwrap();
    }
}

/// Node needs some ten threads before it reads a script.
#[test]
fn processes_are_bounded() {
    for jail in JAILS {
        let output = run(jail, "1", &["/none", "1", "1"]);
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success() && !told.contains("user: "), "{jail}: {told}");
    }
}

#[test]
fn a_jail_without_its_options_starts_nothing() {
    let output = Command::new(jail_program()).args(["jail", "--", "/bin/echo", "started"]).output().unwrap();
    assert_eq!(output.status.code(), Some(126));
    assert!(output.stdout.is_empty(), "a program ran without a jail");
    let output = Command::new(jail_program()).args(["jail", "--kind", "none", "--", "/bin/echo", "started"]).output().unwrap();
    assert_eq!(output.status.code(), Some(126));
    assert!(Path::new("/bin/echo").exists() && output.stdout.is_empty());
}
