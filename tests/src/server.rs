//! A server of its own for a test: the real binary, a data folder that goes with the test, loopback ports of the kernel's choice.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// How long a test waits for something that takes milliseconds on a quiet machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The binary under test: `make test` builds it first.
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    // Tests lie in target/PROFILE/deps, other programs beside the binary; those of other workspaces elsewhere.
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/debug");
    let mut candidates = test.ancestors().skip(1).take(2).chain([&*built]).map(|folder| folder.join("vivarium"));
    candidates.find(|candidate| candidate.is_file()).expect("the binary is missing: run `make build` first")
}

/// Where the toolchains are, as `make` sets them up.
pub fn toolchains() -> PathBuf {
    if let Ok(folder) = std::env::var("VIVARIUM_TOOLCHAINS") {
        return folder.into();
    }
    let data = std::env::var("XDG_DATA_HOME").unwrap_or_else(|_| format!("{}/.local/share", std::env::var("HOME").unwrap_or_default()));
    Path::new(&data).join("vivarium/toolchains")
}

/// A running server.
pub struct Server {
    child: Child,
    data: TempDir,
    /// `http://127.0.0.1:PORT`
    pub url: String,
    agent: ureq::Agent,
}

/// An answer over HTTP.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.text()))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

impl Server {
    /// Starts one in a fresh data folder.
    pub fn start() -> Server {
        Server::start_in(TempDir::new().expect("a folder can be made"))
    }

    /// Starts one over a data folder that another has left.
    pub fn start_in(data: TempDir) -> Server {
        Server::start_as(Command::new(binary()), &[], data)
    }

    /// With these options of `serve`.
    pub fn start_with(options: &[&str]) -> Server {
        Server::start_as(Command::new(binary()), options, TempDir::new().expect("a folder can be made"))
    }

    /// By a command that ends in the name of the program, with these options of `serve`.
    pub fn start_as(mut command: Command, options: &[&str], data: TempDir) -> Server {
        command.args(["serve", "--workshop", "127.0.0.1:0", "--gateway", "127.0.0.1:0", "--data"]).arg(data.path()).args(options);
        command.env("VIVARIUM_TOOLCHAINS", toolchains()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let url = printed_url(&mut child);
        let agent =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).max_redirects(0).build().new_agent();
        Server { child, data, url, agent }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// Ends the workshop as a power cut would, and gives back its data folder.
    pub fn kill(mut self) -> TempDir {
        self.end();
        std::mem::replace(&mut self.data, TempDir::new().expect("a folder can be made"))
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None, None)
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path, Some(body), None)
    }

    /// One call of the API; `token` is a deployment's owner token.
    pub fn call(&self, method: &str, path: &str, body: Option<&Value>, token: Option<&str>) -> Answer {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let answer = match body {
            Some(body) => {
                let request = request.header("content-type", "application/json").body(body.to_string()).expect("a valid request");
                self.agent.run(request)
            }
            None => self.agent.run(request.body(()).expect("a valid request")),
        };
        read(answer)
    }

    /// Deploys source; the answer is what the API said.
    pub fn deploy(&self, language: &str, files: Value) -> Answer {
        self.post("/api/v1/deployments", &json!({ "language": language, "files": files }))
    }

    /// Deploys source that must build; the deployment.
    pub fn deployed(&self, language: &str, file: &str, text: &str) -> Value {
        let answer = self.deploy(language, json!({ file: text }));
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()
    }

    /// A visitor's request to a deployment's own host name.
    pub fn visit(&self, deployment: &Value, path: &str) -> Answer {
        let url = deployment["url"].as_str().expect("a deployment has a URL");
        self.visit_host(url, path)
    }

    /// Any request to a deployment's own host name.
    pub fn ask(&self, deployment: &Value, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let url = deployment["url"].as_str().expect("a deployment has a URL");
        let (url, authority) = self.guest_address(url, path);
        let mut request = ureq::http::Request::builder().method(method).uri(url).header("host", authority);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(if body.is_empty() {
            self.agent.run(request.body(()).expect("a valid request"))
        } else {
            self.agent.run(request.body(body.to_owned()).expect("a valid request"))
        })
    }

    /// One with a body.
    pub fn visit_with(&self, deployment: &Value, method: &str, path: &str, body: &[u8]) -> Answer {
        let url = deployment["url"].as_str().expect("a deployment has a URL");
        let (url, authority) = self.guest_address(url, path);
        let request = ureq::http::Request::builder().method(method).uri(url).header("host", authority);
        read(self.agent.run(request.body(body).expect("a valid request")))
    }

    /// One that may find nobody: `None`.
    pub fn try_visit(&self, deployment: &Value, path: &str) -> Option<Answer> {
        let url = deployment["url"].as_str().expect("a deployment has a URL");
        let (url, authority) = self.guest_address(url, path);
        let request = ureq::http::Request::builder().method("GET").uri(url).header("host", authority);
        let answer = self.agent.run(request.body(()).expect("a valid request")).ok()?;
        let status = answer.status().as_u16();
        let mut body = Vec::new();
        answer.into_body().into_reader().read_to_end(&mut body).ok()?;
        Some(Answer { status, headers: vec![], body })
    }

    /// Where a URL of a deployment is asked, and by which Host.
    fn guest_address(&self, url: &str, path: &str) -> (String, String) {
        let authority = url.trim_start_matches("http://").trim_end_matches('/');
        let port = authority.rsplit(':').next().expect("a URL of ours names its port");
        (format!("http://127.0.0.1:{port}{path}"), authority.to_owned())
    }

    /// The same to any `http://name.localhost:PORT/`.
    pub fn visit_host(&self, url: &str, path: &str) -> Answer {
        let (url, authority) = self.guest_address(url, path);
        let request = ureq::http::Request::builder().method("GET").uri(url).header("host", authority);
        read(self.agent.run(request.body(()).expect("a valid request")))
    }

    /// The port on which deployments answer.
    pub fn guest_port(deployment: &Value) -> u16 {
        let url = deployment["url"].as_str().expect("a deployment has a URL");
        url.trim_end_matches('/').rsplit(':').next().and_then(|port| port.parse().ok()).expect("a URL of ours names its port")
    }

    /// The process that serves visitors, by its role.
    pub fn gateway_pid(&self) -> Option<u32> {
        self.children("gateway").first().copied()
    }

    /// Process ids of the children in this role.
    pub fn children(&self, role: &str) -> Vec<u32> {
        children_with_role(self.pid(), role)
    }

    /// The process that sends requests to backends.
    pub fn fetch_pid(&self) -> Option<u32> {
        children_with_role(self.pid(), "fetch").first().copied()
    }

    /// Opens the event stream of some topics.
    pub fn events(&self, topics: &str) -> Events {
        Events::open(&self.url, topics)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// Polls until `probe` gives something, for at most [`PATIENCE`].
pub fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A server-sent event.
#[derive(Debug)]
pub struct Event {
    pub name: String,
    pub data: Value,
}

/// An open event stream, read by a thread of its own until the server ends or this is dropped with its process.
pub struct Events(Receiver<Event>);

impl Events {
    fn open(url: &str, topics: &str) -> Events {
        let authority = url.trim_start_matches("http://").to_string();
        let mut stream = TcpStream::connect(&authority).expect("the workshop listens");
        let request = format!("GET /api/v1/events?topics={topics} HTTP/1.1\r\nhost: {authority}\r\naccept: text/event-stream\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("the workshop reads");
        let (send, receive) = channel();
        std::thread::spawn(move || {
            let mut name = String::new();
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                if let Some(value) = line.strip_prefix("event:") {
                    name = value.trim().to_string();
                } else if let Some(value) = line.strip_prefix("data:")
                    && let Ok(data) = serde_json::from_str(value.trim())
                    && send.send(Event { name: name.clone(), data }).is_err()
                {
                    return;
                }
            }
        });
        Events(receive)
    }

    /// The next event that `wanted` accepts; others are passed over.
    pub fn next(&self, what: &str, wanted: impl Fn(&Event) -> bool) -> Event {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let event = self.0.recv_timeout(left).unwrap_or_else(|_| panic!("no event came: {what}"));
            if wanted(&event) {
                return event;
            }
        }
    }
}

/// Process ids of children of `parent` that run in this role.
fn children_with_role(parent: u32, role: &str) -> Vec<u32> {
    let is_one = |pid: &u32| {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let stat = read("stat");
        let ppid = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
        ppid == Some(parent) && read("cmdline").split('\0').nth(1) == Some(role)
    };
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_one).collect()
}

fn printed_url(child: &mut Child) -> String {
    let stdout = child.stdout.take().expect("stdout is piped");
    let (send, receive) = channel();
    // Reads on until the server ends, so that the server never blocks on a full pipe.
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = send.send(line);
        }
    });
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = receive.recv_timeout(left).expect("the server prints its URL");
        if let Some(start) = line.find("http://127.0.0.1:") {
            let url: String = line[start..].chars().take_while(|c| !c.is_whitespace() && *c != '"').collect();
            return url.trim_end_matches('/').to_string();
        }
    }
}

fn read(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
    let answer = answer.unwrap_or_else(|error| panic!("the request failed: {error}"));
    let status = answer.status().as_u16();
    let headers =
        answer.headers().iter().map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())).collect();
    let mut body = Vec::new();
    answer.into_body().into_reader().read_to_end(&mut body).expect("the body reads");
    Answer { status, headers, body }
}
