//! Raw bodies of signed requests: read whole, bounded, before anything is believed or parsed.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    http::HeaderMap,
};
use bytes::BytesMut;
use http_body_util::BodyExt;

use super::error::ApiError;

/// Why there is no body to verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadBody {
    TooLarge,
    /// The connection broke before the announced length.
    Truncated,
}

impl BadBody {
    /// As an API caller is told.
    pub fn told(self, limit: usize) -> ApiError {
        match self {
            Self::TooLarge => ApiError::TooLarge(limit),
            Self::Truncated => ApiError::Invalid("the body is incomplete".to_owned()),
        }
    }
}

/// Of a body that is too large, so much is read and thrown away while it keeps coming: a client that is still writing
/// when it is answered sees a broken connection and never the answer.
const THROWN_AWAY: usize = 32 * 1024 * 1024;
const KEEPS_COMING: Duration = Duration::from_secs(1);

/// Keeps at most `limit` bytes; nothing is parsed.
pub async fn raw_body(headers: &HeaderMap, mut body: Body, limit: usize) -> Result<Bytes, BadBody> {
    let announced = headers
        .get(axum::http::header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        throw_away(body).await;
        return Err(BadBody::TooLarge);
    }
    let mut kept = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BadBody::Truncated)?.into_data() else { continue };
        if kept.len() + data.len() > limit {
            throw_away(body).await;
            return Err(BadBody::TooLarge);
        }
        kept.extend_from_slice(&data);
    }
    Ok(kept.freeze())
}

async fn throw_away(mut body: Body) {
    let mut thrown = 0;
    while thrown < THROWN_AWAY
        && let Ok(Some(Ok(frame))) = tokio::time::timeout(KEEPS_COMING, body.frame()).await
    {
        thrown += frame.data_ref().map_or(0, Bytes::len);
    }
}

/// The one value of a header: `None` when it is missing, not text, or given twice with different values.
pub fn single<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.to_str().ok()?;
    values.all(|other| other.to_str().is_ok_and(|other| other == first)).then_some(first)
}
