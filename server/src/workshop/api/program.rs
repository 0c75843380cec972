//! The program that a request is about: one that was built, or source to build now.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use axum::Extension;
use http::StatusCode;
use serde::Deserialize;
use vivarium_toolchains::{Language, ProgramKind, SourceTree};

use crate::callers::one_client;
use crate::workshop::Workshop;
use crate::workshop::builds::{Asked, Build, FinishedBuild, Product};
use crate::workshop::identifiers::TokenHash;
use crate::workshop::pace::Client;
use crate::workshop::problem::Problem;

/// Fields of a request's body.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Program {
    build_id: Option<String>,
    language: Option<String>,
    files: Option<BTreeMap<String, String>>,
    /// Overrides what the program's imports say it is.
    kind: Option<ProgramKind>,
    /// Whose it is, when the request says.
    #[serde(skip)]
    owner: Option<TokenHash>,
    #[serde(skip)]
    client: Option<IpAddr>,
}

impl Program {
    pub fn from_source(language: String, files: BTreeMap<String, String>) -> Program {
        Program { language: Some(language), files: Some(files), ..Program::default() }
    }

    pub fn of_build(id: String) -> Program {
        Program { build_id: Some(id), ..Program::default() }
    }

    /// Says whose it is: what compiling it leaves serves the same owner's next build.
    pub fn by(self, owner_token: Option<&str>) -> Program {
        Program { owner: owner_token.map(TokenHash::of), ..self }
    }

    /// Says who asks: clients take turns.
    pub fn for_client(self, client: Option<Extension<Client>>) -> Program {
        Program { client: client.map(|Extension(Client(address))| one_client(address)), ..self }
    }

    /// Puts the source in the queue.
    pub fn enqueue(self, workshop: &Workshop) -> Result<Build, Problem> {
        let (Some(language), Some(files)) = (self.language, self.files) else {
            return Err(Problem::bad_request("\"language\" and \"files\" are needed: a language's name, and text by file name"));
        };
        // Whoever owns nothing here leaves nothing under that name: made-up tokens would push out what belongs to owners.
        let owner = self.owner.filter(|owner| workshop.deployments.owns_any(*owner));
        workshop.optimising.touch(owner);
        let source = SourceTree::new(language_of(&language)?, files, &workshop.limits.source())?;
        Ok(workshop.builds.enqueue(source, Asked { kind: self.kind, owner, client: self.client })?)
    }

    /// A build that gave something to run, made now or before.
    pub async fn built(self, workshop: &Workshop) -> Result<(FinishedBuild, Product), Problem> {
        let id = match &self.build_id {
            Some(id) => id.clone(),
            None => self.enqueue(workshop)?.id,
        };
        let seconds = workshop.limits.build_wait_seconds_max;
        let build = workshop.builds.wait(&id, Duration::from_secs(seconds)).await.ok_or_else(|| unknown_build(&id))?;
        let Some(finished) = workshop.builds.finished(&id) else {
            let detail = format!("the build {id} is not over after {seconds} s: ask for it again with \"build_id\"");
            let problem = Problem::limit(StatusCode::SERVICE_UNAVAILABLE, "build_wait_seconds_max", detail);
            return Err(problem.with_build(build));
        };
        match finished.product.clone() {
            Some(product) => Ok((finished, product)),
            None => Err(Problem::build_failed(finished.build)),
        }
    }
}

pub(super) fn language_of(name: &str) -> Result<Language, Problem> {
    Language::from_name(name).ok_or_else(|| {
        let known: Vec<_> = Language::ALL.iter().map(|language| language.name()).collect();
        Problem::bad_request(format!("the language {name:?} is not known: use one of {}", known.join(", ")))
    })
}

pub(super) fn unknown_build(id: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("the build {id} is not known, or not any more: build the program again"))
}
