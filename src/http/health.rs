//! Alive, ready, and the numbers that an operator needs.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Http, metrics as recorder};
use crate::{
    health::WorkerState,
    store::{FIRST_SYNC, migrations_missing},
};

#[derive(Debug, Serialize, ToSchema)]
pub struct Alive {
    #[schema(example = "ok")]
    status: &'static str,
}

/// What is ready and what is not
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({ "status": "ready", "database": "ok", "customers": "ok", "workers": { "grants": "running" } }))]
pub struct Ready {
    /// `ready` or `not ready`
    status: &'static str,
    database: String,
    customers: &'static str,
    /// Each worker of this process: `starting`, `running`, or why it is being restarted
    workers: BTreeMap<String, String>,
}

/// Alive
///
/// The process answers; nothing else is looked at.
#[utoipa::path(
    get, path = "/healthz", operation_id = "alive", tag = "operators",
    responses((status = 200, description = "Alive", body = Alive)),
)]
pub async fn alive() -> Json<Alive> {
    Json(Alive { status: "ok" })
}

/// Ready
///
/// 200 when the database answers, its schema is ours and every worker of this process runs; else 503 with what is not.
#[utoipa::path(
    get, path = "/readyz", operation_id = "ready", tag = "operators",
    responses(
        (status = 200, description = "Ready", body = Ready),
        (status = 503, description = "Not ready, and why", body = Ready),
    ),
)]
pub async fn ready(State(http): State<Http>) -> impl IntoResponse {
    let database = match migrations_missing(http.workflow.store()).await {
        Ok(missing) if missing.is_empty() => "ok".to_owned(),
        Ok(_) => "schema not up to date".to_owned(),
        Err(_) => "does not answer".to_owned(),
    };
    let workers: BTreeMap<String, String> = http
        .health
        .workers()
        .into_iter()
        .map(|(name, state)| match state {
            WorkerState::Starting => (name, "starting".to_owned()),
            WorkerState::Running => (name, "running".to_owned()),
            WorkerState::Down(why) => (name, format!("restarting: {why}")),
        })
        .collect();
    let customers = if first_sync_pending(&http).await { "first sync is under way" } else { "ok" };
    let fine = database == "ok" && customers == "ok" && workers.values().all(|state| state == "running");
    let status = if fine { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = if fine { "ready" } else { "not ready" };
    (status, Json(Ready { status: word, database, customers, workers }))
}

/// Whether somebody may soon be there to be asked for: nobody is, and no process has tried to read customers yet. The
/// first sync may be another process's.
async fn first_sync_pending(http: &Http) -> bool {
    let store = http.workflow.store();
    http.health.first_sync_pending()
        && store.customer_count().await.is_ok_and(|count| count == 0)
        && store.setting(FIRST_SYNC).await.is_ok_and(|tried| tried.is_none())
}

/// The numbers that an operator needs
///
/// Prometheus' text format. Counts from the tables are read now; without a database they are left out.
#[utoipa::path(
    get, path = "/metrics", operation_id = "metrics", tag = "operators",
    responses((status = 200, description = "Prometheus' text format", body = String, content_type = "text/plain")),
)]
pub async fn metrics(State(http): State<Http>) -> impl IntoResponse {
    let now = http.workflow.now();
    match http.workflow.store().backlog(now).await {
        Ok(backlog) => recorder::set_backlog(&backlog, now),
        Err(_) => ::metrics::gauge!("latchkey_database_up").set(0.0),
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], recorder::render())
}
