//! `POST /api/v1/deployments/{slug}/tests`: sends saved requests, one after the other, and says which of their assertions hold.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use crate::assertions::{self, Tested, Verdict};
use crate::workshop::Workshop;
use crate::workshop::deployments::{DeploymentError, DeploymentState};
use crate::workshop::fiddles::SavedRequest;
use crate::workshop::problem::Problem;
use crate::workshop::serving::run_to_end;
use crate::workshop::visits::{AnswerView, Visit};

#[derive(Deserialize)]
pub(super) struct NewTests {
    requests: Vec<SavedRequest>,
}

#[derive(Serialize)]
struct Results {
    passed: bool,
    /// Assertions that hold, and that do not.
    passes: usize,
    failures: usize,
    results: Vec<TestResult>,
}

/// What became of one request.
#[derive(Serialize)]
struct TestResult {
    name: String,
    passed: bool,
    request_id: Option<u64>,
    /// Why there was no answer.
    error: Option<String>,
    assertions: Vec<Verdict>,
    answer: Option<AnswerView>,
}

pub(super) async fn create(
    State(workshop): State<Arc<Workshop>>,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Json(NewTests { requests }): Json<NewTests>,
) -> Result<Response, Problem> {
    let limits = &workshop.limits;
    if requests.len() > limits.saved_requests_max {
        let (count, most) = (requests.len(), limits.saved_requests_max);
        let detail = format!("{count} requests are more than the limit saved_requests_max of {most}");
        return Err(Problem::limit(StatusCode::BAD_REQUEST, "saved_requests_max", detail));
    }
    requests.iter().try_for_each(|request| request.check(limits))?;
    let view = workshop.deployments.view(&slug).ok_or_else(|| DeploymentError::Unknown("this name".into()))?;
    if view.state == DeploymentState::Expired {
        return Err(DeploymentError::Expired(slug).into());
    }
    let wants_tap = headers.get(ACCEPT).is_some_and(|accepted| accepted.as_bytes().starts_with(b"text/"));
    // Who asked may go; what is being judged still holds its place among the rounds.
    let results = run_to_end(async move { round(&workshop, &slug, requests).await }).await?;
    Ok(if wants_tap { tap(&results) } else { Json(Results::of(results)).into_response() })
}

/// All requests, one after the other, until the time of a round is over.
async fn round(workshop: &Workshop, slug: &str, requests: Vec<SavedRequest>) -> Result<Vec<TestResult>, Problem> {
    let _permit = workshop.tests.try_acquire().map_err(|_| {
        let most = workshop.limits.tests_at_once;
        let detail = format!("{most} rounds of tests run already, the limit tests_at_once: try again in a moment");
        Problem::limit(StatusCode::SERVICE_UNAVAILABLE, "tests_at_once", detail)
    })?;
    let deadline = Instant::now() + Duration::from_millis(workshop.limits.test_round_ms);
    let mut results = Vec::with_capacity(requests.len());
    for request in requests {
        results.push(test(workshop, slug, request, deadline).await?);
    }
    Ok(results)
}

async fn test(workshop: &Workshop, slug: &str, request: SavedRequest, deadline: Instant) -> Result<TestResult, Problem> {
    let name = if request.name.is_empty() { format!("{} {}", request.method(), request.path()) } else { request.name.clone() };
    let late = || format!("the round of tests took longer than the limit test_round_ms of {} ms", workshop.limits.test_round_ms);
    let visited = async {
        if Instant::now() >= deadline {
            return Err(late());
        }
        match timeout_at(deadline, workshop.visit(slug, &request)).await {
            Ok(visited) => visited.map_err(|error| error.to_string()),
            Err(_) => Err(late()),
        }
    };
    match visited.await {
        Err(error) => Ok(TestResult { name, passed: false, request_id: None, error: Some(error), assertions: vec![], answer: None }),
        Ok(visit) => {
            let (judged, late) = (request.tests, late());
            let judge = move || judge(name, &visit, &judged, deadline.into_std(), &late);
            spawn_blocking(judge).await.map_err(|error| Problem::internal(format!("the answer could not be judged: {error}")))
        }
    }
}

/// Blocks: an answer may be long, and an assertion slow.
fn judge(name: String, visit: &Visit, tests: &str, deadline: std::time::Instant, late: &str) -> TestResult {
    let in_time = || if std::time::Instant::now() < deadline { Ok(()) } else { Err(late.to_owned()) };
    let verdicts = visit.observed.judge(&assertions::read(tests), in_time);
    let passed = verdicts.iter().all(|verdict| verdict.passed);
    TestResult { name, passed, request_id: visit.request_id, error: None, assertions: verdicts, answer: Some(AnswerView::from(visit)) }
}

fn tap(results: &[TestResult]) -> Response {
    let tested: Vec<Tested<'_>> =
        results.iter().map(|result| Tested { name: &result.name, error: result.error.as_deref(), verdicts: &result.assertions }).collect();
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], assertions::tap(&tested)).into_response()
}

impl Results {
    fn of(results: Vec<TestResult>) -> Results {
        let all = || results.iter().flat_map(|result| &result.assertions);
        let failures = all().filter(|verdict| !verdict.passed).count();
        Results { passed: results.iter().all(|result| result.passed), passes: all().count() - failures, failures, results }
    }
}
