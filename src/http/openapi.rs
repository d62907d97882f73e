//! `GET /openapi.json`: the HTTP surface described, from the code that serves it.
//!
//! A route is described where its handler is (`#[utoipa::path]`) and gets into the router and into the document by the
//! same line (`routes!`), so neither can have one that the other lacks. What an error looks like comes from
//! [`ApiError`] itself. The document is the same whether Slack and the webhook are configured or not.

use std::collections::BTreeMap;

use axum::{
    body::Bytes,
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use utoipa::{
    IntoResponses, OpenApi,
    openapi::{
        self, Components, ContentBuilder, Ref, RefOr, ResponseBuilder, Server,
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::error::{ApiError, ErrorBody};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Latchkey",
        description = "Access to one customer's data, for a reason, for a while, with somebody else's approval. \
                       The petitions, claims and resources are those of Indent's API.",
        license(name = "MIT", identifier = "MIT"),
        contact(),
    ),
    tags(
        (name = "check", description = "What production asks before it shows anything, and who holds what"),
        (name = "petitions", description = "Ask for access, wait for the decision, use it"),
        (name = "claims", description = "Approve, deny, revoke"),
        (name = "resources", description = "Customers, and whatever else can be asked for"),
        (name = "configuration", description = "What latchkey.toml says, to read"),
        (name = "operators", description = "Alive, ready, measured, described"),
        (name = "signed", description = "Doors for Slack and for Indent, which prove themselves by a signature over \
                                         the raw body, at most five minutes old. 404 where they are not configured"),
    ),
    components(schemas(ErrorBody)),
)]
struct Document;

/// Every error that a route may be described with, by an example of it.
fn errors() -> Vec<ApiError> {
    vec![
        ApiError::Invalid("the reason is too short; write at least 5 characters".to_owned()),
        ApiError::Unauthenticated,
        ApiError::Forbidden("this needs a token with the scope `admin`".to_owned()),
        ApiError::NotFound,
        ApiError::Conflict("the petition is closed".to_owned()),
        ApiError::TooLarge(super::BODY_LIMIT),
        ApiError::TooMany(1),
        ApiError::Internal("3f9c1b2a7d04".to_owned()),
        ApiError::Unavailable("the database does not answer; nothing was changed, try again in a moment".to_owned()),
    ]
}

/// Groups of errors, to be named in `responses(…)`.
macro_rules! groups {
    ($($(#[$doc:meta])* $name:ident = $error:pat,)*) => {$(
        $(#[$doc])*
        pub struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
                let chosen = errors().into_iter().filter(|error| matches!(error, $error));
                chosen.map(|error| (error.status().as_str().to_owned(), Ref::from_response_name(error.word()).into())).collect()
            }
        }
    )*};
}

groups! {
    /// What any route behind a token may answer.
    Guarded = ApiError::Unauthenticated | ApiError::Forbidden(_) | ApiError::TooMany(_) | ApiError::Internal(_)
        | ApiError::Unavailable(_),
    /// The parameters or the body are wrong.
    Invalid = ApiError::Invalid(_),
    /// There is no such thing, or it is not the caller's to see.
    NotFound = ApiError::NotFound,
    /// The state does not allow it.
    Conflict = ApiError::Conflict(_),
    /// The body is too large.
    TooLarge = ApiError::TooLarge(_),
}

/// The whole document, from those of the rooms.
pub fn document(rooms: Vec<openapi::OpenApi>, public_url: &str) -> openapi::OpenApi {
    let mut document = Document::openapi();
    document.info.contact = None;
    for room in rooms {
        document.merge(room);
    }
    document.merge(own().into_openapi());
    document.servers = Some(vec![Server::new(public_url.trim_end_matches('/'))]);
    // An error that no route names is not part of the surface.
    let text = document.to_json().unwrap_or_default();
    let components = document.components.get_or_insert_with(Components::new);
    let used = |error: &ApiError| text.contains(&format!("#/components/responses/{}\"", error.word()));
    for error in errors().into_iter().filter(used) {
        let body = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name("ErrorBody")))
            .example(serde_json::to_value(error.body()).ok());
        let response = ResponseBuilder::new().description(error.when()).content("application/json", body.build());
        components.responses.insert(error.word().to_owned(), response.build().into());
    }
    let key = |name, says| SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(name, says)));
    components.add_security_scheme(
        "token",
        SecurityScheme::Http({
            let mut bearer = Http::new(HttpAuthScheme::Bearer);
            bearer.bearer_format = Some("JWT".to_owned());
            bearer.description = Some(TOKENS.to_owned());
            bearer
        }),
    );
    components.add_security_scheme(
        "slack",
        key("X-Slack-Signature", "Slack's signature over the raw body, with X-Slack-Request-Timestamp"),
    );
    components.add_security_scheme(
        "indent",
        key("X-Indent-Signature", "Hex HMAC-SHA256 over `v0:<X-Indent-Timestamp>:<raw body>`"),
    );
    document
}

const TOKENS: &str = "Made by `latchkey token create --email E --scope S`. Scopes: `petition` (ask, see and decide one's \
    own part), `admin` (ask for others, all petitions, resources; never by itself a reviewer), `delegate` (a trusted bot \
    that names the person who decided), `check` (ask who may see what).";

fn own() -> OpenApiRouter<Bytes> {
    OpenApiRouter::default().routes(routes!(described))
}

/// The route that serves the document.
pub fn routes(document: &openapi::OpenApi) -> Result<axum::Router, serde_json::Error> {
    let (router, _) = own().split_for_parts();
    Ok(router.with_state(Bytes::from(document.to_json()?)))
}

/// This document
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "describe", tag = "operators",
    responses((status = 200, description = "OpenAPI 3.1", body = Object, content_type = "application/json")),
)]
async fn described(State(document): State<Bytes>) -> Response {
    ([(CONTENT_TYPE, "application/json")], document).into_response()
}
