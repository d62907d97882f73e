//! Who calls this room: a believed token, for our space, at a bearable pace.

use std::{collections::HashMap, num::NonZeroU32};

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::request::Parts,
};
use governor::{DefaultKeyedRateLimiter, Quota as Rate, clock::Clock};
use serde::de::DeserializeOwned;

use super::Api;
use crate::{
    domain::id::TokenId,
    http::{
        auth::{Caller, Scope},
        error::ApiError,
        signed::raw_body,
    },
};

/// Requests a second that one token may make, and how many may come at once. Far above what an honest program needs:
/// it keeps one that has run wild from taking the database from the others. Neither is zero, as the compiler checks.
const A_SECOND: NonZeroU32 = NonZeroU32::new(500).unwrap();
const AT_ONCE: NonZeroU32 = NonZeroU32::new(10_000).unwrap();

/// How much each token has used.
pub struct Quota(DefaultKeyedRateLimiter<TokenId>);

impl Default for Quota {
    fn default() -> Self {
        Self::new(A_SECOND, AT_ONCE)
    }
}

impl Quota {
    fn new(a_second: NonZeroU32, at_once: NonZeroU32) -> Self {
        Self(DefaultKeyedRateLimiter::keyed(Rate::per_second(a_second).allow_burst(at_once)))
    }

    fn spend(&self, token: &TokenId) -> Result<(), ApiError> {
        self.0.check_key(token).map_err(|early| {
            let wait = early.wait_time_from(self.0.clock().now());
            ApiError::TooMany(wait.as_secs() + 1)
        })
    }
}

/// A caller who speaks of our space.
pub struct Client(pub Caller);

impl Client {
    /// Programs that ask and decide, and administrators.
    pub fn demand_sight(&self) -> Result<(), ApiError> {
        self.0.demand_any(&[Scope::Petition, Scope::Admin])
    }

    pub fn is_admin(&self) -> bool {
        self.0.has(Scope::Admin)
    }
}

impl FromRequestParts<Api> for Client {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, api).await?;
        api.quota.spend(&caller.token)?;
        let path = Path::<HashMap<String, String>>::from_request_parts(parts, api).await;
        let Path(path) = path.map_err(|_| ApiError::NotFound)?;
        // Nothing has a name with a NUL in it, and PostgreSQL would not even look.
        let elsewhere = path.get("space").map(String::as_str) != Some(&api.http.space);
        if elsewhere || path.values().any(|name| name.contains('\0')) {
            return Err(ApiError::NotFound);
        }
        Ok(Self(caller))
    }
}

/// A caller with the scope `admin`: to be asked for before a large [`Payload`], so that nobody else's is read.
pub struct Admin(pub Client);

impl FromRequestParts<Api> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let client = Client::from_request_parts(parts, api).await?;
        client.0.demand(Scope::Admin)?;
        Ok(Self(client))
    }
}

/// A JSON body of at most `LIMIT` bytes, whatever its content type says.
pub struct Payload<T, const LIMIT: usize>(pub T);

impl<T: DeserializeOwned, const LIMIT: usize> FromRequest<Api> for Payload<T, LIMIT> {
    type Rejection = ApiError;

    async fn from_request(request: Request<Body>, _: &Api) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let body = raw_body(&parts.headers, body, LIMIT).await.map_err(|bad| bad.told(LIMIT))?;
        let unreadable = |error: serde_json::Error| ApiError::Invalid(format!("the body cannot be read: {error}"));
        let mut json = serde_json::Deserializer::from_slice(&body);
        let read =
            serde_path_to_error::deserialize(&mut json).map_err(|error| match error.path().to_string().as_str() {
                // Of thousands, which one it is.
                path if path.contains('[') => {
                    ApiError::Invalid(format!("the body cannot be read: {path}: {}", error.inner()))
                }
                _ => unreadable(error.into_inner()),
            })?;
        json.end().map_err(unreadable)?;
        Ok(Self(read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_token_that_runs_wild_is_told_when_to_come_back_and_hinders_no_other() {
        let one = NonZeroU32::new(1).unwrap();
        let quota = Quota::new(one, NonZeroU32::new(3).unwrap());
        let (wild, calm) = (TokenId::new("wild"), TokenId::new("calm"));
        for _ in 0..3 {
            assert!(quota.spend(&wild).is_ok());
        }
        assert!(matches!(quota.spend(&wild), Err(ApiError::TooMany(1..=2))));
        assert!(quota.spend(&calm).is_ok());
    }
}
