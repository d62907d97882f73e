//! The one mapping of errors to answers.
//!
//! The body is what Indent's SDKs and both generations of grpc-gateway clients read (reference §1.5):
//! `{"error":{"message","code"},"code":n,"message":…,"details":[]}`. It never holds an internal detail; those go to the
//! log, once, with the id that the client is given.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{store::StoreError, workflow};

/// Everything an API caller can be told.
#[derive(Debug)]
pub enum ApiError {
    Invalid(String),
    /// No token, or one that is not believed.
    Unauthenticated,
    Forbidden(String),
    NotFound,
    /// The route is there, for other methods.
    WrongMethod,
    Conflict(String),
    TooLarge,
    /// The database is away: the same may work in a moment.
    Unavailable,
    /// The id under which the log has the details.
    Internal(String),
}

impl ApiError {
    /// HTTP status, gRPC code, the word for it, the sentence.
    fn parts(&self) -> (StatusCode, i32, &'static str, String) {
        match self {
            Self::Invalid(message) => (StatusCode::BAD_REQUEST, 3, "invalid_argument", message.clone()),
            Self::Unauthenticated => {
                (StatusCode::UNAUTHORIZED, 16, "unauthenticated", "a valid bearer token is needed".to_owned())
            }
            Self::Forbidden(message) => (StatusCode::FORBIDDEN, 7, "permission_denied", message.clone()),
            Self::NotFound => (StatusCode::NOT_FOUND, 5, "not_found", "there is nothing here for you".to_owned()),
            Self::WrongMethod => {
                let message = "this route does not take that method".to_owned();
                (StatusCode::METHOD_NOT_ALLOWED, 12, "unimplemented", message)
            }
            Self::Conflict(message) => (StatusCode::CONFLICT, 6, "already_exists", message.clone()),
            Self::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, 3, "too_large", "the body is larger than 1 MiB".to_owned())
            }
            Self::Unavailable => {
                let message = "the database does not answer; nothing was changed, try again in a moment".to_owned();
                (StatusCode::SERVICE_UNAVAILABLE, 14, "unavailable", message)
            }
            Self::Internal(id) => {
                let message = format!("something went wrong here; the log has it under {id}");
                (StatusCode::INTERNAL_SERVER_ERROR, 13, "internal", message)
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code, word, message) = self.parts();
        let body = json!({
            "error": { "message": message, "code": word }, "code": code, "message": message, "details": [],
        });
        let mut response = (status, Json(body)).into_response();
        match self {
            Self::Unavailable => {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            // The SDKs repeat conflicts and server errors unless they are told that it is pointless.
            Self::Conflict(_) | Self::Internal(_) => {
                response.headers_mut().insert("x-should-retry", HeaderValue::from_static("false"));
            }
            Self::Invalid(_)
            | Self::Unauthenticated
            | Self::Forbidden(_)
            | Self::NotFound
            | Self::WrongMethod
            | Self::TooLarge => {}
        }
        response
    }
}

impl From<workflow::Error> for ApiError {
    fn from(error: workflow::Error) -> Self {
        use workflow::Error as E;
        match error {
            E::Invalid(message) => Self::Invalid(message),
            E::Forbidden(message) => Self::Forbidden(message),
            E::NoSuchPetition(_) => Self::NotFound,
            E::WrongState(petition) => Self::Conflict(format!("the petition is {}", petition.state.word())),
            E::Replayed => Self::Conflict("this request was answered before".to_owned()),
            E::FactsMissing | E::Unavailable(_) | E::Store(StoreError::Unavailable(_) | StoreError::Conflict) => {
                tracing::warn!(%error, "answered 503");
                Self::Unavailable
            }
            E::Store(StoreError::Inconsistent { .. } | StoreError::Other(_)) => {
                let id = error_id();
                tracing::error!(%error, error_id = %id, "answered 500");
                Self::Internal(id)
            }
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        workflow::Error::from(error).into()
    }
}

/// A short random word that ties an answer to a line of the log.
fn error_id() -> String {
    let mut bytes = [0u8; 6];
    // Without randomness the id is zeros, and the line of the log still tells what happened.
    let _ = getrandom::fill(&mut bytes);
    hex::encode(bytes)
}
