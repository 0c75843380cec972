//! From a finished build to a URL that answers, and back to one after a restart, an upgrade or an eviction.
//!
//! ```text
//! deploy:  build ─► blobs ─► row ─► load ─► acknowledged
//! wanted:  a visitor's slug ─► row ─► artifact (cache, or compiled again from its wasm) ─► load
//! ```

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Workshop;
use super::blobs::{BlobError, BlobHash};
use super::builds::{FinishedBuild, Product, SETTING};
use super::deployments::{DeploymentError, DeploymentView, Lookup, NewRevision, Revision, SettingChanges, Settings};
use super::identifiers::{TokenHash, new_token};
use crate::control::messages::{self, Loaded, Run, RunOutcome, Timestamp, Timings, Wanted};
use crate::gateway::supervisor::LoadFailure;
use crate::project::{Files, Project};
use tokio::sync::{Semaphore, mpsc};
use vivarium_artifact::Setting;

/// How long a gateway is waited for that ended before it took a new revision: what a start of one may take.
const LOAD_AGAIN_MAX: Duration = Duration::from_secs(10);
const LOAD_AGAIN_PAUSE: Duration = Duration::from_millis(50);

/// Where a build is to be served.
#[derive(Clone, Default)]
pub struct Target {
    /// Of the deployment that this is the next revision of; none for a new one.
    pub slug: Option<String>,
    pub owner_token: Option<String>,
    pub ttl_seconds: Option<u64>,
    /// Of what the deployment keeps for its program.
    pub changes: SettingChanges,
}

impl Workshop {
    /// Makes a build that is ready durable, serves it, and only then answers. Runs to its end even if the caller goes away.
    pub async fn deploy(
        self: &Arc<Self>,
        build: FinishedBuild,
        product: Product,
        project: Project,
        target: Target,
    ) -> Result<DeploymentView, DeploymentError> {
        let workshop = self.clone();
        run_to_end(async move {
            let emptied = target.changes.stores.emptied();
            let (view, owner_token) = workshop.make_durable(&build, &product, &project, target).await?;
            let load_us = workshop.load_first(&view, &product, &project).await?;
            workshop.deployments.settle_revision(&view.slug, view.revision);
            workshop.kv.empty(&view.slug, emptied).await;
            workshop.deployments.note_load(&view.slug, view.revision, load_us);
            workshop.note_live(&view, &product, load_us);
            workshop.optimise_unless_done(&view.slug, view.revision, product.wasm_hash);
            let timings = Timings { load: Some(load_us), ..view.timings };
            Ok(DeploymentView { owner_token, timings, ..view })
        })
        .await
    }

    async fn make_durable(
        &self,
        build: &FinishedBuild,
        product: &Product,
        project: &Project,
        target: Target,
    ) -> Result<(DeploymentView, Option<String>), DeploymentError> {
        let owner = target.owner_token.as_deref().map(TokenHash::of);
        if let Some(slug) = &target.slug {
            self.deployments.check_owner(slug, owner)?;
        }
        let _kept = self.deployments.keep_blobs().await;
        let (source, wasm) = self.put_blobs(project, product.wasm.clone()).await?;
        let revision = Revision {
            number: 0,
            language: build.build.language,
            kind: product.kind,
            source,
            wasm,
            wasm_bytes: product.wasm.len(),
            artifact_bytes: product.artifact_bytes,
            timings: build.build.timings,
            created_at: Timestamp::now(),
        };
        let new = NewRevision { revision, ttl_seconds: target.ttl_seconds, changes: target.changes };
        match target.slug {
            Some(slug) => Ok((self.deployments.revise(&slug, owner, new).await?, None)),
            None => {
                let token = match target.owner_token {
                    // Who owns something already may own more by the same token.
                    Some(token) if self.deployments.owns_any(TokenHash::of(&token)) => token,
                    _ => {
                        let token = new_token().map_err(DeploymentError::Random)?;
                        // Of an owner who has nothing else yet: what a build left that somebody else may have made serves no program of before.
                        self.builds.pipeline().adopt(TokenHash::of(&token), product);
                        token
                    }
                };
                Ok((self.deployments.create(TokenHash::of(&token), new).await?, Some(token)))
            }
        }
    }

    /// Both at once: most of the time is the disk's.
    async fn put_blobs(&self, project: &Project, wasm: Arc<[u8]>) -> Result<(BlobHash, BlobHash), DeploymentError> {
        let stored = serde_json::to_vec(project).map_err(|error| interrupted(std::io::Error::from(error)))?;
        let put = |bytes: Arc<[u8]>| {
            let blobs = self.blobs.clone();
            tokio::task::spawn_blocking(move || blobs.put(&bytes))
        };
        let (source, wasm) = tokio::join!(put(stored.into()), put(wasm));
        Ok((source.map_err(interrupted)??, wasm.map_err(interrupted)??))
    }

    /// A gateway that ends says nothing about the program, and what it serves is durable already: its successor is asked.
    async fn load_first(self: &Arc<Self>, view: &DeploymentView, product: &Product, project: &Project) -> Result<f64, DeploymentError> {
        let began = Instant::now();
        let failure = loop {
            let loaded = match self.artifact(product.wasm_hash, Some(product.wasm.clone())).await {
                Ok(artifact) => self.load(&view.slug, view.revision, artifact, project.program_files()).await,
                Err(sentence) => Err(LoadFailure::Refused(sentence)),
            };
            match loaded {
                Ok(load_us) => return Ok(load_us),
                Err(LoadFailure::Lost | LoadFailure::Busy(_)) if began.elapsed() < LOAD_AGAIN_MAX && !self.events.has_ended() => {
                    tokio::time::sleep(LOAD_AGAIN_PAUSE).await;
                }
                Err(failure) => break failure,
            }
        };
        let told = self.deployments.settings(&view.slug);
        self.deployments.retract(&view.slug, view.revision).await?;
        self.settle(&view.slug, view.revision, view.expires_at);
        self.settle_settings(&view.slug, &told);
        Err(DeploymentError::Load(failure.to_string()))
    }

    fn note_live(&self, view: &DeploymentView, product: &Product, load_us: f64) {
        let Timings { queue, build, validate, translate, codegen, link, .. } = view.timings;
        let total_us: f64 = [queue, build, validate, translate, codegen, link, Some(load_us)].into_iter().flatten().sum();
        self.deployments.note(&view.slug, view.revision, format!("r{} live in {:.1} ms", view.revision, total_us / 1000.0));
        for stub in product.stubs.iter() {
            let text = format!("the program imports {stub}, which answers \"unsupported\" here");
            self.deployments.note(&view.slug, view.revision, text);
        }
    }

    /// Has the gateway serve a revision, and sees to it that what changed meanwhile is not undone by that.
    async fn load(&self, slug: &str, number: u32, artifact: Vec<u8>, files: Files) -> Result<f64, LoadFailure> {
        let Lookup::Found { revision, current, expires_at, next_request_id } = self.deployments.lookup(slug, Some(number)) else {
            return Err(LoadFailure::Refused("it was stopped meanwhile".into()));
        };
        let told = self.deployments.settings(slug);
        let loaded = Loaded { current, files, settings: self.told(&told), ..Loaded::of(slug, &revision, expires_at, next_request_id) };
        let loaded = self.parts.guests.load(loaded, artifact).await;
        self.settle(slug, number, expires_at);
        self.settle_settings(slug, &told);
        loaded
    }

    /// The view as its owner may see it: with what the deployment keeps for its program, and with the names of secrets.
    pub(super) async fn with_settings(&self, view: DeploymentView) -> Result<DeploymentView, DeploymentError> {
        let held = self.kv.held(&view.slug).await?;
        Ok(self.deployments.settings(&view.slug).shown_in(view, &held))
    }

    /// What was changed while the gateway was told of these settings holds.
    pub(super) fn settle_settings(&self, slug: &str, told: &Settings) {
        if self.deployments.settings(slug) != *told {
            self.tell_settings(slug);
        }
    }

    /// From its next request on the deployment's program has what is kept for it now.
    pub(super) fn tell_settings(&self, slug: &str) {
        self.parts.guests.set_settings(slug, self.told(&self.deployments.settings(slug)));
    }

    /// As its gateway is told, with the backends that every deployment has; one of its own goes before one of the same name.
    pub(super) fn told(&self, settings: &Settings) -> messages::Settings {
        let mut told = settings.told();
        for (name, origin) in self.parts.backends.iter() {
            told.backends.entry(name.clone()).or_insert_with(|| origin.to_string());
        }
        told
    }

    /// After the gateway was told of this revision and this end, it is told of what is true by now. Messages are taken in order, so that
    /// this holds even where the load itself got lost on its way and is taken by the next gateway.
    pub(super) fn settle(&self, slug: &str, number: u32, told_expires_at: Timestamp) {
        let guests = &self.parts.guests;
        if matches!(self.deployments.lookup(slug, Some(number)), Lookup::Unknown) {
            guests.unload(slug, number);
        }
        match self.deployments.lookup(slug, None) {
            Lookup::Found { revision, expires_at, .. } => {
                if revision.number != number {
                    guests.set_current(slug, revision.number);
                }
                if expires_at != told_expires_at {
                    guests.expire(slug, expires_at.unix_ms);
                }
            }
            Lookup::Expired(at) => guests.expire(slug, at.unix_ms),
            Lookup::Unknown => {}
        }
    }

    /// A signed artifact of this wasm; the wasm is read from its blob where it is not at hand.
    pub(super) async fn artifact(self: &Arc<Self>, hash: BlobHash, wasm: Option<Arc<[u8]>>) -> Result<Vec<u8>, String> {
        let workshop = self.clone();
        let read = move |blobs: &super::blobs::Blobs| match wasm {
            Some(wasm) => Ok(wasm.to_vec()),
            None => blobs.get(hash).map_err(|error: BlobError| error.to_string()),
        };
        let made = tokio::task::spawn_blocking(move || workshop.builds.pipeline().artifact(hash, || read(&workshop.blobs)));
        made.await.map_err(|error| error.to_string())?
    }

    /// Runs a program as a command.
    pub async fn run_command(self: &Arc<Self>, product: &Product, run: Run) -> Result<RunOutcome, String> {
        let artifact = self.artifact(product.wasm_hash, Some(product.wasm.clone())).await?;
        self.parts.guests.run(run, artifact).await
    }

    /// The source of a revision, and its assets.
    pub async fn project_of(&self, revision: &Revision) -> Result<Project, BlobError> {
        let (blobs, hash) = (self.blobs.clone(), revision.source);
        let read = tokio::task::spawn_blocking(move || blobs.get(hash)).await;
        let bytes = read.map_err(|error| BlobError::Io { what: "read", hash, error: std::io::Error::other(error) })??;
        serde_json::from_slice(&bytes).map_err(|_| BlobError::Damaged(hash))
    }

    /// Answers the gateway's questions, some at a time, for as long as the gateway may ask.
    pub(super) async fn answer_wanted(self: Arc<Self>, mut questions: mpsc::Receiver<Wanted>) {
        let at_once = Arc::new(Semaphore::new(self.limits.builds_at_once.max(1)));
        while let Some(wanted) = questions.recv().await {
            let Ok(permit) = at_once.clone().acquire_owned().await else { return };
            let workshop = self.clone();
            tokio::spawn(async move {
                workshop.answer(wanted).await;
                drop(permit);
            });
        }
    }

    async fn answer(self: &Arc<Self>, wanted: Wanted) {
        let slug = &wanted.slug;
        match self.deployments.lookup(slug, wanted.revision) {
            Lookup::Unknown => self.parts.guests.unknown(wanted),
            Lookup::Expired(at) => self.parts.guests.expire(slug, at.unix_ms),
            Lookup::Found { revision, .. } => {
                if let Err(sentence) = self.serve_again(slug, &revision).await {
                    self.deployments.note(slug, revision.number, format!("r{} cannot be served: {sentence}", revision.number));
                    self.parts.guests.failed(wanted, &sentence);
                }
            }
        }
    }

    /// An artifact that the gateway refuses is made again, once. A gateway that ended asks no more; the next one asks for itself.
    async fn serve_again(self: &Arc<Self>, slug: &str, revision: &Revision) -> Result<(), String> {
        let files = self.project_of(revision).await.map_err(|error| error.to_string())?.program_files();
        let artifact = self.artifact(revision.wasm, None).await?;
        match self.load(slug, revision.number, artifact, files.clone()).await {
            Ok(_) => {
                self.optimise_unless_done(slug, revision.number, revision.wasm);
                return Ok(());
            }
            Err(LoadFailure::Lost) => return Ok(()),
            Err(LoadFailure::Busy(sentence)) => return Err(sentence),
            Err(LoadFailure::Refused(_)) => {}
        }
        for setting in [SETTING, Setting::Best] {
            self.artifacts.forget(revision.wasm, setting);
        }
        let artifact = self.artifact(revision.wasm, None).await?;
        match self.load(slug, revision.number, artifact, files).await {
            Err(LoadFailure::Refused(sentence) | LoadFailure::Busy(sentence)) => Err(sentence),
            Ok(_) | Err(LoadFailure::Lost) => Ok(()),
        }
    }
}

impl Loaded {
    /// A revision as the gateway is told of it, without its files and settings, and without saying that it is the current one.
    pub(super) fn of(slug: &str, revision: &Revision, expires_at: Timestamp, next_request_id: u64) -> Loaded {
        Loaded {
            slug: slug.to_owned(),
            revision: revision.number,
            current: false,
            language: revision.language.name().to_owned(),
            expires_at_unix_ms: expires_at.unix_ms,
            settings: messages::Settings::default(),
            files: Files::new(),
            next_request_id,
        }
    }
}

/// A handler's future is dropped when its client goes away; what has begun to become durable must not stop half-way.
pub(super) async fn run_to_end<T: Send + 'static, E: From<Interrupted> + Send + 'static>(
    work: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Result<T, E> {
    tokio::spawn(work).await.map_err(|error| Interrupted(error.into()))?
}

/// A task of the server ended before its work.
pub(super) struct Interrupted(pub std::io::Error);

fn interrupted(error: impl Into<std::io::Error>) -> DeploymentError {
    Interrupted(error.into()).into()
}
