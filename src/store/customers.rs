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
    resource::Source,
};

statements! {
    FIND = Sql::both("SELECT id, name, labels FROM customers WHERE id = $1 AND removed_us IS NULL");
    /// Also those that vanished: a grant of theirs may still run.
    FIND_EVER = Sql::both("SELECT id, name, labels FROM customers WHERE id = $1");
    BY_KEY = Sql::both(
        "SELECT id, name, labels FROM customers WHERE name_key = $1 AND removed_us IS NULL ORDER BY id LIMIT $2",
    );
    /// In the order of the index, so that only those of the very same name are sorted.
    BY_PREFIX = Sql::each(
        "SELECT id, name, labels FROM customers WHERE name_key >= $1 AND name_key < $2 AND removed_us IS NULL
         ORDER BY name_key, id LIMIT $3",
        "SELECT id, name, labels FROM customers WHERE name_key ~>=~ $1 AND name_key ~<~ $2 AND removed_us IS NULL
         ORDER BY name_key USING ~<~, id LIMIT $3",
    );
    BY_KEYS = Sql::each(
        "SELECT id, name, labels FROM customers WHERE name_key IN (SELECT value FROM json_each($1))
             AND removed_us IS NULL ORDER BY length(name_key) DESC, id LIMIT $2",
        "SELECT id, name, labels FROM customers
         WHERE name_key = ANY (ARRAY(SELECT json_array_elements_text($1::json)))
             AND removed_us IS NULL ORDER BY length(name_key) DESC, id LIMIT $2",
    );
    HASHES = Sql::both(
        "SELECT id, row_hash, removed_us IS NOT NULL AS gone, source = 'sync' AS synced, source = 'kept' AS kept
         FROM customers",
    );
    /// In the order of their ids, which never change.
    PAGE = Sql::both(
        "SELECT id, name, labels FROM customers WHERE removed_us IS NULL AND id > $1 ORDER BY id LIMIT $2",
    );
    FIND_SOURCE = Sql::both("SELECT source FROM customers WHERE id = $1 AND removed_us IS NULL");
    IDS_OF_SOURCE = Sql::both("SELECT id FROM customers WHERE source = $1 AND removed_us IS NULL");
    /// What is unchanged is not written again. What a row of the company's database says is for nobody else to change:
    /// its labels decide which rule holds.
    PUT = Sql::each(
        "INSERT INTO customers (id, name, name_key, labels, row_hash, changed_us, source)
         SELECT value ->> 'id', value ->> 'name', value ->> 'name_key', value -> 'labels', value ->> 'row_hash', $2, $3
         FROM json_each($1) WHERE true
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, name_key = excluded.name_key, labels = excluded.labels,
             row_hash = excluded.row_hash, changed_us = excluded.changed_us, removed_us = NULL,
             source = CASE WHEN excluded.source = 'upload' OR customers.removed_us IS NOT NULL
                 THEN excluded.source ELSE customers.source END
         WHERE customers.removed_us IS NOT NULL OR (customers.source NOT IN ('sync', 'kept')
             AND (customers.row_hash <> excluded.row_hash
                 OR (excluded.source = 'upload' AND customers.source <> 'upload')))",
        "INSERT INTO customers (id, name, name_key, labels, row_hash, changed_us, source)
         SELECT id, name, name_key, labels, row_hash, $2, $3 FROM json_to_recordset($1::json)
             AS staged (id text, name text, name_key text, labels jsonb, row_hash bigint)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, name_key = excluded.name_key, labels = excluded.labels,
             row_hash = excluded.row_hash, changed_us = excluded.changed_us, removed_us = NULL,
             source = CASE WHEN excluded.source = 'upload' OR customers.removed_us IS NOT NULL
                 THEN excluded.source ELSE customers.source END
         WHERE customers.removed_us IS NOT NULL OR (customers.source NOT IN ('sync', 'kept')
             AND (customers.row_hash <> excluded.row_hash
                 OR (excluded.source = 'upload' AND customers.source <> 'upload')))",
    );
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
             removed_us = NULL,
             source = CASE WHEN customers.removed_us IS NOT NULL THEN 'sync' ELSE customers.source END",
    );
    UNSTAGE = Sql::both(
        "DELETE FROM customer_changes WHERE id IN (SELECT id FROM customer_changes ORDER BY id LIMIT $1)",
    );
    /// Somebody uploaded what a sync brought: it stays when the sync does not find it any more.
    KEEP = Sql::each(
        "UPDATE customers SET source = 'kept'
         WHERE id IN (SELECT value FROM json_each($1)) AND source = 'sync' AND removed_us IS NULL",
        "UPDATE customers SET source = 'kept'
         WHERE id IN (SELECT json_array_elements_text($1::json)) AND source = 'sync' AND removed_us IS NULL",
    );
    RELEASE = Sql::each(
        "UPDATE customers SET source = 'upload' WHERE id IN (SELECT value FROM json_each($1)) AND source = 'kept'",
        "UPDATE customers SET source = 'upload'
         WHERE id IN (SELECT json_array_elements_text($1::json)) AND source = 'kept'",
    );
    NAMED = Sql::each(
        "SELECT id, name, labels FROM customers
         WHERE id IN (SELECT value FROM json_each($1)) AND removed_us IS NULL",
        "SELECT id, name, labels FROM customers
         WHERE id IN (SELECT json_array_elements_text($1::json)) AND removed_us IS NULL",
    );
    REMOVE = Sql::each(
        "UPDATE customers SET removed_us = $2, changed_us = $2
         WHERE id IN (SELECT value FROM json_each($1)) AND removed_us IS NULL",
        "UPDATE customers SET removed_us = $2, changed_us = $2
         WHERE id IN (SELECT json_array_elements_text($1::json)) AND removed_us IS NULL",
    );
    REMOVE_OF_SOURCE = Sql::each(
        "UPDATE customers SET removed_us = $2, changed_us = $2
         WHERE id IN (SELECT value FROM json_each($1)) AND source = $3 AND removed_us IS NULL RETURNING id",
        "UPDATE customers SET removed_us = $2, changed_us = $2
         WHERE id IN (SELECT json_array_elements_text($1::json)) AND source = $3 AND removed_us IS NULL RETURNING id",
    );
}

#[derive(FromRow)]
pub(super) struct Row {
    id: String,
    name: String,
    labels: Json<Labels>,
}

impl Row {
    pub(super) fn decode(self) -> Customer {
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

/// A customer as a sync compares it.
#[derive(Debug, FromRow)]
pub struct CustomerHash {
    pub id: String,
    pub row_hash: i64,
    /// It vanished before.
    pub gone: bool,
    /// It came by a sync, so a sync may remove it.
    pub synced: bool,
    /// It came by a sync and was uploaded since.
    pub kept: bool,
}

/// How many look-alikes are offered.
const OFFERED: i64 = 5;

/// A name with fewer letters and digits is like no other: too many begin so.
const TELLING: usize = 3;
/// Of those with one beginning, so many are compared.
const COMPARED: i64 = 20;

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
        let like = self.customers_like(&key, OFFERED).await?;
        if !like.is_empty() {
            return Ok(CustomerLookup::Nobody(like));
        }
        // A slip further back in the name: those that begin alike.
        let start: String = key.chars().take(3).collect();
        Ok(CustomerLookup::Nobody(self.customers_like(&start, OFFERED).await?))
    }

    /// Up to `limit` whose names begin with these letters and digits, in their order.
    pub(super) async fn customers_like(&self, key: &str, limit: i64) -> Result<Vec<Customer>, StoreError> {
        let beyond = format!("{key}{}", char::MAX);
        let rows: Vec<Row> = reading!(self, BY_PREFIX, |sql, pool| {
            sqlx::query_as(sql).bind(key).bind(&beyond).bind(limit).fetch_all(pool).await
        })?;
        Ok(rows.into_iter().map(Row::decode).collect())
    }

    /// Others, at most `limit`, whose names are nearly the name of this one: the same but for case, spaces and
    /// punctuation, or one begins with the other. The nearest first.
    pub async fn customers_alike(&self, of: &Customer, limit: usize) -> Result<Vec<Customer>, StoreError> {
        let key = name_key(&of.name);
        let letters = key.chars().count();
        if letters == 0 {
            return Ok(Vec::new());
        }
        let mut alike = if letters < TELLING {
            let same: Vec<Row> = reading!(self, BY_KEY, |sql, pool| {
                sqlx::query_as(sql).bind(&key).bind(COMPARED).fetch_all(pool).await
            })?;
            same.into_iter().map(Row::decode).collect()
        } else {
            self.customers_like(&key, COMPARED).await?
        };
        let shorter: Vec<&str> = key.char_indices().skip(TELLING).map(|(end, _)| &key[..end]).collect();
        if !shorter.is_empty() {
            let keys = serde_json::json!(shorter).to_string();
            let begins: Vec<Row> = reading!(self, BY_KEYS, |sql, pool| {
                sqlx::query_as(sql).bind(&keys).bind(COMPARED).fetch_all(pool).await
            })?;
            alike.extend(begins.into_iter().map(Row::decode));
        }
        alike.retain(|other| other.id != of.id);
        alike.sort_by_cached_key(|other| (name_key(&other.name).chars().count().abs_diff(letters), other.id.clone()));
        alike.truncate(limit);
        Ok(alike)
    }

    pub async fn customer_count(&self) -> Result<i64, StoreError> {
        Ok(reading!(self, COUNT, |sql, pool| sqlx::query_scalar(sql).fetch_one(pool).await)?)
    }

    /// Calls `each` with every customer that was ever known, one row in memory at a time.
    pub async fn each_customer_hash(&self, mut each: impl FnMut(&CustomerHash)) -> Result<(), StoreError> {
        reading!(self, HASHES, |sql, pool| {
            let mut rows = sqlx::query_as::<_, CustomerHash>(sql).fetch(pool);
            while let Some(row) = rows.try_next().await? {
                each(&row);
            }
        });
        Ok(())
    }

    /// Those of them that can be asked for, in no order.
    pub async fn customers_named(&self, ids: &[&str]) -> Result<Vec<Customer>, StoreError> {
        let ids = serde_json::json!(ids).to_string();
        let rows: Vec<Row> = reading!(self, NAMED, |sql, pool| sqlx::query_as(sql).bind(&ids).fetch_all(pool).await)?;
        Ok(rows.into_iter().map(Row::decode).collect())
    }

    /// Up to `limit` customers that can be asked for, in the order of their ids, after a given one.
    pub async fn customers_page(&self, after: &str, limit: i64) -> Result<Vec<Customer>, StoreError> {
        let rows: Vec<Row> =
            reading!(self, PAGE, |sql, pool| sqlx::query_as(sql).bind(after).bind(limit).fetch_all(pool).await)?;
        Ok(rows.into_iter().map(Row::decode).collect())
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
    /// Creates or updates them in one statement; an id must not come twice. What is unchanged is not written; how many
    /// were.
    pub async fn put_customers(
        &mut self,
        customers: &[StagedCustomer],
        source: &Source,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let json = serde_json::to_string(customers)
            .map_err(|_| StoreError::Inconsistent { table: "customers", key: String::new() })?;
        if *source == Source::Upload {
            let ids = serde_json::json!(customers.iter().map(|one| &one.id).collect::<Vec<_>>()).to_string();
            within!(self, KEEP, |sql, conn| sqlx::query(sql).bind(&ids).execute(conn).await.map(|_| ()))?;
        }
        let source = source.to_string();
        Ok(within!(self, PUT, |sql, conn| {
            sqlx::query(sql)
                .bind(&json)
                .bind(now.as_microsecond())
                .bind(&source)
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?)
    }

    /// The company's database has them no more; from now on they are like any that somebody uploaded.
    pub async fn release_customers(&mut self, ids: &[String]) -> Result<(), StoreError> {
        let ids = serde_json::json!(ids).to_string();
        within!(self, RELEASE, |sql, conn| sqlx::query(sql).bind(&ids).execute(conn).await.map(|_| ()))?;
        Ok(())
    }

    /// `sync`, `kept` (a sync brought it and somebody uploaded it since), `upload` or `pull:NAME`, of a customer that
    /// can be asked for.
    pub async fn customer_source(&mut self, id: &str) -> Result<Option<String>, StoreError> {
        Ok(within!(self, FIND_SOURCE, |sql, conn| sqlx::query_scalar(sql).bind(id).fetch_optional(conn).await)?)
    }

    /// The ids of all customers that a source brought and that can be asked for.
    pub async fn customers_of_source(&mut self, source: &Source) -> Result<Vec<String>, StoreError> {
        let source = source.to_string();
        Ok(within!(self, IDS_OF_SOURCE, |sql, conn| sqlx::query_scalar(sql).bind(&source).fetch_all(conn).await)?)
    }

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

    /// The same, but only those that are still of that source: what somebody uploaded meanwhile stays. Which it were.
    pub async fn remove_customers_of(
        &mut self,
        source: &Source,
        gone: &RemovedCustomers,
        now: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        let (ids, source) = (serde_json::json!(gone.0).to_string(), source.to_string());
        Ok(within!(self, REMOVE_OF_SOURCE, |sql, conn| {
            sqlx::query_scalar(sql).bind(&ids).bind(now.as_microsecond()).bind(&source).fetch_all(conn).await
        })?)
    }
}
