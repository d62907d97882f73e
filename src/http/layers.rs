//! What surrounds every route: request ids, a span and a line of log, a time limit, a metric, and no panic that ends a
//! connection without an answer.

use std::time::{Duration, Instant};

use axum::{
    Router,
    extract::{MatchedPath, Request},
    http::{HeaderName, Method, StatusCode, header::CONTENT_TYPE},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::CatchPanicLayer,
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    timeout::TimeoutLayer,
};
use tracing::Instrument;

use super::error::ApiError;

/// Longer than any answer may take; what takes longer is hanging.
const LONGEST: Duration = Duration::from_secs(30);
/// The same where a request may wait for a decision.
const LONGEST_WAITING: Duration = Duration::from_secs(90);

/// `waiting` holds the routes on which a request may wait for somebody.
pub fn around(router: Router, waiting: Router) -> Router {
    let id = HeaderName::from_static("x-request-id");
    let within = |longest| TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, longest);
    let router = router.layer(within(LONGEST)).merge(waiting.layer(within(LONGEST_WAITING)));
    let router = router
        .fallback(|| async { ApiError::NotFound })
        .method_not_allowed_fallback(|| async { ApiError::WrongMethod });
    router.layer(
        ServiceBuilder::new()
            .layer(SetRequestIdLayer::new(id.clone(), MakeRequestUuid))
            .layer(PropagateRequestIdLayer::new(id))
            .layer(middleware::from_fn(observe))
            .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
                tracing::error!("a handler panicked");
                ApiError::Internal("panic".to_owned()).into_response()
            })),
    )
}

/// A method is free text of the client; only these become labels, or anybody could fill our memory.
fn known(method: &Method) -> &'static str {
    ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
        .into_iter()
        .find(|known| method == known)
        .unwrap_or("other")
}

/// One span and one metric a request, by the route's pattern: paths hold ids, queries hold e-mails.
async fn observe(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let id = request.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    let span = tracing::info_span!("request", %method, %route, id);
    let mut response = next.run(request).instrument(span.clone()).await;
    if response.status() == StatusCode::SERVICE_UNAVAILABLE && !response.headers().contains_key(CONTENT_TYPE) {
        // The time limit answers with a status alone.
        tracing::error!(%route, "a request took too long and was given up");
        let sentence = "no answer in time; what was asked may or may not have been done, look before you repeat it";
        response = ApiError::Unavailable(sentence.to_owned()).into_response();
    }
    let (status, took) = (response.status().as_u16(), started.elapsed());
    metrics::histogram!("latchkey_http_request_seconds", "method" => known(&method), "route" => route,
        "status" => status.to_string())
    .record(took.as_secs_f64());
    span.in_scope(|| tracing::debug!(status, took_ms = took.as_millis() as u64, "answered"));
    response
}
