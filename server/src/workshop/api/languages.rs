//! `GET /api/v1/languages`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use vivarium_toolchains::{LanguageStatus, Library};

use crate::workshop::Workshop;

#[derive(Serialize)]
pub(super) struct Languages {
    languages: Vec<LanguageView>,
}

/// The object Language of the HTTP contract.
#[derive(Serialize)]
pub(super) struct LanguageView {
    pub name: &'static str,
    pub display_name: &'static str,
    pub main_file: &'static str,
    pub available: bool,
    pub version: Option<String>,
    /// A sentence, when it is not available.
    pub reason: Option<String>,
    /// What its programs may use beside its own library.
    pub libraries: Vec<Library>,
}

impl From<LanguageStatus> for LanguageView {
    fn from(status: LanguageStatus) -> LanguageView {
        let LanguageStatus { language, available, version, reason, mend, libraries } = status;
        let reason = match (reason, mend) {
            (Some(reason), Some(mend)) => Some(format!("{reason}: {mend}")),
            (reason, _) => reason,
        };
        LanguageView {
            name: language.name(),
            display_name: language.display_name(),
            main_file: language.main_file(),
            available,
            version,
            reason,
            libraries,
        }
    }
}

pub(super) async fn list(State(workshop): State<Arc<Workshop>>) -> Json<Languages> {
    Json(Languages { languages: workshop.parts.builder.status().into_iter().map(LanguageView::from).collect() })
}
