//! The second setting: a program that nobody edits any more is compiled again, optimised, and swapped in behind the same revision.
//!
//! ```text
//! served ─► quiet for `optimise_after_ms` ─► compiled in the background ─► swapped in
//!               ▲                                   │ an edit: it is given up
//!               └───────────────────────────────────┘
//! ```
//! It ends without a swap when another revision is served, the program expires, or its optimised code cannot be made or is refused: then it stays as it is, and is not
//! tried again before the next start of the server. A gateway that only has no room for it now is asked again, and whatever it says then, the code is kept. Requests in
//! flight finish on the code that they began with; a request never waits for a swap.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use vivarium_artifact::Setting;
use vivarium_toolchains::Cancel;

use super::Workshop;
use super::blobs::BlobHash;
use super::builds::NotOptimised;
use super::deployments::Lookup;
use super::identifiers::TokenHash;
use crate::control::messages::Loaded;
use crate::gateway::supervisor::LoadFailure;
use crate::limits::Limits;

/// Programs that are optimised at the same time: it must cost who edits nothing.
const AT_ONCE: usize = 1;

/// Programs that are remembered as not to be optimised; when there are more, all are forgotten, and some tried once more.
const GIVEN_UP_MAX: usize = 4_096;
/// How often a gateway that has no room is asked, and how long is waited in between.
const SWAPS_MAX: u32 = 5;
const SWAP_PAUSE: Duration = Duration::from_secs(1);

/// Programs that are to be optimised, by slug.
pub struct Optimising {
    waiting: Mutex<HashMap<String, Waiting>>,
    /// Those that cannot be, by their wasm.
    given_up: Mutex<HashSet<BlobHash>>,
    at_once: Semaphore,
    quiet: Duration,
    waiting_max: usize,
}

struct Waiting {
    revision: u32,
    owner: Option<TokenHash>,
    /// When it was served, or its owner last built something.
    touched_at: Instant,
    /// Of the compilation that runs, if one does.
    cancel: Cancel,
}

/// What the next step is for a program.
enum Step {
    Wait(Duration),
    Compile(Cancel),
    /// Another revision has taken its place.
    Over,
}

impl Optimising {
    pub fn new(limits: &Limits) -> Optimising {
        Optimising {
            waiting: Mutex::default(),
            given_up: Mutex::default(),
            at_once: Semaphore::new(AT_ONCE),
            quiet: Duration::from_millis(limits.optimise_after_ms),
            waiting_max: limits.optimisations_waiting_max,
        }
    }

    /// This owner is at work: what was to be optimised for him waits again.
    pub fn touch(&self, owner: Option<TokenHash>) {
        for waiting in self.waiting().values_mut().filter(|waiting| owner.is_some() && waiting.owner == owner) {
            waiting.touched_at = Instant::now();
            waiting.cancel.cancel();
        }
    }

    /// Gives up everything.
    pub fn end(&self) {
        self.waiting().drain().for_each(|(_, waiting)| waiting.cancel.cancel());
    }

    /// This program stays as it is.
    pub fn give_up(&self, wasm: BlobHash) {
        let mut given_up = self.given_up();
        if given_up.len() >= GIVEN_UP_MAX {
            given_up.clear();
        }
        given_up.insert(wasm);
    }

    fn given_up(&self) -> MutexGuard<'_, HashSet<BlobHash>> {
        self.given_up.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False when this revision waits already, or when so many do that it stays as it is.
    fn begin(&self, slug: &str, revision: u32, owner: Option<TokenHash>) -> bool {
        let mut all = self.waiting();
        match all.get(slug) {
            Some(waiting) if waiting.revision == revision => return false,
            None if all.len() >= self.waiting_max => return false,
            _ => {}
        }
        let waiting = Waiting { revision, owner, touched_at: Instant::now(), cancel: Cancel::new() };
        if let Some(before) = all.insert(slug.to_owned(), waiting) {
            before.cancel.cancel();
        }
        true
    }

    fn step(&self, slug: &str, revision: u32) -> Step {
        let mut all = self.waiting();
        let Some(waiting) = all.get_mut(slug).filter(|waiting| waiting.revision == revision) else { return Step::Over };
        let left = self.quiet.saturating_sub(waiting.touched_at.elapsed());
        if !left.is_zero() {
            return Step::Wait(left);
        }
        waiting.cancel = Cancel::new();
        Step::Compile(waiting.cancel.clone())
    }

    fn finish(&self, slug: &str, revision: u32) {
        let mut all = self.waiting();
        if all.get(slug).is_some_and(|waiting| waiting.revision == revision) {
            all.remove(slug);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<String, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Workshop {
    /// Sees to it that a revision which is served as it was compiled first is optimised when its owner is quiet.
    pub(super) fn optimise_unless_done(self: &Arc<Self>, slug: &str, revision: u32, wasm: BlobHash) {
        let owner = self.deployments.owner_of(slug);
        if !self.optimising.given_up().contains(&wasm) && self.optimising.begin(slug, revision, owner) {
            let (workshop, slug) = (self.clone(), slug.to_owned());
            tokio::spawn(async move {
                let looking = workshop.clone();
                let is_done = tokio::task::spawn_blocking(move || looking.builds.pipeline().is_optimised(wasm)).await;
                if matches!(is_done, Ok(false)) {
                    workshop.optimise(&slug, revision, wasm, owner).await;
                }
                workshop.optimising.finish(&slug, revision);
            });
        }
    }

    async fn optimise(self: &Arc<Self>, slug: &str, revision: u32, wasm: BlobHash, owner: Option<TokenHash>) {
        loop {
            match self.optimising.step(slug, revision) {
                Step::Over => return,
                Step::Wait(left) => tokio::time::sleep(left).await,
                Step::Compile(cancel) => {
                    let Ok(_permit) = self.optimising.at_once.acquire().await else { return };
                    if cancel.is_cancelled() {
                        continue;
                    }
                    if !self.is_served(slug, revision) {
                        return;
                    }
                    let optimised = self.optimised(wasm, owner, cancel.clone()).await;
                    if cancel.is_cancelled() {
                        continue;
                    }
                    return match optimised {
                        Ok(artifact) => self.swap_in(slug, revision, wasm, artifact).await,
                        Err(not) => {
                            if not.for_good {
                                self.optimising.give_up(wasm);
                            }
                            self.note_not_optimised(slug, revision, &not.sentence);
                        }
                    };
                }
            }
        }
    }

    fn is_served(&self, slug: &str, number: u32) -> bool {
        matches!(self.deployments.lookup(slug, None), Lookup::Found { revision, .. } if revision.number == number)
    }

    async fn optimised(self: &Arc<Self>, wasm: BlobHash, owner: Option<TokenHash>, cancel: Cancel) -> Result<Vec<u8>, NotOptimised> {
        let workshop = self.clone();
        let read = move || {
            let bytes = |hash| workshop.blobs.get(hash).map_err(|error| error.to_string());
            workshop.builds.pipeline().optimised(wasm, owner, || bytes(wasm), &cancel)
        };
        let not_now = |error: tokio::task::JoinError| NotOptimised { sentence: error.to_string(), for_good: false };
        tokio::task::spawn_blocking(read).await.map_err(not_now)?
    }

    /// The same revision with other code. It does not become the current one by that: a later one may have become it meanwhile.
    async fn swap_in(&self, slug: &str, number: u32, wasm: BlobHash, artifact: Vec<u8>) {
        for _ in 0..SWAPS_MAX {
            let Lookup::Found { revision, current: true, expires_at, next_request_id } = self.deployments.lookup(slug, Some(number)) else {
                return;
            };
            let files = match self.project_of(&revision).await {
                Ok(project) => project.program_files(),
                Err(error) => return self.note_not_optimised(slug, number, &error.to_string()),
            };
            let told = self.deployments.settings(slug);
            let loaded = Loaded { files, settings: self.told(&told), ..Loaded::of(slug, &revision, expires_at, next_request_id) };
            let swapped = self.parts.guests.load(loaded, artifact.clone()).await;
            self.settle(slug, number, expires_at);
            self.settle_settings(slug, &told);
            match swapped {
                Ok(_) | Err(LoadFailure::Lost) => return,
                Err(LoadFailure::Busy(_)) => tokio::time::sleep(SWAP_PAUSE).await,
                Err(LoadFailure::Refused(sentence)) => {
                    self.artifacts.forget(wasm, Setting::Best);
                    self.optimising.give_up(wasm);
                    return self.note_not_optimised(slug, number, &sentence);
                }
            }
        }
    }

    fn note_not_optimised(&self, slug: &str, revision: u32, sentence: &str) {
        self.deployments.note(slug, revision, format!("r{revision} stays on the code that was compiled first: {sentence}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn optimising(optimise_after_ms: u64) -> Optimising {
        Optimising::new(&Limits { optimise_after_ms, optimisations_waiting_max: 2, ..Limits::default() })
    }

    #[test]
    fn a_program_waits_until_its_owner_is_quiet() {
        let (owner, other) = (Some(TokenHash::of("fern")), Some(TokenHash::of("moss")));
        let all = optimising(60_000);
        assert!(all.begin("fern", 1, owner));
        assert!(matches!(all.step("fern", 1), Step::Wait(left) if left > Duration::from_secs(30)));

        let all = optimising(0);
        assert!(all.begin("fern", 1, owner));
        let Step::Compile(cancel) = all.step("fern", 1) else { panic!("it is quiet") };
        all.touch(other);
        all.touch(None);
        assert!(!cancel.is_cancelled(), "others may edit");
        all.touch(owner);
        assert!(cancel.is_cancelled());
        assert!(matches!(all.step("fern", 1), Step::Compile(again) if !again.is_cancelled()));
    }

    #[test]
    fn the_next_revision_takes_its_place() {
        let all = optimising(0);
        all.begin("fern", 1, None);
        let Step::Compile(cancel) = all.step("fern", 1) else { panic!("it is quiet") };
        all.begin("fern", 2, None);
        assert!(cancel.is_cancelled() && matches!(all.step("fern", 1), Step::Over));
        all.finish("fern", 1);
        assert!(matches!(all.step("fern", 2), Step::Compile(_)), "the end of the first is not that of the second");
        all.finish("fern", 2);
        assert!(matches!(all.step("fern", 2), Step::Over));
    }

    #[test]
    fn so_many_wait_and_no_more() {
        let all = optimising(0);
        assert!(all.begin("a", 1, None) && all.begin("b", 1, None) && !all.begin("c", 1, None) && all.begin("b", 2, None));
        assert!(!all.begin("b", 2, None), "it waits already");
        all.end();
        assert!(matches!(all.step("a", 1), Step::Over) && all.begin("c", 1, None));
    }
}
