//! The visitors' listeners: one for each gateway thread, all on one address; the kernel spreads connections over them.

use std::io;
use std::net::{SocketAddr, TcpListener};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, ipproto, listen, socket_with, sockopt};

/// Connections that wait to be accepted, for each listener; the kernel's own bound holds besides.
const BACKLOG: i32 = 1_024;

/// Binds `threads` sockets to the address; with port 0, to one port of the kernel's choice.
pub fn bind_all(address: SocketAddr, threads: usize) -> io::Result<Vec<TcpListener>> {
    let mut listeners = Vec::with_capacity(threads);
    let mut address = address;
    for _ in 0..threads {
        let listener = bind_one(address)?;
        address.set_port(listener.local_addr()?.port());
        listeners.push(listener);
    }
    Ok(listeners)
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
}
