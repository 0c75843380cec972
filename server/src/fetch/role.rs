//! `vivarium fetch`: prepares, confines itself, serves gateways until its control socket closes.
//!
//! receive `Start` → read the names of name servers → lower → seal → `Ready` → take connections

use std::collections::HashSet;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use vivarium_abi::Origin;

use super::connecting::{Connector, public_roots};
use super::names::SystemNames;
use super::proxy::Proxy;
use crate::confine::{Apart, Lowered, Role, Walls};
use crate::control::channel::{Receiver, Sender, split};
use crate::limits::Limits;

/// From the workshop to the proxy.
#[derive(Debug, Serialize, Deserialize)]
pub enum ToFetch {
    /// First of all. Answered with [`FromFetch::Ready`].
    Start {
        limits: Box<Limits>,
        /// Origins whose addresses may be any.
        configured: Vec<String>,
    },
    /// Descriptor: one end of a stream, the other end of which a gateway thread has.
    Connection,
    /// Answered with [`FromFetch::Pong`].
    Ping,
}

/// From the proxy to the workshop.
#[derive(Debug, Serialize, Deserialize)]
pub enum FromFetch {
    Ready { walls: Walls },
    Pong,
}

/// Runs the role. The control socket is the standard input.
pub fn run() -> ExitCode {
    // Before the reactor: namespaces are for a process of one thread.
    let apart = match Apart::begin_on_network() {
        Ok(apart) => apart,
        Err(error) => {
            eprintln!("vivarium fetch: {error}");
            return ExitCode::FAILURE;
        }
    };
    let reactor = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match reactor.and_then(|reactor| tokio::task::LocalSet::new().block_on(&reactor, serve(apart))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vivarium fetch: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(apart: Apart) -> io::Result<()> {
    let (mut sender, mut receiver) = split(io::stdin().as_fd().try_clone_to_owned()?)?;
    let Some((ToFetch::Start { limits, configured }, _)) = receiver.receive().await? else {
        return Err(io::Error::other("the first control message must be Start: a fetch proxy is started by `vivarium serve`"));
    };
    let configured =
        configured.iter().map(|origin| origin.parse::<Origin>()).collect::<Result<HashSet<_>, _>>().map_err(io::Error::other)?;
    let connector = Connector::new(Box::new(SystemNames::read()), configured, public_roots()).map_err(io::Error::other)?;
    let proxy = Rc::new(Proxy::new(connector, &limits));
    let walls = apart.lower(Role::Fetch).and_then(Lowered::seal).map_err(io::Error::other)?;
    sender.send(&FromFetch::Ready { walls }, &[]).await?;
    take_connections(&proxy, &mut sender, &mut receiver).await
}

async fn take_connections(proxy: &Rc<Proxy>, sender: &mut Sender, receiver: &mut Receiver) -> io::Result<()> {
    while let Some((message, descriptors)) = receiver.receive::<ToFetch>().await? {
        match message {
            ToFetch::Connection => {
                for descriptor in descriptors {
                    let stream = UnixStream::from(descriptor);
                    stream.set_nonblocking(true)?;
                    tokio::task::spawn_local(proxy.clone().serve(tokio::net::UnixStream::from_std(stream)?));
                }
            }
            ToFetch::Ping => sender.send(&FromFetch::Pong, &[]).await?,
            ToFetch::Start { .. } => return Err(io::Error::other("a fetch proxy is started once")),
        }
    }
    Ok(())
}
