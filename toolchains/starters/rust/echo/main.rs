//! Sends the request back: its method, its path, who asked, and its body.
use vivarium::{Request, respond};

fn main() {
    let agent = Request.header("user-agent").unwrap_or("none".into());
    let head = format!("{} {}\nUser-Agent: {agent}\n\n", Request.method(), Request.path());
    respond(200, "text/plain; charset=utf-8", [head.into_bytes(), Request.body()].concat());
}
