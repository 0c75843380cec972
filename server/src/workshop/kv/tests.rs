//! Transactions on a database of this test, with time and limits that it sets.

use super::rows::{KeepLimits, Kept, Work, keep};
use super::*;
use crate::control::messages::ToGateway;
use rusqlite::params;
use vivarium_abi::{KvAction, KvInsert};

const MIB: u64 = 1 << 20;

/// A database with so many deployments, `d0` and on.
async fn database(deployments: usize) -> (tempfile::TempDir, Database) {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("x.sqlite")).unwrap();
    let inserted = database.call(move |connection| {
        let row = "INSERT INTO deployments VALUES (?1, x'00', 1, ?2, 1)";
        (0..deployments).try_for_each(|number| connection.execute(row, params![format!("d{number}"), i64::MAX]).map(drop))
    });
    inserted.await.unwrap();
    (folder, database)
}

fn insert(slug: &str, key: &str, value: Vec<u8>, expires_at_unix_ms: Option<u64>) -> Work {
    let insert = KvInsert { value: value.into(), expires_at_unix_ms, ..KvInsert::default() };
    Work::Change { slug: slug.into(), change: KvChange { store: "kv".into(), key: key.into(), action: KvAction::Insert(insert) } }
}

/// All of it, a transaction after the other; what each came to.
async fn keep_all(database: &Database, mut work: Vec<Work>, now_unix_ms: u64) -> Vec<Vec<Kept>> {
    let limits = KeepLimits { kv_bytes_max: MIB, bytes_max: BATCH_BYTES_MAX };
    let mut all = Vec::new();
    while !work.is_empty() {
        let (kept, rest) = database.call(move |connection| keep(connection, work, limits, now_unix_ms)).await.unwrap();
        assert!(!kept.is_empty());
        work = rest;
        all.push(kept);
    }
    all
}

#[tokio::test]
async fn what_full_stores_hold_is_told_in_messages_that_pass() {
    const DEPLOYMENTS: usize = 65;
    let (_folder, database) = database(DEPLOYMENTS).await;
    let slugs: Vec<String> = (0..DEPLOYMENTS).map(|number| format!("d{number}")).collect();
    let long = vec![b'x'; MIB as usize - 100];
    let inserts = slugs.iter().map(|slug| insert(slug, "a", long.clone(), None)).collect();
    let kept: usize = keep_all(&database, inserts, 1).await.iter().flatten().filter(|kept| kept.is_ok()).count();
    assert_eq!(kept, DEPLOYMENTS);
    let mut asked = slugs.iter();
    for kept in keep_all(&database, slugs.iter().map(|slug| Work::Read { slug: slug.clone() }).collect(), 1).await {
        let told = kept.into_iter().zip(asked.by_ref()).map(|(kept, slug)| KvTold::Contents { slug: slug.clone(), kept }).collect();
        let bytes = postcard::to_stdvec(&ToGateway::Kv(told)).unwrap().len();
        assert!(bytes <= MESSAGE_BYTES_MAX, "{bytes} bytes in one message");
    }
    assert_eq!(asked.next(), None);
}

#[tokio::test]
async fn what_expires_under_ever_new_keys_does_not_pile_up() {
    let (_folder, database) = database(1).await;
    for round in 0..4 {
        let inserts = (0..8).map(|key| insert("d0", &format!("{round}-{key}"), vec![0; 200 << 10], Some(1))).collect();
        keep_all(&database, inserts, 5).await;
    }
    let sum = "SELECT sum(length(value)) FROM kv";
    let bytes: i64 = database.call(move |connection| connection.query_row(sum, [], |row| row.get(0))).await.unwrap();
    assert!(bytes as u64 <= MIB, "{bytes} bytes on disk");
    let alive = keep_all(&database, vec![insert("d0", "b", vec![0; 900 << 10], None)], 5).await;
    assert!(alive[0][0].is_ok(), "what has expired makes room");
}
