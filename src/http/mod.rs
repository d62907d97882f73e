//! What every route shares: layers, the signed body, tokens, the one mapping of errors; and the routes that belong to
//! no outside service.
//!
//! May import: `workflow`, `policy`, `store`, `domain`, `health`. To add a route: one file with its handler, described
//! by `#[utoipa::path]`, and one line in [`routes()`], which puts it into the router and into `/openapi.json`.

mod access;
pub mod auth;
mod check;
pub mod error;
mod health;
pub mod layers;
pub mod metrics;
pub mod openapi;
pub mod signed;
pub mod token;

use std::sync::Arc;

use utoipa_axum::{router::OpenApiRouter, routes};

use self::token::TokenKey;
use crate::{health::Health, workflow::Workflow};

/// What the handlers of this room need.
#[derive(Clone)]
pub struct Http {
    pub workflow: Workflow,
    pub tokens: TokenKey,
    pub health: Arc<Health>,
    /// The name of our space in paths.
    pub space: String,
}

/// The most that a body may hold, unless a route says otherwise.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// The routes of this room, each with its description.
pub fn routes() -> OpenApiRouter<Http> {
    OpenApiRouter::default()
        .routes(routes!(check::check_one, check::check_many))
        .routes(routes!(access::list))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
}
