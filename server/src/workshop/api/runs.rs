//! `POST /api/v1/runs`: a program as a command.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use super::bearer_token;
use super::program::Program;
use crate::control::messages::{Outcome, Run, RunOutcome, Timings};
use crate::limits::Limits;
use crate::project::{Assets, Project};
use crate::workshop::Workshop;
use crate::workshop::pace::Client;
use crate::workshop::problem::Problem;

#[derive(Deserialize)]
pub(super) struct NewRun {
    #[serde(flatten)]
    pub program: Program,
    #[serde(default)]
    pub args: Vec<String>,
    #[serde(default)]
    pub stdin: String,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Files beside the source, by path, their content in base64.
    #[serde(default)]
    pub assets: Assets,
}

#[derive(Serialize)]
pub(super) struct RunView {
    pub exit_code: Option<u32>,
    pub stdout: String,
    pub stderr: String,
    pub stdout_truncated: bool,
    pub stderr_truncated: bool,
    pub outcome: Outcome,
    pub timings: Timings,
}

pub(super) async fn create(
    State(workshop): State<Arc<Workshop>>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    Json(new): Json<NewRun>,
) -> Result<Json<RunView>, Problem> {
    let program = new.program.by(bearer_token(&headers)).for_client(client);
    NewRun { program, ..new }.run(&workshop).await.map(Json)
}

impl NewRun {
    /// Builds if need be, runs to the end.
    pub async fn run(self, workshop: &Arc<Workshop>) -> Result<RunView, Problem> {
        self.check(&workshop.limits)?;
        let (build, product) = self.program.built(workshop).await?;
        let runs_at_once = workshop.limits.runs_at_once;
        let _permit = workshop.runs.try_acquire().map_err(|_| {
            let detail = format!("{runs_at_once} programs run already, the limit runs_at_once: try again in a moment");
            Problem::limit(StatusCode::SERVICE_UNAVAILABLE, "runs_at_once", detail)
        })?;
        let files = Project::new(&build.source, self.assets, &workshop.limits)?.program_files();
        let run = Run { arguments: self.args, environment: self.env.into_iter().collect(), stdin: self.stdin.into_bytes(), files };
        let ended = workshop.run_command(&product, run).await.map_err(|sentence| {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("the program was built but cannot be run: {sentence}"))
        })?;
        Ok(RunView::of(build.build.timings, ended))
    }

    fn check(&self, limits: &Limits) -> Result<(), Problem> {
        let refused = |status, limit, what: String| Err(Problem::limit(status, limit, what));
        let bad = StatusCode::BAD_REQUEST;
        if self.args.len() > limits.arguments_max {
            return refused(
                bad,
                "arguments_max",
                format!("{} arguments are more than the limit arguments_max of {}", self.args.len(), limits.arguments_max),
            );
        }
        if self.env.len() > limits.environment_max {
            return refused(
                bad,
                "environment_max",
                format!("{} variables are more than the limit environment_max of {}", self.env.len(), limits.environment_max),
            );
        }
        let variables = self.env.iter().flat_map(|(name, value)| [name, value]);
        for text in self.args.iter().chain(variables) {
            if text.len() > limits.argument_bytes_max {
                return refused(
                    bad,
                    "argument_bytes_max",
                    format!("an argument or variable is longer than the limit argument_bytes_max of {} bytes", limits.argument_bytes_max),
                );
            }
            if text.contains('\0') {
                return Err(Problem::bad_request("an argument or variable holds a zero byte, which no program can be given"));
            }
        }
        if self.env.keys().any(|name| name.is_empty() || name.contains('=')) {
            return Err(Problem::bad_request("the name of a variable is empty or holds '='"));
        }
        if self.stdin.len() > limits.stdin_bytes_max {
            let what = format!("stdin is longer than the limit stdin_bytes_max of {} bytes", limits.stdin_bytes_max);
            return refused(StatusCode::PAYLOAD_TOO_LARGE, "stdin_bytes_max", what);
        }
        Ok(())
    }
}

impl RunView {
    fn of(build: Timings, ended: RunOutcome) -> RunView {
        let Timings { load, instantiate, run, reset, .. } = ended.timings;
        RunView {
            exit_code: ended.exit_code,
            stdout: String::from_utf8_lossy(&ended.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&ended.stderr).into_owned(),
            stdout_truncated: ended.stdout_truncated,
            stderr_truncated: ended.stderr_truncated,
            outcome: ended.outcome,
            timings: Timings { load, instantiate, run, reset, ..build },
        }
    }
}
