//! From the name of a host to its addresses.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

use hickory_resolver::TokioResolver;
use vivarium_abi::FetchFailure;

use super::failure::Failed;

pub type Resolving<'a> = Pin<Box<dyn Future<Output = Result<Vec<IpAddr>, Failed>> + 'a>>;

/// Who knows addresses. Asked once for each connection.
pub trait Names {
    fn addresses<'a>(&'a self, name: &'a str) -> Resolving<'a>;
}

/// The system's name servers and its hosts file, as they were when this was made: it opens no file later.
pub struct SystemNames(Option<TokioResolver>);

impl SystemNames {
    /// Call it inside a tokio runtime. A system that names no servers knows no names; addresses work all the same.
    pub fn read() -> SystemNames {
        SystemNames(TokioResolver::builder_tokio().and_then(|builder| builder.build()).ok())
    }
}

impl Names for SystemNames {
    fn addresses<'a>(&'a self, name: &'a str) -> Resolving<'a> {
        Box::pin(async move {
            let unknown = || Failed::new(FetchFailure::DnsError, format!("no address of {name} is known"));
            let resolver = self.0.as_ref().ok_or_else(unknown)?;
            // The dot keeps the search list of the system out of it.
            let found = resolver.lookup_ip(format!("{name}.")).await.map_err(|_| unknown())?;
            let addresses: Vec<IpAddr> = found.iter().collect();
            if addresses.is_empty() { Err(unknown()) } else { Ok(addresses) }
        })
    }
}
