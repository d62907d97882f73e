//! API tokens, so that one can be listed and revoked. The token itself is not kept.

use jiff::Timestamp;
use sqlx::FromRow;

use super::{
    Sql, Store, StoreError, Tx,
    db::{reading, statements, within},
    instant, instants,
};
use crate::domain::{id::TokenId, person::Email};

statements! {
    INSERT = Sql::both(
        "INSERT INTO tokens (id, email, scopes, label, created_us, expires_us) VALUES ($1, $2, $3, $4, $5, $6)",
    );
    FIND = Sql::both("SELECT * FROM tokens WHERE id = $1");
    LIST = Sql::both("SELECT * FROM tokens ORDER BY created_us, id");
    REVOKE = Sql::both("UPDATE tokens SET revoked_us = $2 WHERE id = $1 AND revoked_us IS NULL RETURNING *");
}

#[derive(FromRow)]
struct Row {
    id: String,
    email: String,
    scopes: String,
    label: String,
    created_us: i64,
    expires_us: Option<i64>,
    revoked_us: Option<i64>,
}

/// What is kept of a token. `scopes` are words separated by spaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub id: TokenId,
    pub email: Email,
    pub scopes: String,
    pub label: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

impl Row {
    fn decode(self) -> Result<Token, StoreError> {
        let email = Email::parse(&self.email)
            .map_err(|_| StoreError::Inconsistent { table: "tokens", key: self.id.clone() })?;
        Ok(Token {
            id: TokenId::new(self.id),
            email,
            scopes: self.scopes,
            label: self.label,
            created_at: instant("tokens", self.created_us)?,
            expires_at: instants("tokens", self.expires_us)?,
            revoked_at: instants("tokens", self.revoked_us)?,
        })
    }
}

impl Store {
    pub async fn token(&self, id: &TokenId) -> Result<Option<Token>, StoreError> {
        let row: Option<Row> =
            reading!(self, FIND, |sql, pool| sqlx::query_as(sql).bind(id.as_str()).fetch_optional(pool).await)?;
        row.map(Row::decode).transpose()
    }

    /// Oldest first, revoked and expired ones too.
    pub async fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        let rows: Vec<Row> = reading!(self, LIST, |sql, pool| sqlx::query_as(sql).fetch_all(pool).await)?;
        rows.into_iter().map(Row::decode).collect()
    }
}

impl Tx {
    pub async fn insert_token(&mut self, token: &Token) -> Result<(), StoreError> {
        within!(self, INSERT, |sql, conn| {
            sqlx::query(sql)
                .bind(token.id.as_str())
                .bind(token.email.as_str())
                .bind(&token.scopes)
                .bind(&token.label)
                .bind(token.created_at.as_microsecond())
                .bind(token.expires_at.map(|at| at.as_microsecond()))
                .execute(conn)
                .await
                .map(|_| ())
        })?;
        Ok(())
    }

    /// `None` when there is no such token, or it was revoked before.
    pub async fn revoke_token(&mut self, id: &TokenId, now: Timestamp) -> Result<Option<Token>, StoreError> {
        let row: Option<Row> = within!(self, REVOKE, |sql, conn| {
            sqlx::query_as(sql).bind(id.as_str()).bind(now.as_microsecond()).fetch_optional(conn).await
        })?;
        row.map(Row::decode).transpose()
    }
}
