//! API tokens: made, revoked, both on record. The signing is the edge's.

use jiff::SignedDuration;
use serde_json::json;

use super::{Error, Workflow};
use crate::{
    audit::{AuditEntry, AuditEvent, Via},
    domain::{
        id::{self, TokenId},
        person::Email,
    },
    store::Token,
};

pub struct NewToken {
    pub email: Email,
    /// Words of DESIGN §4, separated by spaces.
    pub scopes: String,
    pub label: String,
    /// `None`: until it is revoked.
    pub expires_in: Option<SignedDuration>,
}

/// Who is on record for what is done on the machine itself.
const OPERATOR: &str = "operator";

impl Workflow {
    pub async fn create_token(&self, new: NewToken) -> Result<Token, Error> {
        let now = self.now();
        let expires_at = match new.expires_in {
            None => None,
            Some(length) => Some(
                now.checked_add(length)
                    .map_err(|_| Error::Invalid("--expires-in is further away than time can be counted".to_owned()))?,
            ),
        };
        let token = Token {
            id: id::token_id(now, self.entropy.as_ref()),
            email: new.email,
            scopes: new.scopes,
            label: new.label,
            created_at: now,
            expires_at,
            revoked_at: None,
        };
        let mut tx = self.store.begin().await?;
        tx.insert_token(&token).await?;
        let entry = AuditEntry::new(now, AuditEvent::TokenCreated, OPERATOR, Via::CommandLine).details(json!({
            "token": token.id.as_str(), "email": token.email, "scopes": token.scopes, "name": token.label,
            "expires_at": token.expires_at.map(|at| at.to_string()),
        }));
        tx.commit(&[entry]).await?;
        Ok(token)
    }

    /// From the commit on no server accepts it. `false` when there is no such token, or it was revoked before.
    pub async fn revoke_token(&self, token: &TokenId) -> Result<bool, Error> {
        let now = self.now();
        let mut tx = self.store.begin().await?;
        let Some(token) = tx.revoke_token(token, now).await? else { return Ok(false) };
        let entry = AuditEntry::new(now, AuditEvent::TokenRevoked, OPERATOR, Via::CommandLine)
            .details(json!({ "token": token.id.as_str(), "email": token.email }));
        tx.commit(&[entry]).await?;
        Ok(true)
    }
}
