//! How often one client may ask for what costs something: a bucket for each address, filled evenly over a minute.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::Method;

use super::Workshop;
use super::problem::Problem;
use crate::callers::one_client;
use crate::limits::Limits;

const MINUTE_SECONDS: f64 = 60.0;
/// Addresses that are remembered. Beyond it those whose bucket is full again are forgotten, then all: nobody is refused for others' sake.
const CLIENTS_MAX: usize = 4_096;

/// Who asks: the address of a connection's other end. Behind a proxy that is the proxy.
#[derive(Clone, Copy, Debug)]
pub struct Client(pub IpAddr);

pub struct Pace {
    per_minute: f64,
    clients: Mutex<HashMap<IpAddr, Bucket>>,
}

struct Bucket {
    left: f64,
    at: Instant,
}

impl Pace {
    pub fn new(per_minute_max: usize) -> Pace {
        Pace { per_minute: per_minute_max.max(1) as f64, clients: Mutex::default() }
    }

    /// Takes one from the client's bucket, or says after how many seconds there is one again.
    pub fn take(&self, client: IpAddr, now: Instant) -> Result<(), u64> {
        let client = one_client(client);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() >= CLIENTS_MAX && !clients.contains_key(&client) {
            clients.retain(|_, bucket| bucket.filled(self.per_minute, now) < self.per_minute);
            if clients.len() >= CLIENTS_MAX {
                clients.clear();
            }
        }
        let bucket = clients.entry(client).or_insert(Bucket { left: self.per_minute, at: now });
        bucket.left = bucket.filled(self.per_minute, now);
        bucket.at = now;
        if bucket.left < 1.0 {
            return Err(((1.0 - bucket.left) * MINUTE_SECONDS / self.per_minute).ceil() as u64);
        }
        bucket.left -= 1.0;
        Ok(())
    }
}

/// The buckets of what compilers and guests are asked for.
pub struct Paces {
    builds: Paced,
    deployments: Paced,
    runs: Paced,
    checks: Paced,
    kv_changes: Paced,
}

struct Paced {
    pace: Pace,
    limit: &'static str,
    per_minute_max: usize,
    what: &'static str,
}

impl Paces {
    pub fn new(limits: &Limits) -> Paces {
        let paced = |per_minute_max, limit, what| Paced { pace: Pace::new(per_minute_max), limit, per_minute_max, what };
        Paces {
            builds: paced(limits.builds_per_minute_max, "builds_per_minute_max", "builds"),
            deployments: paced(limits.deployments_per_minute_max, "deployments_per_minute_max", "deployments"),
            runs: paced(limits.runs_per_minute_max, "runs_per_minute_max", "runs"),
            checks: paced(limits.checks_per_minute_max, "checks_per_minute_max", "checks"),
            kv_changes: paced(limits.kv_changes_per_minute_max, "kv_changes_per_minute_max", "changes of key-value stores"),
        }
    }

    /// Takes a build, where only a handler knows that its request is one.
    pub fn build(&self, client: IpAddr) -> Result<(), Problem> {
        self.builds.check(client)
    }

    /// By the path as it was sent, as the router takes it.
    fn of(&self, method: &Method, path: &str) -> Option<&Paced> {
        let of_deployment = path.strip_prefix("/api/v1/deployments/").and_then(|rest| rest.split_once('/'));
        match (method, path, of_deployment.map(|(_, what)| what)) {
            (&Method::POST, "/api/v1/builds", _) => Some(&self.builds),
            // The form of the page deploys, or runs.
            (&Method::POST, "/api/v1/deployments" | "/", _) => Some(&self.deployments),
            // A round of tests runs the program.
            (&Method::POST, "/api/v1/runs", _) | (&Method::POST, _, Some("tests")) => Some(&self.runs),
            // Both start a compiler's jail.
            (&Method::POST, "/api/v1/check" | "/api/v1/format", _) => Some(&self.checks),
            (&Method::PUT | &Method::DELETE, _, Some(what)) if what.starts_with("kv/") => Some(&self.kv_changes),
            _ => None,
        }
    }
}

impl Paced {
    fn check(&self, client: IpAddr) -> Result<(), Problem> {
        let Paced { limit, per_minute_max, what, .. } = self;
        self.pace.take(client, Instant::now()).map_err(|seconds| {
            let detail = format!(
                "that is more than the {per_minute_max} {what} a minute that {limit} permits to one client: try again in {seconds} s"
            );
            Problem::too_often(limit, seconds, detail)
        })
    }
}

/// Refuses what its client asks for too often, before anything of it is read.
pub async fn keep(State(workshop): State<Arc<Workshop>>, request: Request, next: Next) -> Response {
    let client = request.extensions().get::<Client>();
    if let (Some(Client(address)), Some(paced)) = (client, workshop.paces.of(request.method(), request.uri().path()))
        && let Err(problem) = paced.check(*address)
    {
        return problem.into_response();
    }
    next.run(request).await
}

impl Bucket {
    fn filled(&self, per_minute: f64, now: Instant) -> f64 {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        (self.left + since * per_minute / MINUTE_SECONDS).min(per_minute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use std::time::Duration;

    #[test]
    fn each_client_has_so_many_a_minute_and_is_told_when_there_is_one_again() {
        let pace = Pace::new(2);
        let (fern, moss) = (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)));
        let now = Instant::now();
        assert_eq!((pace.take(fern, now), pace.take(fern, now), pace.take(fern, now)), (Ok(()), Ok(()), Err(30)));
        assert_eq!(pace.take(moss, now), Ok(()));
        let later = now + Duration::from_secs(30);
        assert_eq!((pace.take(fern, later), pace.take(fern, later)), (Ok(()), Err(30)));
        assert_eq!(pace.take(fern, now + Duration::from_secs(3600)), Ok(()));
    }

    #[test]
    fn many_clients_do_not_grow_it_without_bound() {
        let pace = Pace::new(1);
        let now = Instant::now();
        for number in 0..10_000 {
            assert_eq!(pace.take(IpAddr::V4(Ipv4Addr::from_bits(number)), now), Ok(()));
        }
        assert!(pace.clients.lock().unwrap().len() <= CLIENTS_MAX);
    }
}
