//! SQLite: one connection on one thread, asked by messages. WAL with synchronous FULL, so that what is committed survives the machine.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

/// Questions that wait for the thread; who asks beyond that waits to ask.
const QUESTIONS_MAX: usize = 256;
/// Another process (a backup) may hold the file for a moment.
const BUSY: Duration = Duration::from_secs(5);

/// Every change of the schema, in order: number n makes version n + 1. Never edit one that was released; append.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE deployments (
        slug TEXT PRIMARY KEY,
        token_sha256 BLOB NOT NULL,
        created_unix_ms INTEGER NOT NULL,
        expires_unix_ms INTEGER NOT NULL,
        next_request_id INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE revisions (
        slug TEXT NOT NULL REFERENCES deployments (slug) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        language TEXT NOT NULL,
        kind TEXT NOT NULL,
        source_sha256 BLOB NOT NULL,
        wasm_sha256 BLOB NOT NULL,
        wasm_bytes INTEGER NOT NULL,
        artifact_bytes INTEGER NOT NULL,
        timings TEXT NOT NULL,
        created_unix_ms INTEGER NOT NULL,
        PRIMARY KEY (slug, number)
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE variables (
        slug TEXT NOT NULL REFERENCES deployments (slug) ON DELETE CASCADE,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        secret INTEGER NOT NULL,
        PRIMARY KEY (slug, name)
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE snapshots (
        id TEXT PRIMARY KEY,
        sha256 BLOB NOT NULL UNIQUE,
        bytes INTEGER NOT NULL,
        created_unix_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE snapshot_owners (
        sha256 BLOB NOT NULL REFERENCES snapshots (sha256),
        token_sha256 BLOB NOT NULL,
        PRIMARY KEY (sha256, token_sha256)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX snapshot_owners_by_token ON snapshot_owners (token_sha256);
    CREATE TABLE fiddles (
        id TEXT PRIMARY KEY,
        token_sha256 BLOB NOT NULL,
        forked_from TEXT,
        created_unix_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX fiddles_by_token ON fiddles (token_sha256);
    CREATE TABLE fiddle_revisions (
        fiddle_id TEXT NOT NULL REFERENCES fiddles (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        sha256 BLOB NOT NULL REFERENCES snapshots (sha256),
        created_unix_ms INTEGER NOT NULL,
        PRIMARY KEY (fiddle_id, number)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX fiddle_revisions_by_snapshot ON fiddle_revisions (sha256);
",
    "
    CREATE TABLE stores (
        slug TEXT NOT NULL REFERENCES deployments (slug) ON DELETE CASCADE,
        kind TEXT NOT NULL,
        store TEXT NOT NULL,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (slug, kind, store, name)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE kv (
        slug TEXT NOT NULL REFERENCES deployments (slug) ON DELETE CASCADE,
        store TEXT NOT NULL,
        key TEXT NOT NULL,
        value BLOB NOT NULL,
        metadata TEXT NOT NULL,
        generation INTEGER NOT NULL,
        expires_unix_ms INTEGER,
        PRIMARY KEY (slug, store, key)
    ) STRICT;
",
    "
    CREATE TABLE backends (
        slug TEXT NOT NULL REFERENCES deployments (slug) ON DELETE CASCADE,
        name TEXT NOT NULL,
        origin TEXT NOT NULL,
        PRIMARY KEY (slug, name)
    ) STRICT, WITHOUT ROWID;
",
];

#[derive(Debug, Error)]
pub enum DatabaseError {
    #[error(
        "the database has version {found}, this Vivarium reads up to version {known}: start the newer Vivarium that wrote it, or give another data folder with --data"
    )]
    Newer { found: i64, known: usize },
    #[error("the database is damaged ({0}): restore the data folder from a backup")]
    Damaged(String),
    #[error("the disk of the data folder is full: make room; what is deployed goes on answering")]
    DiskFull,
    #[error("the database has stopped")]
    Stopped,
    #[error("the database failed: {0}")]
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> DatabaseError {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => DatabaseError::DiskFull,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => DatabaseError::Damaged(error.to_string()),
            _ => DatabaseError::Sqlite(error),
        }
    }
}

type Question = Box<dyn FnOnce(&mut Connection) + Send>;

/// The database. Dropping it lets the thread finish what was asked and end.
#[derive(Debug, Clone)]
pub struct Database {
    questions: mpsc::Sender<Question>,
}

impl Database {
    /// Opens or makes the file and brings it to this version. Blocks.
    pub fn open(path: &Path) -> Result<Database, DatabaseError> {
        let mut connection = connect(path)?;
        migrate(&mut connection, MIGRATIONS)?;
        let (questions, mut incoming) = mpsc::channel::<Question>(QUESTIONS_MAX);
        std::thread::Builder::new()
            .name("database".into())
            .spawn(move || {
                while let Some(question) = incoming.blocking_recv() {
                    question(&mut connection);
                }
            })
            .map_err(|_| DatabaseError::Stopped)?;
        Ok(Database { questions })
    }

    /// Writes a copy of the file as it is at this moment, while a server may be at work on it. `to` must not exist. Blocks.
    pub fn copy(path: &Path, to: &Path) -> Result<(), DatabaseError> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(BUSY)?;
        connection.execute("VACUUM INTO ?1", [to.to_string_lossy()])?;
        Ok(())
    }

    /// Runs `work` on the database's thread, in the order in which it was asked. It runs to its end even if the caller stops waiting.
    pub async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, DatabaseError> {
        let (answer, answered) = oneshot::channel();
        // Whoever asked may be gone; the work is done all the same.
        let question: Question = Box::new(move |connection| drop(answer.send(work(connection))));
        self.questions.send(question).await.map_err(|_| DatabaseError::Stopped)?;
        Ok(answered.await.map_err(|_| DatabaseError::Stopped)??)
    }
}

fn connect(path: &Path) -> Result<Connection, DatabaseError> {
    let connection = Connection::open_with_flags(path, OpenFlags::default())?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" { Ok(connection) } else { Err(DatabaseError::Damaged(verdict)) }
}

fn migrate(connection: &mut Connection, migrations: &[&str]) -> Result<(), DatabaseError> {
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let done = usize::try_from(found).ok().filter(|done| *done <= migrations.len());
    let done = done.ok_or(DatabaseError::Newer { found, known: migrations.len() })?;
    for (index, migration) in migrations.iter().enumerate().skip(done) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", index as i64 + 1)?;
        transaction.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_run_once_and_a_failed_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.sqlite");
        let mut connection = connect(&path).unwrap();
        migrate(&mut connection, &["CREATE TABLE a (x)"]).unwrap();
        assert!(migrate(&mut connection, &["CREATE TABLE a (x)", "CREATE TABLE b (x); CREATE TABLE a (x)"]).is_err());
        drop(connection);
        let mut connection = connect(&path).unwrap();
        migrate(&mut connection, &["CREATE TABLE a (x)", "CREATE TABLE b (x)"]).unwrap();
        let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema WHERE type = 'table'", [], |row| row.get(0)).unwrap();
        assert_eq!(tables, 2);
    }

    #[test]
    fn a_database_of_a_newer_version_is_refused_with_a_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.sqlite");
        connect(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        let refused = Database::open(&path).unwrap_err().to_string();
        assert!(refused.contains("version 99") && refused.contains("newer Vivarium"), "{refused}");
    }

    #[test]
    fn what_is_no_database_is_refused_with_a_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.sqlite");
        std::fs::write(&path, "a fern is no database, however long it is".repeat(100)).unwrap();
        assert!(matches!(Database::open(&path), Err(DatabaseError::Damaged(_))));
    }

    #[tokio::test]
    async fn what_was_committed_is_there_after_the_process_was_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.sqlite");
        let database = Database::open(&path).unwrap();
        let row = "INSERT INTO deployments VALUES ('fern', x'00', 1, 2, 1)";
        database.call(move |connection| connection.execute(row, [])).await.unwrap();
        // A copy of the files as they are now is what a kill would leave: the log has not been folded in.
        let cut_off = folder.path().join("y.sqlite");
        std::fs::copy(&path, &cut_off).unwrap();
        std::fs::copy(folder.path().join("x.sqlite-wal"), folder.path().join("y.sqlite-wal")).unwrap();
        let database = Database::open(&cut_off).unwrap();
        let count = "SELECT count(*) FROM deployments";
        let found: i64 = database.call(move |connection| connection.query_row(count, [], |row| row.get(0))).await.unwrap();
        assert_eq!(found, 1);
    }
}
