//! Requests to backends: sent, waited for, asked after.
//!
//! A request goes to a backend that the deployment or the server names; the name alone decides where. What its URI says of a host is for nobody.

use std::time::{Duration, Instant};

use http::Method;

use super::arguments::{Out, number, text};
use super::arriving::Source;
use super::body::Body;
use super::fetches::{FetchFailure, FetchId};
use super::handles::HANDLES_MAX;
use super::message::Request;
use super::origin::Origin;
use super::outgoing::Outgoing;
use super::world::World;
use super::{Status, Stop};
use crate::guest::{Call, GuestInstance, GuestPtr};

/// Where what is written to a body goes as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamTo {
    Visitor,
    Backend(FetchId),
}

/// What guests take for "no handle".
const NO_HANDLE: u32 = u32::MAX - 1;

/// Where a guest learns why a request failed: the first four bytes are the kind.
#[derive(Debug, Clone, Copy)]
struct ErrorDetail(GuestPtr);

const ERROR_DETAIL_BYTES: u64 = 20;
/// How long a guest rests that asks whether something has happened, and nothing has.
const REST: Duration = Duration::from_millis(1);

impl ErrorDetail {
    fn at(instance: &dyn GuestInstance, n: u32) -> Result<ErrorDetail, Stop> {
        let place = GuestPtr::alleged(number(instance, n));
        if !place.is_aligned(4) {
            return Err(Status::BadAlignment.into());
        }
        place.check(instance, ERROR_DETAIL_BYTES)?;
        Ok(ErrorDetail(place))
    }

    fn set(self, instance: &mut dyn GuestInstance, failure: FetchFailure) -> Result<(), Stop> {
        let mut detail = [0; ERROR_DETAIL_BYTES as usize];
        detail[..4].copy_from_slice(&failure.number().to_le_bytes());
        Ok(self.0.write(instance, &detail)?)
    }
}

/// Where handles of a response and its body go, and why there are none.
#[derive(Debug, Clone, Copy)]
struct Outs {
    detail: Option<ErrorDetail>,
    response: Out<4>,
    body: Out<4>,
}

impl Outs {
    /// Places for both handles, from the n-th argument on.
    fn at(instance: &dyn GuestInstance, detail: Option<ErrorDetail>, n: u32) -> Result<Outs, Stop> {
        Ok(Outs { detail, response: Out::at(instance, n)?, body: Out::at(instance, n + 1)? })
    }

    fn set(self, instance: &mut dyn GuestInstance, response: u32, body: u32) -> Result<(), Stop> {
        self.response.set_u32(instance, response)?;
        self.body.set_u32(instance, body)
    }

    /// Hands over an answer.
    fn answer(self, call: &mut Call<'_>, fetch: FetchId) -> Result<Result<(), FetchFailure>, Stop> {
        let world = &mut call.host.compute;
        match world.fetches.take_answer(fetch).ok_or(Stop::Wait(None))? {
            Ok(response) => {
                let response = world.handles.insert(Box::new(response))?;
                let body = world.handles.insert(Body::of_source(Source::Backend(fetch)))?;
                self.set(call.instance, response, body).map(Ok)
            }
            Err(failure) => {
                tell(call, self.detail, failure)?;
                Ok(Err(failure))
            }
        }
    }

    /// As [`Outs::answer`], for functions that say in their status that there is none.
    fn answer_or_fail(self, call: &mut Call<'_>, fetch: FetchId) -> Result<(), Stop> {
        self.answer(call, fetch)?.map_err(|failure| status(failure).into())
    }
}

fn tell(call: &mut Call<'_>, detail: Option<ErrorDetail>, failure: FetchFailure) -> Result<(), Stop> {
    detail.map_or(Ok(()), |detail| detail.set(call.instance, failure))
}

fn status(failure: FetchFailure) -> Status {
    match failure {
        FetchFailure::NoSuchBackend => Status::Inval,
        FetchFailure::LimitReached => Status::LimitExceeded,
        FetchFailure::Incomplete => Status::HttpIncomplete,
        FetchFailure::UriInvalid => Status::HttpInvalid,
        _ => Status::Error,
    }
}

impl World {
    pub(super) fn stream(&self, stream: StreamTo) -> Option<&Outgoing> {
        match stream {
            StreamTo::Visitor => Some(&self.exchange.output),
            StreamTo::Backend(fetch) => self.fetches.body(fetch),
        }
    }

    pub(super) fn stream_mut(&mut self, stream: StreamTo) -> Option<&mut Outgoing> {
        match stream {
            StreamTo::Visitor => Some(&mut self.exchange.output),
            StreamTo::Backend(fetch) => self.fetches.body_mut(fetch),
        }
    }

    /// The origin behind the name of a backend.
    pub(super) fn backend(&self, name: &str) -> Option<&Origin> {
        self.registered.get(name).or_else(|| self.backends.get(name))
    }

    /// Before a guest hears that something is not there yet, others have a turn: whoever asks in a loop would keep away what he asks for.
    pub(super) fn rest(&self) -> Result<(), Stop> {
        if self.waiting.is_some() { Ok(()) } else { Err(Stop::Wait(Some(Instant::now() + REST))) }
    }

    fn target(&self, name: &str, request: &Request) -> Result<Origin, FetchFailure> {
        let origin = self.backend(name).ok_or(FetchFailure::NoSuchBackend)?;
        // Anything else than a path would be understood in several ways.
        let has_path = request.uri.path_and_query().is_none_or(|path| path.as_str().starts_with('/'));
        match () {
            () if !has_path || request.method == Method::CONNECT => Err(FetchFailure::UriInvalid),
            () if !self.fetches.has_room() => Err(FetchFailure::LimitReached),
            () => Ok(origin.clone()),
        }
    }
}

/// Sends a request with its body to a backend. The request is taken even if that fails, for the guest has given it away, and so is its body unless it would
/// have been a stream: that the guest keeps.
fn begin(call: &mut Call<'_>, detail: Option<ErrorDetail>, streams: bool) -> Result<FetchId, Stop> {
    let name = text(call.instance, 2)?.to_owned();
    let (request, body) = (number(call.instance, 0), number(call.instance, 1));
    let world = &mut call.host.compute;
    world.handles.get::<Body>(body)?;
    let request = *world.handles.take::<Box<Request>>(request)?;
    match world.target(&name, &request) {
        Ok(origin) => {
            let fetch = world.fetches.next_id();
            let behind =
                if streams { world.handles.replace::<Body>(body, StreamTo::Backend(fetch))? } else { world.handles.take::<Body>(body)? };
            let outgoing = Outgoing::of(behind, streams);
            let body_bytes = outgoing.known_length(&world.arrivals);
            world.arrivals.expect();
            Ok(world.fetches.begin((name, origin), request, outgoing, body_bytes))
        }
        Err(failure) => {
            if !streams {
                world.handles.take::<Body>(body)?;
            }
            if failure == FetchFailure::NoSuchBackend {
                let shown: String = name.chars().take(80).collect();
                call.host.log.note(format!("there is no backend {shown:?}: name it in the deployment's \"backends\""));
            }
            tell(call, detail, failure)?;
            Err(status(failure).into())
        }
    }
}

/// Sends a request and waits for the answer.
fn send_and_wait(call: &mut Call<'_>, outs: Outs) -> Result<(), Stop> {
    let fetch = match call.host.compute.sending.take() {
        Some(fetch) => fetch,
        None => begin(call, outs.detail, false)?,
    };
    if !call.host.compute.fetches.is_answered(fetch) {
        call.host.compute.sending = Some(fetch);
        return Err(Stop::Wait(None));
    }
    outs.answer_or_fail(call, fetch)
}

pub(crate) fn send(call: &mut Call<'_>) -> Result<(), Stop> {
    let outs = Outs::at(call.instance, None, 4)?;
    send_and_wait(call, outs)
}

/// Also the third version, which differs in what is cached.
pub(crate) fn send_v2(call: &mut Call<'_>) -> Result<(), Stop> {
    let detail = ErrorDetail::at(call.instance, 4)?;
    let outs = Outs::at(call.instance, Some(detail), 5)?;
    send_and_wait(call, outs)
}

fn send_and_go_on(call: &mut Call<'_>, streams: bool, out: Out<4>) -> Result<(), Stop> {
    let fetch = begin(call, None, streams)?;
    let handle = call.host.compute.handles.insert(fetch)?;
    out.set_u32(call.instance, handle)
}

pub(crate) fn send_async(call: &mut Call<'_>) -> Result<(), Stop> {
    let out = Out::at(call.instance, 4)?;
    send_and_go_on(call, false, out)
}

pub(crate) fn send_async_streaming(call: &mut Call<'_>) -> Result<(), Stop> {
    let out = Out::at(call.instance, 4)?;
    send_and_go_on(call, true, out)
}

pub(crate) fn send_async_v2(call: &mut Call<'_>) -> Result<(), Stop> {
    let out = Out::at(call.instance, 5)?;
    let streams = number(call.instance, 4) != 0;
    send_and_go_on(call, streams, out)
}

/// Hands over the answer of a request that was sent; waits for it.
fn wait_for(call: &mut Call<'_>, outs: Outs) -> Result<(), Stop> {
    let pending = number(call.instance, 0);
    let fetch = *call.host.compute.handles.get::<FetchId>(pending)?;
    if !call.host.compute.fetches.is_answered(fetch) {
        return Err(Stop::Wait(None));
    }
    call.host.compute.handles.take::<FetchId>(pending)?;
    outs.answer_or_fail(call, fetch)
}

pub(crate) fn wait(call: &mut Call<'_>) -> Result<(), Stop> {
    let outs = Outs::at(call.instance, None, 1)?;
    wait_for(call, outs)
}

pub(crate) fn wait_v2(call: &mut Call<'_>) -> Result<(), Stop> {
    let detail = ErrorDetail::at(call.instance, 1)?;
    let outs = Outs::at(call.instance, Some(detail), 2)?;
    wait_for(call, outs)
}

/// As [`wait_for`], without waiting.
fn ask_after(call: &mut Call<'_>, is_done: Out<4>, outs: Outs) -> Result<(), Stop> {
    let pending = number(call.instance, 0);
    let fetch = *call.host.compute.handles.get::<FetchId>(pending)?;
    if !call.host.compute.fetches.is_answered(fetch) {
        call.host.compute.rest()?;
        is_done.set_u32(call.instance, 0)?;
        return outs.set(call.instance, NO_HANDLE, NO_HANDLE);
    }
    call.host.compute.handles.take::<FetchId>(pending)?;
    outs.answer_or_fail(call, fetch)?;
    is_done.set_u32(call.instance, 1)
}

pub(crate) fn poll(call: &mut Call<'_>) -> Result<(), Stop> {
    let is_done = Out::at(call.instance, 1)?;
    let outs = Outs::at(call.instance, None, 2)?;
    ask_after(call, is_done, outs)
}

pub(crate) fn poll_v2(call: &mut Call<'_>) -> Result<(), Stop> {
    let (detail, is_done) = (ErrorDetail::at(call.instance, 1)?, Out::at(call.instance, 2)?);
    let outs = Outs::at(call.instance, Some(detail), 3)?;
    ask_after(call, is_done, outs)
}

/// Hands over the first answer of several; one that failed is told by handles that mean nothing.
fn first_of(call: &mut Call<'_>, done_index: Out<4>, outs: Outs) -> Result<(), Stop> {
    let (list, count) = (call.pointer(0), number(call.instance, 1));
    if count == 0 || count as usize > HANDLES_MAX {
        return Err(Status::Inval.into());
    }
    if !list.is_aligned(4) {
        return Err(Status::BadAlignment.into());
    }
    let world = &mut call.host.compute;
    let mut done = None;
    for (n, handle) in list.read(call.instance, u64::from(count) * 4)?.chunks_exact(4).enumerate() {
        let handle = u32::from_le_bytes([handle[0], handle[1], handle[2], handle[3]]);
        let fetch = *world.handles.get::<FetchId>(handle)?;
        if done.is_none() && world.fetches.is_answered(fetch) {
            done = Some((n as u32, handle, fetch));
        }
    }
    let Some((n, handle, fetch)) = done else { return Err(Stop::Wait(None)) };
    world.handles.take::<FetchId>(handle)?;
    if outs.answer(call, fetch)?.is_err() {
        outs.set(call.instance, NO_HANDLE, NO_HANDLE)?;
    }
    done_index.set_u32(call.instance, n)
}

pub(crate) fn select(call: &mut Call<'_>) -> Result<(), Stop> {
    let done_index = Out::at(call.instance, 2)?;
    let outs = Outs::at(call.instance, None, 3)?;
    first_of(call, done_index, outs)
}

pub(crate) fn select_v2(call: &mut Call<'_>) -> Result<(), Stop> {
    let (detail, done_index) = (ErrorDetail::at(call.instance, 2)?, Out::at(call.instance, 3)?);
    let outs = Outs::at(call.instance, Some(detail), 4)?;
    first_of(call, done_index, outs)
}

/// What would change an answer before it is there.
pub(crate) fn change_pending(call: &mut Call<'_>) -> Result<(), Stop> {
    call.host.compute.handles.get::<FetchId>(number(call.instance, 0))?;
    Err(Status::Unsupported.into())
}
