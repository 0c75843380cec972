//! Connections by address: no address has more than its share of what a port can hold.

use std::collections::HashMap;
use std::io::Write as _;
use std::net::{IpAddr, Ipv6Addr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What whoever has too many connections reads on one more.
const REFUSAL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 99\r\n\r\nYour address has as many connections here as connections_per_address_max permits: close one first.\n";

/// Who is connected. As many addresses as there are connections.
#[derive(Debug)]
pub struct Callers {
    each_max: usize,
    connections: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection of an address, until it is dropped.
#[derive(Debug)]
pub struct Caller {
    callers: Arc<Callers>,
    client: IpAddr,
}

impl Callers {
    pub fn new(each_max: usize) -> Arc<Callers> {
        Arc::new(Callers { each_max: each_max.max(1), connections: Mutex::default() })
    }

    /// One more connection of this address; none when it has as many as it may.
    pub fn enter(self: &Arc<Callers>, address: IpAddr) -> Option<Caller> {
        let client = one_client(address);
        let mut connections = self.connections();
        let count = connections.entry(client).or_default();
        if *count >= self.each_max {
            return None;
        }
        *count += 1;
        Some(Caller { callers: self.clone(), client })
    }

    fn connections(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let mut connections = self.callers.connections();
        if let Some(count) = connections.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                connections.remove(&self.client);
            }
        }
    }
}

/// Tells why and closes. The stream does not block: who does not take the sentence at once goes without.
pub fn refuse(mut stream: TcpStream) {
    let _ = stream.write(REFUSAL);
}

/// Whoever has one address of IPv6 has 2^64 of them, those with the same first half; an address of IPv4 is the same however it is written.
pub fn one_client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        canonical => canonical,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_share_and_is_forgotten_with_its_last_connection() {
        let callers = Callers::new(2);
        let (fern, moss) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let two = (callers.enter(fern).unwrap(), callers.enter(fern).unwrap());
        assert!(callers.enter(fern).is_none() && callers.enter("::ffff:10.0.0.1".parse().unwrap()).is_none());
        let other = callers.enter(moss).unwrap();
        drop(two.0);
        let again = callers.enter(fern).unwrap();
        assert!(callers.enter(fern).is_none());
        drop((two.1, again, other));
        assert!(callers.connections().is_empty());
    }

    #[test]
    fn the_first_half_of_an_address_of_ipv6_is_the_client() {
        let client = |address: &str| one_client(address.parse().unwrap());
        assert_eq!(client("2001:db8:1:2:3:4:5:6"), client("2001:db8:1:2:ffff::1"));
        assert_ne!(client("2001:db8:1:2::1"), client("2001:db8:1:3::1"));
    }

    #[test]
    fn the_refusal_is_as_long_as_it_says() {
        let text = std::str::from_utf8(REFUSAL).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())) || head.ends_with(&body.len().to_string()), "{}", body.len());
    }
}
