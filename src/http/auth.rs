//! Who calls, and what their token allows.

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{header::AUTHORIZATION, request::Parts},
};

use super::{Http, error::ApiError};
use crate::domain::{id::TokenId, person::Email};

/// What a token may be used for (DESIGN §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Ask, see and decide one's own part.
    Petition,
    /// Ask for others, see everything; never by itself a reviewer.
    Admin,
    /// A trusted bot: may name another person as the actor of a claim.
    Delegate,
    /// Ask who may see what.
    Check,
}

impl Scope {
    pub const ALL: [Self; 4] = [Self::Petition, Self::Admin, Self::Delegate, Self::Check];

    pub fn word(self) -> &'static str {
        match self {
            Self::Petition => "petition",
            Self::Admin => "admin",
            Self::Delegate => "delegate",
            Self::Check => "check",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.word() == word)
    }
}

/// A caller whose token is signed by us, in time, known, and not revoked.
#[derive(Clone, Debug)]
pub struct Caller {
    pub email: Email,
    pub token: TokenId,
    scopes: Vec<Scope>,
}

impl Caller {
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// One of them is enough.
    pub fn demand_any(&self, scopes: &[Scope]) -> Result<(), ApiError> {
        if scopes.iter().any(|scope| self.has(*scope)) {
            return Ok(());
        }
        let words: Vec<String> = scopes.iter().map(|scope| format!("`{}`", scope.word())).collect();
        Err(ApiError::Forbidden(format!("this needs a token with the scope {}", words.join(" or "))))
    }

    pub fn demand(&self, scope: Scope) -> Result<(), ApiError> {
        self.demand_any(&[scope])
    }
}

impl<S> FromRequestParts<S> for Caller
where
    Http: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let state = Http::from_ref(state);
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let text = header
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or(ApiError::Unauthenticated)?;
        let id = state.tokens.verify(text, state.workflow.now()).ok_or(ApiError::Unauthenticated)?;
        let token = state.workflow.store().token(&id).await?;
        let token = token.filter(|token| token.revoked_at.is_none()).ok_or(ApiError::Unauthenticated)?;
        let scopes = token.scopes.split_whitespace().filter_map(Scope::from_word).collect();
        Ok(Self { email: token.email, token: id, scopes })
    }
}
