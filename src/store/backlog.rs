//! What is due, what will be, and what is overdue: for the scan, the metrics and the operators.

use jiff::Timestamp;

use super::{
    Lane, Schedule, Sql, Store, StoreError,
    db::{reading, statements},
    instant,
};
use crate::domain::id::{DecisionName, ProvisionerName};

statements! {
    /// The next instant of each kind of work. Each part reads the first entry of an index.
    NEXT = Sql::both(
        "SELECT 'expire' AS kind, '' AS detail, MIN(expires_us) AS at_us FROM leases WHERE ended_us IS NULL
         UNION ALL SELECT 'expire', '', MIN(pending_until_us) FROM petitions WHERE state = 'open'
         UNION ALL SELECT 'escalate', '', MIN(escalate_us) FROM petitions WHERE escalate_us IS NOT NULL
         UNION ALL SELECT 'warn', '', MIN(warn_us) FROM leases WHERE warn_us IS NOT NULL AND ended_us IS NULL
         UNION ALL SELECT 'notify', '', MIN(next_us) FROM messages WHERE next_us IS NOT NULL
         UNION ALL SELECT 'home', '', MIN(next_us) FROM homes WHERE next_us IS NOT NULL
         UNION ALL SELECT 'reply', '', MIN(next_us) FROM replies AS due WHERE next_us IS NOT NULL AND NOT EXISTS (
             SELECT 1 FROM replies AS before WHERE before.message = due.message AND before.seq < due.seq
                 AND before.next_us IS NOT NULL)
         UNION ALL SELECT 'remind', '', MIN(next_us) FROM reminders WHERE next_us IS NOT NULL
         UNION ALL SELECT 'remote', '', MIN(next_us) FROM remote_petitions WHERE next_us IS NOT NULL
         UNION ALL SELECT 'schedule', name, next_us FROM schedules
             WHERE name NOT IN ('sync-running', 'upload-running') AND name NOT LIKE 'pull-running:%'
         UNION ALL SELECT wanted, provisioner, MIN(next_us) FROM provisionings WHERE next_us IS NOT NULL
             GROUP BY provisioner, wanted
         UNION ALL SELECT 'decide', name, MIN(next_us) FROM decisions WHERE next_us IS NOT NULL GROUP BY name",
    );
    LIVE_LEASES = Sql::both("SELECT COUNT(*) FROM leases WHERE ended_us IS NULL AND expires_us > $1");
    UNDELIVERED = Sql::both(
        "SELECT wanted, COUNT(*), MIN(wanted_us) FROM provisionings WHERE next_us IS NOT NULL GROUP BY wanted",
    );
    UNTOLD = Sql::both("SELECT COUNT(*), MIN(owed_us) FROM remote_calls WHERE done_us IS NULL");
    UNSENT = Sql::both(
        "SELECT (SELECT COUNT(*) FROM messages WHERE next_us IS NOT NULL)
             + (SELECT COUNT(*) FROM replies WHERE next_us IS NOT NULL)",
    );
}

/// Work of one lane, and when its first piece is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    pub lane: Lane,
    pub at: Timestamp,
}

/// How much is waiting.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Backlog {
    pub live_leases: i64,
    pub undelivered_grants: i64,
    pub undelivered_revokes: i64,
    /// Since when the oldest revoke that no receiver has confirmed is wanted.
    pub oldest_revoke: Option<Timestamp>,
    pub unsent_messages: i64,
    /// What a remote space has not been told yet, and since when the oldest of it is owed.
    pub untold: i64,
    pub oldest_untold: Option<Timestamp>,
}

impl Store {
    /// The first due instant of each lane that has any work.
    pub async fn next_due(&self) -> Result<Vec<Due>, StoreError> {
        let rows: Vec<(String, String, Option<i64>)> =
            reading!(self, NEXT, |sql, pool| sqlx::query_as(sql).fetch_all(pool).await)?;
        let mut due: Vec<Due> = Vec::new();
        for (kind, detail, at) in rows {
            let Some(at) = at else { continue };
            let lane = match kind.as_str() {
                "expire" => Lane::Expire,
                "warn" => Lane::Warn,
                "escalate" => Lane::Escalate,
                "notify" => Lane::Notify,
                "home" => Lane::Home,
                "reply" => Lane::Reply,
                "remind" => Lane::Remind,
                "grant" => Lane::Grant(ProvisionerName::new(detail)),
                "revoke" => Lane::Revoke(ProvisionerName::new(detail)),
                "remote" => Lane::Remote,
                "decide" => Lane::Decide(DecisionName::new(detail)),
                "schedule" => match Schedule::lane(&detail) {
                    Some(lane) => lane,
                    // A newer version's: not ours to run.
                    None => continue,
                },
                _ => continue,
            };
            due.push(Due { lane, at: instant("backlog", at)? });
        }
        Ok(due)
    }

    pub async fn backlog(&self, now: Timestamp) -> Result<Backlog, StoreError> {
        let live_leases = reading!(self, LIVE_LEASES, |sql, pool| {
            sqlx::query_scalar(sql).bind(now.as_microsecond()).fetch_one(pool).await
        })?;
        let unsent_messages = reading!(self, UNSENT, |sql, pool| sqlx::query_scalar(sql).fetch_one(pool).await)?;
        let rows: Vec<(String, i64, Option<i64>)> =
            reading!(self, UNDELIVERED, |sql, pool| sqlx::query_as(sql).fetch_all(pool).await)?;
        let (untold, oldest): (i64, Option<i64>) =
            reading!(self, UNTOLD, |sql, pool| sqlx::query_as(sql).fetch_one(pool).await)?;
        let oldest_untold = oldest.map(|at| instant("backlog", at)).transpose()?;
        let mut backlog = Backlog { live_leases, unsent_messages, untold, oldest_untold, ..Backlog::default() };
        for (wanted, count, oldest) in rows {
            if wanted == "revoke" {
                backlog.undelivered_revokes = count;
                backlog.oldest_revoke = oldest.map(|at| instant("backlog", at)).transpose()?;
            } else {
                backlog.undelivered_grants = count;
            }
        }
        Ok(backlog)
    }
}
