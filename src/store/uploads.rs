//! Which customers the remote space has, as it was last told: only what differs is sent.

use serde::Serialize;
use sqlx::{FromRow, types::Json};

use super::{
    Sql, Store, StoreError,
    db::{reading, statements, writing},
};
use crate::domain::{
    customer::{Customer, Labels},
    id::CustomerId,
};

statements! {
    CHANGED = Sql::both(
        "SELECT id, name, labels, row_hash FROM customers
         WHERE removed_us IS NULL AND (remote_hash IS NULL OR remote_hash <> row_hash) AND id > $1
         ORDER BY id LIMIT $2",
    );
    GONE = Sql::both(
        "SELECT id, remote_name FROM customers WHERE removed_us IS NOT NULL AND remote_hash IS NOT NULL AND id > $1
         ORDER BY id LIMIT $2",
    );
    UNSENT = Sql::both(
        "SELECT COUNT(*) FROM customers
         WHERE id = $1 AND removed_us IS NULL AND (remote_hash IS NULL OR remote_hash <> row_hash)",
    );
    SENT = Sql::each(
        "UPDATE customers SET remote_hash = sent.hash, remote_name = COALESCE(sent.name, remote_name)
         FROM (SELECT value ->> 'id' AS id, value ->> 'hash' AS hash, value ->> 'name' AS name FROM json_each($1)) AS sent
         WHERE customers.id = sent.id",
        "UPDATE customers SET remote_hash = sent.hash, remote_name = COALESCE(sent.name, remote_name)
         FROM json_to_recordset($1::json) AS sent (id text, hash bigint, name text) WHERE customers.id = sent.id",
    );
    TAKEN = Sql::each(
        "UPDATE customers SET remote_hash = NULL, remote_name = NULL WHERE id IN (SELECT value FROM json_each($1))",
        "UPDATE customers SET remote_hash = NULL, remote_name = NULL
         WHERE id IN (SELECT json_array_elements_text($1::json))",
    );
    NOTHING_SENT = Sql::both("UPDATE customers SET remote_hash = NULL, remote_name = NULL WHERE remote_hash IS NOT NULL");
    TARGET = Sql::both("SELECT value FROM settings WHERE key = 'remote_space'");
    SET_TARGET = Sql::both(
        "INSERT INTO settings (key, value) VALUES ('remote_space', $1) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    );
}

#[derive(FromRow)]
struct Row {
    id: String,
    name: String,
    labels: Json<Labels>,
    row_hash: i64,
}

/// What the space has been sent, and what it calls it.
#[derive(Clone, Debug, Serialize)]
pub struct SentCustomer {
    pub id: String,
    pub hash: i64,
    pub name: Option<String>,
}

impl Store {
    /// Customers that the space has not, or not as they are, each with its hash, in the order of their ids.
    pub async fn customers_to_send(&self, after: &str, limit: i64) -> Result<Vec<(Customer, i64)>, StoreError> {
        let rows: Vec<Row> =
            reading!(self, CHANGED, |sql, pool| { sqlx::query_as(sql).bind(after).bind(limit).fetch_all(pool).await })?;
        let customer = |row: Row| {
            let customer = Customer { id: CustomerId::new(row.id), name: row.name, labels: row.labels.0 };
            (customer, row.row_hash)
        };
        Ok(rows.into_iter().map(customer).collect())
    }

    /// Whether this customer is one that the space has not, or not as it is.
    pub async fn is_unsent(&self, id: &CustomerId) -> Result<bool, StoreError> {
        let count: i64 =
            reading!(self, UNSENT, |sql, pool| sqlx::query_scalar(sql).bind(id.as_str()).fetch_one(pool).await)?;
        Ok(count > 0)
    }

    /// Customers that the space still has although they are gone, each with its name there.
    pub async fn customers_to_take(
        &self,
        after: &str,
        limit: i64,
    ) -> Result<Vec<(String, Option<String>)>, StoreError> {
        Ok(reading!(self, GONE, |sql, pool| { sqlx::query_as(sql).bind(after).bind(limit).fetch_all(pool).await })?)
    }

    pub async fn note_sent(&self, sent: &[SentCustomer]) -> Result<(), StoreError> {
        let json = serde_json::json!(sent).to_string();
        writing!(self, SENT, |sql, pool| sqlx::query(sql).bind(&json).execute(pool).await.map(|_| ()))?;
        Ok(())
    }

    pub async fn note_taken(&self, ids: &[String]) -> Result<(), StoreError> {
        let json = serde_json::json!(ids).to_string();
        writing!(self, TAKEN, |sql, pool| sqlx::query(sql).bind(&json).execute(pool).await.map(|_| ()))?;
        Ok(())
    }

    /// What was sent to another space is not known to this one.
    pub async fn send_to(&self, space: &str) -> Result<(), StoreError> {
        let known: Option<String> =
            reading!(self, TARGET, |sql, pool| sqlx::query_scalar(sql).fetch_optional(pool).await)?;
        if known.as_deref() == Some(space) {
            return Ok(());
        }
        writing!(self, NOTHING_SENT, |sql, pool| sqlx::query(sql).execute(pool).await.map(|_| ()))?;
        writing!(self, SET_TARGET, |sql, pool| sqlx::query(sql).bind(space).execute(pool).await.map(|_| ()))?;
        Ok(())
    }
}
