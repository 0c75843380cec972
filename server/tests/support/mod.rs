//! The real binary in a temporary data folder, and a client that speaks just enough HTTP.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

pub const VIVARIUM: &str = env!("CARGO_BIN_EXE_vivarium");

/// A running server; dropping it kills it, as `kill -9` does.
pub struct Server {
    child: Child,
    pub workshop: String,
    pub guests: String,
}

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {} {}", self.head, self.body))
    }
}

impl Server {
    pub fn start(data: &Path) -> Server {
        let mut child = vivarium(data)
            .args(["serve", "--json", "--workshop", "127.0.0.1:0", "--gateway", "127.0.0.1:0", "--verify-resets"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        let workshop = told["workshop_url"].as_str().unwrap().trim_start_matches("http://").trim_end_matches('/').to_owned();
        Server { child, workshop, guests: format!("127.0.0.1:{}", told["guest_port"]) }
    }

    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it as a service manager does; its exit code.
    pub fn terminate(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap().code()
    }

    pub fn get(&self, path: &str) -> Answer {
        send(&self.workshop, &self.workshop, "GET", path, "", "").unwrap()
    }

    pub fn post(&self, path: &str, token: Option<&str>, body: &Value) -> Answer {
        post(&self.workshop, path, token, body).unwrap()
    }

    /// What a visitor of `<slug>.localhost` gets.
    pub fn visit(&self, slug: &str, path: &str) -> Answer {
        let port = self.guests.rsplit(':').next().unwrap();
        send(&self.guests, &format!("{slug}.localhost:{port}"), "GET", path, "", "").unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Asks until there is an answer; a test that waits for more than this has failed.
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    for _ in 0..3_000 {
        if let Some(answer) = ask() {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it never came to this: {what}")
}

/// None when the server went away in the middle.
pub fn post(address: &str, path: &str, token: Option<&str>, body: &Value) -> Option<Answer> {
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    send(address, address, "POST", path, &format!("Content-Type: application/json\r\n{token}"), &body.to_string())
}

pub fn send(address: &str, host: &str, method: &str, path: &str, headers: &str, body: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).ok()?;
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n");
    stream.write_all((head + body).as_bytes()).ok()?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() })
}

pub fn vivarium(data: &Path) -> Command {
    let mut command = Command::new(VIVARIUM);
    // No test depends on toolchains that happen to be installed.
    command.env("VIVARIUM_DATA", data).env_remove("VIVARIUM_TOOLCHAINS").stdin(Stdio::null());
    command
}

pub fn run(data: &Path, arguments: &[&str]) -> Output {
    vivarium(data).args(arguments).output().unwrap()
}

/// A service in WAT that answers with this text and logs a line.
pub fn service(text: &str) -> String {
    let answer = format!("Content-Type: text/plain\\r\\n\\r\\n{text}");
    let length = "Content-Type: text/plain\r\n\r\n".len() + text.len();
    format!(
        r#"(module
          (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (data (i32.const 100) "{answer}")
          (data (i32.const 60) "a line\n")
          (func $print (param $to i32) (param $from i32) (param $length i32)
            (i32.store (i32.const 0) (local.get $from))
            (i32.store (i32.const 4) (local.get $length))
            (drop (call $fd_write (local.get $to) (i32.const 0) (i32.const 1) (i32.const 20))))
          (func (export "_start")
            (call $print (i32.const 2) (i32.const 60) (i32.const 7))
            (call $print (i32.const 1) (i32.const 100) (i32.const {length})))
          (func (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1))))"#
    )
}

pub fn program(source: &str) -> Value {
    json!({ "language": "wat", "files": { "main.wat": source } })
}
