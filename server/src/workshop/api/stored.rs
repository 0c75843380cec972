//! What a stored program's address answers with: the page, one of its files, all of them as a zip, its wasm.
//!
//! ```text
//! /s/<share>         /f/<fiddle>         /f/<fiddle>/r/<n>         the page with the program in it
//!           .zip .wasm .wat   of each                              its files; what they build to, built when it is asked for
//!           /raw/main.c                                            one file, as text
//! ```

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;

use super::page;
use super::program::Program;
use super::snapshot::readable;
use super::{bearer_token, builds};
use crate::workshop::Workshop;
use crate::workshop::builds::Product;
use crate::workshop::fiddles::{Snapshot, zip_of};
use crate::workshop::guard::is_embedded_elsewhere;
use crate::workshop::pace::Client;
use crate::workshop::problem::Problem;

/// What somebody shared is for those who have the link, not for those who search the web.
const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");

pub(super) fn routes() -> Router<Arc<Workshop>> {
    Router::new()
        .route("/s/{name}", get(share))
        .route("/s/{id}/raw/{*file}", get(share_file))
        .route("/f/{name}", get(fiddle))
        .route("/f/{id}/raw/{*file}", get(fiddle_file))
        .route("/f/{id}/r/{name}", get(revision))
        .route("/f/{id}/r/{number}/raw/{*file}", get(revision_file))
}

/// A stored program, however it was asked for.
struct Found {
    /// Of its snapshot.
    id: String,
    snapshot: Snapshot,
    /// What the page is told of it.
    view: Value,
}

#[derive(Clone, Copy)]
enum Form {
    Page,
    Zip,
    Wasm,
    Wat,
}

async fn share(
    State(workshop): State<Arc<Workshop>>,
    Path(name): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (id, form) = form_of(&name);
    answer(&workshop, find_share(&workshop, id).await, form, client, &headers).await
}

async fn fiddle(
    State(workshop): State<Arc<Workshop>>,
    Path(name): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (id, form) = form_of(&name);
    answer(&workshop, find_fiddle(&workshop, id, None).await, form, client, &headers).await
}

async fn revision(
    State(workshop): State<Arc<Workshop>>,
    Path((id, name)): Path<(String, String)>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (number, form) = form_of(&name);
    let found = match number_of(number) {
        Ok(number) => find_fiddle(&workshop, &id, Some(number)).await,
        Err(problem) => Err(problem),
    };
    answer(&workshop, found, form, client, &headers).await
}

async fn share_file(
    State(workshop): State<Arc<Workshop>>,
    Path((id, file)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    find_share(&workshop, &id).await?.file(&file, &headers)
}

async fn fiddle_file(
    State(workshop): State<Arc<Workshop>>,
    Path((id, file)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    find_fiddle(&workshop, &id, None).await?.file(&file, &headers)
}

async fn revision_file(
    State(workshop): State<Arc<Workshop>>,
    Path((id, number, file)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    find_fiddle(&workshop, &id, Some(number_of(&number)?)).await?.file(&file, &headers)
}

async fn find_share(workshop: &Workshop, id: &str) -> Result<Found, Problem> {
    let view = workshop.fiddles.shared(id).await?;
    Ok(Found { id: view.id.clone(), snapshot: view.snapshot.clone(), view: json_of(&view)? })
}

async fn find_fiddle(workshop: &Workshop, id: &str, number: Option<u32>) -> Result<Found, Problem> {
    let view = workshop.fiddles.fiddle(id, number).await?;
    Ok(Found { id: view.share_id.clone(), snapshot: view.snapshot.clone(), view: json_of(&view)? })
}

/// Where a person is led to a program that is not there, a page says so.
async fn answer(
    workshop: &Arc<Workshop>,
    found: Result<Found, Problem>,
    form: Form,
    client: Option<Extension<Client>>,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let response = match (found, form) {
        (Ok(found), Form::Page) => page::show_stored(workshop, &found.snapshot, &found.id, &found.view)?,
        (Err(problem), Form::Page) => page::show_missing(workshop, &problem)?,
        (Err(problem), _) => return Err(problem),
        (Ok(found), Form::Zip) => readable(headers, &found.id, found.zip()),
        (Ok(found), Form::Wasm) => readable(headers, &found.id, builds::wasm(&found.id, &found.product(workshop, client, headers).await?)),
        (Ok(found), Form::Wat) => {
            let product = found.product(workshop, client, headers).await?;
            readable(headers, &found.id, builds::wat(product, workshop.limits.wat_bytes_max).await?)
        }
    };
    Ok(unlisted(response))
}

impl Found {
    /// Builds it. The request changes nothing that can be seen, so the guard lets it pass from anywhere; what it costs is looked at here.
    async fn product(&self, workshop: &Arc<Workshop>, client: Option<Extension<Client>>, headers: &HeaderMap) -> Result<Product, Problem> {
        if is_embedded_elsewhere(headers) {
            let detail = "a page of another site asked for this: follow a link to it, or ask with a client that is no browser";
            return Err(Problem::new(StatusCode::FORBIDDEN, detail));
        }
        if let Some(Extension(Client(address))) = client {
            workshop.paces.build(address)?;
        }
        let language = self.snapshot.project.language.name().to_owned();
        let program = Program::from_source(language, self.snapshot.files().clone()).by(bearer_token(headers)).for_client(client);
        let (_, product) = program.built(workshop).await?;
        Ok(product)
    }

    fn zip(&self) -> Response {
        let name = if self.snapshot.name.is_empty() { &self.id } else { &self.snapshot.name };
        let safe: String = name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
        let disposition = format!("attachment; filename=\"{safe}.zip\"");
        let headers = [(CONTENT_TYPE, "application/zip".to_owned()), (CONTENT_DISPOSITION, disposition)];
        (headers, zip_of(&self.snapshot.project.program_files())).into_response()
    }

    fn file(&self, name: &str, headers: &HeaderMap) -> Result<Response, Problem> {
        let source = self.snapshot.files().get(name).map(|text| ("text/plain; charset=utf-8", text.clone().into_bytes()));
        let mut files = self.snapshot.project.program_files().into_iter();
        let found = source.or_else(|| files.find(|(known, _)| known == name).map(|(_, bytes)| ("application/octet-stream", bytes)));
        let Some((kind, bytes)) = found else {
            let names: Vec<_> = self.snapshot.files().keys().map(String::as_str).collect();
            return Err(Problem::new(StatusCode::NOT_FOUND, format!("it has no such file: its files are {}", names.join(", "))));
        };
        Ok(unlisted(readable(headers, &self.id, ([(CONTENT_TYPE, kind)], bytes))))
    }
}

pub(super) fn unlisted(mut response: Response) -> Response {
    response.headers_mut().insert(ROBOTS, HeaderValue::from_static("noindex"));
    response
}

/// "Qm3xV7kT2dA.zip" is an id and what is asked of it.
fn form_of(name: &str) -> (&str, Form) {
    match name.split_once('.') {
        Some((id, "zip")) => (id, Form::Zip),
        Some((id, "wasm")) => (id, Form::Wasm),
        Some((id, "wat")) => (id, Form::Wat),
        _ => (name, Form::Page),
    }
}

fn number_of(text: &str) -> Result<u32, Problem> {
    text.parse().map_err(|_| Problem::new(StatusCode::NOT_FOUND, "a revision is a number, as in /f/<id>/r/3"))
}

fn json_of(view: &impl serde::Serialize) -> Result<Value, Problem> {
    serde_json::to_value(view).map_err(|error| Problem::internal(format!("the stored program cannot be shown: {error}")))
}
