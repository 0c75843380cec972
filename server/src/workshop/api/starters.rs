//! `GET /api/v1/starters`

use std::collections::BTreeMap;

use axum::Json;
use serde::Serialize;
use vivarium_toolchains::starters::{self, Starter};
use vivarium_toolchains::{Language, ProgramKind};

#[derive(Serialize)]
pub(super) struct Starters {
    starters: Vec<StarterView>,
}

#[derive(Serialize)]
struct StarterView {
    name: &'static str,
    language: Language,
    kind: ProgramKind,
    description: &'static str,
    files: BTreeMap<&'static str, &'static str>,
    stdin: &'static str,
}

impl From<&Starter> for StarterView {
    fn from(starter: &Starter) -> StarterView {
        let &Starter { name, language, kind, description, files, stdin } = starter;
        StarterView { name, language, kind, description, files: files.iter().copied().collect(), stdin }
    }
}

/// Those that the page itself holds: what each language begins with, and the one that is in the editor. The rest it asks for.
pub(super) fn embedded(shown: &str) -> Starters {
    let first = |language| starters::all().iter().find(|starter| starter.language == language).map(|starter| starter.name);
    let wanted = |starter: &&Starter| starter.name == shown || first(starter.language) == Some(starter.name);
    Starters { starters: starters::all().iter().filter(wanted).map(StarterView::from).collect() }
}

pub(super) async fn list() -> Json<Starters> {
    Json(Starters { starters: starters::all().iter().map(StarterView::from).collect() })
}
