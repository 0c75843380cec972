//! What is written down some time after it happened, many at once: which ids requests may have, what first loads took.

use std::sync::PoisonError;

use super::{Deployments, store};
use crate::workshop::database::DatabaseError;

/// Request ids that are reserved ahead in the database; after a crash as many may be skipped.
const REQUEST_IDS_AHEAD: u64 = 1_000;

impl Deployments {
    /// Microseconds that the first load of a revision took, for its timings. From now on it answers: who listens is told once more.
    pub fn note_load(&self, slug: &str, number: u32, load_us: f64) {
        let first = match self.entries().get_mut(slug).and_then(|deployment| deployment.revisions.get_mut(&number)) {
            Some(revision) if revision.timings.load.is_none() => revision.timings.load.replace(load_us).is_none(),
            _ => false,
        };
        if first {
            self.loads_unwritten.lock().unwrap_or_else(PoisonError::into_inner).push((slug.to_owned(), number));
            self.tell(slug);
        }
    }

    /// Writes down what first loads took: some at a time, for no deployment should wait for that.
    pub async fn write_timings(&self) -> Result<(), DatabaseError> {
        let loaded = std::mem::take(&mut *self.loads_unwritten.lock().unwrap_or_else(PoisonError::into_inner));
        let measured: Vec<_> = {
            let entries = self.entries();
            let timings = |slug: &String, number| Some(entries.get(slug)?.revisions.get(&number)?.timings);
            loaded.into_iter().filter_map(|(slug, number)| timings(&slug, number).map(|timings| (slug, number, timings))).collect()
        };
        match measured.is_empty() {
            true => Ok(()),
            false => self.database.call(move |connection| store::set_timings(connection, &measured)).await,
        }
    }

    /// Writes down which request ids may have been given, well ahead, or exactly when the server ends.
    pub async fn reserve_request_ids(&self, exactly: bool) -> Result<(), DatabaseError> {
        let mut reserved = Vec::new();
        for deployment in self.entries().values() {
            let next = deployment.next_request_id;
            // Ahead by at least what went by since the last time, so that a busy deployment stays below it as well.
            let ahead = (next.saturating_sub(deployment.reserved_request_id) * 4).max(REQUEST_IDS_AHEAD);
            let wanted = if exactly { next } else { next + ahead };
            let due = if exactly {
                deployment.reserved_request_id != next
            } else {
                next > 1 && next + REQUEST_IDS_AHEAD / 2 > deployment.reserved_request_id
            };
            if due {
                reserved.push((deployment.slug.clone(), wanted));
            }
        }
        if reserved.is_empty() {
            return Ok(());
        }
        let rows = reserved.clone();
        self.database.call(move |connection| store::set_request_ids(connection, &rows)).await?;
        let mut entries = self.entries();
        for (slug, id) in reserved {
            if let Some(deployment) = entries.get_mut(&slug) {
                deployment.reserved_request_id = id;
            }
        }
        Ok(())
    }
}
