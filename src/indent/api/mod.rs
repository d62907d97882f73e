//! Indent's HTTP API under `/v1/spaces/{space}`, as its SDKs and their users' programs call it.
//!
//! A route demands scopes, reads its input into the domain's words, calls one use case, and writes the answer in
//! Indent's JSON. To add one: a handler in the file of its resource, described by `#[utoipa::path]`, and one line in [`routes()`],
//! which puts it into the router and into `/openapi.json`.

mod caller;
mod claims;
pub mod declared;
mod described;
mod input;
mod output;
mod page;
mod petitions;
mod pull;
mod resources;
mod sight;

use std::sync::Arc;

use axum::extract::FromRef;
use tokio_util::sync::CancellationToken;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::caller::Quota;
pub use self::declared::{Declared, DeclaredPolicy, DeclaredWebhook};
use crate::{http::Http, pulls::Pulls};

/// What the handlers of this room need.
#[derive(Clone)]
pub struct Api {
    pub http: Http,
    /// The kind of customer resources.
    pub customer_kind: Arc<str>,
    /// What `latchkey.toml` says, as far as the API shows it.
    pub declared: Arc<Declared>,
    pub pulls: Arc<Pulls>,
    /// Cancelled when the process stops: whoever waits is answered with what is so.
    pub closing: CancellationToken,
    quota: Arc<Quota>,
}

impl Api {
    pub fn new(
        http: Http,
        customer_kind: &str,
        declared: Declared,
        pulls: Arc<Pulls>,
        closing: CancellationToken,
    ) -> Self {
        let (customer_kind, declared) = (customer_kind.into(), Arc::new(declared));
        Self { http, customer_kind, declared, pulls, closing, quota: Arc::default() }
    }
}

impl FromRef<Api> for Http {
    fn from_ref(api: &Api) -> Self {
        api.http.clone()
    }
}

/// The routes of this room, each with its description.
pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(petitions::list, petitions::create))
        .routes(routes!(petitions::show, petitions::update))
        .routes(routes!(claims::list, claims::create))
        .routes(routes!(claims::show))
        .routes(routes!(resources::list, resources::create))
        .routes(routes!(resources::show, resources::update, resources::remove))
        // The descriptors say PUT, the JavaScript SDK says POST.
        .routes(routes!(resources::bulk_update, resources::bulk_update_by_post))
        .routes(routes!(resources::bulk_delete))
        .routes(routes!(pull::pull_update, pull::pull_update_by_post))
        .routes(routes!(declared::webhooks))
        .routes(routes!(declared::webhook))
        .routes(routes!(declared::policies))
        .routes(routes!(declared::policy))
}
