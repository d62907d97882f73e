//! The record's table: entries go in with their change, and are chained by whoever gets to it first.

use sqlx::FromRow;

use super::{
    Sql, Store, StoreError, Tx,
    db::{reading, statements, within},
    instant,
};
use crate::audit::{AuditEntry, StoredEntry, link};

statements! {
    INSERT = Sql::both(
        "INSERT INTO audit (at_us, event, actor, via, petition, person, customer, details)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    );
    UNCHAINED = Sql::both("SELECT * FROM audit WHERE position IS NULL ORDER BY seq LIMIT $1");
    /// One process chains at a time. On SQLite the write lock says so already.
    CHAIN_LOCK = Sql::each("SELECT 1", "SELECT 1 FROM (SELECT pg_advisory_xact_lock(7233110)) held");
    HEAD = Sql::both("SELECT position, hash FROM audit WHERE position IS NOT NULL ORDER BY position DESC LIMIT 1");
    CHAIN = Sql::both("UPDATE audit SET position = $2, hash = $3 WHERE seq = $1");
    KEEP_HEAD = Sql::both(
        "INSERT INTO settings (key, value) VALUES ('audit_head', $1)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    );
    PAGE = Sql::both("SELECT * FROM audit WHERE position > $1 ORDER BY position LIMIT $2");
}

#[derive(Clone, Debug, FromRow)]
struct Row {
    seq: i64,
    at_us: i64,
    event: String,
    actor: String,
    via: String,
    petition: Option<String>,
    person: Option<String>,
    customer: Option<String>,
    details: String,
    position: Option<i64>,
    hash: Option<String>,
}

impl Row {
    /// The hash of this entry after `before`. Absent and empty fields differ.
    fn link(&self, before: &str, position: i64) -> String {
        let at = self.at_us.to_string();
        let mark = |field: &Option<String>| field.as_ref().map_or("-".to_owned(), |text| format!("+{text}"));
        let (petition, person, customer) = (mark(&self.petition), mark(&self.person), mark(&self.customer));
        let fields: [&str; 8] =
            [&at, &self.event, &self.actor, &self.via, &petition, &person, &customer, &self.details];
        link(before, position, &fields)
    }
}

/// Where the record does not hold together.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ChainFault {
    #[error("entry {0} is missing")]
    Missing(i64),
    #[error("entry {0} was altered, or one before it")]
    Altered(i64),
}

/// How many entries are chained or read at once; bounds memory and the time that a lock is held.
const PAGE_SIZE: i64 = 500;

/// Writes an entry in the transaction of its change.
pub(super) async fn insert(tx: &mut Tx, entry: &AuditEntry) -> Result<(), StoreError> {
    within!(tx, INSERT, |sql, conn| {
        sqlx::query(sql)
            .bind(entry.at.as_microsecond())
            .bind(entry.event.word())
            .bind(&entry.actor)
            .bind(entry.via.word())
            .bind(entry.petition.as_deref())
            .bind(entry.person.as_ref().map(|email| email.as_str()))
            .bind(entry.customer.as_ref().map(|id| id.as_str()))
            .bind(entry.details.to_string())
            .execute(conn)
            .await
            .map(|_| ())
    })?;
    Ok(())
}

impl Store {
    /// Chains every entry that is not chained yet.
    pub async fn chain_audit(&self) -> Result<(), StoreError> {
        while self.chain_page().await? {}
        Ok(())
    }

    /// `true` when there may be more.
    async fn chain_page(&self) -> Result<bool, StoreError> {
        let waiting: Vec<Row> =
            reading!(self, UNCHAINED, |sql, pool| sqlx::query_as(sql).bind(1i64).fetch_all(pool).await)?;
        if waiting.is_empty() {
            return Ok(false);
        }
        let mut tx = self.begin().await?;
        within!(tx, CHAIN_LOCK, |sql, conn| sqlx::query(sql).execute(conn).await.map(|_| ()))?;
        let head: Option<(i64, String)> =
            within!(tx, HEAD, |sql, conn| sqlx::query_as(sql).fetch_optional(conn).await)?;
        let (mut position, mut hash) = head.unwrap_or((0, String::new()));
        let rows: Vec<Row> =
            within!(tx, UNCHAINED, |sql, conn| sqlx::query_as(sql).bind(PAGE_SIZE).fetch_all(conn).await)?;
        for row in &rows {
            position += 1;
            hash = row.link(&hash, position);
            within!(tx, CHAIN, |sql, conn| {
                sqlx::query(sql).bind(row.seq).bind(position).bind(&hash).execute(conn).await.map(|_| ())
            })?;
        }
        // Beside the table, so that cutting off its end does not go unnoticed.
        let head = format!("{position} {hash}");
        within!(tx, KEEP_HEAD, |sql, conn| sqlx::query(sql).bind(&head).execute(conn).await.map(|_| ()))?;
        tx.commit(&[]).await?;
        Ok(rows.len() as i64 == PAGE_SIZE)
    }

    /// Position and hash of the last entry that was ever chained; what a whole record ends with.
    pub async fn audit_head(&self) -> Result<(i64, String), StoreError> {
        let head = self.setting("audit_head").await?.unwrap_or_default();
        let (position, hash) = head.split_once(' ').unwrap_or(("0", ""));
        Ok((position.parse().unwrap_or_default(), hash.to_owned()))
    }

    /// A page of the record after `position`, checked against the chain whose last hash was `before`.
    pub async fn audit_page(
        &self,
        position: i64,
        before: &str,
    ) -> Result<Result<Vec<StoredEntry>, ChainFault>, StoreError> {
        let rows: Vec<Row> = reading!(self, PAGE, |sql, pool| {
            sqlx::query_as(sql).bind(position).bind(PAGE_SIZE).fetch_all(pool).await
        })?;
        let mut entries = Vec::with_capacity(rows.len());
        let (mut expected, mut before) = (position, before.to_owned());
        for row in rows {
            expected += 1;
            let found = row.position.unwrap_or_default();
            if found != expected {
                return Ok(Err(ChainFault::Missing(expected)));
            }
            let hash = row.link(&before, found);
            if row.hash.as_deref() != Some(hash.as_str()) {
                return Ok(Err(ChainFault::Altered(found)));
            }
            before.clone_from(&hash);
            entries.push(StoredEntry {
                position: found,
                at: instant("audit", row.at_us)?,
                event: row.event,
                actor: row.actor,
                via: row.via,
                petition: row.petition,
                person: row.person,
                customer: row.customer,
                details: row.details,
                hash,
            });
        }
        Ok(Ok(entries))
    }
}
