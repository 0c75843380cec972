//! `GET /api/v1/events`: one stream for as many topics as a browser is interested in.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::{Query, State};
use axum::response::sse::{self, KeepAlive, Sse};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use tokio_stream::Stream;

use crate::workshop::Workshop;
use crate::workshop::events::{Event, Subscription, Topic};
use crate::workshop::problem::Problem;

/// How soon a browser comes back after the stream ended.
const RETRY: Duration = Duration::from_secs(1);
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Of the present state of a deployment.
const LOGS_AT_FIRST: usize = 500;
const REQUESTS_AT_FIRST: usize = 200;

#[derive(Deserialize)]
pub(super) struct Interest {
    #[serde(default)]
    topics: String,
    /// The last event that was seen; `Last-Event-ID` is the same and goes first, for it is newer.
    after: Option<u64>,
}

pub(super) async fn stream(
    State(workshop): State<Arc<Workshop>>,
    Query(interest): Query<Interest>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Problem> {
    let topics = parse_topics(&interest.topics, workshop.limits.event_topics_max)?;
    let last_event_id = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let subscription = workshop.events.subscribe(topics.clone(), last_event_id.or(interest.after))?;
    let mut first = VecDeque::from([sse::Event::default().retry(RETRY)]);
    if let Some(id) = subscription.present_state {
        topics.iter().for_each(|topic| present_state(&workshop, topic, id, &mut first));
    }
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    Ok(Sse::new(EventStream { first, subscription, ended: false }).keep_alive(keep_alive))
}

fn parse_topics(text: &str, event_topics_max: usize) -> Result<Vec<Topic>, Problem> {
    let names: Vec<&str> = text.split(',').filter(|name| !name.is_empty()).collect();
    if names.is_empty() {
        return Err(Problem::bad_request("\"topics\" names what to tell of: build:<id> or deployment:<slug>, several with commas between"));
    }
    if names.len() > event_topics_max {
        let detail = format!("{} topics are more than the limit event_topics_max of {event_topics_max}", names.len());
        return Err(Problem::limit(http::StatusCode::BAD_REQUEST, "event_topics_max", detail));
    }
    let parse = |name: &str| {
        Topic::parse(name).ok_or_else(|| Problem::bad_request(format!("the topic {name:?} is neither build:<id> nor deployment:<slug>")))
    };
    names.into_iter().map(parse).collect()
}

/// What a reader has to know before it hears of changes.
fn present_state(workshop: &Workshop, topic: &Topic, id: u64, first: &mut VecDeque<sse::Event>) {
    match topic {
        Topic::Build(build) => first.extend(workshop.builds.find(build).and_then(|build| event(id, "build", &build))),
        Topic::Deployment(slug) => {
            first.extend(workshop.deployments.view(slug).and_then(|view| event(id, "deployment", &view)));
            let logs = workshop.deployments.logs(slug).unwrap_or_default();
            first.extend(logs[logs.len().saturating_sub(LOGS_AT_FIRST)..].iter().filter_map(|log| event(id, "log", log)));
            let requests = workshop.deployments.requests(slug).unwrap_or_default();
            let last = &requests[requests.len().saturating_sub(REQUESTS_AT_FIRST)..];
            first.extend(last.iter().filter_map(|request| event(id, "request", request)));
        }
    }
}

fn event(id: u64, name: &str, data: &impl Serialize) -> Option<sse::Event> {
    Some(sse::Event::default().id(id.to_string()).event(name).data(serde_json::to_string(data).ok()?))
}

struct EventStream {
    first: VecDeque<sse::Event>,
    subscription: Subscription,
    ended: bool,
}

impl Stream for EventStream {
    type Item = Result<sse::Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(event) = self.first.pop_front() {
            return Poll::Ready(Some(Ok(event)));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        self.subscription.events.poll_recv(context).map(|event| match event {
            Some(Event { id, name, data, .. }) => Some(Ok(sse::Event::default().id(id.to_string()).event(name).data(&*data))),
            None => {
                self.ended = true;
                let note = r#"{"detail":"this reader was too slow and was let go; it comes back and is told what it missed"}"#;
                self.subscription.was_dropped().then(|| Ok(sse::Event::default().event("dropped").data(note)))
            }
        })
    }
}
