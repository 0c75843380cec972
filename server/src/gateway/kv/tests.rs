//! Two requests of one deployment and a workshop that answers when the test says so.

use super::*;
use crate::control::messages::{Loaded, Settings};
use crate::gateway::deployments::Found;
use crate::limits::Limits;
use vivarium_abi::{KvAction, KvInsert};

struct Stage {
    asking: Arc<Asking>,
    deployments: Deployments<()>,
}

impl Stage {
    fn new(limits: &Limits) -> Stage {
        let deployments = Deployments::new(1 << 20, Duration::from_secs(1));
        let settings = Settings { kv_stores: ["kv".to_owned()].into(), ..Settings::default() };
        for slug in ["fern", "moss"] {
            let loaded = Loaded { slug: slug.into(), revision: 1, current: true, expires_at_unix_ms: u64::MAX, ..Loaded::default() };
            deployments.load(Loaded { settings: settings.clone(), ..loaded }, (), 1);
        }
        Stage { asking: Arc::new(Asking::new(limits)), deployments }
    }

    fn session(&self, slug: &str) -> (Rc<Session>, Bell) {
        let Found::Revision(revision) = self.deployments.find(slug, None) else { panic!("loaded") };
        let bell = Bell::default();
        let deployment = revision.deployment();
        (Session::open(&self.asking, deployment, slug, &deployment.settings(), bell.clone()), bell)
    }

    fn tell(&self, told: Vec<KvTold>) {
        self.asking.told(&self.deployments, told);
    }

    fn contents(&self, slug: &str, kept: &[(&str, &str)]) {
        let kept = kept.iter().map(|(key, value)| self.kept(key, Some(value))).collect();
        self.tell(vec![KvTold::Contents { slug: slug.into(), kept: Ok(kept) }]);
    }

    fn kept(&self, key: &str, value: Option<&str>) -> KvKept {
        let entry =
            value.map(|value| KvEntry { value: value.to_owned().into(), metadata: String::new(), generation: 1, expires_at_unix_ms: None });
        KvKept { store: "kv".into(), key: key.into(), entry }
    }

    fn changed(&self, slug: &str, key: &str, value: Option<&str>) -> KvTold {
        KvTold::Changed { slug: slug.into(), kept: self.kept(key, value) }
    }

    /// The numbers of changes that are asked for.
    fn asked(&self) -> Vec<CallId> {
        self.asking.take().iter().filter_map(|ask| if let KvAsk::Change { call, .. } = ask { Some(*call) } else { None }).collect()
    }
}

fn put(session: &Session, key: &str, value: &str) -> u64 {
    let insert = KvInsert { value: value.to_owned().into(), ..KvInsert::default() };
    session.begin(KvChange { store: "kv".into(), key: key.into(), action: KvAction::Insert(insert) })
}

fn look(session: &Session, key: &str) -> Poll<Option<String>> {
    session.entry("kv", key).map(|entry| entry.unwrap().map(|entry| String::from_utf8(entry.value.into()).unwrap()))
}

fn rings(bell: &Bell) -> bool {
    let mut heard = std::pin::pin!(bell.notified());
    heard.as_mut().enable()
}

#[test]
fn contents_are_asked_for_once_and_ring_everybody_who_waits() {
    let stage = Stage::new(&Limits::default());
    let ((one, one_bell), (two, two_bell)) = (stage.session("fern"), stage.session("fern"));
    assert_eq!((look(&one, "a"), look(&two, "a"), look(&one, "a")), (Poll::Pending, Poll::Pending, Poll::Pending));
    assert_eq!(stage.asking.take().len(), 1);
    assert!(!rings(&one_bell));
    stage.contents("fern", &[("a", "1")]);
    assert!(rings(&one_bell) && rings(&two_bell));
    assert_eq!((look(&one, "a"), look(&two, "b")), (Poll::Ready(Some("1".into())), Poll::Ready(None)));
}

#[test]
fn a_change_is_seen_by_everybody_when_its_end_is_told_and_not_before_by_its_own() {
    let stage = Stage::new(&Limits::default());
    let ((one, bell), (two, _)) = (stage.session("fern"), stage.session("fern"));
    assert_eq!(look(&one, "a"), Poll::Pending);
    stage.contents("fern", &[("a", "1")]);
    assert!(rings(&bell));
    let change = put(&one, "a", "2");
    let asked = stage.asked();
    assert_eq!((look(&one, "a"), look(&two, "a"), one.end(change)), (Poll::Pending, Poll::Ready(Some("1".into())), Poll::Pending));
    assert_eq!(one.keys("kv", "", "", 9), Poll::Pending);
    assert!(!one.has_ended(change));
    stage.tell(vec![stage.changed("fern", "a", Some("2")), KvTold::Ended { call: asked[0], result: Ok(()) }]);
    assert!(rings(&bell) && one.has_ended(change));
    assert_eq!(one.end(change), Poll::Ready(Ok(())));
    assert_eq!((look(&one, "a"), look(&two, "a")), (Poll::Ready(Some("2".into())), Poll::Ready(Some("2".into()))));
    stage.tell(vec![stage.changed("fern", "a", None), stage.changed("moss", "a", Some("other"))]);
    assert_eq!(look(&two, "a"), Poll::Ready(None));
}

#[test]
fn answers_to_a_gateway_before_this_one_end_nothing() {
    let stage = Stage::new(&Limits::default());
    let (one, _) = stage.session("fern");
    let change = put(&one, "a", "2");
    stage.tell(vec![KvTold::Ended { call: 1, result: Ok(()) }]);
    assert_eq!(one.end(change), Poll::Pending);
}

#[test]
fn what_is_under_way_is_bounded_for_each_and_for_all() {
    let limits = Limits { kv_changes_max: 3, kv_changes_per_deployment_max: 2, kv_bytes_max: 100, ..Limits::default() };
    let stage = Stage::new(&limits);
    let ((fern, _), (moss, _)) = (stage.session("fern"), stage.session("moss"));
    let too_many = Poll::Ready(Err(KvError::TooManyRequests));
    let begun = [put(&fern, "a", ""), put(&fern, "b", ""), put(&fern, "c", "")].map(|change| fern.end(change));
    assert_eq!(begun, [Poll::Pending, Poll::Pending, too_many]);
    let begun = [put(&moss, "a", ""), put(&moss, "b", "")].map(|change| moss.end(change));
    assert_eq!(begun, [Poll::Pending, too_many]);
    let long = put(&moss, "a", &"x".repeat(100));
    assert_eq!(moss.end(long), Poll::Ready(Err(KvError::PayloadTooLarge)));
    for call in stage.asked() {
        stage.tell(vec![KvTold::Ended { call, result: Ok(()) }]);
    }
    let again = put(&fern, "c", "");
    assert_eq!(fern.end(again), Poll::Pending);
}

#[test]
fn what_changes_under_way_hold_is_bounded() {
    let limits = Limits { kv_bytes_max: 2 << 20, ..Limits::default() };
    let stage = Stage::new(&limits);
    let (fern, _) = stage.session("fern");
    let long = "x".repeat(1 << 20);
    let begun: Vec<u64> = (0..16).map(|key| put(&fern, &key.to_string(), &long)).collect();
    let asked = stage.asked();
    assert_eq!(
        (asked.len(), fern.end(begun[15])),
        (15, Poll::Ready(Err(KvError::TooManyRequests))),
        "16 MiB, with what is beside the values"
    );
    stage.tell(vec![KvTold::Ended { call: asked[0], result: Ok(()) }]);
    let again = put(&fern, "again", &long);
    assert_eq!(fern.end(again), Poll::Pending);
}

#[test]
fn what_was_used_least_recently_is_let_go_and_asked_for_again() {
    let limits = Limits { kv_cached_bytes_max: 100, ..Limits::default() };
    let stage = Stage::new(&limits);
    let ((fern, _), (moss, _)) = (stage.session("fern"), stage.session("moss"));
    assert_eq!(look(&fern, "a"), Poll::Pending);
    stage.contents("fern", &[("a", "1")]);
    assert_eq!(look(&fern, "a"), Poll::Ready(Some("1".into())));
    assert_eq!(look(&moss, "a"), Poll::Pending);
    stage.contents("moss", &[("a", "1")]);
    assert_eq!((look(&moss, "a"), look(&fern, "a")), (Poll::Ready(Some("1".into())), Poll::Pending));
}

#[test]
fn stores_that_cannot_be_read_are_an_error_once() {
    let stage = Stage::new(&Limits::default());
    let (fern, bell) = stage.session("fern");
    assert_eq!(look(&fern, "a"), Poll::Pending);
    stage.tell(vec![KvTold::Contents { slug: "fern".into(), kept: Err(KvError::Internal) }]);
    assert!(rings(&bell));
    assert_eq!((fern.entry("kv", "a"), look(&fern, "a")), (Poll::Ready(Err(KvError::Internal)), Poll::Pending));
}

#[test]
fn what_expires_under_ever_new_keys_does_not_pile_up() {
    let limits = Limits { kv_bytes_max: 1_000, ..Limits::default() };
    let stage = Stage::new(&limits);
    let (fern, _) = stage.session("fern");
    assert_eq!(look(&fern, "a"), Poll::Pending);
    stage.contents("fern", &[("a", "1")]);
    for key in 0..100 {
        let mut kept = stage.kept(&key.to_string(), Some("x"));
        kept.entry.as_mut().unwrap().expires_at_unix_ms = Some(1);
        stage.tell(vec![KvTold::Changed { slug: "fern".into(), kept }]);
    }
    let bytes = fern.deployment.kv.bytes();
    assert!(bytes <= limits.kv_bytes_max, "{bytes} bytes");
    assert_eq!(look(&fern, "a"), Poll::Ready(Some("1".into())));
}
