//! A whole workshop on a port of its own, with stand-ins for toolchains, compiler and gateway, asked over real sockets.

mod builds;
mod check;
mod deployments;
mod events;
mod fiddles;
mod format;
mod optimising;
mod pace;
mod settings;
mod shares;
mod surface;
mod visits;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::control::messages::{Outcome, Wanted};
use crate::data_folder::DataFolder;
use crate::gateway::supervisor::GatewayObserver as _;
use crate::limits::Limits;
use crate::workshop::addresses::{AddressOptions, Addresses};
use crate::workshop::testing::{Stand, log, report};
use crate::workshop::{Observer, Workshop};

struct Server {
    address: SocketAddr,
    stand: Arc<Stand>,
    observer: Arc<Observer>,
    end: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<()>,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

async fn start(folder: &std::path::Path, limits: Limits) -> Server {
    start_before(folder, limits, "127.0.0.1:7879".parse().unwrap()).await
}

/// With what answers for the guests at that address.
async fn start_before(folder: &std::path::Path, limits: Limits, guests: SocketAddr) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let folder = DataFolder::open(folder).unwrap();
    let addresses = Addresses::new(address, guests, &AddressOptions::default()).unwrap();
    let stand = Arc::new(Stand::default());
    let mut observers = Vec::new();
    let parts = |observer| {
        observers.push(observer);
        Ok(stand.parts())
    };
    let workshop = Workshop::start(&folder, limits, addresses, "1", parts).await.unwrap();
    let (end, ended) = oneshot::channel::<()>();
    let served = tokio::spawn(async move { workshop.serve(listener, async { drop(ended.await) }).await });
    Server { address, stand, observer: observers.remove(0), end, served }
}

impl Server {
    async fn send(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = Vec::new();
        stream.read_to_end(&mut text).await.unwrap();
        let text = String::from_utf8_lossy(&text).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    async fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let (host, length) = (self.address, body.len());
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n");
        self.send(&(head + body)).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "", "").await
    }

    async fn post(&self, path: &str, token: Option<&str>, body: Value) -> Answer {
        let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        self.ask("POST", path, &format!("Content-Type: application/json\r\n{token}"), &body.to_string()).await
    }

    async fn end(self) {
        let _ = self.end.send(());
        self.served.await.unwrap();
    }
}

fn program(text: &str) -> Value {
    json!({ "language": "c", "files": { "main.c": text } })
}

fn with(mut program: Value, name: &str, value: Value) -> Value {
    program[name] = value;
    program
}

/// One event of a stream: its id, name and data.
async fn next_event(reader: &mut BufReader<TcpStream>) -> (String, String, Value) {
    let (mut id, mut name) = (String::new(), String::new());
    loop {
        let mut line = String::new();
        let read = tokio::time::timeout(Duration::from_secs(30), reader.read_line(&mut line)).await;
        assert!(read.expect("an event").unwrap() > 0, "the stream ended");
        match line.trim_end().split_once(": ").or(line.trim_end().split_once(':')) {
            Some(("id", value)) => id = value.into(),
            Some(("event", value)) => name = value.into(),
            Some(("data", value)) => return (id, name, serde_json::from_str(value).unwrap()),
            _ => {}
        }
    }
}

async fn listen(server: &Server, query: &str, headers: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!("GET /api/v1/events?{query} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", server.address);
    stream.write_all(head.as_bytes()).await.unwrap();
    BufReader::new(stream)
}
