//! Who calls, and what their token allows.

use axum::{
    extract::FromRequestParts,
    http::{header::AUTHORIZATION, request::Parts},
};

use super::{Http, error::ApiError};
use crate::domain::person::Email;

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
    scopes: Vec<Scope>,
}

impl Caller {
    pub fn demand(&self, scope: Scope) -> Result<(), ApiError> {
        if self.scopes.contains(&scope) {
            return Ok(());
        }
        Err(ApiError::Forbidden(format!("this needs a token with the scope `{}`", scope.word())))
    }
}

impl FromRequestParts<Http> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Http) -> Result<Self, ApiError> {
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
        Ok(Self { email: token.email, scopes })
    }
}
