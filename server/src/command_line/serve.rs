//! `vivarium serve`: everything, until ctrl-C.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use vivarium_abi::{Backends, Origin};
use vivarium_toolchains::Toolchains;

use super::Context;
use super::failure::Failure;
use crate::compile::library;
use crate::compile::pool::CompilePool;
use crate::confine;
use crate::data_folder::DataFolder;
use crate::fetch::supervisor::{FetchProxy, FetchSettings};
use crate::gateway::listeners::bind_all;
use crate::gateway::supervisor::{Gateway, GatewaySettings};
use crate::limits::Limits;
use crate::processes::Spawner;
use crate::reset;
use crate::workshop::addresses::{AddressOptions, Addresses};
use crate::workshop::deployments::checked_backend;
use crate::workshop::parts::Parts;
use crate::workshop::{DEFAULT_ADDRESSES, Observer, Workshop};

/// More threads than this do not pay on one machine.
const GATEWAY_THREADS_MAX: usize = 64;

#[derive(Debug, Args)]
pub struct Serve {
    /// Where the workshop listens; port 0 for any that is free
    #[arg(long, value_name = "ADDR", default_value_t = DEFAULT_ADDRESSES[0])]
    workshop: SocketAddr,
    /// Where deployments listen; port 0 for any that is free
    #[arg(long, value_name = "ADDR", default_value_t = DEFAULT_ADDRESSES[1])]
    gateway: SocketAddr,
    /// The URL under which the workshop is reached from outside, as http://host or https://host
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Deployments answer at <slug>.NAME [default: localhost]
    #[arg(long, value_name = "NAME")]
    guest_domain: Option<String>,
    /// Anybody who reaches it may build and deploy; needed for an address that others can reach
    #[arg(long)]
    open: bool,
    /// Another bound than usual, by its name in GET /api/v1/limits; may be given several times
    #[arg(long = "limit", value_name = "NAME=NUMBER")]
    limits: Vec<String>,
    /// A backend that every deployment has, at whatever addresses: the only way to let programs reach this machine or a private network; may be given
    /// several times
    #[arg(long, value_name = "NAME=ORIGIN", value_parser = named_origin)]
    backend: Vec<(String, Origin)>,
    /// Programs reach no other server, whatever their deployments name
    #[arg(long, conflicts_with = "backend")]
    no_backends: bool,
    /// Compare every slot with its image after each reset; slow, for tests
    #[arg(long, hide = true)]
    verify_resets: bool,
}

/// What is bound before anything else: a port that is taken should be the first thing that is said.
struct Listeners {
    workshop: TcpListener,
    gateway: Vec<TcpListener>,
    addresses: Addresses,
}

impl Serve {
    pub fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let limits = Limits::default().changed(&self.limits).map_err(Failure::usage)?;
        confine::raise_descriptors().map_err(Failure::system)?;
        let folder = context.data_folder()?;
        let _lock = folder.lock()?;
        let listeners = self.listen()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::system)?;
        runtime.block_on(self.serve(context, &folder, limits, listeners))?;
        // Threads that still wait for a compiler do not keep the process.
        runtime.shutdown_background();
        Ok(ExitCode::SUCCESS)
    }

    async fn serve(&self, context: &Context, folder: &DataFolder, limits: Limits, listeners: Listeners) -> Result<(), Failure> {
        let Listeners { workshop: listener, gateway, addresses } = listeners;
        let toolchains = Arc::new(Toolchains::open(&folder.toolchains()));
        let verifying_key = folder.signing_key()?.verifying_key().to_bytes();
        let settings = GatewaySettings {
            listeners: gateway,
            guest_port: addresses.guest_port(),
            guest_domain: addresses.guest_domain().to_owned(),
            workshop_url: addresses.workshop_url(),
            verifying_key,
            limits: limits.clone(),
            verify_resets: self.verify_resets,
            reset: reset::forced().map_err(Failure::usage)?,
            fetcher: None,
        };
        let backends: Backends = self.backend.iter().cloned().collect();
        let builder = toolchains.clone();
        let parts = |observer: Arc<Observer>| {
            let spawner = Spawner::start();
            let compiler = Arc::new(CompilePool::start(spawner.clone(), limits.builds_at_once, &limits));
            provide_library(compiler.clone(), toolchains.clone(), folder.toolchains(), limits.clone())?;
            let fetching = FetchSettings { limits: limits.clone(), backends: backends.clone() };
            let fetcher = (!self.no_backends).then(|| Arc::new(FetchProxy::start(spawner.clone(), fetching)));
            let settings = GatewaySettings { fetcher: fetcher.clone(), ..settings };
            let guests = Arc::new(Gateway::start(spawner, settings, observer)?);
            Ok(Parts { builder, compiler, guests, backends: Arc::new(backends), fetcher })
        };
        let shown = addresses.clone();
        let workshop = Workshop::start(folder, limits.clone(), addresses, &compiler_identity(), parts).await.map_err(Failure::system)?;
        let listener =
            listener.set_nonblocking(true).and_then(|()| tokio::net::TcpListener::from_std(listener)).map_err(Failure::system)?;
        let ended = ended().map_err(Failure::system)?;
        warm(toolchains).map_err(Failure::system)?;
        announce(context, &shown);
        workshop.serve(listener, ended).await;
        Ok(())
    }

    fn listen(&self) -> Result<Listeners, Failure> {
        let busy = |address: SocketAddr, option: &'static str| {
            move |error: io::Error| {
                Failure::system(format!(
                    "cannot listen on {address}: {error}; is another Vivarium running? give another address with {option} ADDR"
                ))
            }
        };
        let workshop = TcpListener::bind(self.workshop).map_err(busy(self.workshop, "--workshop"))?;
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(GATEWAY_THREADS_MAX);
        let gateway = bind_all(self.gateway, threads).map_err(busy(self.gateway, "--gateway"))?;
        let address = |listener: &TcpListener| listener.local_addr().map_err(Failure::system);
        let options = AddressOptions { open: self.open, public_url: self.public_url.clone(), guest_domain: self.guest_domain.clone() };
        let guest = gateway.first().ok_or_else(|| Failure::system("there is no gateway thread"))?;
        let addresses = Addresses::new(address(&workshop)?, address(guest)?, &options).map_err(Failure::usage)?;
        Ok(Listeners { workshop, gateway, addresses })
    }
}

fn named_origin(text: &str) -> Result<(String, Origin), String> {
    let (name, origin) = text.split_once('=').ok_or("write NAME=ORIGIN, as in api=http://127.0.0.1:9000")?;
    checked_backend(name, origin).map_err(|error| error.to_string())
}

/// Names the very binary: what another one compiled is compiled again.
fn compiler_identity() -> String {
    let about = std::fs::metadata("/proc/self/exe").ok();
    let written_at = about.as_ref().and_then(|about| about.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok());
    let (bytes, nanos) = (about.map_or(0, |about| about.len()), written_at.unwrap_or_default().as_nanos());
    format!("{}-{bytes:x}-{nanos:x}", env!("CARGO_PKG_VERSION"))
}

/// Compilers that are quicker when warm are warmed behind the server's back.
fn warm(toolchains: Arc<Toolchains>) -> io::Result<()> {
    let work = move || {
        if let Err(error) = toolchains.warm() {
            eprintln!("vivarium: AssemblyScript builds will be slow: {error}");
        }
    };
    std::thread::Builder::new().name("warm".into()).spawn(work).map(drop)
}

/// So is the code of the languages' libraries.
fn provide_library(compiler: Arc<CompilePool>, toolchains: Arc<Toolchains>, folder: PathBuf, limits: Limits) -> io::Result<()> {
    let work = move || library::provide(&compiler, &toolchains, &folder, &limits);
    std::thread::Builder::new().name("library".into()).spawn(work).map(drop)
}

fn ended() -> io::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

fn announce(context: &Context, addresses: &Addresses) {
    let url = addresses.workshop_url();
    let json = || json!({ "workshop_url": url, "guest_domain": addresses.guest_domain(), "guest_port": addresses.guest_port() });
    context.print(json, || format!("Vivarium is at {url} (ctrl-C ends it)\n"));
}
