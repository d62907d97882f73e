//! What every route shares: layers, the signed body, tokens, the one mapping of errors; and the routes that belong to
//! no outside service.
//!
//! May import: `workflow`, `policy`, `store`, `domain`, `health`. To add a route: one file with its handler, one line
//! in [`routes`].

mod access;
pub mod auth;
mod check;
pub mod error;
mod health;
pub mod layers;
pub mod metrics;
pub mod signed;
pub mod token;

use std::sync::Arc;

use axum::{Router, routing::get};

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

pub fn routes(state: Http) -> Router {
    Router::new()
        .route("/v1/check", get(check::check_one).post(check::check_many))
        .route("/v1/spaces/{space}/access", get(access::list))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .with_state(state)
}
