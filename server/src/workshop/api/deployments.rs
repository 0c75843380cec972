//! `/api/v1/deployments`

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use super::bearer_token;
use super::program::Program;
use crate::control::messages::RunReport;
use crate::project::{Assets, Project};
use crate::workshop::deployments::{DeploymentError, DeploymentView, Log, SettingChanges};
use crate::workshop::identifiers::TokenHash;
use crate::workshop::pace::Client;
use crate::workshop::problem::Problem;
use crate::workshop::serving::{Target, run_to_end};
use crate::workshop::{Workshop, identifiers};

#[derive(Deserialize)]
pub(super) struct NewDeployment {
    #[serde(flatten)]
    program: Program,
    ttl_seconds: Option<u64>,
    slug: Option<String>,
    /// Files beside the source, by path, their content in base64.
    #[serde(default)]
    assets: Assets,
    #[serde(flatten)]
    changes: SettingChanges,
}

#[derive(Serialize)]
pub(super) struct Deployments {
    deployments: Vec<DeploymentView>,
}

#[derive(Deserialize)]
pub(super) struct Change {
    ttl_seconds: Option<u64>,
    #[serde(flatten)]
    changes: SettingChanges,
}

#[derive(Serialize)]
pub(super) struct Requests {
    requests: Vec<RunReport>,
}

#[derive(Serialize)]
pub(super) struct Logs {
    logs: Vec<Log>,
}

pub(super) async fn create(
    State(workshop): State<Arc<Workshop>>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    Json(new): Json<NewDeployment>,
) -> Result<(StatusCode, Json<DeploymentView>), Problem> {
    let owner_token = bearer_token(&headers).map(str::to_owned);
    if let Some(slug) = &new.slug {
        // Before the build: who may not deploy here need not wait to hear it.
        workshop.deployments.check_owner(slug, owner_token.as_deref().map(TokenHash::of))?;
    }
    workshop.deployments.check_settings(new.slug.as_deref(), &new.changes)?;
    let status = if new.slug.is_some() { StatusCode::OK } else { StatusCode::CREATED };
    let (build, product) = new.program.by(owner_token.as_deref()).for_client(client).built(&workshop).await?;
    let project = Project::new(&build.source, new.assets, &workshop.limits)?;
    let target = Target { slug: new.slug, owner_token, ttl_seconds: new.ttl_seconds, changes: new.changes };
    let view = workshop.deploy(build, product, project, target).await?;
    let view = workshop.with_settings(view).await?;
    Ok((status, Json(view)))
}

pub(super) async fn list(State(workshop): State<Arc<Workshop>>, headers: HeaderMap) -> Result<Json<Deployments>, Problem> {
    let needed = "send an owner token as Authorization: Bearer TOKEN; its deployments are listed";
    let token = bearer_token(&headers).ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, needed))?;
    Ok(Json(Deployments { deployments: workshop.deployments.owned_by(TokenHash::of(token)) }))
}

pub(super) async fn show(
    State(workshop): State<Arc<Workshop>>,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Result<Json<DeploymentView>, Problem> {
    let mut view = known(&slug, workshop.deployments.view(&slug))?;
    let owned = bearer_token(&headers).and_then(|token| workshop.deployments.owned_revision(&slug, TokenHash::of(token)));
    if let Some(revision) = owned {
        let project = workshop.project_of(&revision).await?;
        (view.assets, view.files) = (Some(project.assets.sizes()), Some(project.files));
        view = workshop.with_settings(view).await?;
    }
    Ok(Json(view))
}

pub(super) async fn change(
    State(workshop): State<Arc<Workshop>>,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Json(Change { ttl_seconds, changes }): Json<Change>,
) -> Result<Json<DeploymentView>, Problem> {
    let owner = bearer_token(&headers).map(TokenHash::of);
    if ttl_seconds.is_none() && changes.is_empty() {
        return Err(Problem::bad_request(NOTHING_TO_CHANGE));
    }
    let view = run_to_end(async move {
        if !changes.is_empty() {
            let emptied = changes.stores.emptied();
            workshop.deployments.set_settings(&slug, owner, changes).await?;
            workshop.tell_settings(&slug);
            workshop.kv.empty(&slug, emptied).await;
        }
        if let Some(ttl_seconds) = ttl_seconds {
            let view = workshop.deployments.extend(&slug, owner, ttl_seconds).await?;
            workshop.parts.guests.expire(&slug, view.expires_at.unix_ms);
        }
        let view = workshop.deployments.view(&slug).ok_or(DeploymentError::Unknown(slug))?;
        workshop.with_settings(view).await
    });
    Ok(Json(view.await?))
}

pub(super) async fn stop(
    State(workshop): State<Arc<Workshop>>,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Result<Json<DeploymentView>, Problem> {
    let owner = bearer_token(&headers).map(TokenHash::of);
    let view = run_to_end(async move {
        let view = workshop.deployments.stop(&slug, owner).await?;
        workshop.parts.guests.expire(&slug, view.expires_at.unix_ms);
        Ok::<_, DeploymentError>(view)
    });
    Ok(Json(view.await?))
}

pub(super) async fn requests(State(workshop): State<Arc<Workshop>>, Path(slug): Path<String>) -> Result<Json<Requests>, Problem> {
    Ok(Json(Requests { requests: known(&slug, workshop.deployments.requests(&slug))? }))
}

pub(super) async fn logs(State(workshop): State<Arc<Workshop>>, Path(slug): Path<String>) -> Result<Json<Logs>, Problem> {
    Ok(Json(Logs { logs: known(&slug, workshop.deployments.logs(&slug))? }))
}

const NOTHING_TO_CHANGE: &str =
    "give \"ttl_seconds\", \"env\", \"secrets\", \"config\", \"secret_stores\", \"kv_stores\" or \"backends\": what is to be changed";

fn known<T>(slug: &str, found: Option<T>) -> Result<T, Problem> {
    let shown = if identifiers::is_slug(slug) { slug } else { "this name" };
    found.ok_or_else(|| DeploymentError::Unknown(shown.to_owned()).into())
}
