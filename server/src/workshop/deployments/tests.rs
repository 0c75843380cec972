use super::*;
use crate::control::messages::Outcome;
use crate::data_folder::DataFolder;
use crate::workshop::addresses::AddressOptions;
use crate::workshop::testing::{log, report, revision};

async fn open(folder: &std::path::Path, limits: Limits) -> Deployments {
    let folder = DataFolder::open(folder).unwrap();
    let limits = Arc::new(limits);
    let addresses = Addresses::new("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap(), &AddressOptions::default()).unwrap();
    let blobs = Arc::new(Blobs::open(folder.blobs(), limits.blob_bytes_max).unwrap());
    let database = Database::open(&folder.database()).unwrap();
    Deployments::restore(database, blobs, Arc::new(Hub::new(&limits)), Arc::new(addresses), limits).await.unwrap()
}

fn new(ttl_seconds: Option<u64>) -> NewRevision {
    NewRevision { revision: revision(0), ttl_seconds, changes: SettingChanges::default() }
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let place = tempfile::tempdir().unwrap();
    let (owner, other) = (TokenHash::of("mine"), TokenHash::of("yours"));
    let before = open(place.path(), Limits::default()).await;
    let fern = before.create(owner, new(Some(60))).await.unwrap();
    let moss = before.create(owner, new(None)).await.unwrap();
    let revised = before.revise(&fern.slug, Some(owner), new(None)).await.unwrap();
    assert_eq!((fern.revision, revised.revision, revised.expires_at), (1, 2, fern.expires_at));
    before.stop(&moss.slug, Some(owner)).await.unwrap();
    // No farewell: as after a kill.
    let after = open(place.path(), Limits::default()).await;
    let shown = after.view(&fern.slug).unwrap();
    assert_eq!(serde_json::to_value(&shown).unwrap(), serde_json::to_value(&revised).unwrap());
    assert_eq!(after.view(&moss.slug).unwrap().state, DeploymentState::Expired);
    assert_eq!((after.owned_by(owner).len(), after.owned_by(other).len()), (2, 0));
    assert!(matches!(after.lookup(&fern.slug, Some(1)), Lookup::Found { current: false, .. }));
    assert!(matches!(after.lookup(&fern.slug, None), Lookup::Found { current: true, revision, .. } if revision.number == 2));
    assert!(matches!(after.lookup(&fern.slug, Some(3)), Lookup::Unknown));
    assert!(matches!(after.lookup(&moss.slug, None), Lookup::Expired(_)));
}

#[tokio::test]
async fn only_the_owner_changes_a_deployment() {
    let place = tempfile::tempdir().unwrap();
    let deployments = open(place.path(), Limits::default()).await;
    let owner = TokenHash::of("mine");
    let slug = deployments.create(owner, new(None)).await.unwrap().slug;
    let other = Some(TokenHash::of("yours"));
    assert!(matches!(deployments.revise(&slug, None, new(None)).await, Err(DeploymentError::TokenMissing(_))));
    assert!(matches!(deployments.revise(&slug, other, new(None)).await, Err(DeploymentError::NotOwner(_))));
    assert!(matches!(deployments.stop(&slug, other).await, Err(DeploymentError::NotOwner(_))));
    assert!(matches!(deployments.extend(&slug, other, 5).await, Err(DeploymentError::NotOwner(_))));
    assert!(matches!(deployments.extend("fern", other, 5).await, Err(DeploymentError::Unknown(_))));
    deployments.stop(&slug, Some(owner)).await.unwrap();
    assert!(matches!(deployments.extend(&slug, Some(owner), 5).await, Err(DeploymentError::Expired(_))), "expired is final");
}

#[tokio::test]
async fn lives_and_numbers_are_bounded() {
    let place = tempfile::tempdir().unwrap();
    let limits = Limits { deployments_max: 2, revisions_max: 2, ttl_seconds_max: 100, ..Limits::default() };
    let deployments = open(place.path(), limits).await;
    let owner = TokenHash::of("mine");
    for ttl_seconds in [0, 101, u64::MAX] {
        assert!(matches!(deployments.create(owner, new(Some(ttl_seconds))).await, Err(DeploymentError::Ttl { .. })), "{ttl_seconds}");
    }
    let slug = deployments.create(owner, new(Some(100))).await.unwrap().slug;
    let second = deployments.create(owner, new(Some(100))).await.unwrap().slug;
    assert!(matches!(deployments.create(owner, new(None)).await, Err(DeploymentError::TooMany { deployments_max: 2 })));
    deployments.stop(&second, Some(owner)).await.unwrap();
    deployments.create(owner, new(None)).await.unwrap();
    for number in 2..=4 {
        assert_eq!(deployments.revise(&slug, Some(owner), new(None)).await.unwrap().revision, number);
    }
    assert!(matches!(deployments.lookup(&slug, Some(2)), Lookup::Unknown));
    assert!(matches!(deployments.lookup(&slug, Some(3)), Lookup::Found { .. }));
}

#[tokio::test]
async fn a_revision_that_cannot_be_served_is_taken_back() {
    let place = tempfile::tempdir().unwrap();
    let deployments = open(place.path(), Limits::default()).await;
    let owner = TokenHash::of("mine");
    let slug = deployments.create(owner, new(None)).await.unwrap().slug;
    let before = deployments.view(&slug).unwrap().expires_at;
    assert!(deployments.revise(&slug, Some(owner), new(Some(7))).await.unwrap().expires_at < before);
    deployments.retract(&slug, 2).await.unwrap();
    let view = deployments.view(&slug).unwrap();
    assert_eq!((view.revision, view.expires_at), (1, before));
    assert_eq!(open(place.path(), Limits::default()).await.view(&slug).unwrap().expires_at, before);

    let third = deployments.revise(&slug, Some(owner), new(Some(7))).await.unwrap();
    assert_eq!(third.revision, 3, "a number is not given twice");
    let kept = deployments.extend(&slug, Some(owner), 50).await.unwrap().expires_at;
    deployments.retract(&slug, 3).await.unwrap();
    assert_eq!(deployments.view(&slug).unwrap().expires_at, kept, "what was set since stays");
    deployments.retract(&slug, 1).await.unwrap();
    assert!(deployments.view(&slug).is_none());
    assert!(open(place.path(), Limits::default()).await.view(&slug).is_none());
}

#[tokio::test]
async fn what_the_first_load_took_is_known_after_a_restart() {
    let place = tempfile::tempdir().unwrap();
    let deployments = open(place.path(), Limits::default()).await;
    let slug = deployments.create(TokenHash::of("mine"), new(None)).await.unwrap().slug;
    deployments.note_load(&slug, 1, 5.0);
    deployments.note_load("unknown", 1, 5.0);
    deployments.write_timings().await.unwrap();
    assert_eq!(open(place.path(), Limits::default()).await.view(&slug).unwrap().timings.load, Some(5.0));
}

#[tokio::test]
async fn ids_that_could_not_be_written_down_are_reserved_again() {
    let place = tempfile::tempdir().unwrap();
    let deployments = open(place.path(), Limits::default()).await;
    let slug = deployments.create(TokenHash::of("mine"), new(None)).await.unwrap().slug;
    deployments.add_reports(vec![report(&slug, 1, 41, Outcome::Finished)]);
    let rename = |from: &'static str, to: &'static str| {
        let rename = format!("ALTER TABLE {from} RENAME TO {to}");
        deployments.database.call(move |connection| connection.execute_batch(&rename))
    };
    rename("deployments", "away").await.unwrap();
    assert!(deployments.reserve_request_ids(false).await.is_err());
    rename("away", "deployments").await.unwrap();
    deployments.reserve_request_ids(false).await.unwrap();
    let after = open(place.path(), Limits::default()).await;
    assert!(matches!(after.lookup(&slug, None), Lookup::Found { next_request_id, .. } if next_request_id > 41));
}

#[tokio::test]
async fn ids_of_requests_grow_over_restarts() {
    let place = tempfile::tempdir().unwrap();
    let next = |deployments: &Deployments, slug: &str| match deployments.lookup(slug, None) {
        Lookup::Found { next_request_id, .. } => next_request_id,
        _ => panic!("it lives"),
    };
    let first = open(place.path(), Limits::default()).await;
    let slug = first.create(TokenHash::of("mine"), new(None)).await.unwrap().slug;
    first.add_reports(vec![report(&slug, 1, 41, Outcome::Finished)]);
    first.reserve_request_ids(false).await.unwrap();
    first.add_reports(vec![report(&slug, 1, 99, Outcome::Finished)]);
    // Killed here: what came after the last time they were written down is below what was reserved.
    let killed = open(place.path(), Limits::default()).await;
    assert!(next(&killed, &slug) > 99);
    killed.add_reports(vec![report(&slug, 1, 5_000, Outcome::Finished)]);
    killed.reserve_request_ids(true).await.unwrap();
    assert_eq!(next(&open(place.path(), Limits::default()).await, &slug), 5_001, "after an orderly end none is skipped");
}

#[tokio::test]
async fn what_expired_is_told_once_kept_for_a_while_and_swept() {
    let place = tempfile::tempdir().unwrap();
    let deployments = open(place.path(), Limits { expired_kept_max: 1, ..Limits::default() }).await;
    let owner = TokenHash::of("mine");
    let mut slugs = Vec::new();
    for _ in 0..2 {
        let slug = deployments.create(owner, new(None)).await.unwrap().slug;
        deployments.stop(&slug, Some(owner)).await.unwrap();
        slugs.push(slug);
        // Which of two expired first must be seen in milliseconds.
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    let told: Vec<String> = deployments.tell_expired().into_iter().map(|(slug, _)| slug).collect();
    assert_eq!(told.len(), 2);
    assert!(deployments.tell_expired().is_empty());
    deployments.sweep().await.unwrap();
    assert!(deployments.view(&slugs[0]).is_none() && deployments.view(&slugs[1]).is_some());
    assert_eq!(open(place.path(), Limits::default()).await.count(), (0, 1));
}

#[tokio::test]
async fn reports_and_lines_reach_rings_and_streams() {
    let place = tempfile::tempdir().unwrap();
    let deployments = open(place.path(), Limits::default()).await;
    let slug = deployments.create(TokenHash::of("mine"), new(None)).await.unwrap().slug;
    let mut stream = deployments.events.subscribe(vec![Topic::Deployment(slug.clone())], None).unwrap();
    deployments.add_logs(vec![log(&slug, "a"), log("unknown", "b"), log(&slug, "c")]);
    let limit = crate::control::messages::LimitReport { name: "cpu_ms".into(), message: "too long".into() };
    deployments.add_reports(vec![report(&slug, 1, 1, Outcome::Limited(limit))]);
    let names: Vec<_> = std::iter::from_fn(|| stream.events.try_recv().ok()).map(|event| event.name).collect();
    assert_eq!(names, ["log", "log", "request", "deployment"]);
    let logs = deployments.logs(&slug).unwrap();
    assert!(logs[0].id < logs[1].id);
    assert_eq!((logs.len(), deployments.requests(&slug).unwrap().len()), (2, 1));
    assert_eq!(deployments.view(&slug).unwrap().state, DeploymentState::Limited);
}

#[tokio::test]
async fn what_a_stored_program_holds_is_not_swept() {
    let place = tempfile::tempdir().unwrap();
    let deployments = Arc::new(open(place.path(), Limits::default()).await);
    let (database, blobs) = (deployments.database.clone(), deployments.blobs.clone());
    let fiddles = crate::workshop::fiddles::Fiddles::new(
        database,
        blobs,
        deployments.clone(),
        deployments.addresses.clone(),
        deployments.limits.clone(),
    );
    let snapshot: crate::workshop::fiddles::Snapshot =
        serde_json::from_value(serde_json::json!({ "language": "c", "files": { "main.c": "fern" } })).unwrap();
    let shared = fiddles.share(snapshot.clone(), None).await.unwrap().view;
    let hash = crate::workshop::blobs::BlobHash::of(&snapshot.canonical());
    assert!(deployments.database.call(store::named_blobs).await.unwrap().contains(&hash));
    assert!(!fiddles.unshare(&shared.id, shared.owner_token.as_deref()).await.unwrap());
    assert!(!deployments.database.call(store::named_blobs).await.unwrap().contains(&hash));
}
