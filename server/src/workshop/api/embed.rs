//! `/e/<id>`: a stored program for somebody else's page, and `/embed.js`, which puts it there.

use std::ops::RangeInclusive;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse as _, Response};
use data_encoding::HEXLOWER;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::languages::LanguageView;
use super::stored::unlisted;
use crate::assets;
use crate::pages::{EmbedPage, embed_policy};
use crate::workshop::Workshop;
use crate::workshop::fiddles::{FiddleError, Snapshot};
use crate::workshop::guard::Framable;
use crate::workshop::problem::Problem;

/// Seconds that what is run from an embed lives.
const TTL_SECONDS: u64 = 600;

/// What the address of an embed may say; what it does not know is left out, so that an old page goes on working.
#[derive(Deserialize, Default)]
#[serde(from = "Vec<(String, String)>")]
pub(super) struct Options {
    /// "code" or "run".
    view: String,
    file: String,
    /// "3-9", or one line.
    lines: String,
    /// "light" or "dark".
    theme: String,
    /// "1": the code cannot be changed.
    ro: String,
}

/// Of what is said twice, the first counts.
impl From<Vec<(String, String)>> for Options {
    fn from(said: Vec<(String, String)>) -> Options {
        let first = |name: &str| said.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default();
        Options { view: first("view"), file: first("file"), lines: first("lines"), theme: first("theme"), ro: first("ro") }
    }
}

/// A stored program, by a fiddle's id for its newest revision, or by a share's.
pub(super) async fn show(
    State(workshop): State<Arc<Workshop>>,
    Path(id): Path<String>,
    Query(options): Query<Options>,
) -> Result<Response, Problem> {
    let (snapshot, open_url) = find(&workshop, &id).await?;
    render(&workshop, Some(&snapshot), &open_url, &options)
}

/// For a program that is in the address itself, behind `#`, which the server never sees.
pub(super) async fn show_empty(State(workshop): State<Arc<Workshop>>, Query(options): Query<Options>) -> Result<Response, Problem> {
    render(&workshop, None, &workshop.addresses.workshop_url(), &options)
}

/// The script for the page that embeds. It is asked for by that name from everywhere, so its name has no hash.
pub(super) async fn script() -> Result<Response, Problem> {
    let url = assets::url("embedding.js");
    let asset = url.as_deref().and_then(|url| url.strip_prefix(assets::URL_FOLDER)).and_then(assets::get);
    let asset = asset.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "the front end is not built into this server: type make web"))?;
    let headers = [(CONTENT_TYPE, asset.content_type), (CACHE_CONTROL, "public, max-age=3600")];
    Ok(framable((headers, asset.bytes).into_response()))
}

async fn find(workshop: &Workshop, id: &str) -> Result<(Snapshot, String), Problem> {
    match workshop.fiddles.fiddle(id, None).await {
        Ok(fiddle) => Ok((fiddle.snapshot, fiddle.url)),
        Err(FiddleError::UnknownFiddle(_)) => {
            let share = workshop.fiddles.shared(id).await?;
            Ok((share.snapshot, share.url))
        }
        Err(error) => Err(error.into()),
    }
}

fn render(workshop: &Workshop, snapshot: Option<&Snapshot>, open_url: &str, options: &Options) -> Result<Response, Problem> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(|error| Problem::internal(format!("the system gives no random numbers: {error}")))?;
    let nonce = HEXLOWER.encode(&nonce);
    let files: Vec<String> = snapshot.map(|snapshot| snapshot.files().keys().cloned().collect()).unwrap_or_default();
    let main = snapshot.map_or("", |snapshot| snapshot.project.language.main_file());
    let shown_file = files.iter().find(|file| **file == options.file).map_or(main, String::as_str).to_owned();
    let lines = lines_of(&options.lines);
    let languages: Vec<LanguageView> = workshop.parts.builder.status().into_iter().map(LanguageView::from).collect();
    let data = json!({
        "snapshot": snapshot,
        "languages": languages,
        "file": shown_file,
        "lines": lines.map(|lines| [*lines.start(), *lines.end()]),
        "read_only": options.ro == "1",
        "ttl_seconds": TTL_SECONDS,
    });
    let page = EmbedPage {
        name: snapshot.map(|snapshot| snapshot.name.clone()).filter(|name| !name.is_empty()).unwrap_or_else(|| "untitled".into()),
        view: if options.view == "run" { "run" } else { "code" },
        theme: match options.theme.as_str() {
            "light" => "light",
            "dark" => "dark",
            _ => "",
        },
        code: snapshot.and_then(|snapshot| snapshot.files().get(&shown_file).cloned()).unwrap_or_default(),
        files,
        shown_file,
        open_url: open_url.to_owned(),
        data_json: data.to_string(),
        style_nonce: nonce.clone(),
    };
    let mut response = Html(page.render()).into_response();
    if let Ok(policy) = HeaderValue::try_from(embed_policy(&nonce, &workshop.addresses.guest_origins())) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    Ok(unlisted(framable(response)))
}

fn framable(mut response: Response) -> Response {
    response.extensions_mut().insert(Framable);
    response
}

/// "3-9" or "7"; counted from 1.
fn lines_of(text: &str) -> Option<RangeInclusive<u32>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (1..=last).contains(&first).then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_a_number_or_two() {
        for (text, expected) in
            [("3-9", Some(3..=9)), ("7", Some(7..=7)), ("9-3", None), ("0-2", None), ("a-b", None), ("", None), ("-", None)]
        {
            assert_eq!(lines_of(text), expected, "{text}");
        }
    }
}
