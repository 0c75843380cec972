//! A workshop's part of the play: compiles, signs, loads, asks over TCP, keeps what the gateway tells.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ed25519_dalek::SigningKey;
use tokio::sync::Notify;
use vivarium::compile::pool::{CompilePool, Job};
use vivarium::control::messages::{KvAsk, Loaded, LogEntry, RunReport, Settings, Wanted};
use vivarium::gateway::listeners::bind_all;
use vivarium::gateway::supervisor::{Gateway, GatewayObserver, GatewaySettings};
use vivarium::limits::Limits;
use vivarium::processes::Spawner;
use vivarium_artifact::{Setting, SignedArtifact};
use vivarium_toolchains::Cancel;

/// What no test waits longer for than. Never reached when things work.
pub const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Default)]
pub struct Heard {
    pub reports: Mutex<Vec<RunReport>>,
    pub logs: Mutex<Vec<LogEntry>>,
    pub wanted: Mutex<Vec<Wanted>>,
    pub restarts: Mutex<Vec<String>>,
    pub starts: Mutex<u32>,
    changed: Notify,
}

impl GatewayObserver for Heard {
    fn reports(&self, reports: Vec<RunReport>) {
        self.reports.lock().unwrap().extend(reports);
        self.changed.notify_waiters();
    }

    fn logs(&self, lines: Vec<LogEntry>) {
        self.logs.lock().unwrap().extend(lines);
        self.changed.notify_waiters();
    }

    fn wanted(&self, wanted: Wanted) {
        self.wanted.lock().unwrap().push(wanted);
        self.changed.notify_waiters();
    }

    fn kv(&self, asks: Vec<KvAsk>) {
        panic!("no program here has stores: {asks:?}");
    }

    fn restarted(&self, reason: String) {
        self.restarts.lock().unwrap().push(reason);
        self.changed.notify_waiters();
    }

    fn ready(&self) {
        *self.starts.lock().unwrap() += 1;
        self.changed.notify_waiters();
    }
}

impl Heard {
    /// Waits until the condition holds.
    pub async fn until(&self, what: &str, condition: impl Fn(&Heard) -> bool) {
        let waiting = async {
            loop {
                let mut changed = std::pin::pin!(self.changed.notified());
                changed.as_mut().enable();
                if condition(self) {
                    return;
                }
                changed.await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "waited in vain: {what}");
    }

    pub async fn report_of(&self, slug: &str) -> RunReport {
        let of = |heard: &Heard| heard.reports.lock().unwrap().iter().find(|report| report.slug == slug).cloned();
        self.until("a report", |heard| of(heard).is_some()).await;
        of(self).unwrap()
    }
}

pub struct Stage {
    pub gateway: Gateway,
    pub heard: Arc<Heard>,
    pub address: SocketAddr,
    pub compilers: CompilePool,
    key: SigningKey,
}

pub fn limits() -> Limits {
    Limits { instances_max: 40, ..Limits::default() }
}

impl Stage {
    pub async fn set(threads: usize, limits: Limits) -> Stage {
        let spawner = Spawner::with_program(PathBuf::from(env!("CARGO_BIN_EXE_vivarium")));
        let listeners = bind_all("127.0.0.1:0".parse().unwrap(), threads).unwrap();
        let address = listeners[0].local_addr().unwrap();
        let key = SigningKey::from_bytes(&[7; 32]);
        let heard = Arc::new(Heard::default());
        let settings = GatewaySettings {
            listeners,
            guest_port: address.port(),
            guest_domain: "localhost".into(),
            workshop_url: "http://127.0.0.1:7878/".into(),
            verifying_key: key.verifying_key().to_bytes(),
            limits: limits.clone(),
            verify_resets: true,
            reset: vivarium::reset::forced().unwrap(),
            fetcher: None,
        };
        let compilers = CompilePool::start(spawner.clone(), 1, &limits);
        let gateway = Gateway::start(spawner, settings, heard.clone()).unwrap();
        let stage = Stage { gateway, heard, address, compilers, key };
        stage.heard.until("the gateway is ready", |heard| *heard.starts.lock().unwrap() > 0).await;
        stage
    }

    /// A signed artifact.
    pub fn artifact(&self, wat: &str) -> Vec<u8> {
        let wasm = wat::parse_str(wat).unwrap();
        let compiled = self.compilers.compile(Job::new(&wasm, Setting::Fast), &|_, _, _| {}, &Cancel::new()).unwrap();
        self.signed(compiled.elf)
    }

    pub fn signed(&self, mut elf: Vec<u8>) -> Vec<u8> {
        SignedArtifact::sign(&mut elf, &self.key);
        elf
    }

    pub async fn deploy(&self, slug: &str, revision: u32, wat: &str) {
        let loaded = self.gateway.load(loaded(slug, revision), &self.artifact(wat)).await;
        assert!(loaded.clone().is_ok_and(|load_us| load_us > 0.0), "{loaded:?}");
    }

    /// Asks the current revision.
    pub async fn get(&self, slug: &str, path: &str) -> Response {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: {slug}.localhost:{}\r\nConnection: close\r\n\r\n", self.address.port())).await
    }

    /// Sends these bytes on a connection of their own.
    pub async fn ask(&self, bytes: &str) -> Response {
        let (address, bytes) = (self.address, bytes.to_owned());
        tokio::task::spawn_blocking(move || exchange(TcpStream::connect(address).unwrap(), &bytes)).await.unwrap()
    }
}

pub fn loaded(slug: &str, revision: u32) -> Loaded {
    Loaded {
        slug: slug.into(),
        revision,
        current: true,
        language: "wat".into(),
        expires_at_unix_ms: u64::MAX,
        settings: Settings { environment: vec![("VIVARIUM_TEST".into(), "1".into())], ..Settings::default() },
        files: vec![],
        next_request_id: 11,
    }
}

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// Writes a request, reads until the other side closes.
pub fn exchange(mut stream: TcpStream, bytes: &str) -> Response {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    response(&answer)
}

pub fn response(answer: &str) -> Response {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Response { status, head: head.to_lowercase(), body: body.to_owned() }
}
