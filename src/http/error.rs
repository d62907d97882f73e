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
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        id::PetitionName,
        person::Email,
        petition::{CloseReason, PetitionState},
    },
    store::StoreError,
    workflow,
};

/// The body of every error: what Indent's SDKs read, and what clients of grpc-gateway read.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    error: ErrorWord,
    /// As gRPC counts errors
    #[schema(example = 5)]
    code: i32,
    /// A sentence for people
    message: String,
    /// Empty, but where the policy refused: there it names the petition that is on record for that
    details: Vec<Detail>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ErrorDetail)]
pub struct Detail {
    petition: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorWord {
    /// A sentence for people
    message: String,
    /// A word for programs
    #[schema(example = "not_found")]
    code: &'static str,
}

/// Everything an API caller can be told.
#[derive(Debug)]
pub enum ApiError {
    Invalid(String),
    /// No token, or one that is not believed.
    Unauthenticated,
    Forbidden(String),
    /// The policy refused what was asked for, and the petition is on record as closed.
    Refused {
        because: String,
        petition: PetitionName,
    },
    NotFound,
    /// The route is there, for other methods.
    WrongMethod,
    Conflict(String),
    /// The most bytes that the route takes.
    TooLarge(usize),
    /// Too many requests at once; the seconds after which to try again.
    TooMany(u64),
    /// Something that is needed is away: the same may work in a moment. The sentence says what was not done.
    Unavailable(String),
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
            Self::Refused { because, .. } => (StatusCode::FORBIDDEN, 7, "permission_denied", because.clone()),
            Self::NotFound => (StatusCode::NOT_FOUND, 5, "not_found", "there is nothing here for you".to_owned()),
            Self::WrongMethod => {
                let message = "this route does not take that method".to_owned();
                (StatusCode::METHOD_NOT_ALLOWED, 12, "unimplemented", message)
            }
            Self::Conflict(message) => (StatusCode::CONFLICT, 6, "already_exists", message.clone()),
            Self::TooLarge(limit) => {
                let message = format!("the body is larger than {} MiB", limit / (1024 * 1024));
                (StatusCode::PAYLOAD_TOO_LARGE, 3, "too_large", message)
            }
            Self::TooMany(_) => {
                let message = "too many requests with this token; wait as long as Retry-After says".to_owned();
                (StatusCode::TOO_MANY_REQUESTS, 8, "resource_exhausted", message)
            }
            Self::Unavailable(message) => (StatusCode::SERVICE_UNAVAILABLE, 14, "unavailable", message.clone()),
            Self::Internal(id) => {
                let message = format!("something went wrong here; the log has it under {id}");
                (StatusCode::INTERNAL_SERVER_ERROR, 13, "internal", message)
            }
        }
    }
}

impl ApiError {
    pub fn status(&self) -> StatusCode {
        self.parts().0
    }

    /// The word for programs, which is also the error's name in the document of the API.
    pub fn word(&self) -> &'static str {
        self.parts().2
    }

    pub fn body(&self) -> ErrorBody {
        let (_, code, word, message) = self.parts();
        let details = match self {
            Self::Refused { petition, .. } => vec![Detail { petition: petition.to_string() }],
            Self::Invalid(_)
            | Self::Unauthenticated
            | Self::Forbidden(_)
            | Self::NotFound
            | Self::WrongMethod
            | Self::Conflict(_)
            | Self::TooLarge(_)
            | Self::TooMany(_)
            | Self::Unavailable(_)
            | Self::Internal(_) => Vec::new(),
        };
        ErrorBody { error: ErrorWord { message: message.clone(), code: word }, code, message, details }
    }

    /// When it is answered, for readers of the document.
    pub fn when(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "What was sent cannot be right; the message says what to change",
            Self::Unauthenticated => "No token, or one that is expired, revoked or of somebody else",
            Self::Forbidden(_) | Self::Refused { .. } => {
                "The token, its person or the policy does not allow that; the message says why"
            }
            Self::NotFound => "There is no such thing, or it is not yours to see",
            Self::WrongMethod => "The route does not take that method",
            Self::Conflict(_) => "It was decided or made before; `x-should-retry: false`",
            Self::TooLarge(_) => "The body is too large",
            Self::TooMany(_) => "Too many requests with this token; try again after `Retry-After` seconds",
            Self::Unavailable(_) => "Something is away; nothing was changed. Try again after `Retry-After` seconds",
            Self::Internal(_) => "Something went wrong here; the log has it under the id in the message",
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status(), Json(self.body())).into_response();
        match self {
            Self::Unavailable(_) => {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::TooMany(seconds) => {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
            }
            // The SDKs repeat conflicts and server errors unless they are told that it is pointless.
            Self::Conflict(_) | Self::Internal(_) => {
                response.headers_mut().insert("x-should-retry", HeaderValue::from_static("false"));
            }
            Self::Invalid(_)
            | Self::Unauthenticated
            | Self::Forbidden(_)
            | Self::Refused { .. }
            | Self::NotFound
            | Self::WrongMethod
            | Self::TooLarge(_) => {}
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
            E::WrongState(petition) => Self::Conflict(standing(&petition.state)),
            E::Conflict(message) => Self::Conflict(message),
            E::Unavailable(message) => {
                tracing::warn!(message, "answered 503");
                Self::Unavailable(message)
            }
            E::Replayed => Self::Conflict("this request was answered before".to_owned()),
            E::FactsMissing | E::Store(StoreError::Unavailable(_) | StoreError::Conflict) => {
                tracing::warn!(%error, "answered 503");
                Self::Unavailable("the database does not answer; nothing was changed, try again in a moment".to_owned())
            }
            E::Store(StoreError::Inconsistent { .. } | StoreError::Other(_)) => {
                let id = error_id();
                tracing::error!(%error, error_id = %id, "answered 500");
                Self::Internal(id)
            }
        }
    }
}

/// How a petition stands, for somebody who came too late or too early.
fn standing(state: &PetitionState) -> String {
    let by = |by: &[Email]| by.iter().map(Email::as_str).collect::<Vec<_>>().join(" and ");
    match state {
        PetitionState::Open => "the petition is open: nobody has decided it yet".to_owned(),
        PetitionState::Granted { at, by: who, until } => {
            format!("the petition is granted: approved by {} at {at}, until {until}", by(who))
        }
        PetitionState::Closed { at, why, .. } => {
            let why = match why {
                CloseReason::Refused { .. } => "refused by the policy".to_owned(),
                CloseReason::Denied { by, .. } => format!("denied by {by}"),
                CloseReason::Withdrawn => "withdrawn by its petitioner".to_owned(),
                CloseReason::Dismissed { by, .. } => format!("closed by {by}"),
                CloseReason::Undecided => "nobody decided it in time".to_owned(),
                CloseReason::Revoked { by: Some(by), .. } => format!("revoked by {by}"),
                CloseReason::Revoked { by: None, .. } => "revoked from outside".to_owned(),
                CloseReason::Expired => "its time was up".to_owned(),
                CloseReason::Replaced { by } => format!("replaced by {by}"),
                CloseReason::Done => "its holder gave the access back".to_owned(),
            };
            format!("the petition is closed: {why}, at {at}")
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
