//! Counts its visitors: the number outlives the request, and the server.
use vivarium::{kv, respond};

fn main() {
    let before = kv::get("visitors").and_then(|text| String::from_utf8(text).ok()?.parse().ok()).unwrap_or(0u64);
    let now = before + 1;
    match kv::set("visitors", now.to_string()) {
        Ok(()) => respond(200, "text/plain; charset=utf-8", format!("You are visitor {now}.\n")),
        Err(error) => respond(503, "text/plain; charset=utf-8", format!("The number cannot be kept now: {error}.\n")),
    }
}
