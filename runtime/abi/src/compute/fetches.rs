//! Requests that a guest sent to backends, as the server sees them: it takes them, pushes what is answered, takes out what is still to send.
//!
//! ```text
//!   begin ──► Sent ──(the server: answer)──► Answered ──(the guest takes it)──► Taken
//! ```

use std::collections::BTreeMap;

use http::uri::PathAndQuery;
use http::{HeaderMap, Method, StatusCode, Version};

use super::message::{Headers, Request, Response};
use super::origin::Origin;
use super::outgoing::Outgoing;

/// One request to a backend, by its number among those of the same instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FetchId(u32);

impl FetchId {
    #[cfg(test)]
    pub(super) fn of_index(index: u32) -> FetchId {
        FetchId(index)
    }

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// The head of a request that is to be sent. Its body is taken out as there is something of it.
#[derive(Debug, Clone)]
pub struct FetchRequest {
    pub id: FetchId,
    /// By which name the guest knows it.
    pub backend: String,
    pub origin: Origin,
    pub method: Method,
    pub path: PathAndQuery,
    pub headers: HeaderMap,
    /// The length of its body, where all of that is there.
    pub body_bytes: Option<u64>,
}

/// The head of what a backend answered. Its body is pushed in as it arrives.
#[derive(Debug, Clone)]
pub struct FetchAnswer {
    pub status: StatusCode,
    pub version: Version,
    pub headers: HeaderMap,
}

/// Why a request was not answered; the numbers are those that guests know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum FetchFailure {
    DnsTimeout = 2,
    DnsError = 3,
    NoSuchBackend = 4,
    Unavailable = 5,
    /// An address that no program may reach.
    AddressRefused = 6,
    ConnectionRefused = 7,
    ConnectionTerminated = 8,
    ConnectionTimeout = 9,
    /// It may send no more requests.
    LimitReached = 10,
    TlsCertificate = 11,
    Incomplete = 13,
    TooLarge = 15,
    TimedOut = 16,
    Protocol = 19,
    UriInvalid = 21,
    Internal = 22,
    TlsProtocol = 24,
}

impl FetchFailure {
    pub const ALL: [FetchFailure; 17] = [
        FetchFailure::DnsTimeout,
        FetchFailure::DnsError,
        FetchFailure::NoSuchBackend,
        FetchFailure::Unavailable,
        FetchFailure::AddressRefused,
        FetchFailure::ConnectionRefused,
        FetchFailure::ConnectionTerminated,
        FetchFailure::ConnectionTimeout,
        FetchFailure::LimitReached,
        FetchFailure::TlsCertificate,
        FetchFailure::Incomplete,
        FetchFailure::TooLarge,
        FetchFailure::TimedOut,
        FetchFailure::Protocol,
        FetchFailure::UriInvalid,
        FetchFailure::Internal,
        FetchFailure::TlsProtocol,
    ];

    pub fn number(self) -> u32 {
        self as u32
    }

    pub fn from_number(number: u32) -> Option<FetchFailure> {
        FetchFailure::ALL.into_iter().find(|failure| failure.number() == number)
    }
}

#[derive(Debug)]
enum Progress {
    Sent,
    Answered(Result<FetchAnswer, FetchFailure>),
    Taken,
}

#[derive(Debug)]
struct Fetch {
    progress: Progress,
    body: Outgoing,
}

/// All of one instance.
#[derive(Debug)]
pub(super) struct Fetches {
    all: Vec<Fetch>,
    /// Those that the server has not taken yet.
    unsent: Vec<FetchRequest>,
    fetches_max: u32,
}

/// Where a deployment's programs may send requests, by the names that they use.
pub type Backends = BTreeMap<String, Origin>;

impl Fetches {
    pub(super) fn new(fetches_max: u32) -> Fetches {
        Fetches { all: Vec::new(), unsent: Vec::new(), fetches_max }
    }

    pub(super) fn has_room(&self) -> bool {
        self.all.len() < self.fetches_max as usize
    }

    /// How many were sent.
    #[cfg(test)]
    pub(super) fn len(&self) -> u32 {
        self.all.len() as u32
    }

    /// What the next one will be.
    pub(super) fn next_id(&self) -> FetchId {
        FetchId(self.all.len() as u32)
    }

    /// One more.
    pub(super) fn begin(&mut self, target: (String, Origin), request: Request, body: Outgoing, body_bytes: Option<u64>) -> FetchId {
        let id = self.next_id();
        let path = request.uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
        let ((backend, origin), Request { method, headers, .. }) = (target, request);
        self.unsent.push(FetchRequest { id, backend, origin, method, path, headers: headers.into_map(), body_bytes });
        self.all.push(Fetch { progress: Progress::Sent, body });
        id
    }

    pub(super) fn is_answered(&self, id: FetchId) -> bool {
        self.all.get(id.index()).is_none_or(|fetch| !matches!(fetch.progress, Progress::Sent))
    }

    /// The answer, once; `None` when there is none yet.
    pub(super) fn take_answer(&mut self, id: FetchId) -> Option<Result<Response, FetchFailure>> {
        let fetch = self.all.get_mut(id.index())?;
        match std::mem::replace(&mut fetch.progress, Progress::Taken) {
            Progress::Answered(answer) => Some(answer.map(|FetchAnswer { status, version, headers }| {
                let headers = Headers::from(headers);
                Response { status, version, headers }
            })),
            other => {
                fetch.progress = other;
                None
            }
        }
    }

    pub(super) fn body(&self, id: FetchId) -> Option<&Outgoing> {
        self.all.get(id.index()).map(|fetch| &fetch.body)
    }

    pub(super) fn body_mut(&mut self, id: FetchId) -> Option<&mut Outgoing> {
        self.all.get_mut(id.index()).map(|fetch| &mut fetch.body)
    }

    pub(super) fn take_unsent(&mut self) -> Vec<FetchRequest> {
        std::mem::take(&mut self.unsent)
    }

    pub(super) fn answer(&mut self, id: FetchId, answer: Result<FetchAnswer, FetchFailure>) {
        if let Some(fetch) = self.all.get_mut(id.index())
            && let Progress::Sent = fetch.progress
        {
            fetch.progress = Progress::Answered(answer);
        }
    }

    /// Bytes of all bodies that are in hand, and of heads that nobody has taken.
    pub(super) fn held_bytes(&self) -> u64 {
        let held = |fetch: &Fetch| {
            let head = if let Progress::Answered(Ok(answer)) = &fetch.progress { Headers::cost_of(&answer.headers) } else { 0 };
            fetch.body.bytes() + head
        };
        self.all.iter().map(held).sum()
    }

    pub(super) fn guest_ended(&mut self) {
        self.all.iter_mut().for_each(|fetch| fetch.body.guest_ended());
    }

    /// Whether the guest has sent anything.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}
