//! Raw bodies of signed requests: read whole, bounded, before anything is believed or parsed.

use axum::{
    body::{Body, Bytes, to_bytes},
    http::HeaderMap,
};

use super::BODY_LIMIT;

/// Why there is no body to verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadBody {
    TooLarge,
    /// The connection broke before the announced length.
    Truncated,
}

/// Reads at most 1 MiB; nothing is parsed.
pub async fn raw_body(headers: &HeaderMap, body: Body) -> Result<Bytes, BadBody> {
    let announced = headers
        .get(axum::http::header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok());
    if announced.is_some_and(|length| length > BODY_LIMIT as u64) {
        return Err(BadBody::TooLarge);
    }
    to_bytes(body, BODY_LIMIT).await.map_err(|error| {
        let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        while let Some(cause) = source {
            if cause.is::<http_body_util::LengthLimitError>() {
                return BadBody::TooLarge;
            }
            source = cause.source();
        }
        BadBody::Truncated
    })
}

/// The one value of a header: `None` when it is missing, not text, or given twice with different values.
pub fn single<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.to_str().ok()?;
    values.all(|other| other.to_str().is_ok_and(|other| other == first)).then_some(first)
}
