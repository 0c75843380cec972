//! The page as the template draws it, derived from what `WorkshopPage` is given.

use super::{CommandOutput, DeploymentLine, DiagnosticLine, LanguageChoice, LimitLine, StageTime, StarterLink, WorkshopPage};
use crate::assets;
use crate::pages::filters::{duration_text, life_text};
use askama::Template;

#[derive(Template)]
#[template(path = "workshop.html")]
pub(super) struct WorkshopTemplate {
    state: &'static str,
    view: &'static str,
    panel: &'static str,
    tab: &'static str,
    title: String,
    assets: Files,
    style_nonce: String,
    slug: String,
    owner_token: String,
    starter: String,
    starters: Vec<StarterRow>,
    starters_json: String,
    workshop_json: String,
    stored_id: String,
    stored_json: String,
    missing: String,
    missing_json: String,
    languages: Vec<LanguageChoice>,
    language: String,
    main_file: String,
    chip_kind: &'static str,
    chip_shape: &'static str,
    chip_word: String,
    chip_detail: String,
    stages: Vec<StageRow>,
    stages_total: String,
    code: String,
    error_count: usize,
    error: Option<String>,
    diagnostics: Vec<DiagnosticLine>,
    compiler_output: String,
    url: String,
    url_parts: (String, String, String),
    path_url: String,
    revision: u32,
    expires_at: String,
    life: String,
    arguments: String,
    stdin: String,
    exit: String,
    stdout: String,
    stderr: String,
    limits: Vec<LimitLine>,
}

#[derive(Template)]
#[template(path = "workshop_plain.html")]
pub(super) struct PlainTemplate {
    pub page: WorkshopTemplate,
}

impl WorkshopTemplate {
    /// The page as it is drawn; `assets` are the URLs of its files.
    pub(super) fn of(page: &WorkshopPage, assets: Files) -> Self {
        let result = page.result.clone().unwrap_or_default();
        let deployment = result.deployment.unwrap_or_default();
        let error_count = result.diagnostics.iter().filter(|line| line.severity == "error").count();
        let failed = result.error.is_some() || error_count > 0;
        let chip = Chip::of(failed, error_count, &deployment, result.command.as_ref());
        let command = result.command.unwrap_or_default();
        let view = view(&deployment, page.command || !chip.exit.is_empty());
        let main_file = page.languages.iter().find(|choice| choice.name == page.language);
        Self {
            state: chip.state,
            view,
            panel: if failed { "problems" } else { "build" },
            tab: if page.result.is_some() && !failed { "answer" } else { "code" },
            title: if page.starter.is_empty() { "Vivarium".into() } else { format!("{} · Vivarium", page.starter) },
            assets,
            style_nonce: page.style_nonce.clone(),
            slug: page.slug.clone(),
            owner_token: page.owner_token.clone(),
            starter: if page.starter.is_empty() { "untitled".into() } else { page.starter.clone() },
            starters: page.starters.iter().map(|starter| starter_row(page, starter)).collect(),
            starters_json: embeddable(&page.starters_json),
            workshop_json: embeddable(&workshop_json(page)),
            stored_id: page.stored_id.clone(),
            stored_json: embeddable(&page.stored_json),
            missing: page.missing.clone(),
            missing_json: if page.missing.is_empty() {
                String::new()
            } else {
                embeddable(&serde_json::Value::from(page.missing.clone()).to_string())
            },
            languages: page.languages.clone(),
            language: page.language.clone(),
            main_file: main_file.map(|choice| choice.main_file.clone()).unwrap_or_default(),
            chip_kind: chip.kind,
            chip_shape: chip.shape,
            chip_word: chip.word,
            chip_detail: chip.detail,
            stages_total: duration_text(result.stages.iter().map(|stage| stage.microseconds).sum()),
            stages: result.stages.iter().map(StageRow::of).collect(),
            code: page.code.clone(),
            error_count,
            error: result.error,
            diagnostics: result.diagnostics,
            compiler_output: result.compiler_output,
            url_parts: url_parts(&deployment.url),
            url: deployment.url,
            path_url: deployment.path_url,
            revision: deployment.revision,
            expires_at: deployment.expires_at,
            life: life_text(page.ttl_seconds_default),
            arguments: page.arguments.clone(),
            stdin: page.stdin.clone(),
            exit: chip.exit,
            stdout: command.stdout,
            stderr: command.stderr,
            limits: page.limits.clone(),
        }
    }
}

/// What the script needs before its first call.
fn workshop_json(page: &WorkshopPage) -> String {
    serde_json::json!({
        "languages": page.languages,
        "language": page.language,
        "ttl_seconds_default": page.ttl_seconds_default,
    })
    .to_string()
}

fn starter_row(page: &WorkshopPage, starter: &StarterLink) -> StarterRow {
    let language = page.languages.iter().find(|choice| choice.name == starter.language);
    let label = match language {
        Some(choice) if choice.name == "assemblyscript" => "AS".into(),
        Some(choice) => choice.display_name.clone(),
        None => starter.language.clone(),
    };
    StarterRow {
        name: starter.name.clone(),
        language: starter.language.clone(),
        language_label: label,
        description: starter.description.clone(),
    }
}

/// What the right-hand side is about: a program that answers, a command, or nothing yet.
fn view(deployment: &DeploymentLine, command: bool) -> &'static str {
    match () {
        () if command => "command",
        () if !deployment.url.is_empty() => "service",
        () => "welcome",
    }
}

/// The status chip as the script would draw it.
#[derive(Default)]
struct Chip {
    state: &'static str,
    kind: &'static str,
    shape: &'static str,
    word: String,
    detail: String,
    /// For the output pane: "exit 0", or why there is none.
    exit: String,
}

impl Chip {
    fn of(failed: bool, errors: usize, deployment: &DeploymentLine, command: Option<&CommandOutput>) -> Self {
        if failed {
            let served = if deployment.url.is_empty() { String::new() } else { format!("r{} still live", deployment.revision) };
            let count = match errors {
                0 => String::new(),
                1 => "1 error".into(),
                errors => format!("{errors} errors"),
            };
            let said: Vec<String> = [count, served].into_iter().filter(|part| !part.is_empty()).collect();
            let detail = if said.is_empty() { String::new() } else { format!(": {}", said.join(", ")) };
            let word = if errors == 0 { "Not run" } else { "Build failed" };
            return Self { state: "failed", kind: "danger", shape: "failed", word: word.into(), detail, ..Self::default() };
        }
        match command {
            Some(CommandOutput { exit_code: Some(code), .. }) => {
                let kind = if *code == 0 { "done" } else { "warning" };
                Self {
                    state: "exited",
                    kind,
                    shape: "exited",
                    word: format!("Exit {code}"),
                    exit: format!("exit {code}"),
                    ..Self::default()
                }
            }
            Some(output) => Self {
                state: "trapped",
                kind: "danger",
                shape: "trapped",
                word: "Stopped".into(),
                exit: output.message.clone(),
                ..Self::default()
            },
            None if !deployment.url.is_empty() => Self {
                state: "live",
                kind: "live",
                shape: "live",
                word: "Live".into(),
                detail: format!(" r{}", deployment.revision),
                ..Self::default()
            },
            None => Self { state: "ready", kind: "quiet", shape: "ready", word: "Ready".into(), ..Self::default() },
        }
    }
}

/// "http://", the slug, and the rest of the host, as the address field shows them.
fn url_parts(url: &str) -> (String, String, String) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", ""));
    let host = rest.trim_end_matches('/');
    let (slug, domain) = host.split_once('.').map_or((host, ""), |(slug, domain)| (slug, domain));
    let domain = if domain.is_empty() { String::new() } else { format!(".{domain}") };
    (format!("{scheme}://"), slug.into(), domain)
}

/// JSON as it may stand within a script element: no `</script>` and no `<!--` can occur in it.
fn embeddable(json: &str) -> String {
    json.replace('<', "\\u003c")
}

#[derive(Default)]
pub(super) struct Files {
    pub script: String,
    pub appearance: String,
    pub stylesheet: String,
    pub icon: String,
}

impl Files {
    pub(super) fn embedded() -> Option<Self> {
        Some(Self {
            script: assets::url("main.js")?,
            appearance: assets::url("appearance.js")?,
            stylesheet: assets::url("workshop.css")?,
            icon: assets::url("mark.svg")?,
        })
    }
}

struct StarterRow {
    name: String,
    language: String,
    language_label: String,
    description: String,
}

struct StageRow {
    name: String,
    time: String,
    colour: &'static str,
}

impl StageRow {
    fn of(stage: &StageTime) -> Self {
        let colour = match stage.name.as_str() {
            "queue" => "t-outside",
            "build" => "t-build",
            "validate" | "translate" | "codegen" | "link" => "t-compile",
            _ => "t-run",
        };
        Self { name: stage.name.clone(), time: duration_text(stage.microseconds), colour }
    }
}
