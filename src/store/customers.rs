//! Customers as the company's database last told us, and the staging table of a running sync.

use futures_util::TryStreamExt;
use jiff::Timestamp;
use serde::Serialize;
use sqlx::{FromRow, types::Json};

use super::{
    Sql, Store, StoreError, Tx,
    db::{reading, statements, within, writing},
};
use crate::domain::{
    customer::{Customer, Labels, name_key},
    id::CustomerId,
};

statements! {
    FIND = Sql::both("SELECT id, name, labels FROM customers WHERE id = $1 AND removed_us IS NULL");
    /// Also those that vanished: a grant of theirs may still run.
    FIND_EVER = Sql::both("SELECT id, name, labels FROM customers WHERE id = $1");
    BY_KEY = Sql::both(
        "SELECT id, name, labels FROM customers WHERE name_key = $1 AND removed_us IS NULL ORDER BY id LIMIT $2",
    );
    BY_PREFIX = Sql::each(
        "SELECT id, name, labels FROM customers WHERE name_key >= $1 AND name_key < $2 AND removed_us IS NULL
         ORDER BY name_key LIMIT $3",
        "SELECT id, name, labels FROM customers WHERE name_key ~>=~ $1 AND name_key ~<~ $2 AND removed_us IS NULL
         ORDER BY name_key LIMIT $3",
    );
    HASHES = Sql::both("SELECT id, row_hash, removed_us IS NOT NULL AS gone FROM customers");
    COUNT = Sql::both("SELECT COUNT(*) FROM customers WHERE removed_us IS NULL");
    CLEAR_STAGE = Sql::both("DELETE FROM customer_changes");
    STAGE = Sql::each(
        "INSERT INTO customer_changes (id, name, name_key, labels, row_hash)
         SELECT value ->> 'id', value ->> 'name', value ->> 'name_key', value -> 'labels', value ->> 'row_hash'
         FROM json_each($1) WHERE true
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, name_key = excluded.name_key,
             labels = excluded.labels, row_hash = excluded.row_hash",
        "INSERT INTO customer_changes (id, name, name_key, labels, row_hash)
         SELECT id, name, name_key, labels, row_hash FROM json_to_recordset($1::json)
             AS staged (id text, name text, name_key text, labels jsonb, row_hash bigint)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, name_key = excluded.name_key,
             labels = excluded.labels, row_hash = excluded.row_hash",
    );
    APPLY_STAGE = Sql::both(
        "INSERT INTO customers (id, name, name_key, labels, row_hash, changed_us)
         SELECT id, name, name_key, labels, row_hash, $1 FROM customer_changes WHERE true ORDER BY id LIMIT $2
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, name_key = excluded.name_key,
             labels = excluded.labels, row_hash = excluded.row_hash, changed_us = excluded.changed_us,
             removed_us = NULL",
    );
    UNSTAGE = Sql::both(
        "DELETE FROM customer_changes WHERE id IN (SELECT id FROM customer_changes ORDER BY id LIMIT $1)",
    );
    REMOVE = Sql::each(
        "UPDATE customers SET removed_us = $2, changed_us = $2
         WHERE id IN (SELECT value FROM json_each($1)) AND removed_us IS NULL",
        "UPDATE customers SET removed_us = $2, changed_us = $2
         WHERE id IN (SELECT json_array_elements_text($1::json)) AND removed_us IS NULL",
    );
}

#[derive(FromRow)]
struct Row {
    id: String,
    name: String,
    labels: Json<Labels>,
}

impl Row {
    fn decode(self) -> Customer {
        Customer { id: CustomerId::new(self.id), name: self.name, labels: self.labels.0 }
    }
}

/// What a text that somebody typed could mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CustomerLookup {
    One(Customer),
    /// Several customers share that name.
    Several(Vec<Customer>),
    /// Nobody; these begin like it.
    Nobody(Vec<Customer>),
}

/// How many look-alikes are offered.
const OFFERED: i64 = 5;

/// A row of the source that is new or differs.
#[derive(Clone, Debug, Serialize)]
pub struct StagedCustomer {
    pub id: String,
    pub name: String,
    pub name_key: String,
    pub labels: Labels,
    pub row_hash: i64,
}

/// The ids that a sync no longer found.
#[derive(Clone, Debug, Default)]
pub struct RemovedCustomers(pub Vec<String>);

impl Store {
    /// A customer that can be asked for.
    pub async fn customer(&self, id: &str) -> Result<Option<Customer>, StoreError> {
        let row: Option<Row> =
            reading!(self, FIND, |sql, pool| sqlx::query_as(sql).bind(id).fetch_optional(pool).await)?;
        Ok(row.map(Row::decode))
    }

    /// A customer that was ever known, whether or not it can still be asked for.
    pub async fn customer_ever(&self, id: &str) -> Result<Option<Customer>, StoreError> {
        let row: Option<Row> =
            reading!(self, FIND_EVER, |sql, pool| sqlx::query_as(sql).bind(id).fetch_optional(pool).await)?;
        Ok(row.map(Row::decode))
    }

    /// By id, by name, or by a name that differs only in case, spaces and punctuation.
    pub async fn look_up_customer(&self, text: &str) -> Result<CustomerLookup, StoreError> {
        if let Some(customer) = self.customer(text).await? {
            return Ok(CustomerLookup::One(customer));
        }
        let key = name_key(text);
        if key.is_empty() {
            return Ok(CustomerLookup::Nobody(Vec::new()));
        }
        let rows: Vec<Row> = reading!(self, BY_KEY, |sql, pool| {
            sqlx::query_as(sql).bind(&key).bind(OFFERED + 1).fetch_all(pool).await
        })?;
        let same: Vec<Customer> = rows.into_iter().map(Row::decode).collect();
        let spelt = |customer: &&Customer| customer.name.to_lowercase() == text.to_lowercase();
        match (same.as_slice(), same.iter().filter(spelt).collect::<Vec<_>>().as_slice()) {
            ([], _) => {}
            ([one], _) => return Ok(CustomerLookup::One(one.clone())),
            (_, [exact]) => return Ok(CustomerLookup::One((*exact).clone())),
            (several, _) => return Ok(CustomerLookup::Several(several.to_vec())),
        }
        let like = self.customers_like(&key).await?;
        if !like.is_empty() {
            return Ok(CustomerLookup::Nobody(like));
        }
        // A slip further back in the name: those that begin alike.
        let start: String = key.chars().take(3).collect();
        Ok(CustomerLookup::Nobody(self.customers_like(&start).await?))
    }

    /// A few whose names begin with these letters and digits.
    async fn customers_like(&self, key: &str) -> Result<Vec<Customer>, StoreError> {
        let beyond = format!("{key}{}", char::MAX);
        let rows: Vec<Row> = reading!(self, BY_PREFIX, |sql, pool| {
            sqlx::query_as(sql).bind(key).bind(&beyond).bind(OFFERED).fetch_all(pool).await
        })?;
        Ok(rows.into_iter().map(Row::decode).collect())
    }

    pub async fn customer_count(&self) -> Result<i64, StoreError> {
        Ok(reading!(self, COUNT, |sql, pool| sqlx::query_scalar(sql).fetch_one(pool).await)?)
    }

    /// Calls `each` with id, hash and "vanished before" of every customer, one row in memory at a time.
    pub async fn each_customer_hash(&self, mut each: impl FnMut(&str, i64, bool)) -> Result<(), StoreError> {
        #[derive(FromRow)]
        struct Hash {
            id: String,
            row_hash: i64,
            gone: bool,
        }
        reading!(self, HASHES, |sql, pool| {
            let mut rows = sqlx::query_as::<_, Hash>(sql).fetch(pool);
            while let Some(row) = rows.try_next().await? {
                each(&row.id, row.row_hash, row.gone);
            }
        });
        Ok(())
    }

    pub async fn clear_stage(&self) -> Result<(), StoreError> {
        writing!(self, CLEAR_STAGE, |sql, pool| sqlx::query(sql).execute(pool).await.map(|_| ()))?;
        Ok(())
    }

    /// Puts rows aside until the whole source has been read; one statement, its own transaction. An id that comes
    /// twice in one batch must have been settled before.
    pub async fn stage_customers(&self, staged: &[StagedCustomer]) -> Result<(), StoreError> {
        let json = serde_json::to_string(staged)
            .map_err(|_| StoreError::Inconsistent { table: "customer_changes", key: String::new() })?;
        writing!(self, STAGE, |sql, pool| sqlx::query(sql).bind(&json).execute(pool).await.map(|_| ()))?;
        Ok(())
    }
}

impl Tx {
    /// Whether or not it can still be asked for.
    pub async fn customer_ever(&mut self, id: &str) -> Result<Option<Customer>, StoreError> {
        let row: Option<Row> =
            within!(self, FIND_EVER, |sql, conn| sqlx::query_as(sql).bind(id).fetch_optional(conn).await)?;
        Ok(row.map(Row::decode))
    }

    /// Moves up to `limit` staged rows into place; how many it were.
    pub async fn apply_stage(&mut self, now: Timestamp, limit: i64) -> Result<u64, StoreError> {
        let rows = within!(self, APPLY_STAGE, |sql, conn| {
            sqlx::query(sql).bind(now.as_microsecond()).bind(limit).execute(conn).await.map(|done| done.rows_affected())
        })?;
        within!(self, UNSTAGE, |sql, conn| sqlx::query(sql).bind(limit).execute(conn).await.map(|_| ()))?;
        Ok(rows)
    }

    /// They cannot be asked for any more; their leases run on.
    pub async fn remove_customers(&mut self, gone: &RemovedCustomers, now: Timestamp) -> Result<(), StoreError> {
        let ids = serde_json::json!(gone.0).to_string();
        within!(self, REMOVE, |sql, conn| {
            sqlx::query(sql).bind(&ids).bind(now.as_microsecond()).execute(conn).await.map(|_| ())
        })?;
        Ok(())
    }
}
