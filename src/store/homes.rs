//! The Home tabs that are kept fresh: an outbox like that of messages, one row for everybody who has opened theirs.
//!
//! A change counts `wanted` up, in its own transaction, for those whom it concerns and who have opened Home lately; the
//! view is drawn from the truth when it is published. Whoever never opened Home has no row and costs nothing.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use sqlx::FromRow;

use super::{
    Lane, Sql, Store, StoreError, Tx,
    db::{reading, statements, within, writing},
};
use crate::domain::{
    id::{AccessId, PetitionName, SlackUserId},
    person::Email,
};

statements! {
    OPENED = Sql::both(
        "INSERT INTO homes (user_id, opened_us, wanted, sent, next_us, attempts) VALUES ($1, $2, 1, 0, $2, 0)
         ON CONFLICT (user_id) DO UPDATE SET opened_us = excluded.opened_us, wanted = homes.wanted + 1,
             next_us = CASE WHEN homes.attempt IS NULL THEN excluded.next_us ELSE homes.next_us END, attempts = 0",
    );
    IS_OF = Sql::both("UPDATE homes SET email = $2 WHERE user_id = $1");
    /// An attempt under way keeps its claim and is followed by another. The rows are taken in one order, so that two
    /// transactions never wait for each other here.
    TOUCH = Sql::each(
        "UPDATE homes SET wanted = wanted + 1,
             next_us = CASE WHEN attempt IS NULL THEN $1 ELSE next_us END, attempts = 0
         WHERE opened_us > $2 AND (email IN (
                 SELECT petitioner FROM petitions WHERE name IN (SELECT value FROM json_each($3))
                 UNION SELECT filed_by FROM petitions WHERE name IN (SELECT value FROM json_each($3))
                 UNION SELECT maker FROM claims WHERE petition IN (SELECT value FROM json_each($3))
                 UNION SELECT substr(dest, 7) FROM messages WHERE purpose = 'card' AND dest LIKE 'email:%'
                     AND petition IN (SELECT value FROM json_each($3))
                 UNION SELECT person FROM accesses WHERE id IN (SELECT value FROM json_each($4))
                 UNION SELECT value FROM json_each($5))
             OR user_id IN (SELECT substr(dest, 6) FROM messages WHERE purpose = 'card' AND dest LIKE 'user:%'
                 AND petition IN (SELECT value FROM json_each($3))))",
        "UPDATE homes SET wanted = wanted + 1,
             next_us = CASE WHEN attempt IS NULL THEN $1 ELSE next_us END, attempts = 0
         WHERE user_id IN (SELECT user_id FROM homes WHERE opened_us > $2 AND (email IN (
                 SELECT petitioner FROM petitions WHERE name IN (SELECT json_array_elements_text($3::json))
                 UNION SELECT filed_by FROM petitions WHERE name IN (SELECT json_array_elements_text($3::json))
                 UNION SELECT maker FROM claims WHERE petition IN (SELECT json_array_elements_text($3::json))
                 UNION SELECT substr(dest, 7) FROM messages WHERE purpose = 'card' AND dest LIKE 'email:%'
                     AND petition IN (SELECT json_array_elements_text($3::json))
                 UNION SELECT person FROM accesses WHERE id IN (SELECT json_array_elements_text($4::json))
                 UNION SELECT json_array_elements_text($5::json))
             OR user_id IN (SELECT substr(dest, 6) FROM messages WHERE purpose = 'card' AND dest LIKE 'user:%'
                 AND petition IN (SELECT json_array_elements_text($3::json))))
             ORDER BY user_id FOR UPDATE)",
    );
    CLAIM = Sql::each(
        "UPDATE homes SET attempt = $2, next_us = $3, attempts = attempts + 1
         WHERE user_id IN (SELECT user_id FROM homes WHERE next_us <= $1 ORDER BY next_us, user_id LIMIT $4)
         RETURNING user_id, wanted, attempts",
        "UPDATE homes SET attempt = $2, next_us = $3, attempts = attempts + 1
         WHERE user_id IN (SELECT user_id FROM homes WHERE next_us <= $1 ORDER BY next_us, user_id LIMIT $4
             FOR UPDATE SKIP LOCKED)
         RETURNING user_id, wanted, attempts",
    );
    DONE = Sql::both(
        "UPDATE homes SET sent = $3, attempt = NULL, attempts = 0, last_error = $4,
             next_us = CASE WHEN wanted > $3 THEN CAST($5 AS BIGINT) ELSE NULL END
         WHERE user_id = $1 AND attempt = $2",
    );
    LATER = Sql::both(
        "UPDATE homes SET attempt = NULL, last_error = $3, next_us = $4 WHERE user_id = $1 AND attempt = $2",
    );
    FAULTS = Sql::both(
        "SELECT last_error, COUNT(*) FROM homes WHERE last_error IS NOT NULL AND opened_us > $1
         GROUP BY last_error ORDER BY 2 DESC, 1 LIMIT 5",
    );
}

/// Whoever has not opened Home for so long sees it as it was until they open it again, which draws it anew.
const LATELY: SignedDuration = SignedDuration::from_hours(24 * 30);

/// A Home tab that is due, taken for one attempt.
#[derive(Clone, Debug, FromRow)]
pub struct Home {
    #[sqlx(try_from = "String")]
    pub user_id: HomeUser,
    /// The changes that this attempt will have shown.
    pub wanted: i64,
    pub attempts: i64,
}

/// Whose it is.
#[derive(Clone, Debug)]
pub struct HomeUser(pub SlackUserId);

impl From<String> for HomeUser {
    fn from(id: String) -> Self {
        Self(SlackUserId::new(id))
    }
}

/// What came of an attempt.
#[derive(Clone, Debug)]
pub enum Published {
    Shown,
    Later {
        at: Timestamp,
        error: String,
    },
    /// Slack will not take it. A later change tries again.
    Never {
        error: String,
    },
}

/// Whom a change in the making concerns.
#[derive(Debug, Default)]
pub(super) struct Touched {
    petitions: BTreeSet<PetitionName>,
    accesses: BTreeSet<AccessId>,
    emails: BTreeSet<String>,
    at: Option<Timestamp>,
}

impl Tx {
    /// The petition is news to its petitioner, its filer, and those who are asked.
    pub(super) fn touch_homes_of_petition(&mut self, petition: &PetitionName, now: Timestamp) {
        self.homes.petitions.insert(petition.clone());
        self.homes.at = Some(now);
    }

    /// The access is news to its holder.
    pub fn touch_home_of_access(&mut self, access: &AccessId, now: Timestamp) {
        self.homes.accesses.insert(access.clone());
        self.homes.at = Some(now);
    }

    /// Something is news to these people.
    pub fn touch_homes_of<'a>(&mut self, people: impl IntoIterator<Item = &'a Email>, now: Timestamp) {
        self.homes.emails.extend(people.into_iter().map(ToString::to_string));
        self.homes.at = Some(now);
    }

    /// Counts the change for everybody whom it concerns: one statement, at the end of the transaction.
    pub(super) async fn touch_homes(&mut self) -> Result<(), StoreError> {
        let touched = std::mem::take(&mut self.homes);
        let Some(now) = touched.at else { return Ok(()) };
        let since = now.saturating_sub(LATELY).unwrap_or(Timestamp::MIN);
        let [petitions, accesses] =
            [serde_json::json!(touched.petitions).to_string(), serde_json::json!(touched.accesses).to_string()];
        let emails = serde_json::json!(touched.emails).to_string();
        let rows = within!(self, TOUCH, |sql, conn| {
            sqlx::query(sql)
                .bind(now.as_microsecond())
                .bind(since.as_microsecond())
                .bind(&petitions)
                .bind(&accesses)
                .bind(&emails)
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
        if rows > 0 {
            self.enqueue(Lane::Home, "change");
        }
        Ok(())
    }

    /// Somebody has opened their Home tab.
    pub async fn home_opened(&mut self, user: &SlackUserId, now: Timestamp) -> Result<(), StoreError> {
        within!(self, OPENED, |sql, conn| {
            sqlx::query(sql).bind(user.as_str()).bind(now.as_microsecond()).execute(conn).await.map(|_| ())
        })?;
        self.enqueue(Lane::Home, user.as_str());
        Ok(())
    }
}

impl Store {
    /// Takes up to `limit` due Home tabs for one attempt, as for messages.
    pub async fn claim_homes(
        &self,
        now: Timestamp,
        attempt: &str,
        until: Timestamp,
        limit: i64,
    ) -> Result<Vec<Home>, StoreError> {
        Ok(writing!(self, CLAIM, |sql, pool| {
            sqlx::query_as(sql)
                .bind(now.as_microsecond())
                .bind(attempt)
                .bind(until.as_microsecond())
                .bind(limit)
                .fetch_all(pool)
                .await
        })?)
    }

    /// Whose Home tab it is. Known before it is drawn, so that no change after that is missed.
    pub async fn home_is_of(&self, user: &SlackUserId, email: Option<&Email>) -> Result<(), StoreError> {
        writing!(self, IS_OF, |sql, pool| {
            sqlx::query(sql).bind(user.as_str()).bind(email.map(Email::as_str)).execute(pool).await.map(|_| ())
        })?;
        Ok(())
    }

    /// Records what came of an attempt, unless the attempt is not current any more.
    pub async fn record_home(
        &self,
        home: &Home,
        attempt: &str,
        now: Timestamp,
        published: &Published,
    ) -> Result<(), StoreError> {
        let user = home.user_id.0.as_str();
        let error = match published {
            Published::Later { at, error } => {
                writing!(self, LATER, |sql, pool| {
                    sqlx::query(sql)
                        .bind(user)
                        .bind(attempt)
                        .bind(error)
                        .bind(at.as_microsecond())
                        .execute(pool)
                        .await
                        .map(|_| ())
                })?;
                return Ok(());
            }
            Published::Shown => None,
            Published::Never { error } => Some(error.as_str()),
        };
        writing!(self, DONE, |sql, pool| {
            sqlx::query(sql)
                .bind(user)
                .bind(attempt)
                .bind(home.wanted)
                .bind(error)
                .bind(now.as_microsecond())
                .execute(pool)
                .await
                .map(|_| ())
        })?;
        Ok(())
    }

    /// What keeps Home tabs that were opened lately from being shown, and how many of them.
    pub async fn home_faults(&self, now: Timestamp) -> Result<Vec<(String, i64)>, StoreError> {
        let since = now.saturating_sub(LATELY).unwrap_or(Timestamp::MIN);
        Ok(reading!(self, FAULTS, |sql, pool| {
            sqlx::query_as(sql).bind(since.as_microsecond()).fetch_all(pool).await
        })?)
    }
}
