//! `GET /`, `POST /` and the files of the front end. The form does without JavaScript what the script does by the API.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse as _, Response};
use axum::{Extension, Form};
use data_encoding::HEXLOWER;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use vivarium_toolchains::starters::Starter;
use vivarium_toolchains::{Diagnostic, Language, ProgramKind, Severity};

use super::languages::LanguageView;
use super::program::{Program, language_of};
use super::runs::NewRun;
use super::starters;
use crate::assets;
use crate::control::messages::{Outcome, Timestamp, Timings};
use crate::limits::Limits;
use crate::pages::{
    CommandOutput, DeploymentLine, DiagnosticLine, FormResult, LanguageChoice, LimitLine, StageTime, StarterLink, WorkshopPage,
    workshop_policy,
};
use crate::project::{Assets, Project};
use crate::workshop::builds::Build;
use crate::workshop::deployments::DeploymentView;
use crate::workshop::fiddles::Snapshot;
use crate::workshop::pace::Client;
use crate::workshop::problem::Problem;
use crate::workshop::serving::Target;
use crate::workshop::{Workshop, addresses::Addresses};

#[derive(Deserialize)]
pub(super) struct Choice {
    language: Option<String>,
    starter: Option<String>,
}

/// The form of the page.
#[derive(Deserialize)]
pub(super) struct Submission {
    language: String,
    code: String,
    #[serde(default)]
    starter: String,
    #[serde(default)]
    slug: String,
    #[serde(default)]
    owner_token: String,
    #[serde(default)]
    args: String,
    #[serde(default)]
    stdin: String,
    /// The snapshot whose other files belong to the code.
    #[serde(default)]
    stored: String,
}

pub(super) async fn show(State(workshop): State<Arc<Workshop>>, Query(choice): Query<Choice>) -> Result<Response, Problem> {
    Ok(render(&workshop.addresses, StatusCode::OK, &beginning(&workshop, &choice)?))
}

fn beginning(workshop: &Workshop, choice: &Choice) -> Result<WorkshopPage, Problem> {
    let starter = choose(choice)?;
    let code = starter.files.iter().find(|(name, _)| *name == starter.language.main_file()).map_or("", |(_, text)| text);
    Ok(WorkshopPage {
        language: starter.language.name().to_owned(),
        starter: starter.name.to_owned(),
        code: code.to_owned(),
        command: starter.kind == ProgramKind::Command,
        stdin: starter.stdin.to_owned(),
        ..frame(workshop, starter.name)?
    })
}

/// The page with a stored program in its editor. `id` is that of the snapshot, `view` what the script is told.
pub(super) fn show_stored(workshop: &Workshop, snapshot: &Snapshot, id: &str, view: &serde_json::Value) -> Result<Response, Problem> {
    let language = snapshot.project.language;
    let page = WorkshopPage {
        language: language.name().to_owned(),
        starter: snapshot.name.clone(),
        code: snapshot.files().get(language.main_file()).cloned().unwrap_or_default(),
        command: snapshot.kind == Some(ProgramKind::Command),
        arguments: snapshot.arguments.clone(),
        stdin: snapshot.stdin.clone(),
        stored_id: id.to_owned(),
        stored_json: view.to_string(),
        ..frame(workshop, "")?
    };
    Ok(render(&workshop.addresses, StatusCode::OK, &page))
}

/// The page that begins with a starter, and says why the address leads to nothing.
pub(super) fn show_missing(workshop: &Workshop, problem: &Problem) -> Result<Response, Problem> {
    let page = beginning(workshop, &Choice { language: None, starter: None })?;
    let page = WorkshopPage { missing: problem.detail.clone(), ..page };
    Ok(render(&workshop.addresses, problem.status(), &page))
}

pub(super) async fn submit(
    State(workshop): State<Arc<Workshop>>,
    client: Option<Extension<Client>>,
    Form(form): Form<Submission>,
) -> Result<Response, Problem> {
    let language = language_of(&form.language)?;
    // A browser sends the lines of a form with CR LF.
    let (code, stdin) = (form.code.replace("\r\n", "\n"), form.stdin.replace("\r\n", "\n"));
    let attempt = Attempt { language, code: &code, stdin: &stdin, form: &form };
    let (status, came_to) = match attempt.make(&workshop, client).await {
        Ok(came_to) => (StatusCode::OK, came_to),
        Err(problem) => (problem.status(), attempt.failed(&workshop, problem)),
    };
    let page = WorkshopPage {
        language: form.language.clone(),
        starter: form.starter.clone(),
        command: came_to.result.command.is_some(),
        slug: came_to.slug,
        owner_token: came_to.owner_token,
        result: Some(came_to.result),
        arguments: form.args.clone(),
        stored_id: form.stored.clone(),
        code,
        stdin,
        ..frame(&workshop, &form.starter)?
    };
    Ok(render(&workshop.addresses, status, &page))
}

pub(super) async fn asset(Path(name): Path<String>) -> Result<Response, Problem> {
    let asset = assets::get(&name).ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "there is no such file"))?;
    let caching = if asset.immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    Ok(([(CONTENT_TYPE, asset.content_type), (CACHE_CONTROL, caching)], asset.bytes).into_response())
}

/// A submitted form at work.
struct Attempt<'a> {
    language: Language,
    code: &'a str,
    stdin: &'a str,
    form: &'a Submission,
}

struct CameTo {
    result: FormResult,
    slug: String,
    owner_token: String,
}

impl Attempt<'_> {
    async fn make(&self, workshop: &Arc<Workshop>, client: Option<Extension<Client>>) -> Result<CameTo, Problem> {
        let (mut files, assets) = self.stored_files(workshop).await?;
        files.insert(self.language.main_file().to_owned(), self.code.to_owned());
        let (build, product) = Program::from_source(self.language.name().to_owned(), files).for_client(client).built(workshop).await?;
        let result = FormResult {
            diagnostics: build.build.diagnostics.iter().map(diagnostic_line).collect(),
            compiler_output: build.build.output.clone(),
            ..FormResult::default()
        };
        if product.kind == ProgramKind::Command {
            let args = self.form.args.split_whitespace().map(str::to_owned).collect();
            let program = Program::of_build(build.build.id);
            let ran = NewRun { program, args, stdin: self.stdin.to_owned(), env: BTreeMap::new(), assets }.run(workshop).await?;
            let message = outcome_text(&ran.outcome);
            let exit_code = ran.exit_code.map(|code| code as i32);
            let command = CommandOutput { exit_code, stdout: ran.stdout, stderr: ran.stderr, message };
            let result = FormResult { command: Some(command), stages: stages(&ran.timings), ..result };
            return Ok(CameTo { result, slug: self.form.slug.clone(), owner_token: self.form.owner_token.clone() });
        }
        let project = Project::new(&build.source, assets, &workshop.limits)?;
        let view = workshop.deploy(build, product, project, self.target()).await?;
        let result = FormResult { deployment: Some(deployment_line(&view)), stages: stages(&view.timings), ..result };
        let owner_token = view.owner_token.unwrap_or_else(|| self.form.owner_token.clone());
        Ok(CameTo { result, slug: view.slug, owner_token })
    }

    /// The files that the form does not show, of the program that it began as.
    async fn stored_files(&self, workshop: &Workshop) -> Result<(BTreeMap<String, String>, Assets), Problem> {
        if self.form.stored.is_empty() {
            return Ok(Default::default());
        }
        let project = workshop.fiddles.shared(&self.form.stored).await?.snapshot.project;
        Ok(if project.language == self.language { (project.files, project.assets) } else { Default::default() })
    }

    fn target(&self) -> Target {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Target { slug: given(&self.form.slug), owner_token: given(&self.form.owner_token), ttl_seconds: None, ..Target::default() }
    }

    /// What is served stays as it was, and the page says so.
    fn failed(&self, workshop: &Workshop, problem: Problem) -> CameTo {
        let served = workshop.deployments.view(&self.form.slug);
        let build: Option<Build> = problem.build.map(|build| *build);
        let has_errors = build.as_ref().is_some_and(|build| !build.diagnostics.is_empty());
        let result = FormResult {
            deployment: served.as_ref().map(deployment_line),
            error: (!has_errors).then_some(problem.detail),
            diagnostics: build.iter().flat_map(|build| build.diagnostics.iter().map(diagnostic_line)).collect(),
            stages: build.as_ref().map(|build| stages(&build.timings)).unwrap_or_default(),
            compiler_output: build.map(|build| build.output).unwrap_or_default(),
            command: None,
        };
        CameTo { result, slug: self.form.slug.clone(), owner_token: self.form.owner_token.clone() }
    }
}

fn choose(choice: &Choice) -> Result<&'static Starter, Problem> {
    let language = choice.language.as_deref().map(language_of).transpose()?;
    let all = vivarium_toolchains::starters::all();
    let mut fitting = all.iter().filter(|starter| language.is_none_or(|language| starter.language == language));
    let found = match choice.starter.as_deref() {
        Some(name) => fitting.find(|starter| starter.name == name),
        None => fitting.next(),
    };
    found.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "there is no such starter"))
}

/// What the page has whatever is in the editor, but for the text of that starter.
fn frame(workshop: &Workshop, starter: &str) -> Result<WorkshopPage, Problem> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(|error| Problem::internal(format!("the system gives no random numbers: {error}")))?;
    let languages = workshop.parts.builder.status().into_iter().map(LanguageView::from).map(|language| LanguageChoice {
        name: language.name.into(),
        display_name: language.display_name.into(),
        main_file: language.main_file.into(),
        available: language.available,
        version: language.version,
        reason: language.reason,
    });
    // What a page weighs is bounded: the others are in the list of the API, and open by /?language=…&starter=….
    let links = vivarium_toolchains::starters::largest().map(|starter| StarterLink {
        name: starter.name.into(),
        language: starter.language.name().into(),
        description: starter.description.into(),
    });
    Ok(WorkshopPage {
        style_nonce: HEXLOWER.encode(&nonce),
        languages: languages.collect(),
        starters: links.collect(),
        starters_json: serde_json::to_string(&starters::embedded(starter)).unwrap_or_default(),
        limits: limit_lines(&workshop.limits),
        ttl_seconds_default: workshop.limits.ttl_seconds_default,
        ..WorkshopPage::default()
    })
}

fn limit_lines(limits: &Limits) -> Vec<LimitLine> {
    vec![
        LimitLine::milliseconds("Processor time", limits.cpu_ms, "a request"),
        LimitLine::milliseconds("Wall time", limits.wall_ms, "a request"),
        LimitLine::bytes("Memory", limits.memory_bytes_max, "an instance"),
        LimitLine::bytes("Request body", limits.request_body_bytes_max as u64, "a request"),
        LimitLine::bytes("Response", limits.response_bytes_max as u64, "a request"),
        LimitLine::bytes("Log", limits.log_bytes_per_request_max as u64, "a request"),
        LimitLine::bytes("Source", limits.source_bytes_max as u64, "a program"),
        LimitLine::bytes("Wasm", limits.wasm_bytes_max as u64, "a program"),
        LimitLine::milliseconds("Build", limits.build_wall_ms, "a program"),
        LimitLine::seconds("Life", limits.ttl_seconds_default, "a deployment"),
    ]
}

fn render(addresses: &Addresses, status: StatusCode, page: &WorkshopPage) -> Response {
    let policy = workshop_policy(&page.style_nonce, &addresses.guest_origins());
    let mut response = (status, Html(page.render())).into_response();
    // The nonce and the addresses are letters, digits and the punctuation of URLs.
    if let Ok(policy) = HeaderValue::try_from(policy) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn deployment_line(view: &DeploymentView) -> DeploymentLine {
    DeploymentLine {
        url: view.url.clone(),
        path_url: view.path_url.clone(),
        revision: view.revision,
        expires_at: minute_text(view.expires_at),
    }
}

/// "2026-11-25 14:03 UTC"
fn minute_text(time: Timestamp) -> String {
    let text = time.to_string();
    format!("{} UTC", text.get(..16).unwrap_or(&text).replace('T', " "))
}

fn diagnostic_line(diagnostic: &Diagnostic) -> DiagnosticLine {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let numbers = [diagnostic.line, diagnostic.column].into_iter().flatten().map(|number| number.to_string());
    let place: Vec<String> = diagnostic.file.clone().into_iter().chain(numbers).collect();
    DiagnosticLine { severity: severity.into(), place: place.join(":"), message: diagnostic.message.clone() }
}

fn outcome_text(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Finished | Outcome::Exited { .. } => String::new(),
        Outcome::Trapped(trap) => format!("Trapped: {trap}"),
        Outcome::Limited(limit) => format!("Stopped: {}", limit.message),
        Outcome::Failed { message } => format!("Not run: {message}"),
    }
}

fn stages(timings: &Timings) -> Vec<StageTime> {
    let all = [
        ("queue", timings.queue),
        ("build", timings.build),
        ("validate", timings.validate),
        ("translate", timings.translate),
        ("codegen", timings.codegen),
        ("link", timings.link),
        ("load", timings.load),
        ("instantiate", timings.instantiate),
        ("run", timings.run),
        ("reset", timings.reset),
    ];
    let ran = all.into_iter().filter_map(|(name, time)| time.map(|microseconds| StageTime { name: name.into(), microseconds }));
    ran.collect()
}
