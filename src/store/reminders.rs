//! Reminders: of each reviewer who has cards in their direct messages one row, and the one message that reminds them.

use jiff::{SignedDuration, Timestamp};
use sqlx::FromRow;

use super::{
    Dest, Lane, Sql, Store, StoreError, Tx,
    db::{reading, statements, within, writing},
    instant, instants,
};
use crate::domain::id::PetitionName;

statements! {
    /// Whoever has had an undecided card since `$2` or longer, and was not looked at since that much time is over.
    RAISE = Sql::both(
        "INSERT INTO reminders (channel, dest, looked_us, next_us, wanted, sent, attempts)
         SELECT messages.channel, MIN(messages.dest), MAX(COALESCE(posted_us, opened_us)), CAST($1 AS BIGINT), 0, 0, 0
         FROM petitions JOIN messages ON messages.petition = petitions.name
         WHERE petitions.state = 'open' AND purpose = 'card' AND channel IS NOT NULL AND dest NOT LIKE 'channel:%'
             AND COALESCE(posted_us, opened_us) <= $2
         GROUP BY messages.channel
         ON CONFLICT (channel) DO UPDATE SET next_us = excluded.next_us
         WHERE reminders.attempt IS NULL AND (reminders.next_us IS NULL OR reminders.next_us > excluded.next_us)
             AND reminders.looked_us < excluded.looked_us + $3",
    );
    CLAIM = Sql::each(
        "UPDATE reminders SET attempt = $2, next_us = $3, attempts = attempts + 1, tried_us = COALESCE(tried_us, $1)
         WHERE channel IN (SELECT channel FROM reminders WHERE next_us <= $1 ORDER BY next_us LIMIT $4) RETURNING *",
        "UPDATE reminders SET attempt = $2, next_us = $3, attempts = attempts + 1, tried_us = COALESCE(tried_us, $1)
         WHERE channel IN (SELECT channel FROM reminders WHERE next_us <= $1 ORDER BY next_us LIMIT $4
             FOR UPDATE SKIP LOCKED) RETURNING *",
    );
    RECORD = Sql::both(
        "UPDATE reminders SET ts = $3, reminded_us = $4, looked_us = $5, sent = $6, attempt = NULL, attempts = 0,
             last_error = NULL, tried_us = NULL, next_us = CASE WHEN wanted > $6 THEN CAST($5 AS BIGINT) ELSE CAST($7 AS BIGINT) END
         WHERE channel = $1 AND attempt = $2",
    );
    LATER = Sql::both(
        "UPDATE reminders SET attempt = NULL, last_error = $4, next_us = $3 WHERE channel = $1 AND attempt = $2",
    );
    /// A change to show, where a message stands that may list it.
    TOUCH = Sql::both(
        "UPDATE reminders SET wanted = wanted + 1, next_us = CASE WHEN attempt IS NULL THEN $2 ELSE next_us END
         WHERE ts IS NOT NULL AND channel IN (SELECT channel FROM messages
             WHERE petition = $1 AND purpose = 'card' AND channel IS NOT NULL AND dest NOT LIKE 'channel:%')",
    );
    CARDS = Sql::both(
        "SELECT petitions.name, COALESCE(posted_us, opened_us) FROM messages
         JOIN petitions ON petitions.name = messages.petition
         WHERE channel = $1 AND ts IS NOT NULL AND purpose = 'card' AND petitions.state = 'open'
         ORDER BY petitions.name",
    );
}

#[derive(FromRow)]
struct Row {
    channel: String,
    dest: String,
    ts: Option<String>,
    reminded_us: Option<i64>,
    wanted: i64,
    attempts: i64,
    tried_us: Option<i64>,
}

/// One reviewer's reminder, taken for one attempt.
#[derive(Clone, Debug)]
pub struct Reminder {
    /// Their direct message with the bot.
    pub channel: String,
    /// By which they can be found.
    pub dest: Dest,
    /// The message that stands and lists what waits.
    pub ts: Option<String>,
    pub reminded: Option<Timestamp>,
    /// The changes that this attempt will have shown.
    pub wanted: i64,
    pub attempts: i64,
    /// Since when an earlier attempt may have posted a new one without our knowing.
    pub tried: Option<Timestamp>,
}

/// What came of an attempt at a reminder.
#[derive(Clone, Debug)]
pub enum Reminded {
    /// Where it stands now; `None`: nothing is listed any more. And when to look again.
    Done {
        ts: Option<String>,
        reminded: Option<Timestamp>,
        next: Option<Timestamp>,
    },
    Later {
        at: Timestamp,
        error: String,
    },
}

impl Row {
    /// As claimed at `now`.
    fn decode(self, now: Timestamp) -> Result<Reminder, StoreError> {
        let fault = || StoreError::Inconsistent { table: "reminders", key: self.channel.clone() };
        Ok(Reminder {
            dest: Dest::parse(&self.dest).ok_or_else(fault)?,
            ts: self.ts,
            reminded: instants("reminders", self.reminded_us)?,
            wanted: self.wanted,
            attempts: self.attempts,
            // No two claims of one reminder are of one instant.
            tried: instants("reminders", self.tried_us.filter(|at| *at != now.as_microsecond()))?,
            channel: self.channel,
        })
    }
}

impl Tx {
    /// The petition changed: the reminders that may list it are to show it.
    pub(super) async fn touch_reminders(&mut self, petition: &PetitionName, now: Timestamp) -> Result<(), StoreError> {
        let rows = within!(self, TOUCH, |sql, conn| {
            sqlx::query(sql)
                .bind(petition.as_str())
                .bind(now.as_microsecond())
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
        if rows > 0 {
            self.enqueue(Lane::Remind, petition.as_str());
        }
        Ok(())
    }
}

impl Store {
    /// Makes due whoever has waited on for `after` with a card that nobody has decided.
    pub async fn raise_reminders(&self, now: Timestamp, after: SignedDuration) -> Result<(), StoreError> {
        let since = now.saturating_sub(after).unwrap_or(Timestamp::MIN);
        writing!(self, RAISE, |sql, pool| {
            sqlx::query(sql)
                .bind(now.as_microsecond())
                .bind(since.as_microsecond())
                .bind(after.as_micros() as i64)
                .execute(pool)
                .await
                .map(|_| ())
        })?;
        Ok(())
    }

    /// Takes up to `limit` due reminders for one attempt.
    pub async fn claim_reminders(
        &self,
        now: Timestamp,
        attempt: &str,
        until: Timestamp,
        limit: i64,
    ) -> Result<Vec<Reminder>, StoreError> {
        let rows: Vec<Row> = writing!(self, CLAIM, |sql, pool| {
            sqlx::query_as(sql)
                .bind(now.as_microsecond())
                .bind(attempt)
                .bind(until.as_microsecond())
                .bind(limit)
                .fetch_all(pool)
                .await
        })?;
        rows.into_iter().map(|row| row.decode(now)).collect()
    }

    /// Records what came of an attempt, unless the attempt is not current any more.
    pub async fn record_reminder(
        &self,
        reminder: &Reminder,
        attempt: &str,
        now: Timestamp,
        reminded: &Reminded,
    ) -> Result<(), StoreError> {
        match reminded {
            Reminded::Done { ts, reminded, next } => {
                writing!(self, RECORD, |sql, pool| {
                    sqlx::query(sql)
                        .bind(&reminder.channel)
                        .bind(attempt)
                        .bind(ts)
                        .bind(reminded.map(|at| at.as_microsecond()))
                        .bind(now.as_microsecond())
                        .bind(reminder.wanted)
                        .bind(next.map(|at| at.as_microsecond()))
                        .execute(pool)
                        .await
                        .map(|_| ())
                })?;
            }
            Reminded::Later { at, error } => {
                writing!(self, LATER, |sql, pool| {
                    sqlx::query(sql)
                        .bind(&reminder.channel)
                        .bind(attempt)
                        .bind(at.as_microsecond())
                        .bind(error)
                        .execute(pool)
                        .await
                        .map(|_| ())
                })?;
            }
        }
        Ok(())
    }

    /// The undecided petitions with a card in this direct message, oldest first, and since when it is there.
    pub async fn cards_in(&self, channel: &str) -> Result<Vec<(PetitionName, Timestamp)>, StoreError> {
        let rows: Vec<(String, i64)> =
            reading!(self, CARDS, |sql, pool| sqlx::query_as(sql).bind(channel).fetch_all(pool).await)?;
        rows.into_iter().map(|(name, at)| Ok((PetitionName::new(name), instant("messages", at)?))).collect()
    }
}
