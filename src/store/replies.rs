//! Replies in the threads of messages: what happened to a petition, and what people wrote about it.
//!
//! Each row says one thing under one message, once. Those of a thread are sent in the order in which they were owed: one
//! that waits holds back those after it. Their text is drawn when they are sent, and a reply about one event keeps
//! saying that event, whatever has become of the petition since.

use jiff::Timestamp;
use sqlx::FromRow;

use super::{
    Dest, Lane, Purpose, Sent, Sql, Store, StoreError, Tx,
    db::{reading, statements, within, writing},
    instants,
};
use crate::domain::{
    id::{MessageId, PetitionName},
    person::Email,
};

statements! {
    /// Under messages that stand, or will. Whatever is new for a petition is held by it, so that `seq` is their order.
    INSERT = Sql::both(
        "INSERT INTO replies (petition, message, subject, next_us, attempts)
         SELECT petition, id, CAST($2 AS TEXT), CAST($3 AS BIGINT), 0 FROM messages
         WHERE petition = $1 AND (purpose = $4 OR ($4 = 'card' AND purpose = 'pre-approved')) AND dest LIKE $5 AND dest NOT LIKE 'group:%' AND id <> $6
             AND (ts IS NOT NULL OR next_us IS NOT NULL) ORDER BY id
         ON CONFLICT (message, subject) DO NOTHING",
    );
    CLAIM = Sql::each(
        "UPDATE replies SET attempt = $2, next_us = $3, attempts = attempts + 1, tried_us = COALESCE(tried_us, $1)
         WHERE seq IN (SELECT seq FROM replies AS due WHERE next_us <= $1 AND NOT EXISTS (
                 SELECT 1 FROM replies AS before WHERE before.message = due.message AND before.seq < due.seq
                     AND before.next_us IS NOT NULL)
             ORDER BY next_us, seq LIMIT $4) RETURNING *",
        "UPDATE replies SET attempt = $2, next_us = $3, attempts = attempts + 1, tried_us = COALESCE(tried_us, $1)
         WHERE seq IN (SELECT seq FROM replies AS due WHERE next_us <= $1 AND NOT EXISTS (
                 SELECT 1 FROM replies AS before WHERE before.message = due.message AND before.seq < due.seq
                     AND before.next_us IS NOT NULL)
             ORDER BY next_us, seq LIMIT $4 FOR UPDATE SKIP LOCKED) RETURNING *",
    );
    SENT = Sql::both(
        "UPDATE replies SET ts = $3, attempt = NULL, last_error = NULL, next_us = NULL, tried_us = NULL
         WHERE seq = $1 AND attempt = $2",
    );
    LATER = Sql::both(
        "UPDATE replies SET attempt = NULL, last_error = $4, next_us = $3, tried_us = CASE WHEN $5 THEN tried_us END
         WHERE seq = $1 AND attempt = $2",
    );
    GIVEN_UP = Sql::both(
        "UPDATE replies SET attempt = NULL, last_error = $3, next_us = NULL, tried_us = NULL
         WHERE seq = $1 AND attempt = $2",
    );
    /// The message above them stands now.
    WAKE = Sql::both("UPDATE replies SET next_us = $2 WHERE message = $1 AND next_us > $2 AND attempt IS NULL");
    ABOVE = Sql::both("SELECT purpose, dest, channel, ts, next_us FROM messages WHERE id = $1");
    AT = Sql::both("SELECT id, petition, purpose FROM messages WHERE channel = $1 AND ts = $2");
}

/// What a reply says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// This person approved, and that was not enough yet.
    Approved(Email),
    Granted,
    /// The access ends then, which is not what was said before.
    Moved(Timestamp),
    Closed,
    /// A comment, by its place in Slack.
    Comment {
        channel: String,
        ts: String,
    },
}

impl Told {
    fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        match kind {
            "approved" => Email::parse(rest).ok().map(Self::Approved),
            "granted" => Some(Self::Granted),
            "moved" => rest.parse().ok().and_then(|at| Timestamp::from_microsecond(at).ok()).map(Self::Moved),
            "closed" => Some(Self::Closed),
            "comment" => {
                let (channel, ts) = rest.split_once(':')?;
                Some(Self::Comment { channel: channel.to_owned(), ts: ts.to_owned() })
            }
            _ => None,
        }
    }
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Approved(by) => write!(f, "approved:{by}"),
            Self::Granted => f.write_str("granted"),
            Self::Moved(until) => write!(f, "moved:{}", until.as_microsecond()),
            Self::Closed => f.write_str("closed"),
            Self::Comment { channel, ts } => write!(f, "comment:{channel}:{ts}"),
        }
    }
}

/// In whose threads something is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// Under the cards in channels: a reply in somebody's direct messages would ping them for what the card shows.
    Channels,
    /// Under every card.
    Cards,
    Petitioner,
}

#[derive(FromRow)]
struct Row {
    seq: i64,
    petition: String,
    message: String,
    subject: String,
    attempts: i64,
    tried_us: Option<i64>,
}

/// A reply that is due, taken for one attempt.
#[derive(Clone, Debug)]
pub struct Reply {
    pub seq: i64,
    pub petition: PetitionName,
    pub message: MessageId,
    pub told: Told,
    pub attempts: i64,
    /// Since when an earlier attempt may have said it without our knowing.
    pub tried: Option<Timestamp>,
}

impl Row {
    /// As claimed at `now`.
    fn decode(self, now: Timestamp) -> Result<Reply, StoreError> {
        let fault = || StoreError::Inconsistent { table: "replies", key: self.seq.to_string() };
        Ok(Reply {
            told: Told::parse(&self.subject).ok_or_else(fault)?,
            seq: self.seq,
            petition: PetitionName::new(self.petition),
            message: MessageId::new(self.message),
            attempts: self.attempts,
            // No two claims of one reply are of one instant.
            tried: instants("replies", self.tried_us.filter(|at| *at != now.as_microsecond()))?,
        })
    }
}

#[derive(FromRow)]
struct AboveRow {
    purpose: String,
    dest: String,
    channel: Option<String>,
    ts: Option<String>,
    next_us: Option<i64>,
}

/// The message above a thread.
#[derive(Clone, Debug)]
pub struct Above {
    pub purpose: Purpose,
    pub dest: Dest,
    /// Channel and time stamp, once it stands.
    pub posted: Option<(String, String)>,
    /// Whether it is still going to be sent.
    pub due: bool,
}

/// What the message at a place in Slack is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    pub message: MessageId,
    pub petition: PetitionName,
    pub purpose: Purpose,
}

impl Tx {
    /// Owes a reply under each such message of the petition, but not under `except`. Whoever owes one holds the
    /// petition. The same twice is once.
    pub async fn insert_replies(
        &mut self,
        petition: &PetitionName,
        told: &Told,
        threads: Threads,
        except: Option<&MessageId>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (purpose, dest) = match threads {
            Threads::Channels => (Purpose::Card, "channel:%"),
            Threads::Cards => (Purpose::Card, "%"),
            Threads::Petitioner => (Purpose::Petitioner, "%"),
        };
        let rows = within!(self, INSERT, |sql, conn| {
            sqlx::query(sql)
                .bind(petition.as_str())
                .bind(told.to_string())
                .bind(now.as_microsecond())
                .bind(purpose.word())
                .bind(dest)
                .bind(except.map_or("", MessageId::as_str))
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
        if rows > 0 {
            self.enqueue(Lane::Reply, petition.as_str());
        }
        Ok(())
    }
}

impl Store {
    /// Takes up to `limit` due replies for one attempt, of each thread the first one that is not sent.
    pub async fn claim_replies(
        &self,
        now: Timestamp,
        attempt: &str,
        until: Timestamp,
        limit: i64,
    ) -> Result<Vec<Reply>, StoreError> {
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
    pub async fn record_reply(&self, reply: &Reply, attempt: &str, sent: &Sent) -> Result<(), StoreError> {
        match sent {
            Sent::Shown { posted } => {
                let ts = posted.as_ref().map(|(_, ts)| ts);
                writing!(self, SENT, |sql, pool| {
                    sqlx::query(sql).bind(reply.seq).bind(attempt).bind(ts).execute(pool).await.map(|_| ())
                })?;
            }
            Sent::Later { at, error, trace } => {
                writing!(self, LATER, |sql, pool| {
                    sqlx::query(sql)
                        .bind(reply.seq)
                        .bind(attempt)
                        .bind(at.as_microsecond())
                        .bind(error)
                        .bind(trace.may_stand())
                        .execute(pool)
                        .await
                        .map(|_| ())
                })?;
            }
            Sent::Never { error } => {
                writing!(self, GIVEN_UP, |sql, pool| {
                    sqlx::query(sql).bind(reply.seq).bind(attempt).bind(error).execute(pool).await.map(|_| ())
                })?;
            }
        }
        Ok(())
    }

    /// A message stands now: what waits to be said under it is due.
    pub(super) async fn wake_replies(&self, message: &MessageId, now: Timestamp) -> Result<(), StoreError> {
        let rows = writing!(self, WAKE, |sql, pool| {
            sqlx::query(sql)
                .bind(message.as_str())
                .bind(now.as_microsecond())
                .execute(pool)
                .await
                .map(|done| done.rows_affected())
        })?;
        if rows > 0 {
            self.nudges.wake_scan();
        }
        Ok(())
    }

    /// The message under which a reply stands.
    pub async fn above(&self, reply: &Reply) -> Result<Above, StoreError> {
        let row: AboveRow = reading!(self, ABOVE, |sql, pool| {
            sqlx::query_as(sql).bind(reply.message.as_str()).fetch_one(pool).await
        })?;
        let fault = || StoreError::Inconsistent { table: "messages", key: reply.message.to_string() };
        Ok(Above {
            purpose: Purpose::from_word(&row.purpose).ok_or_else(fault)?,
            dest: Dest::parse(&row.dest).ok_or_else(fault)?,
            posted: row.channel.zip(row.ts),
            due: row.next_us.is_some(),
        })
    }

    /// The message of ours that stands there, if one does. One look into an index.
    pub async fn message_at(&self, channel: &str, ts: &str) -> Result<Option<Placed>, StoreError> {
        let row: Option<(String, String, String)> =
            reading!(self, AT, |sql, pool| sqlx::query_as(sql).bind(channel).bind(ts).fetch_optional(pool).await)?;
        let Some((id, petition, purpose)) = row else { return Ok(None) };
        let purpose = Purpose::from_word(&purpose)
            .ok_or_else(|| StoreError::Inconsistent { table: "messages", key: id.clone() })?;
        Ok(Some(Placed { message: MessageId::new(id), petition: PetitionName::new(petition), purpose }))
    }
}
