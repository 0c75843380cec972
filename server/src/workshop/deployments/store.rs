//! Deployments and revisions as rows. Each function is one transaction, run on the database's thread.

use std::collections::{HashMap, HashSet};

use rusqlite::types::Type;
use rusqlite::{Connection, Row, params};
use vivarium_toolchains::{Language, ProgramKind};

use super::record::{Deployment, Revision};
use super::settings::Settings;
use super::variables::Variable;
use crate::control::messages::{Timestamp, Timings};
use crate::workshop::blobs::BlobHash;
use crate::workshop::identifiers::TokenHash;

/// Everything, for the start.
pub fn read_all(connection: &mut Connection) -> rusqlite::Result<HashMap<String, Deployment>> {
    let mut found = HashMap::new();
    let mut statement =
        connection.prepare("SELECT slug, token_sha256, created_unix_ms, expires_unix_ms, next_request_id FROM deployments")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let slug: String = row.get(0)?;
        let deployment = Deployment::new(slug.clone(), TokenHash(row.get(1)?), time(row, 2)?, time(row, 3)?, number(row, 4)?);
        found.insert(slug, deployment);
    }
    let mut statement = connection.prepare(
        "SELECT slug, number, language, kind, source_sha256, wasm_sha256, wasm_bytes, artifact_bytes, timings, created_unix_ms FROM revisions",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let slug: String = row.get(0)?;
        if let Some(deployment) = found.get_mut(&slug) {
            let revision = read_revision(row)?;
            deployment.revisions.insert(revision.number, revision);
        }
    }
    let mut statement = connection.prepare("SELECT slug, name, value, secret FROM variables")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let slug: String = row.get(0)?;
        if let Some(deployment) = found.get_mut(&slug) {
            deployment.settings.variables.insert(row.get(1)?, Variable { value: row.get(2)?, secret: row.get(3)? });
        }
    }
    read_stores(connection, &mut found)?;
    let mut statement = connection.prepare("SELECT slug, name, origin FROM backends")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (slug, origin): (String, String) = (row.get(0)?, row.get(2)?);
        if let (Some(deployment), Ok(origin)) = (found.get_mut(&slug), origin.parse()) {
            deployment.settings.variables.insert_backend(row.get(1)?, origin);
        }
    }
    found.retain(|_, deployment| !deployment.revisions.is_empty());
    Ok(found)
}

/// Every row is an entry of a store; one without a name stands for the store itself.
fn read_stores(connection: &Connection, found: &mut HashMap<String, Deployment>) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("SELECT slug, kind, store, name, value FROM stores")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (slug, kind, store, name): (String, String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        let Some(deployment) = found.get_mut(&slug) else { continue };
        let stores = &mut deployment.settings.stores;
        let entries = match kind.as_str() {
            CONFIG => stores.config.entry(store).or_default(),
            SECRET => stores.secrets.entry(store).or_default(),
            _ => {
                stores.kv.insert(store);
                continue;
            }
        };
        if !name.is_empty() {
            entries.insert(name, row.get(4)?);
        }
    }
    Ok(())
}

const CONFIG: &str = "config";
const SECRET: &str = "secret";
/// A key-value store; what it holds is in a table of its own.
pub const KV: &str = "kv";

/// The deployment's row with its first revision.
pub fn insert(
    connection: &mut Connection,
    slug: &str,
    owner: TokenHash,
    created_at: Timestamp,
    expires_at: Timestamp,
    (revision, settings): (&Revision, &Settings),
) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute(
        "INSERT INTO deployments VALUES (?1, ?2, ?3, ?4, 1)",
        params![slug, owner.0, created_at.unix_ms as i64, expires_at.unix_ms as i64],
    )?;
    insert_revision(&transaction, slug, revision)?;
    put_settings(&transaction, slug, settings)?;
    transaction.commit()
}

/// All that a deployment keeps for its program, in place of what it kept.
pub fn set_settings(connection: &mut Connection, slug: &str, settings: &Settings) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    put_settings(&transaction, slug, settings)?;
    transaction.commit()
}

fn put_settings(connection: &Connection, slug: &str, settings: &Settings) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM variables WHERE slug = ?1", [slug])?;
    for (name, variable) in settings.variables.iter() {
        let row = params![slug, name, variable.value, variable.secret];
        connection.execute("INSERT INTO variables VALUES (?1, ?2, ?3, ?4)", row)?;
    }
    connection.execute("DELETE FROM backends WHERE slug = ?1", [slug])?;
    for (name, origin) in settings.variables.backends() {
        connection.execute("INSERT INTO backends VALUES (?1, ?2, ?3)", params![slug, name, origin.to_string()])?;
    }
    connection.execute("DELETE FROM stores WHERE slug = ?1", [slug])?;
    let mut insert = connection.prepare("INSERT INTO stores VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for (kind, stores) in [(CONFIG, &settings.stores.config), (SECRET, &settings.stores.secrets)] {
        for (store, entries) in stores {
            insert.execute(params![slug, kind, store, "", ""])?;
            for (name, value) in entries {
                insert.execute(params![slug, kind, store, name, value])?;
            }
        }
    }
    for store in &settings.stores.kv {
        insert.execute(params![slug, KV, store, "", ""])?;
    }
    Ok(())
}

/// What deployments that have ended kept for their programs goes.
pub fn clear_state(connection: &mut Connection, slugs: &[String]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for slug in slugs {
        for table in ["variables", "backends", "stores", "kv"] {
            transaction.execute(&format!("DELETE FROM {table} WHERE slug = ?1"), [slug])?;
        }
    }
    transaction.commit()
}

/// A further revision. Those numbered below `oldest_kept` go.
pub fn add_revision(
    connection: &mut Connection,
    slug: &str,
    (revision, settings): (&Revision, &Settings),
    expires_at: Timestamp,
    oldest_kept: u32,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    insert_revision(&transaction, slug, revision)?;
    put_settings(&transaction, slug, settings)?;
    transaction.execute("UPDATE deployments SET expires_unix_ms = ?2 WHERE slug = ?1", params![slug, expires_at.unix_ms as i64])?;
    transaction.execute("DELETE FROM revisions WHERE slug = ?1 AND number < ?2", params![slug, oldest_kept])?;
    transaction.commit()
}

/// Takes a revision back that was never acknowledged, with the end that it had set and the settings that it had changed; with the last one the
/// deployment goes.
pub fn remove_revision(
    connection: &mut Connection,
    slug: &str,
    number: u32,
    expires_at: Timestamp,
    settings: &Settings,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    put_settings(&transaction, slug, settings)?;
    transaction.execute("UPDATE deployments SET expires_unix_ms = ?2 WHERE slug = ?1", params![slug, expires_at.unix_ms as i64])?;
    transaction.execute("DELETE FROM revisions WHERE slug = ?1 AND number = ?2", params![slug, number])?;
    let orphaned = "DELETE FROM deployments WHERE slug = ?1 AND NOT EXISTS (SELECT 1 FROM revisions WHERE slug = ?1)";
    transaction.execute(orphaned, [slug])?;
    transaction.commit()
}

pub fn set_expiry(connection: &mut Connection, slug: &str, expires_at: Timestamp) -> rusqlite::Result<()> {
    connection.execute("UPDATE deployments SET expires_unix_ms = ?2 WHERE slug = ?1", params![slug, expires_at.unix_ms as i64])?;
    Ok(())
}

pub fn set_timings(connection: &mut Connection, measured: &[(String, u32, Timings)]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for (slug, number, timings) in measured {
        let update = "UPDATE revisions SET timings = ?3 WHERE slug = ?1 AND number = ?2";
        transaction.execute(update, params![slug, number, timings_text(timings)?])?;
    }
    transaction.commit()
}

pub fn set_request_ids(connection: &mut Connection, next: &[(String, u64)]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for (slug, id) in next {
        transaction.execute("UPDATE deployments SET next_request_id = ?2 WHERE slug = ?1", params![slug, *id as i64])?;
    }
    transaction.commit()
}

pub fn remove(connection: &mut Connection, slugs: &[String]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for slug in slugs {
        transaction.execute("DELETE FROM deployments WHERE slug = ?1", [slug])?;
    }
    transaction.commit()
}

/// Every blob that a row names.
pub fn named_blobs(connection: &mut Connection) -> rusqlite::Result<HashSet<BlobHash>> {
    let mut statement = connection
        .prepare("SELECT source_sha256 FROM revisions UNION SELECT wasm_sha256 FROM revisions UNION SELECT sha256 FROM snapshots")?;
    statement.query_map([], |row| row.get(0).map(BlobHash))?.collect()
}

fn insert_revision(connection: &Connection, slug: &str, revision: &Revision) -> rusqlite::Result<()> {
    let kind = match revision.kind {
        ProgramKind::Service => "service",
        ProgramKind::Command => "command",
    };
    connection.execute(
        "INSERT INTO revisions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            slug,
            revision.number,
            revision.language.name(),
            kind,
            revision.source.0,
            revision.wasm.0,
            revision.wasm_bytes as i64,
            revision.artifact_bytes as i64,
            timings_text(&revision.timings)?,
            revision.created_at.unix_ms as i64,
        ],
    )?;
    Ok(())
}

fn timings_text(timings: &Timings) -> rusqlite::Result<String> {
    serde_json::to_string(timings).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

fn read_revision(row: &Row<'_>) -> rusqlite::Result<Revision> {
    let (language, kind, timings): (String, String, String) = (row.get(2)?, row.get(3)?, row.get(8)?);
    let unreadable = |column, what: &str| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, what.to_owned().into());
    Ok(Revision {
        number: row.get(1)?,
        language: Language::from_name(&language).ok_or_else(|| unreadable(2, "a language that this version does not know"))?,
        kind: match kind.as_str() {
            "service" => ProgramKind::Service,
            "command" => ProgramKind::Command,
            _ => return Err(unreadable(3, "a kind of program that this version does not know")),
        },
        source: BlobHash(row.get(4)?),
        wasm: BlobHash(row.get(5)?),
        wasm_bytes: number(row, 6)? as usize,
        artifact_bytes: number(row, 7)? as usize,
        timings: serde_json::from_str(&timings).unwrap_or_default(),
        created_at: time(row, 9)?,
    })
}

fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    Ok(Timestamp { unix_ms: number(row, column)? })
}
