//! What happens by itself: deployments end when their time is over, and what nobody needs any more is cleared away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Workshop;

/// How late an expiry may be told; the gateway itself refuses visitors at once.
const TELL_PACE: Duration = Duration::from_millis(500);
const SWEEP_PACE: Duration = Duration::from_secs(60);

impl Workshop {
    /// Runs as long as the workshop.
    pub(super) async fn expire_and_sweep(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(TELL_PACE);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut swept_at: Option<Instant> = None;
        loop {
            ticks.tick().await;
            let over = self.deployments.tell_expired();
            over.iter().for_each(|(slug, at)| self.parts.guests.expire(slug, at.unix_ms));
            if !over.is_empty()
                && let Err(error) = self.deployments.clear_state(over.into_iter().map(|(slug, _)| slug).collect()).await
            {
                eprintln!("vivarium: cannot clear what ended deployments kept: {error}");
            }
            if let Err(error) = self.deployments.write_timings().await {
                eprintln!("vivarium: cannot write down timings: {error}");
            }
            if let Err(error) = self.deployments.reserve_request_ids(false).await {
                eprintln!("vivarium: cannot write down request ids: {error}");
            }
            if swept_at.is_none_or(|swept_at| swept_at.elapsed() >= SWEEP_PACE) {
                swept_at = Some(Instant::now());
                self.sweep().await;
            }
        }
    }

    async fn sweep(&self) {
        if let Err(error) = self.deployments.sweep().await {
            eprintln!("vivarium: {error}");
        }
        let (artifacts, artifact_bytes_max) = (self.artifacts.clone(), self.limits.artifact_bytes_max);
        let trimmed = tokio::task::spawn_blocking(move || artifacts.trim(artifact_bytes_max)).await;
        if let Ok(Err(error)) = trimmed {
            eprintln!("vivarium: cannot trim the cache of artifacts: {error}");
        }
    }
}
