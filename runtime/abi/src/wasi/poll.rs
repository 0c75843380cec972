//! `poll_oneoff`: waiting for clocks. Streams are always ready: input is in hand, output never blocks.
//!
//! ```text
//! subscription (48 bytes)                          event (32 bytes)
//!  0 userdata  8 kind                               0 userdata  8 error (u16)  10 kind
//! 16 clock id 24 timeout 40 flags (u16)            16 bytes ready  24 flags (u16)
//! 16 descriptor
//! ```

use super::clock::timeout;
use super::descriptor::{Descriptor, Object, Standard};
use super::{Errno, Pending, Stop};
use crate::answer::Wait;
use crate::clocks::Moment;
use crate::guest::{Call, GuestPtr};
use crate::host::Host;

/// How many subscriptions one call may name.
const SUBSCRIPTIONS_MAX: u32 = 1024;
const SUBSCRIPTION_BYTES: usize = 48;
const EVENT_BYTES: usize = 32;

const KIND_CLOCK: u8 = 0;
const KIND_FD_READ: u8 = 1;
const KIND_FD_WRITE: u8 = 2;

const CLOCK_ABSOLUTE: u16 = 1;
const EVENT_HANGUP: u16 = 1;

/// How much an output stream says it takes at once, in bytes.
const WRITE_BYTES_READY: u64 = 64 << 10;

/// How much a file says is ready: a file never blocks.
const FILE_BYTES_READY: u64 = 1;

/// A call that waits.
#[derive(Debug)]
pub(crate) struct Poll {
    subscriptions: Vec<Subscription>,
    events: GuestPtr,
    event_count: GuestPtr,
}

#[derive(Debug)]
struct Subscription {
    userdata: [u8; 8],
    kind: u8,
    state: State,
}

#[derive(Debug)]
enum State {
    Ready { bytes: u64, flags: u16 },
    Refused(Errno),
    At(Moment),
}

pub(crate) fn poll_oneoff(call: &mut Call<'_>) -> Result<(), Stop> {
    let (subscriptions, events, count, event_count) = (call.pointer(0), call.pointer(1), call.u32(2), call.pointer(3));
    if count == 0 || count > SUBSCRIPTIONS_MAX {
        return Err(Errno::Inval.into());
    }
    let bytes = subscriptions.read(call.instance, u64::from(count) * SUBSCRIPTION_BYTES as u64)?;
    events.check(call.instance, u64::from(count) * EVENT_BYTES as u64)?;
    event_count.check(call.instance, 4)?;
    let subscriptions = bytes.chunks_exact(SUBSCRIPTION_BYTES).map(|bytes| subscription(call.host, bytes)).collect::<Result<_, _>>()?;
    Poll { subscriptions, events, event_count }.finish(call)
}

/// Reads one subscription. What is wrong with its subject becomes its event; a form that the specification does not know fails the call.
fn subscription(host: &mut Host, bytes: &[u8]) -> Result<Subscription, Errno> {
    let kind = bytes[8];
    let subject = u32::from_le_bytes(field(bytes, 16));
    let state = match kind {
        KIND_CLOCK => clock_state(host, subject, u64::from_le_bytes(field(bytes, 24)), u16::from_le_bytes(field(bytes, 40)))?,
        KIND_FD_READ | KIND_FD_WRITE => stream_state(host, subject, kind),
        _ => return Err(Errno::Inval),
    };
    Ok(Subscription { userdata: field(bytes, 0), kind, state })
}

/// A field of a subscription, whose length the caller has checked.
fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[at..at + N]);
    field
}

fn clock_state(host: &Host, id: u32, timeout_ns: u64, flags: u16) -> Result<State, Errno> {
    if flags & !CLOCK_ABSOLUTE != 0 {
        return Err(Errno::Inval);
    }
    Ok(match timeout(&host.clocks, id, timeout_ns, flags == CLOCK_ABSOLUTE) {
        Ok(moment) => State::At(moment),
        Err(errno) => State::Refused(errno),
    })
}

fn stream_state(host: &mut Host, fd: u32, kind: u8) -> State {
    if let Ok(Descriptor { object: Object::File(_), .. }) = host.descriptor(fd) {
        return State::Ready { bytes: FILE_BYTES_READY, flags: 0 };
    }
    match (host.descriptors.stream(fd), kind) {
        (Ok(Standard::Input), KIND_FD_READ) => {
            let bytes = host.stdin.len() as u64;
            State::Ready { bytes, flags: if bytes == 0 { EVENT_HANGUP } else { 0 } }
        }
        (Ok(Standard::Output | Standard::Error), KIND_FD_WRITE) => State::Ready { bytes: WRITE_BYTES_READY, flags: 0 },
        _ => State::Refused(Errno::Badf),
    }
}

impl Poll {
    /// Writes the events that are there, or waits for the first.
    pub(crate) fn finish(self, call: &mut Call<'_>) -> Result<(), Stop> {
        let events: Vec<[u8; EVENT_BYTES]> = self.subscriptions.iter().filter_map(|subscription| event(call.host, subscription)).collect();
        if events.is_empty() {
            return self.wait(call);
        }
        self.events.write(call.instance, &events.concat())?;
        self.event_count.write_u32(call.instance, events.len() as u32)?;
        Ok(())
    }

    fn wait(self, call: &mut Call<'_>) -> Result<(), Stop> {
        let moments = self.subscriptions.iter().filter_map(|subscription| match subscription.state {
            State::At(moment) => Some(moment),
            State::Ready { .. } | State::Refused(_) => None,
        });
        let first = moments.min().ok_or(Errno::Inval)?;
        let wake_at = call.host.clocks.wake_at(first);
        call.wait(Pending::Poll(self), Wait::Until(wake_at))
    }
}

/// The event of a subscription, if it is there.
fn event(host: &Host, subscription: &Subscription) -> Option<[u8; EVENT_BYTES]> {
    let (error, bytes, flags) = match subscription.state {
        State::At(moment) if !host.clocks.is_past(moment) => return None,
        State::At(_) => (Errno::Success, 0, 0),
        State::Ready { bytes, flags } => (Errno::Success, bytes, flags),
        State::Refused(errno) => (errno, 0, 0),
    };
    let mut event = [0; EVENT_BYTES];
    event[0..8].copy_from_slice(&subscription.userdata);
    event[8..10].copy_from_slice(&(error as u16).to_le_bytes());
    event[10] = subscription.kind;
    event[16..24].copy_from_slice(&bytes.to_le_bytes());
    event[24..26].copy_from_slice(&flags.to_le_bytes());
    Some(event)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::answer::Answer;
    use crate::testing::{Guest, call, check, host, host_with_stdin};

    const EVENTS: usize = 256;
    const COUNT: usize = 508;

    /// Lays a subscription whose userdata is its number from 1.
    fn subscribe(guest: &mut Guest, n: usize, kind: u8, subject: u32, timeout_ns: u64, flags: u16) {
        let at = n * SUBSCRIPTION_BYTES;
        guest.put(at, &(n as u64 + 1).to_le_bytes());
        guest.put(at + 8, &[kind]);
        guest.put(at + 16, &subject.to_le_bytes());
        guest.put(at + 24, &timeout_ns.to_le_bytes());
        guest.put(at + 40, &flags.to_le_bytes());
    }

    fn poll(host: &mut Host, guest: &mut Guest, count: u64) -> Answer {
        call(host, guest, "poll_oneoff", &[0, EVENTS as u64, count, COUNT as u64])
    }

    /// (userdata, error, kind, bytes, flags) of each event.
    fn events(guest: &Guest) -> Vec<(u64, u16, u8, u64, u16)> {
        let event = |at: usize| {
            let half = |at: usize| u16::from_le_bytes([guest.memory[at], guest.memory[at + 1]]);
            (guest.u64_at(at), half(at + 8), guest.memory[at + 10], guest.u64_at(at + 16), half(at + 24))
        };
        (0..guest.u32_at(COUNT) as usize).map(|n| event(EVENTS + n * EVENT_BYTES)).collect()
    }

    #[test]
    fn a_timeout_waits_and_then_happens() {
        let (mut host, mut guest) = (host(), Guest::with_memory(512));
        subscribe(&mut guest, 0, KIND_CLOCK, 0, 2_000_000, 0);
        subscribe(&mut guest, 1, KIND_CLOCK, 1, 60_000_000_000, 0);
        let mut answer = poll(&mut host, &mut guest, 2);
        assert!(matches!(answer, Answer::Wait(_)));
        while let Answer::Wait(Wait::Until(moment)) = answer {
            std::thread::sleep(moment.saturating_duration_since(Instant::now()));
            answer = host.finish_wait(&mut guest);
        }
        assert_eq!(answer, Answer::value(0));
        assert_eq!(events(&guest), [(1, 0, KIND_CLOCK, 0, 0)]);
        check(&mut host, &mut guest, "clock_time_get", &[1, 0, 0], 0);
        assert!(guest.u64_at(0) >= 2_000_000, "a guest sees at least the time that it slept");
    }

    #[test]
    fn finishing_early_waits_on() {
        let (mut host, mut guest) = (host(), Guest::with_memory(512));
        subscribe(&mut guest, 0, KIND_CLOCK, 1, u64::MAX, 0);
        assert!(matches!(poll(&mut host, &mut guest, 1), Answer::Wait(_)));
        assert!(matches!(host.finish_wait(&mut guest), Answer::Wait(_)));
    }

    #[test]
    fn an_absolute_time_that_is_past_is_ready() {
        let (mut host, mut guest) = (host(), Guest::with_memory(512));
        subscribe(&mut guest, 0, KIND_CLOCK, 0, 1_000, CLOCK_ABSOLUTE);
        subscribe(&mut guest, 1, KIND_CLOCK, 1, 0, CLOCK_ABSOLUTE);
        assert_eq!(poll(&mut host, &mut guest, 2), Answer::value(0));
        assert_eq!(events(&guest), [(1, 0, 0, 0, 0), (2, 0, 0, 0, 0)]);
        subscribe(&mut guest, 0, KIND_CLOCK, 0, u64::MAX, CLOCK_ABSOLUTE);
        assert!(matches!(poll(&mut host, &mut guest, 1), Answer::Wait(_)));
    }

    #[test]
    fn streams_are_ready_at_once() {
        let (mut host, mut guest) = (host_with_stdin(b"abc"), Guest::with_memory(512));
        subscribe(&mut guest, 0, KIND_FD_READ, 0, 0, 0);
        subscribe(&mut guest, 1, KIND_FD_WRITE, 1, 0, 0);
        subscribe(&mut guest, 2, KIND_FD_WRITE, 2, 0, 0);
        subscribe(&mut guest, 3, KIND_CLOCK, 0, u64::MAX, 0);
        subscribe(&mut guest, 4, KIND_FD_READ, 7, 0, 0);
        assert_eq!(poll(&mut host, &mut guest, 5), Answer::value(0));
        let ready = WRITE_BYTES_READY;
        assert_eq!(events(&guest), [(1, 0, 1, 3, 0), (2, 0, 2, ready, 0), (3, 0, 2, ready, 0), (5, 8, 1, 0, 0)]);
    }

    #[test]
    fn input_that_ended_hangs_up() {
        let (mut host, mut guest) = (host(), Guest::with_memory(512));
        subscribe(&mut guest, 0, KIND_FD_READ, 0, 0, 0);
        assert_eq!(poll(&mut host, &mut guest, 1), Answer::value(0));
        assert_eq!(events(&guest), [(1, 0, 1, 0, EVENT_HANGUP)]);
    }

    #[test]
    fn clocks_that_nobody_can_wait_for_are_refused() {
        let (mut host, mut guest) = (host(), Guest::with_memory(512));
        subscribe(&mut guest, 0, KIND_CLOCK, 2, 0, 0);
        subscribe(&mut guest, 1, KIND_CLOCK, 9, 0, 0);
        assert_eq!(poll(&mut host, &mut guest, 2), Answer::value(0));
        assert_eq!(events(&guest), [(1, 58, 0, 0, 0), (2, 28, 0, 0, 0)]);
    }

    #[test]
    fn bad_forms_and_addresses_are_refused() {
        let (mut host, mut guest) = (host(), Guest::with_memory(512));
        subscribe(&mut guest, 0, 3, 0, 0, 0);
        assert_eq!(poll(&mut host, &mut guest, 1), Answer::value(28));
        subscribe(&mut guest, 0, KIND_CLOCK, 0, 0, 2);
        assert_eq!(poll(&mut host, &mut guest, 1), Answer::value(28));
        for count in [0, 1025, u64::from(u32::MAX)] {
            assert_eq!(poll(&mut host, &mut guest, count), Answer::value(28));
        }
        subscribe(&mut guest, 0, KIND_CLOCK, 0, 0, 0);
        for arguments in [[465, 0, 1, 0], [0, 481, 1, 0], [0, 256, 1, 509], [0, 256, 1024, 0], [u64::from(u32::MAX), 0, 1, 0]] {
            check(&mut host, &mut guest, "poll_oneoff", &arguments, 21);
        }
    }
}
