//! Values made at the first start, and when each schedule is due next.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};

use super::{
    Lane, Sql, Store, StoreError, Tx,
    db::{reading, statements, within, writing},
    instants,
};
use crate::domain::id::PullName;

statements! {
    FIND = Sql::both("SELECT value FROM settings WHERE key = $1");
    KEEP_FIRST = Sql::both("INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING");
    ENSURE = Sql::both("INSERT INTO schedules (name, next_us) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING");
    NEXT = Sql::both("SELECT next_us FROM schedules WHERE name = $1");
    FORCE = Sql::both("UPDATE schedules SET next_us = $2 WHERE name = $1 AND next_us > $2");
    MOVE_ON = Sql::both("UPDATE schedules SET next_us = $3 WHERE name = $1 AND next_us = $2");
}

/// The setting that is there once any process has tried to read the customers, with or without success.
pub const FIRST_SYNC: &str = "first_sync";

/// Work that comes round again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    SyncCustomers,
    Pull(PullName),
    Tidy,
    /// Reviewers for whom something has waited for long.
    Remind,
    /// Not due work but a hold: when the sync that is running is given up for dead.
    SyncRunning,
    /// The same for a pull.
    PullRunning(PullName),
    /// The remote space gets the customers that changed.
    UploadCustomers,
    /// The same hold, for an upload.
    UploadRunning,
}

impl Schedule {
    /// Its name in the table. Stable.
    pub fn word(&self) -> Cow<'static, str> {
        match self {
            Self::SyncCustomers => "sync-customers".into(),
            Self::Pull(pull) => format!("{PULL}{pull}").into(),
            Self::Tidy => "tidy".into(),
            Self::Remind => "remind".into(),
            Self::SyncRunning => "sync-running".into(),
            Self::UploadCustomers => "upload-customers".into(),
            Self::UploadRunning => "upload-running".into(),
            Self::PullRunning(pull) => format!("pull-running:{pull}").into(),
        }
    }

    /// The lane that does it; `None` where there is nothing to do, or it is a newer version's.
    pub(super) fn lane(word: &str) -> Option<Lane> {
        match word {
            "sync-customers" => Some(Lane::SyncCustomers),
            "upload-customers" => Some(Lane::UploadCustomers),
            "tidy" => Some(Lane::Tidy),
            "remind" => Some(Lane::Remind),
            _ => word.strip_prefix(PULL).map(|pull| Lane::Pull(PullName::new(pull))),
        }
    }
}

const PULL: &str = "pull:";

impl Tx {
    /// Makes the schedule due once this is committed.
    pub async fn due_now(&mut self, schedule: &Schedule, lane: Lane, now: Timestamp) -> Result<(), StoreError> {
        let word = schedule.word();
        for sql in [ENSURE, FORCE] {
            within!(self, sql, |sql, conn| {
                sqlx::query(sql).bind(&*word).bind(now.as_microsecond()).execute(conn).await.map(|_| ())
            })?;
        }
        self.enqueue(lane, word);
        Ok(())
    }
}

impl Store {
    pub async fn setting(&self, key: &str) -> Result<Option<String>, StoreError> {
        Ok(reading!(self, FIND, |sql, pool| sqlx::query_scalar(sql).bind(key).fetch_optional(pool).await)?)
    }

    /// Keeps the value unless there is one, and returns the one that is kept.
    pub async fn setting_or_keep(&self, key: &str, value: &str) -> Result<String, StoreError> {
        writing!(self, KEEP_FIRST, |sql, pool| sqlx::query(sql).bind(key).bind(value).execute(pool).await.map(|_| ()))?;
        Ok(writing!(self, FIND, |sql, pool| sqlx::query_scalar(sql).bind(key).fetch_one(pool).await)?)
    }

    /// When the schedule is due; `None` before its first [`Store::win_tick`].
    pub async fn schedule_due(&self, schedule: Schedule) -> Result<Option<Timestamp>, StoreError> {
        self.due_of(&schedule.word()).await
    }

    async fn due_of(&self, word: &str) -> Result<Option<Timestamp>, StoreError> {
        let next: Option<i64> =
            reading!(self, NEXT, |sql, pool| { sqlx::query_scalar(sql).bind(word).fetch_optional(pool).await })?;
        instants("schedules", next)
    }

    /// Moves a due schedule on to `now + every`. Of several processes that try at the same tick, one gets `true`.
    pub async fn win_tick(
        &self,
        schedule: Schedule,
        now: Timestamp,
        every: SignedDuration,
    ) -> Result<bool, StoreError> {
        let word = schedule.word();
        writing!(self, ENSURE, |sql, pool| {
            sqlx::query(sql).bind(&*word).bind(now.as_microsecond()).execute(pool).await.map(|_| ())
        })?;
        let Some(due) = self.due_of(&word).await? else { return Ok(false) };
        if due > now {
            return Ok(false);
        }
        let next = now.saturating_add(every).unwrap_or(Timestamp::MAX);
        self.move_schedule(schedule, due, next).await
    }

    /// Makes the schedule due now, unless it is already.
    pub async fn make_due(&self, schedule: Schedule, now: Timestamp) -> Result<(), StoreError> {
        let (word, now) = (schedule.word(), now.as_microsecond());
        for sql in [ENSURE, FORCE] {
            writing!(self, sql, |sql, pool| {
                sqlx::query(sql).bind(&*word).bind(now).execute(pool).await.map(|_| ())
            })?;
        }
        self.nudges.wake_scan();
        Ok(())
    }

    /// Moves a schedule from one instant to another; `false` when it was not there any more.
    pub async fn move_schedule(&self, schedule: Schedule, from: Timestamp, to: Timestamp) -> Result<bool, StoreError> {
        let word = schedule.word();
        let rows = writing!(self, MOVE_ON, |sql, pool| {
            sqlx::query(sql)
                .bind(&*word)
                .bind(from.as_microsecond())
                .bind(to.as_microsecond())
                .execute(pool)
                .await
                .map(|done| done.rows_affected())
        })?;
        Ok(rows == 1)
    }
}
