//! `POST /api/v1/check`: what is wrong with a program, without building it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use vivarium_toolchains::{Diagnostic, SourceTree};

use super::program::language_of;
use crate::workshop::Workshop;
use crate::workshop::problem::Problem;

#[derive(Deserialize)]
pub(super) struct Checked {
    language: String,
    files: BTreeMap<String, String>,
}

#[derive(Serialize)]
pub(super) struct CheckView {
    diagnostics: Vec<Diagnostic>,
    /// Microseconds; of a program that was checked before, what it took then.
    check_us: u64,
}

pub(super) async fn create(State(workshop): State<Arc<Workshop>>, Json(program): Json<Checked>) -> Result<Json<CheckView>, Problem> {
    let source = SourceTree::new(language_of(&program.language)?, program.files, &workshop.limits.source())?;
    let report = workshop.checks.check(source).await?;
    Ok(Json(CheckView { diagnostics: report.diagnostics.clone(), check_us: report.check_us }))
}
