//! Stored programs as rows. Each function is one transaction, run on the database's thread.
//!
//! A snapshot is held by its owners and by revisions of fiddles; it goes with the last of them.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::snapshot::ids_of;
use super::view::revision_tag;
use crate::control::messages::Timestamp;
use crate::workshop::blobs::BlobHash;
use crate::workshop::identifiers::TokenHash;

/// A snapshot whose bytes are durable already.
pub struct NewSnapshot {
    pub hash: BlobHash,
    pub bytes: usize,
    pub created_at: Timestamp,
}

#[derive(Clone, Debug)]
pub struct SnapshotRow {
    pub id: String,
    pub hash: BlobHash,
    pub bytes: usize,
    pub created_at: Timestamp,
}

pub struct NewFiddle {
    pub id: String,
    pub owner: TokenHash,
    pub forked_from: Option<String>,
    pub created_at: Timestamp,
}

#[derive(Clone, Debug)]
pub struct FiddleRow {
    pub id: String,
    pub owner: TokenHash,
    pub forked_from: Option<String>,
    pub created_at: Timestamp,
    /// The number of its newest revision.
    pub newest: u32,
}

#[derive(Clone, Debug)]
pub struct RevisionRow {
    pub number: u32,
    pub created_at: Timestamp,
    pub snapshot: SnapshotRow,
}

/// What each hold on a snapshot counts for beside its bytes, so that rows without bytes of their own have an end too: a row and what its
/// indices keep of it take less.
pub const ROW_BYTES: u64 = 512;

/// What storing a snapshot came to.
pub enum Added {
    Row {
        row: SnapshotRow,
        /// It was not held in this way before.
        new: bool,
    },
    Full,
    TooManyFiddles,
    TooManyRevisions,
    /// The fiddle went in the meantime.
    Gone,
    /// The fiddle's newest revision is this one, not the one that was said.
    Overtaken {
        number: u32,
    },
}

/// The snapshot, held by this owner.
pub fn share(connection: &mut Connection, new: &NewSnapshot, owner: TokenHash, bytes_max: u64) -> rusqlite::Result<Added> {
    let transaction = connection.transaction()?;
    let query = "SELECT EXISTS (SELECT 1 FROM snapshot_owners WHERE sha256 = ?1 AND token_sha256 = ?2)";
    let is_held: bool = transaction.query_row(query, params![new.hash.0, owner.0], |row| row.get(0))?;
    let Some(row) = insert_snapshot(&transaction, new, u64::from(!is_held), bytes_max)? else { return Ok(Added::Full) };
    let held = transaction.execute("INSERT OR IGNORE INTO snapshot_owners VALUES (?1, ?2)", params![row.hash.0, owner.0])?;
    transaction.commit()?;
    Ok(Added::Row { row, new: held > 0 })
}

/// Takes one owner's hold away: whether somebody else still holds it. None where this owner never did.
pub fn unshare(connection: &mut Connection, hash: BlobHash, owner: TokenHash) -> rusqlite::Result<Option<bool>> {
    let transaction = connection.transaction()?;
    let given_up = transaction.execute("DELETE FROM snapshot_owners WHERE sha256 = ?1 AND token_sha256 = ?2", params![hash.0, owner.0])?;
    if given_up == 0 {
        return Ok(None);
    }
    let gone = remove_unheld(&transaction)?;
    transaction.commit()?;
    Ok(Some(gone == 0))
}

pub fn snapshot(connection: &mut Connection, id: &str) -> rusqlite::Result<Option<SnapshotRow>> {
    let query = "SELECT id, sha256, bytes, created_unix_ms FROM snapshots WHERE id = ?1";
    connection.query_row(query, [id], |row| read_snapshot(row, 0)).optional()
}

/// The fiddle's row with its first revision.
pub fn create(
    connection: &mut Connection,
    new: &NewFiddle,
    snapshot: &NewSnapshot,
    fiddles_max: usize,
    bytes_max: u64,
) -> rusqlite::Result<Added> {
    let transaction = connection.transaction()?;
    if count(&transaction, "fiddles")? >= fiddles_max as u64 {
        return Ok(Added::TooManyFiddles);
    }
    let Some(row) = insert_snapshot(&transaction, snapshot, 2, bytes_max)? else { return Ok(Added::Full) };
    let created = new.created_at.unix_ms as i64;
    transaction.execute("INSERT INTO fiddles VALUES (?1, ?2, ?3, ?4)", params![new.id, new.owner.0, new.forked_from, created])?;
    transaction.execute("INSERT INTO fiddle_revisions VALUES (?1, 1, ?2, ?3)", params![new.id, row.hash.0, created])?;
    transaction.commit()?;
    Ok(Added::Row { row, new: true })
}

/// A further revision; none where the newest is the same text.
pub fn revise(
    connection: &mut Connection,
    id: &str,
    if_match: Option<&[String]>,
    snapshot: &NewSnapshot,
    revisions_max: usize,
    bytes_max: u64,
) -> rusqlite::Result<Added> {
    let transaction = connection.transaction()?;
    let Some(newest) = newest(&transaction, id).optional()? else { return Ok(Added::Gone) };
    let is_newest = |tag: &String| *tag == newest.snapshot.id || *tag == revision_tag(&newest.snapshot.id, newest.number, newest.number);
    if if_match.is_some_and(|known| !known.iter().any(is_newest)) {
        return Ok(Added::Overtaken { number: newest.number });
    }
    if newest.snapshot.hash == snapshot.hash {
        return Ok(Added::Row { row: newest.snapshot, new: false });
    }
    if newest.number as usize >= revisions_max {
        return Ok(Added::TooManyRevisions);
    }
    let Some(row) = insert_snapshot(&transaction, snapshot, 1, bytes_max)? else { return Ok(Added::Full) };
    let created = snapshot.created_at.unix_ms as i64;
    transaction.execute("INSERT INTO fiddle_revisions VALUES (?1, ?2, ?3, ?4)", params![id, newest.number + 1, row.hash.0, created])?;
    transaction.commit()?;
    Ok(Added::Row { row, new: true })
}

/// A fiddle with its newest revision, or with the one of that number if there is one.
pub fn fiddle(connection: &mut Connection, id: &str, number: Option<u32>) -> rusqlite::Result<Option<(FiddleRow, Option<RevisionRow>)>> {
    let transaction = connection.transaction()?;
    let query = "SELECT id, token_sha256, forked_from, created_unix_ms FROM fiddles WHERE id = ?1";
    let read = |row: &Row<'_>| {
        let created_at = time(row, 3)?;
        Ok(FiddleRow { id: row.get(0)?, owner: TokenHash(row.get(1)?), forked_from: row.get(2)?, created_at, newest: 0 })
    };
    let Some(fiddle) = transaction.query_row(query, [id], read).optional()? else { return Ok(None) };
    let newest = newest(&transaction, id)?;
    let fiddle = FiddleRow { newest: newest.number, ..fiddle };
    let revision = match number {
        None => Some(newest),
        Some(number) => {
            let query = format!("{REVISIONS} AND number = ?2");
            transaction.query_row(&query, params![id, number], read_revision).optional()?
        }
    };
    Ok(Some((fiddle, revision)))
}

const REVISIONS: &str = "SELECT number, fiddle_revisions.created_unix_ms, id, snapshots.sha256, bytes, snapshots.created_unix_ms \
     FROM fiddle_revisions JOIN snapshots ON snapshots.sha256 = fiddle_revisions.sha256 WHERE fiddle_id = ?1";

/// Newest first.
pub fn revisions(connection: &mut Connection, id: &str) -> rusqlite::Result<Vec<RevisionRow>> {
    let mut statement = connection.prepare(&format!("{REVISIONS} ORDER BY number DESC"))?;
    statement.query_map([id], read_revision)?.collect()
}

/// A fiddle with its revisions.
pub fn remove(connection: &mut Connection, id: &str) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute("DELETE FROM fiddles WHERE id = ?1", [id])?;
    remove_unheld(&transaction)?;
    transaction.commit()
}

pub fn owns_any(connection: &mut Connection, owner: TokenHash) -> rusqlite::Result<bool> {
    let query =
        "SELECT EXISTS (SELECT 1 FROM fiddles WHERE token_sha256 = ?1) OR EXISTS (SELECT 1 FROM snapshot_owners WHERE token_sha256 = ?1)";
    connection.query_row(query, [owner.0], |row| row.get(0))
}

/// The row of this content, under the shortest address that no other content has. None where there is no room for it and as many `rows` that
/// are to hold it.
fn insert_snapshot(connection: &Connection, new: &NewSnapshot, rows: u64, bytes_max: u64) -> rusqlite::Result<Option<SnapshotRow>> {
    let query = "SELECT id, sha256, bytes, created_unix_ms FROM snapshots WHERE sha256 = ?1";
    let known = connection.query_row(query, [new.hash.0], |row| read_snapshot(row, 0)).optional()?;
    let more = rows * ROW_BYTES + if known.is_some() { 0 } else { new.bytes as u64 };
    if more > 0 && stored_bytes(connection)? + more > bytes_max {
        return Ok(None);
    }
    if known.is_some() {
        return Ok(known);
    }
    for id in ids_of(new.hash) {
        let inserted = connection.execute(
            "INSERT OR IGNORE INTO snapshots VALUES (?1, ?2, ?3, ?4)",
            params![id, new.hash.0, new.bytes as i64, new.created_at.unix_ms as i64],
        )?;
        if inserted > 0 {
            return Ok(Some(SnapshotRow { id, hash: new.hash, bytes: new.bytes, created_at: new.created_at }));
        }
    }
    // Every address that a hash has is taken: it would be the hash of two contents.
    Ok(None)
}

/// All snapshots, and all that holds them.
fn stored_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let bytes: i64 = connection.query_row("SELECT coalesce(sum(bytes), 0) FROM snapshots", [], |row| row.get(0))?;
    let rows = count(connection, "snapshot_owners")? + count(connection, "fiddles")? + count(connection, "fiddle_revisions")?;
    Ok(bytes as u64 + rows * ROW_BYTES)
}

fn count(connection: &Connection, table: &'static str) -> rusqlite::Result<u64> {
    let rows: i64 = connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?;
    Ok(rows as u64)
}

/// How many snapshots went because nobody holds them any more.
fn remove_unheld(connection: &Connection) -> rusqlite::Result<usize> {
    connection.execute(
        "DELETE FROM snapshots WHERE NOT EXISTS (SELECT 1 FROM snapshot_owners WHERE snapshot_owners.sha256 = snapshots.sha256)
         AND NOT EXISTS (SELECT 1 FROM fiddle_revisions WHERE fiddle_revisions.sha256 = snapshots.sha256)",
        [],
    )
}

fn newest(connection: &Connection, id: &str) -> rusqlite::Result<RevisionRow> {
    connection.query_row(&format!("{REVISIONS} ORDER BY number DESC LIMIT 1"), [id], read_revision)
}

fn read_revision(row: &Row<'_>) -> rusqlite::Result<RevisionRow> {
    Ok(RevisionRow { number: row.get(0)?, created_at: time(row, 1)?, snapshot: read_snapshot(row, 2)? })
}

/// From four columns, the first of which is `at`.
fn read_snapshot(row: &Row<'_>, at: usize) -> rusqlite::Result<SnapshotRow> {
    let bytes: i64 = row.get(at + 2)?;
    Ok(SnapshotRow { id: row.get(at)?, hash: BlobHash(row.get(at + 1)?), bytes: bytes as usize, created_at: time(row, at + 3)? })
}

fn time(row: &Row<'_>, at: usize) -> rusqlite::Result<Timestamp> {
    let unix_ms: i64 = row.get(at)?;
    Ok(Timestamp { unix_ms: unix_ms as u64 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workshop::database::Database;

    #[tokio::test]
    async fn who_revises_what_was_deleted_meanwhile_is_told_so() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("x.sqlite")).unwrap();
        let snapshot = NewSnapshot { hash: BlobHash([7; 32]), bytes: 1, created_at: Timestamp { unix_ms: 1 } };
        let revised = database.call(move |connection| revise(connection, "nothing", None, &snapshot, 9, 9_999)).await.unwrap();
        assert!(matches!(revised, Added::Gone));
    }
}
