//! Lets each visitor ask five times in ten seconds and no more; says 429 and when to come again.
use std::time::{SystemTime, UNIX_EPOCH};

use vivarium::{Request, kv, respond};

const REQUESTS_MAX: usize = 5;
const SECONDS: u64 = 10;

fn main() {
    let visitor = Request.parameter("who").or(std::env::var("REMOTE_ADDR").ok()).unwrap_or_default();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let key = format!("throttle:{visitor}");
    let seen = String::from_utf8(kv::get(&key).unwrap_or_default()).unwrap_or_default();
    let mut times: Vec<u64> = seen.split(' ').filter_map(|time| time.parse().ok()).filter(|time| time + SECONDS > now).collect();
    if times.len() >= REQUESTS_MAX {
        let wait = times[0] + SECONDS - now;
        print!("Retry-After: {wait}\r\n");
        return respond(429, "text/plain; charset=utf-8", format!("Too many requests: come again in {wait} s.\n"));
    }
    times.push(now);
    let kept = times.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
    if kv::set(&key, kept).is_err() {
        return respond(503, "text/plain; charset=utf-8", "Nothing can be counted now.\n");
    }
    respond(200, "text/plain; charset=utf-8", format!("Request {} of {REQUESTS_MAX} in {SECONDS} seconds.\n", times.len()));
}
