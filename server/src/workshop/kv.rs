//! Keeps what deployments' programs put into key-value stores.
//!
//! ```text
//!  gateways ──KvAsk──┐                                          ┌─► all gateways: what changed, in the order of the commits
//!  API ──change──────┴─► queue ─► one transaction for all of it ┴─► who asked: that it is done
//! ```
//! One task takes what is in the queue, has it committed, then tells: first what changed, then who asked for it. So an acknowledged change is on disk
//! and with every gateway. `rows` is the SQL.

mod rows;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use vivarium_abi::{KvChange, KvEntry, KvError};

use super::database::{Database, DatabaseError};
use super::deployments::KvStoreView;
use super::parts::GuestServer;
use crate::control::channel::MESSAGE_BYTES_MAX;
use crate::control::messages::{KvAsk, KvKept, KvTold, Timestamp};
use crate::limits::Limits;

/// What waits to be taken. A gateway has fewer asks open at a time; those of one that has ended may stand before them.
const QUEUE_MAX: usize = 8_192;
/// Of these so many are committed at once.
const BATCH_MAX: usize = 256;
/// After so much was read and changed the rest of them waits for the next transaction, in bytes: all of it is told in one message, and a short change
/// tells of a long value.
const BATCH_BYTES_MAX: u64 = (MESSAGE_BYTES_MAX / 4) as u64;

/// How long a gateway is waited for that has not said that it took what it was told: it has ended, or is about to, and the next one asks anew.
const HEARD_MAX: Duration = Duration::from_secs(1);

/// Something to be done, in its order.
#[derive(Debug)]
enum Ask {
    Contents { slug: String },
    Change { slug: String, change: KvChange, from: From },
    Empty { slug: String, store: String },
}

/// Who is told of the end of a change.
#[derive(Debug)]
enum From {
    Gateway(u64),
    Api(oneshot::Sender<Result<(), KvError>>),
}

/// Where changes are asked for.
#[derive(Debug, Clone)]
pub struct KvKeeper {
    asks: mpsc::Sender<Ask>,
    database: Database,
    marks: Arc<Marks>,
}

/// What waits to be taken: given to the task that keeps.
pub struct Queue {
    asks: mpsc::Receiver<Ask>,
    marks: Arc<Marks>,
}

/// What the gateway has not said to have heard yet.
#[derive(Debug, Default)]
struct Marks {
    next: AtomicU64,
    open: Mutex<HashMap<u64, oneshot::Sender<()>>>,
}

impl Marks {
    fn set(&self) -> (u64, oneshot::Receiver<()>) {
        let (heard, hears) = oneshot::channel();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.open().insert(number, heard);
        (number, hears)
    }

    fn heard(&self, number: u64) {
        if let Some(heard) = self.open().remove(&number) {
            let _ = heard.send(());
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<()>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KvKeeper {
    pub fn new(database: Database) -> (KvKeeper, Queue) {
        let (asks, queue) = mpsc::channel(QUEUE_MAX);
        let marks = Arc::<Marks>::default();
        (KvKeeper { asks, database, marks: marks.clone() }, Queue { asks: queue, marks })
    }

    /// What a gateway asks. Never waits: with a queue as full as it never is the asking requests end at their time.
    pub fn ask(&self, asks: Vec<KvAsk>) {
        for ask in asks {
            let ask = match ask {
                KvAsk::Contents { slug } => Ask::Contents { slug },
                KvAsk::Heard { number } => {
                    self.marks.heard(number);
                    continue;
                }
                KvAsk::Change { call, slug, change } => Ask::Change { slug, change, from: From::Gateway(call) },
            };
            if self.asks.try_send(ask).is_err() {
                eprintln!("vivarium: more changes of key-value stores wait than are taken; some are dropped");
                return;
            }
        }
    }

    /// Changes a store; done when it is committed and every gateway was told.
    pub async fn change(&self, slug: &str, change: KvChange) -> Result<(), KvError> {
        let (answer, answered) = oneshot::channel();
        let ask = Ask::Change { slug: slug.to_owned(), change, from: From::Api(answer) };
        self.asks.send(ask).await.map_err(|_| KvError::Internal)?;
        answered.await.unwrap_or(Err(KvError::Internal))
    }

    /// Lets all go that these stores hold.
    pub async fn empty(&self, slug: &str, stores: Vec<String>) {
        for store in stores {
            // Who does not take it has ended, and the server with it.
            let _ = self.asks.send(Ask::Empty { slug: slug.to_owned(), store }).await;
        }
    }

    /// What a key means now.
    pub async fn get(&self, slug: &str, store: &str, key: &str) -> Result<Option<KvEntry>, DatabaseError> {
        let (slug, store, key) = (slug.to_owned(), store.to_owned(), key.to_owned());
        self.database.call(move |connection| rows::get(connection, &slug, &store, &key, now())).await
    }

    /// Keys in order that begin with `prefix` and come after `after`, at most so many.
    pub async fn keys(&self, slug: &str, store: &str, prefix: &str, after: &str, count: usize) -> Result<Vec<String>, DatabaseError> {
        let [slug, store, prefix, after] = [slug, store, prefix, after].map(str::to_owned);
        self.database.call(move |connection| rows::keys(connection, [&slug, &store, &prefix, &after], count, now())).await
    }

    /// How much each store of a deployment holds.
    pub async fn held(&self, slug: &str) -> Result<BTreeMap<String, KvStoreView>, DatabaseError> {
        let slug = slug.to_owned();
        self.database.call(move |connection| rows::held(connection, &slug, now())).await
    }
}

impl Queue {
    /// Takes what is asked until nobody asks any more.
    pub async fn keep(mut self, database: Database, guests: Arc<dyn GuestServer>, limits: Arc<Limits>) {
        let limits = rows::KeepLimits { kv_bytes_max: limits.kv_bytes_max, bytes_max: BATCH_BYTES_MAX };
        let mut asks = Vec::new();
        while self.asks.recv_many(&mut asks, BATCH_MAX).await > 0 {
            let (mut work, tellings) = split(std::mem::take(&mut asks));
            let mut tellings = tellings.into_iter();
            while !work.is_empty() {
                let count = work.len();
                let kept = database.call(move |connection| rows::keep(connection, work, limits, now())).await;
                let (kept, rest) = kept.unwrap_or_else(|error| {
                    eprintln!("vivarium: cannot keep what programs put into key-value stores: {error}");
                    ((0..count).map(|_| Err(KvError::Internal)).collect(), vec![])
                });
                work = rest;
                self.tell(guests.as_ref(), tellings.by_ref().take(kept.len()).zip(kept)).await;
            }
        }
    }

    /// Tells of what is committed.
    async fn tell(&self, guests: &dyn GuestServer, kept: impl Iterator<Item = (Telling, rows::Kept)>) {
        let (mut told, mut of_api) = (Vec::new(), Vec::new());
        for (telling, kept) in kept {
            telling.tell(kept, &mut told, &mut of_api);
        }
        let mark = (!of_api.is_empty()).then(|| self.marks.set());
        told.extend(mark.iter().map(|(number, _)| KvTold::Mark { number: *number }));
        guests.tell_kv(told).await;
        if let Some((number, hears)) = mark {
            let marks = self.marks.clone();
            // Whoever hears of the end comes back by another way than this one: the gateway must know of the change before.
            tokio::spawn(async move {
                let _ = tokio::time::timeout(HEARD_MAX, hears).await;
                marks.heard(number);
                for (answer, result) in of_api {
                    let _ = answer.send(result);
                }
            });
        }
    }
}

/// What the database does, and who is told of it.
fn split(asks: Vec<Ask>) -> (Vec<rows::Work>, Vec<Telling>) {
    let of = |ask| match ask {
        Ask::Contents { slug } => (rows::Work::Read { slug: slug.clone() }, Telling::Contents { slug }),
        Ask::Change { slug, change, from } => (rows::Work::Change { slug: slug.clone(), change }, Telling::Change { slug, from }),
        Ask::Empty { slug, store } => (rows::Work::Empty { slug: slug.clone(), store: store.clone() }, Telling::Emptied { slug, store }),
    };
    asks.into_iter().map(of).unzip()
}

enum Telling {
    Contents { slug: String },
    Change { slug: String, from: From },
    Emptied { slug: String, store: String },
}

type OfApi = Vec<(oneshot::Sender<Result<(), KvError>>, Result<(), KvError>)>;

impl Telling {
    fn tell(self, kept: Result<Vec<KvKept>, KvError>, told: &mut Vec<KvTold>, of_api: &mut OfApi) {
        match self {
            Telling::Contents { slug } => told.push(KvTold::Contents { slug, kept }),
            Telling::Emptied { slug, store } => told.extend(kept.is_ok().then_some(KvTold::Emptied { slug, store })),
            Telling::Change { slug, from } => {
                let result = kept.map(|kept| told.extend(kept.into_iter().map(|kept| KvTold::Changed { slug: slug.clone(), kept })));
                match from {
                    From::Gateway(call) => told.push(KvTold::Ended { call, result }),
                    From::Api(answer) => of_api.push((answer, result)),
                }
            }
        }
    }
}

fn now() -> u64 {
    Timestamp::now().unix_ms
}

#[cfg(test)]
mod tests;
