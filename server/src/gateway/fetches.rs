//! The requests of one guest to backends: each has a task, which hands over what is answered and takes what is sent, one piece at a time.
//!
//! ```text
//!   guest's world ◄── pump ──► channels of one piece ◄── task ──► fetch proxy
//!                      ▲                                   │
//!                      └────────────── bell ◄──────────────┘
//! ```
//! Nothing piles up: a task waits with the next piece until the one before it was taken.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST};
use http::{Request, Uri};
use http_body_util::BodyExt as _;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use vivarium_abi::{FetchAnswer, FetchFailure, FetchId, FetchRequest, Host, Output, Source};

use super::fetcher::Fetcher;
use super::payload::{Payload, Pieces};
use crate::fetch::failure::Failed;

/// Pieces between a guest and the task of its request, each way.
const PIECES_WAITING_MAX: usize = 1;

/// What a task tells.
enum Event {
    Answered(Result<FetchAnswer, Failed>),
    Piece(Bytes),
    Ended { properly: bool },
}

/// What a task is to send.
enum Sent {
    Piece(Bytes),
    Finished,
}

struct Fetch {
    id: FetchId,
    backend: String,
    events: mpsc::Receiver<Event>,
    /// Where the rest of its body goes.
    body: Option<mpsc::Sender<Sent>>,
    tasks: Vec<JoinHandle<()>>,
}

/// All of one guest. Dropping it gives them up.
pub struct Fetches {
    fetcher: Rc<Fetcher>,
    bell: Arc<Notify>,
    running: Vec<Fetch>,
    sentences: Vec<String>,
}

impl Fetches {
    /// `bell` is rung when there is something to pump.
    pub fn new(fetcher: Rc<Fetcher>, bell: Arc<Notify>) -> Fetches {
        Fetches { fetcher, bell, running: Vec::new(), sentences: Vec::new() }
    }

    /// Ends when there may be something to pump.
    pub async fn rung(&self) {
        self.bell.notified().await;
    }

    /// Begins what the guest has sent, hands it what arrived, takes what it wrote. Whether the guest may go on by that: nobody rings for it again.
    pub fn pump(&mut self, host: &mut Host) -> bool {
        if !host.has_fetches() {
            return false;
        }
        for request in host.take_fetches() {
            let fetch = self.begin(request, host);
            self.running.push(fetch);
        }
        let mut moved = false;
        for fetch in &mut self.running {
            moved |= fetch.hand_over(host, &mut self.sentences);
            moved |= fetch.take_out(host);
        }
        moved
    }

    /// Why requests failed, since the last call: for the deployment's log.
    pub fn take_sentences(&mut self) -> Vec<String> {
        std::mem::take(&mut self.sentences)
    }

    fn begin(&self, request: FetchRequest, host: &mut Host) -> Fetch {
        let (id, backend) = (request.id, request.backend.clone());
        let mut tasks = Vec::new();
        let mut rest = None;
        let payload = if request.body_bytes.is_some() {
            Payload::of(std::iter::from_fn(|| if let Output::Chunk(piece) = host.next_of_fetch(id) { Some(piece) } else { None }))
        } else {
            let (pieces, payload) = Payload::stream();
            let (body, taken) = mpsc::channel(PIECES_WAITING_MAX);
            tasks.push(tokio::task::spawn_local(send_body(pieces, taken, self.bell.clone())));
            rest = Some(body);
            payload
        };
        let (told, events) = mpsc::channel(PIECES_WAITING_MAX);
        let (fetcher, teller) = (self.fetcher.clone(), Teller { events: told, bell: self.bell.clone() });
        tasks.push(tokio::task::spawn_local(async move {
            // Whoever asked may be gone.
            let _ = fetch(&fetcher, request, payload, &teller).await;
        }));
        Fetch { id, backend, events, body: rest, tasks }
    }
}

impl Fetch {
    fn hand_over(&mut self, host: &mut Host, sentences: &mut Vec<String>) -> bool {
        let mut moved = false;
        let source = Source::Backend(self.id);
        while self.is_awaited(host) {
            match self.events.try_recv() {
                Ok(Event::Answered(answer)) => {
                    let answer = answer.map_err(|failed| {
                        sentences.push(format!("backend {}: {}", self.backend, failed.sentence));
                        failed.failure
                    });
                    host.answer_fetch(self.id, answer);
                }
                Ok(Event::Piece(piece)) => host.push_body(source, piece),
                Ok(Event::Ended { properly }) => host.end_body(source, properly),
                Err(_) => break,
            }
            moved = true;
        }
        moved
    }

    /// A body waits until what came before was read; its head does not.
    fn is_awaited(&self, host: &Host) -> bool {
        host.wants_body(Source::Backend(self.id))
    }

    fn take_out(&mut self, host: &mut Host) -> bool {
        let mut moved = false;
        while let Some(body) = &self.body {
            let Ok(place) = body.try_reserve() else { return moved };
            match host.next_of_fetch(self.id) {
                Output::Chunk(piece) => {
                    place.send(Sent::Piece(piece));
                    moved = true;
                }
                Output::Open | Output::Awaits(_) => return moved,
                Output::Finished => {
                    place.send(Sent::Finished);
                    break;
                }
                Output::Broken => break,
            }
        }
        // What is let go before it is finished is closed, not ended.
        self.body = None;
        moved
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Tells a guest's driver what happened, when it has heard what was told before.
struct Teller {
    events: mpsc::Sender<Event>,
    bell: Arc<Notify>,
}

/// Nobody listens.
struct Left;

impl Teller {
    async fn tell(&self, event: Event) -> Result<(), Left> {
        self.events.send(event).await.map_err(|_| Left)?;
        self.bell.notify_one();
        Ok(())
    }
}

async fn send_body(pieces: Pieces, mut taken: mpsc::Receiver<Sent>, bell: Arc<Notify>) {
    while let Some(sent) = taken.recv().await {
        match sent {
            Sent::Piece(piece) => match pieces.send(piece).await {
                Ok(()) => bell.notify_one(),
                Err(_) => return,
            },
            Sent::Finished => return pieces.finish(),
        }
    }
}

async fn fetch(fetcher: &Fetcher, request: FetchRequest, payload: Payload, teller: &Teller) -> Result<(), Left> {
    let answered = match of_guest(request, payload) {
        Ok(request) => fetcher.send(request).await,
        Err(failed) => Err(failed),
    };
    let (parts, mut body) = match answered {
        Ok(response) => response.into_parts(),
        Err(failed) => return teller.tell(Event::Answered(Err(failed))).await,
    };
    teller.tell(Event::Answered(Ok(FetchAnswer { status: parts.status, version: http::Version::HTTP_11, headers: parts.headers }))).await?;
    while let Some(frame) = body.frame().await {
        match frame.map(|frame| frame.into_data()) {
            Ok(Ok(piece)) => teller.tell(Event::Piece(piece)).await?,
            // Trailers are not handed on.
            Ok(Err(_)) => {}
            Err(_) => return teller.tell(Event::Ended { properly: false }).await,
        }
    }
    teller.tell(Event::Ended { properly: true }).await
}

/// The request as the fetch proxy takes it: the origin in its URI, whatever the guest said of a host.
fn of_guest(request: FetchRequest, payload: Payload) -> Result<Request<Payload>, Failed> {
    let FetchRequest { origin, method, path, mut headers, .. } = request;
    let unusable = |_| Failed::new(FetchFailure::UriInvalid, "the request's path cannot be sent");
    let scheme = if origin.is_secure { "https" } else { "http" };
    let uri = Uri::builder().scheme(scheme).authority(origin.authority()).path_and_query(path).build().map_err(unusable)?;
    headers.remove(HOST);
    headers.remove(CONTENT_LENGTH);
    let mut request = Request::new(payload);
    (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (method, uri, headers);
    Ok(request)
}
