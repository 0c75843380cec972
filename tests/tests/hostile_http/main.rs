//! Both ports against clients that mean no good, and browsers that are misled.

mod browsers;
mod crowds;
mod requests;

use serde_json::Value;
use vivarium_tests::server::Server;

/// Says how many bytes it was sent, in a header of its own, beside headers that no guest may give.
pub const GUEST: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 100) "ANSWER")
    (func (export "_start")
        (i32.store (i32.const 0) (i32.const 100)) (i32.store (i32.const 4) (i32.const LENGTH))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

/// A program whose answer is this text, head and body.
pub fn answering(answer: &str) -> String {
    let escaped: String = answer.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    GUEST.replace("ANSWER", &escaped).replace("LENGTH", &answer.len().to_string())
}

/// A server, what is deployed on it, and both ports with the Host that each answers for.
pub struct Ports {
    pub server: Server,
    pub deployment: Value,
    pub workshop: String,
    pub guests: String,
    pub guest_host: String,
}

impl Ports {
    pub fn start(options: &[&str]) -> Ports {
        Ports::of(Server::start_with(options), &answering("Content-Type: text/plain\n\nhello"))
    }

    pub fn of(server: Server, program: &str) -> Ports {
        let deployment = server.deployed("wat", "main.wat", program);
        let guest_host = deployment["url"].as_str().unwrap().trim_start_matches("http://").trim_end_matches('/').to_owned();
        let guests = format!("127.0.0.1:{}", Server::guest_port(&deployment));
        let workshop = server.url.trim_start_matches("http://").to_owned();
        Ports { server, deployment, workshop, guests, guest_host }
    }

    /// Each port with its Host and a path at which it reads a body.
    pub fn both(&self) -> [(&str, &str, &str); 2] {
        [(&self.workshop, &self.workshop, "/api/v1/runs"), (&self.guests, &self.guest_host, "/")]
    }

    pub fn answer(&self) {
        assert_eq!(self.server.visit(&self.deployment, "/").text(), "hello");
        assert_eq!(self.server.get("/healthz").status, 200);
    }
}
