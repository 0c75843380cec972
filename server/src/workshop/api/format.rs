//! `POST /api/v1/format`: a program laid out by the formatter of its language.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use vivarium_toolchains::{Diagnostic, FormatReport, SourceTree};

use super::program::language_of;
use crate::workshop::Workshop;
use crate::workshop::problem::Problem;

#[derive(Deserialize)]
pub(super) struct Unformatted {
    language: String,
    files: BTreeMap<String, String>,
}

#[derive(Serialize)]
pub(super) struct FormatView {
    /// Every file of the request.
    files: BTreeMap<String, String>,
    /// Why files stayed as they were.
    diagnostics: Vec<Diagnostic>,
    /// Microseconds.
    format_us: u64,
}

pub(super) async fn create(State(workshop): State<Arc<Workshop>>, Json(program): Json<Unformatted>) -> Result<Json<FormatView>, Problem> {
    let source = SourceTree::new(language_of(&program.language)?, program.files, &workshop.limits.source())?;
    let FormatReport { files, diagnostics, format_us } = workshop.checks.format(source).await?;
    Ok(Json(FormatView { files, diagnostics, format_us }))
}
