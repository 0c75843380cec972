use std::sync::atomic::Ordering;

use vivarium_toolchains::{Language, SETTINGS_FILE, SourceLimits};

use super::*;
use crate::data_folder::DataFolder;
use crate::workshop::artifacts::Artifacts;
use crate::workshop::testing::{Stand, source};

struct Fixture {
    _folder: tempfile::TempDir,
    stand: Arc<Stand>,
    events: Arc<Hub>,
    builds: Builds,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.builds.end();
    }
}

fn fixture(limits: Limits) -> Fixture {
    let place = tempfile::tempdir().unwrap();
    let folder = DataFolder::open(place.path()).unwrap();
    let stand = Arc::new(Stand::default());
    let limits = Arc::new(limits);
    let artifacts = Artifacts::open(&folder.artifacts(), "1", folder.signing_key().unwrap()).unwrap();
    let pipeline = Pipeline::new(stand.parts(), Arc::new(artifacts), limits.clone());
    let events = Arc::new(Hub::new(&limits));
    let builds = Builds::start(Arc::new(pipeline), events.clone(), limits).unwrap();
    Fixture { _folder: place, stand, events, builds }
}

impl Fixture {
    async fn build(&self, text: &str) -> Build {
        let build = self.builds.enqueue(source(text), Asked::default()).unwrap();
        self.builds.wait(&build.id, Duration::from_secs(20)).await.unwrap()
    }
}

async fn wait_until(reached: impl Fn() -> bool) {
    for _ in 0..5_000 {
        if reached() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("it never came to this");
}

#[tokio::test]
async fn the_project_file_says_what_a_program_is_where_the_request_does_not() {
    let fixture = fixture(Limits::default());
    let files = [("main.c", "fern"), (SETTINGS_FILE, r#"{"kind":"command"}"#)].map(|(name, text)| (name.to_owned(), text.to_owned()));
    let source = SourceTree::new(Language::C, files.into(), &SourceLimits::default()).unwrap();
    for (asked, given) in [(None, ProgramKind::Command), (Some(ProgramKind::Service), ProgramKind::Service)] {
        let build = fixture.builds.enqueue(source.clone(), Asked { kind: asked, ..Asked::default() }).unwrap();
        let build = fixture.builds.wait(&build.id, Duration::from_secs(20)).await.unwrap();
        assert_eq!((build.kind, fixture.builds.finished(&build.id).unwrap().product.unwrap().kind), (Some(given), given));
    }
}

#[tokio::test]
async fn a_program_goes_from_source_to_artifact() {
    let fixture = fixture(Limits::default());
    let build = fixture.build("fern").await;
    assert_eq!((build.state, build.kind, build.wasm_bytes), (BuildState::Ready, Some(ProgramKind::Service), Some(4)));
    assert!(build.timings.queue.is_some() && build.timings.build.is_some());
    assert_eq!((build.timings.codegen, build.timings.load), (Some(3.0), None));
    let product = fixture.builds.finished(&build.id).unwrap().product.unwrap();
    assert_eq!(&*product.wasm, b"fern");
}

#[tokio::test]
async fn the_same_source_is_built_and_compiled_once() {
    let fixture = fixture(Limits::default());
    fixture.build("fern").await;
    let again = fixture.build("fern").await;
    assert_eq!((again.state, again.timings.build, again.timings.codegen), (BuildState::Ready, None, None));
    fixture.build("moss").await;
    assert_eq!((fixture.stand.builds.load(Ordering::Relaxed), fixture.stand.compilations.load(Ordering::Relaxed)), (2, 2));
}

#[tokio::test]
async fn a_program_with_errors_fails_with_diagnostics_and_one_with_bad_imports_with_a_sentence() {
    let fixture = fixture(Limits::default());
    let build = fixture.build("error").await;
    assert_eq!((build.state, build.error, build.diagnostics.len()), (BuildState::Failed, None, 1));
    let build = fixture.build("refuse").await;
    assert_eq!(build.state, BuildState::Failed);
    assert!(build.error.unwrap().contains("env.emit"));
}

#[tokio::test]
async fn a_panic_ends_the_build_and_not_the_thread() {
    let fixture = fixture(Limits { builds_at_once: 1, ..Limits::default() });
    let build = fixture.build("panic").await;
    assert_eq!((build.state, build.fault), (BuildState::Failed, Fault::Defect));
    assert!(build.error.unwrap().contains("Vivarium itself failed"));
    assert_eq!(fixture.build("fern").await.state, BuildState::Ready);
}

#[tokio::test]
async fn diagnostics_count_as_bytes_of_a_finished_build() {
    let fixture = fixture(Limits { builds_at_once: 1, build_results_bytes_max: 600, ..Limits::default() });
    let first = fixture.build("error 1").await;
    for number in 2..8 {
        fixture.build(&format!("error {number}")).await;
    }
    assert!(fixture.builds.find(&first.id).is_none());
}

#[tokio::test]
async fn clients_take_turns_and_each_has_so_many_places() {
    let fixture = fixture(Limits { builds_at_once: 1, builds_queued_per_client_max: 3, ..Limits::default() });
    let of = |address: &str| Asked { client: Some(address.parse().unwrap()), ..Asked::default() };
    let (flood, honest, third) = (of("10.0.0.1"), of("10.0.0.2"), of("10.0.0.3"));
    fixture.builds.enqueue(source("slow"), flood).unwrap();
    wait_until(|| fixture.builds.load() == (0, 1)).await;
    let flooded: Vec<Build> = (0..3).map(|number| fixture.builds.enqueue(source(&format!("slow {number}")), flood).unwrap()).collect();
    let refused = fixture.builds.enqueue(source("slow"), flood).unwrap_err();
    assert!(refused.to_string().contains("builds_queued_per_client_max"), "{refused}");
    let position = |build: &Build| fixture.builds.find(&build.id).unwrap().position;
    let first = fixture.builds.enqueue(source("slow a"), honest).unwrap();
    assert_eq!((first.position, position(&flooded[0])), (1, 2), "whose program is being built has had a turn");
    let second = fixture.builds.enqueue(source("slow b"), honest).unwrap();
    let other = fixture.builds.enqueue(source("slow c"), third).unwrap();
    let places = [&first, &other, &flooded[0], &second, &flooded[1], &flooded[2]].map(position);
    assert_eq!(places, [1, 2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn the_queue_is_bounded_and_shows_places() {
    let fixture = fixture(Limits { builds_at_once: 1, build_queue_max: 2, ..Limits::default() });
    let running = fixture.builds.enqueue(source("slow 0"), Asked::default()).unwrap();
    wait_until(|| fixture.builds.load() == (0, 1)).await;
    let first = fixture.builds.enqueue(source("slow 1"), Asked::default()).unwrap();
    let second = fixture.builds.enqueue(source("slow 2"), Asked::default()).unwrap();
    assert_eq!((first.position, second.position), (1, 2));
    let refused = fixture.builds.enqueue(source("slow 3"), Asked::default()).unwrap_err();
    assert!(refused.to_string().contains("build_queue_max"), "{refused}");

    fixture.builds.cancel(&running.id).unwrap();
    let over = fixture.builds.wait(&running.id, Duration::from_secs(20)).await.unwrap();
    assert_eq!((over.state, over.error.as_deref()), (BuildState::Failed, Some("the build was cancelled")));
    wait_until(|| fixture.builds.find(&first.id).unwrap().state == BuildState::Building).await;
    assert_eq!(fixture.builds.find(&second.id).unwrap().position, 1);
    assert_eq!(fixture.builds.cancel(&second.id).unwrap().state, BuildState::Failed, "out of the queue at once");
    fixture.builds.cancel(&first.id).unwrap();
}

#[tokio::test]
async fn stages_are_told_as_they_begin() {
    let fixture = fixture(Limits { builds_at_once: 1, ..Limits::default() });
    let slow = fixture.builds.enqueue(source("slow"), Asked::default()).unwrap();
    let build = fixture.builds.enqueue(source("fern"), Asked::default()).unwrap();
    let mut stream = fixture.events.subscribe(vec![Topic::Build(build.id.clone())], None).unwrap();
    fixture.builds.cancel(&slow.id).unwrap();
    fixture.builds.wait(&build.id, Duration::from_secs(20)).await.unwrap();
    let told: Vec<serde_json::Value> =
        std::iter::from_fn(|| stream.events.try_recv().ok()).map(|event| serde_json::from_str(&event.data).unwrap()).collect();
    // Whether its place in the queue is still told depends on who is quicker.
    let told: Vec<_> = told.into_iter().filter(|build| build["state"] != "queued").collect();
    let stages: Vec<_> = told.iter().map(|build| (build["state"].as_str().unwrap(), build["stage"].as_str().unwrap_or("-"))).collect();
    assert_eq!(stages, [("building", "build"), ("building", "validate"), ("building", "codegen"), ("ready", "-")]);
    assert_eq!(told[2]["functions"], serde_json::json!({"done": 1, "total": 2}));
}

#[tokio::test]
async fn finished_builds_are_forgotten_in_time() {
    let fixture = fixture(Limits { builds_at_once: 1, build_results_max: 2, ..Limits::default() });
    let first = fixture.build("a").await;
    let second = fixture.build("b").await;
    fixture.build("c").await;
    assert!(fixture.builds.find(&first.id).is_none());
    assert!(fixture.builds.finished(&second.id).is_some());
}

#[tokio::test]
async fn what_a_build_leaves_serves_its_owner_only() {
    let fixture = fixture(Limits::default());
    let build = async |text: &str, owner: Option<&str>| {
        let build = fixture.builds.enqueue(source(text), Asked { owner: owner.map(TokenHash::of), ..Asked::default() }).unwrap();
        fixture.builds.wait(&build.id, Duration::from_secs(20)).await.unwrap();
        fixture.builds.finished(&build.id).unwrap().product.unwrap()
    };
    build("fern", Some("a")).await;
    build("moss", Some("b")).await;
    build("oak", Some("a")).await;
    let nobodys = build("elm", None).await;
    fixture.builds.pipeline().adopt(TokenHash::of("c"), &nobodys);
    build("ash", Some("c")).await;
    let jobs = fixture.stand.jobs.lock().unwrap().clone();
    assert_eq!(jobs, ["fern Fast own=", "moss Fast own=", "oak Fast own=+fern", "elm Fast own=", "ash Fast own=+elm"]);
}
