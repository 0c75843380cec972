//! The visitors' listeners: one for each gateway thread, all on one address; the kernel spreads connections over them.

use std::io;
use std::net::{SocketAddr, TcpListener};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, ipproto, listen, socket_with, sockopt};

/// Connections that wait to be accepted, for each listener; the kernel's own bound holds besides.
const BACKLOG: i32 = 1_024;

/// Binds `threads` sockets to the address; with port 0, to one port of the kernel's choice. The kernel would let a second server of the same user
/// share it; so it is first taken alone, which fails if anybody has it.
pub fn bind_all(address: SocketAddr, threads: usize) -> io::Result<Vec<TcpListener>> {
    let alone = TcpListener::bind(address)?;
    let address = alone.local_addr()?;
    drop(alone);
    (0..threads.max(1)).map(|_| bind_one(address)).collect()
}

fn bind_one(address: SocketAddr) -> io::Result<TcpListener> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    // The one lets a server start again at once, the other lets its threads share the port. Another user's process cannot join in.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    sockopt::set_socket_reuseport(&socket, true)?;
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_listeners_share_one_port() {
        let listeners = bind_all("127.0.0.1:0".parse().unwrap(), 3).unwrap();
        let ports: Vec<u16> = listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        assert!(ports.len() == 3 && ports.iter().all(|port| *port == ports[0] && *port != 0), "{ports:?}");
    }

    #[test]
    fn an_address_that_anybody_has_is_refused_even_if_it_could_be_shared() {
        let ours = bind_all("127.0.0.1:0".parse().unwrap(), 2).unwrap();
        let address = ours[0].local_addr().unwrap();
        let error = bind_all(address, 2).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        drop(ours);
        bind_all(address, 2).unwrap();
    }
}
