//! The hub of events: what happens to builds and deployments, to everybody who reads it as it happens.
//!
//! ```text
//! publish(topic, name, data) ─► ring of the last events ─► one bounded queue for each stream that reads the topic
//! ```
//! Ids grow over restarts too, for they begin at the microsecond of the start. A reader that comes back names the last id it saw and gets
//! what came since; where that is no longer known, it is told the present state. A reader that is too slow is let go, and comes back.
//! Events of a topic that nobody reads are not even written down: it is only remembered that they were. Queues hold what the ring holds and
//! no more: a reader that has yet to take an event that the ring lost is too slow as well, so that the ring's bound in bytes bounds all.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use thiserror::Error;
use tokio::sync::mpsc;

use crate::limits::Limits;

/// Topics for which it is remembered that events went unread; beyond that all count as unread.
const UNREAD_TOPICS_MAX: usize = 4_096;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// `build:<id>`
    Build(String),
    /// `deployment:<slug>`
    Deployment(String),
}

impl Topic {
    pub fn parse(text: &str) -> Option<Topic> {
        match text.split_once(':')? {
            ("build", id) => Some(Topic::Build(id.to_owned())),
            ("deployment", slug) => Some(Topic::Deployment(slug.to_owned())),
            _ => None,
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Topic::Build(id) => write!(f, "build:{id}"),
            Topic::Deployment(slug) => write!(f, "deployment:{slug}"),
        }
    }
}

/// One event; `data` is JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub id: u64,
    pub topic: Topic,
    pub name: &'static str,
    pub data: Arc<str>,
}

impl Event {
    fn bytes(&self) -> usize {
        size_of_val(self) + self.data.len()
    }
}

#[derive(Debug, Error, PartialEq, Eq)]
pub enum SubscribeError {
    #[error("{event_streams_max} event streams are open, the limit event_streams_max: close a tab, or ask again later")]
    TooManyStreams { event_streams_max: usize },
}

/// One reader's stream.
#[derive(Debug)]
pub struct Subscription {
    pub events: mpsc::Receiver<Event>,
    /// Some of what came since is not known any more: tell the present state first, under this id.
    pub present_state: Option<u64>,
    dropped: Arc<AtomicBool>,
}

impl Subscription {
    /// The stream ended because its reader was too slow.
    pub fn was_dropped(&self) -> bool {
        self.dropped.load(Ordering::Acquire)
    }
}

#[derive(Debug)]
pub struct Hub {
    state: Mutex<State>,
    events_kept: usize,
    events_bytes_kept: usize,
    event_streams_max: usize,
    event_queue_max: usize,
}

#[derive(Debug)]
struct State {
    last_id: u64,
    ring: VecDeque<Event>,
    ring_bytes: usize,
    /// What came up to here is not in the ring any more.
    forgotten: u64,
    /// The last event of a topic that went by unread.
    unread: HashMap<Topic, u64>,
    readers: Vec<Reader>,
    ended: bool,
}

#[derive(Debug)]
struct Reader {
    topics: Vec<Topic>,
    queue: mpsc::Sender<Event>,
    /// Ids of what was put into the queue; those that were taken go at the next event.
    queued: VecDeque<u64>,
    dropped: Arc<AtomicBool>,
}

impl Hub {
    pub fn new(limits: &Limits) -> Hub {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let last_id = u64::try_from(now.as_micros()).unwrap_or_default();
        let state = State {
            last_id,
            ring: VecDeque::new(),
            ring_bytes: 0,
            forgotten: last_id,
            unread: HashMap::new(),
            readers: Vec::new(),
            ended: false,
        };
        Hub {
            state: Mutex::new(state),
            events_kept: limits.events_kept,
            events_bytes_kept: limits.events_bytes_kept,
            event_streams_max: limits.event_streams_max,
            event_queue_max: limits.event_queue_max,
        }
    }

    /// Tells everybody who reads the topic.
    pub fn publish(&self, topic: &Topic, name: &'static str, data: &impl Serialize) {
        let mut state = self.state();
        state.last_id += 1;
        let id = state.last_id;
        state.readers.retain(|reader| !reader.queue.is_closed());
        if !state.readers.iter().any(|reader| reader.topics.contains(topic)) {
            state.note_unread(topic, id);
            return;
        }
        // Types of ours serialize; what could not be written would be no event.
        let Ok(data) = serde_json::to_string(data) else { return };
        let event = Event { id, topic: topic.clone(), name, data: data.into() };
        state.keep(event.clone(), self.events_kept, self.events_bytes_kept);
        let forgotten = state.forgotten;
        state.readers.retain_mut(|reader| reader.offer(&event) && reader.keeps_up(forgotten));
    }

    /// A stream of these topics; `after` is the last event that the reader saw.
    pub fn subscribe(&self, topics: Vec<Topic>, after: Option<u64>) -> Result<Subscription, SubscribeError> {
        let mut state = self.state();
        state.readers.retain(|reader| !reader.queue.is_closed());
        if state.readers.len() >= self.event_streams_max {
            return Err(SubscribeError::TooManyStreams { event_streams_max: self.event_streams_max });
        }
        let known = after.filter(|after| state.knows_all_since(*after, &topics));
        let missed: Vec<Event> = state.since(known.unwrap_or(state.last_id), &topics);
        // What was missed is queued before anything new, so the queue has room for both.
        let (queue, events) = mpsc::channel(self.event_queue_max + missed.len());
        let mut reader = Reader { topics, queue, queued: VecDeque::new(), dropped: Arc::default() };
        let dropped = reader.dropped.clone();
        if missed.iter().all(|event| reader.offer(event)) && !state.ended {
            state.readers.push(reader);
        }
        let present_state = if known.is_some() { None } else { Some(state.last_id) };
        Ok(Subscription { events, present_state, dropped })
    }

    /// Ends every stream, and those that are asked for from now on: the server stops.
    pub fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        state.readers.clear();
    }

    /// Whether the server is about to stop.
    pub fn has_ended(&self) -> bool {
        self.state().ended
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn keep(&mut self, event: Event, events_kept: usize, events_bytes_kept: usize) {
        self.ring_bytes += event.bytes();
        self.ring.push_back(event);
        // The last one is kept however long it is.
        while self.ring.len() > 1 && (self.ring.len() > events_kept || self.ring_bytes > events_bytes_kept) {
            let Some(oldest) = self.ring.pop_front() else { break };
            self.ring_bytes -= oldest.bytes();
            self.forgotten = oldest.id;
        }
    }

    fn note_unread(&mut self, topic: &Topic, id: u64) {
        if self.unread.len() >= UNREAD_TOPICS_MAX && !self.unread.contains_key(topic) {
            self.unread.clear();
            self.ring.clear();
            self.ring_bytes = 0;
            self.forgotten = id;
        }
        match self.unread.get_mut(topic) {
            Some(last) => *last = id,
            None => drop(self.unread.insert(topic.clone(), id)),
        }
    }

    fn knows_all_since(&self, after: u64, topics: &[Topic]) -> bool {
        let all_read = topics.iter().all(|topic| self.unread.get(topic).is_none_or(|last| *last <= after));
        (self.forgotten..=self.last_id).contains(&after) && all_read
    }

    fn since(&self, after: u64, topics: &[Topic]) -> Vec<Event> {
        let newer = self.ring.iter().skip_while(|event| event.id <= after);
        newer.filter(|event| topics.contains(&event.topic)).cloned().collect()
    }
}

impl Reader {
    /// Whether the reader is still to be kept.
    fn offer(&mut self, event: &Event) -> bool {
        if !self.topics.contains(&event.topic) {
            return true;
        }
        let offered = self.queue.try_send(event.clone());
        if let Err(mpsc::error::TrySendError::Full(_)) = offered {
            self.dropped.store(true, Ordering::Release);
        }
        self.queued.push_back(event.id);
        offered.is_ok()
    }

    /// Whether nothing waits in its queue that the ring has lost.
    fn keeps_up(&mut self, forgotten: u64) -> bool {
        let waiting = self.queue.max_capacity() - self.queue.capacity();
        while self.queued.len() > waiting {
            self.queued.pop_front();
        }
        let keeps_up = self.queued.front().is_none_or(|oldest| *oldest > forgotten);
        if !keeps_up {
            self.dropped.store(true, Ordering::Release);
        }
        keeps_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(limits: Limits) -> Hub {
        Hub::new(&limits)
    }

    fn fern() -> Topic {
        Topic::Deployment("fern".into())
    }

    fn told(subscription: &mut Subscription) -> Vec<String> {
        std::iter::from_fn(|| subscription.events.try_recv().ok()).map(|event| event.data.to_string()).collect()
    }

    #[test]
    fn a_stream_gets_its_topics_only() {
        let hub = hub(Limits::default());
        let mut stream = hub.subscribe(vec![fern()], None).unwrap();
        assert!(stream.present_state.is_some(), "without a last id it is told the present state");
        hub.publish(&Topic::Deployment("moss".into()), "log", &1);
        hub.publish(&fern(), "log", &2);
        assert_eq!(told(&mut stream), ["2"]);
    }

    #[test]
    fn who_comes_back_gets_what_came_since() {
        let hub = hub(Limits::default());
        let _somebody = hub.subscribe(vec![fern()], None).unwrap();
        let mut stream = hub.subscribe(vec![fern()], None).unwrap();
        hub.publish(&fern(), "log", &1);
        let seen = stream.events.try_recv().unwrap().id;
        drop(stream);
        hub.publish(&fern(), "log", &2);
        hub.publish(&fern(), "log", &3);
        let mut stream = hub.subscribe(vec![fern()], Some(seen)).unwrap();
        assert_eq!(stream.present_state, None);
        hub.publish(&fern(), "log", &4);
        assert_eq!(told(&mut stream), ["2", "3", "4"]);
    }

    #[test]
    fn where_something_is_no_longer_known_the_present_state_is_told() {
        let hub = hub(Limits { events_kept: 2, ..Limits::default() });
        let mut first = hub.subscribe(vec![fern()], None).unwrap();
        let mut publish = |number: u64| {
            hub.publish(&fern(), "log", &number);
            first.events.try_recv().unwrap().id
        };
        let ids: Vec<u64> = (0..4).map(&mut publish).collect();
        let again = |after| hub.subscribe(vec![fern()], Some(after)).unwrap().present_state.is_some();
        assert!(again(ids[0]), "the second event is forgotten");
        assert!(!again(ids[1]), "the last two are kept");
        assert!(again(0) && again(u64::MAX), "before this start, or of another server");
        drop(first);
        hub.publish(&fern(), "log", &5);
        assert!(again(ids[3]), "nobody read the last one");
    }

    #[test]
    fn a_slow_reader_is_let_go_with_a_note_and_others_are_not() {
        let hub = hub(Limits { event_queue_max: 2, ..Limits::default() });
        let mut slow = hub.subscribe(vec![fern()], None).unwrap();
        let mut quick = hub.subscribe(vec![fern()], None).unwrap();
        for number in 0..3 {
            hub.publish(&fern(), "log", &number);
            assert_eq!(told(&mut quick), [number.to_string()]);
        }
        assert_eq!(told(&mut slow), ["0", "1"]);
        assert!(matches!(slow.events.try_recv(), Err(mpsc::error::TryRecvError::Disconnected)));
        assert!(slow.was_dropped() && !quick.was_dropped());
    }

    #[test]
    fn what_is_kept_is_bounded_in_bytes_and_a_queue_holds_no_more() {
        let hub = hub(Limits { events_bytes_kept: 5_000, ..Limits::default() });
        let mut slow = hub.subscribe(vec![fern()], None).unwrap();
        let mut quick = hub.subscribe(vec![fern()], None).unwrap();
        let long = "x".repeat(1_000);
        for _ in 0..20 {
            hub.publish(&fern(), "log", &long);
            assert_eq!(told(&mut quick).len(), 1);
        }
        let bytes = hub.state().ring_bytes;
        assert!((1_000..=5_000).contains(&bytes), "{bytes} bytes");
        assert!(told(&mut slow).len() <= 5 && slow.was_dropped() && !quick.was_dropped());
        hub.publish(&fern(), "log", &"x".repeat(10_000));
        assert_eq!(told(&mut quick).len(), 1, "one is told however long it is");
        assert_eq!(hub.state().ring.len(), 1);
    }

    #[test]
    fn streams_are_bounded_and_those_that_left_do_not_count() {
        let hub = hub(Limits { event_streams_max: 1, ..Limits::default() });
        let stream = hub.subscribe(vec![fern()], None).unwrap();
        assert_eq!(hub.subscribe(vec![fern()], None).unwrap_err(), SubscribeError::TooManyStreams { event_streams_max: 1 });
        drop(stream);
        hub.subscribe(vec![fern()], None).unwrap();
    }
}
