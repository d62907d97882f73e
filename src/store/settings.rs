//! Values made at the first start, and when each schedule is due next.

use jiff::{SignedDuration, Timestamp};

use super::{
    Sql, Store, StoreError,
    db::{reading, statements, writing},
    instants,
};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    SyncCustomers,
    Tidy,
    /// Not due work but a hold: when the sync that is running is given up for dead.
    SyncRunning,
}

impl Schedule {
    pub fn word(self) -> &'static str {
        match self {
            Self::SyncCustomers => "sync-customers",
            Self::Tidy => "tidy",
            Self::SyncRunning => "sync-running",
        }
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
        let next: Option<i64> = reading!(self, NEXT, |sql, pool| {
            sqlx::query_scalar(sql).bind(schedule.word()).fetch_optional(pool).await
        })?;
        instants("schedules", next)
    }

    /// Moves a due schedule on to `now + every`. Of several processes that try at the same tick, one gets `true`.
    pub async fn win_tick(
        &self,
        schedule: Schedule,
        now: Timestamp,
        every: SignedDuration,
    ) -> Result<bool, StoreError> {
        writing!(self, ENSURE, |sql, pool| {
            sqlx::query(sql).bind(schedule.word()).bind(now.as_microsecond()).execute(pool).await.map(|_| ())
        })?;
        let Some(due) = self.schedule_due(schedule).await? else { return Ok(false) };
        if due > now {
            return Ok(false);
        }
        let next = now.saturating_add(every).unwrap_or(Timestamp::MAX);
        self.move_schedule(schedule, due, next).await
    }

    /// Makes the schedule due now, unless it is already.
    pub async fn make_due(&self, schedule: Schedule, now: Timestamp) -> Result<(), StoreError> {
        let now = now.as_microsecond();
        for sql in [ENSURE, FORCE] {
            writing!(self, sql, |sql, pool| {
                sqlx::query(sql).bind(schedule.word()).bind(now).execute(pool).await.map(|_| ())
            })?;
        }
        self.nudges.wake_scan();
        Ok(())
    }

    /// Moves a schedule from one instant to another; `false` when it was not there any more.
    pub async fn move_schedule(&self, schedule: Schedule, from: Timestamp, to: Timestamp) -> Result<bool, StoreError> {
        let rows = writing!(self, MOVE_ON, |sql, pool| {
            sqlx::query(sql)
                .bind(schedule.word())
                .bind(from.as_microsecond())
                .bind(to.as_microsecond())
                .execute(pool)
                .await
                .map(|done| done.rows_affected())
        })?;
        Ok(rows == 1)
    }
}
