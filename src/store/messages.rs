//! The outbox of everything people are shown.
//!
//! A row says what a message is about and where it stands. Its text is drawn from the truth when it is sent, so a
//! message that is sent late, twice, or after many changes still says what is so. `wanted` counts the changes that it
//! shall show, `sent` those that it has shown.

use jiff::Timestamp;
use sqlx::FromRow;

use super::{
    Lane, Sql, Store, StoreError, Tx,
    db::{reading, statements, within, writing},
    instants,
};
use crate::domain::id::{AccessId, MessageId, PetitionName};

statements! {
    INSERT = Sql::both(
        "INSERT INTO messages (id, petition, purpose, dest, wanted, sent, next_us, attempts)
         VALUES ($1, $2, $3, $4, 1, 0, $5, 0) ON CONFLICT (petition, purpose, dest) DO NOTHING",
    );
    /// A change to show. An attempt under way keeps its claim and is followed by another.
    TOUCH = Sql::both(
        "UPDATE messages SET wanted = wanted + 1,
             next_us = CASE WHEN attempt IS NULL THEN $2 ELSE next_us END, attempts = 0
         WHERE petition = $1 AND purpose IN ('card', 'petitioner', 'news-warning') AND dest NOT LIKE 'group:%'",
    );
    TOUCH_ACCESS = Sql::both(
        "UPDATE messages SET wanted = wanted + 1,
             next_us = CASE WHEN attempt IS NULL THEN $2 ELSE next_us END, attempts = 0
         WHERE petition IN (SELECT petition FROM leases WHERE access = $1 AND origin IN ('space', 'remote')
             AND (ended_us IS NULL OR ended_us > $3))
             AND purpose IN ('card', 'petitioner', 'news-warning') AND dest NOT LIKE 'group:%'",
    );
    TOUCH_EXTENSIONS = Sql::each(
        "UPDATE messages SET wanted = wanted + 1,
             next_us = CASE WHEN attempt IS NULL THEN $2 ELSE next_us END, attempts = 0
         WHERE petition IN (SELECT name FROM petitions WHERE state = 'open'
                 AND extends IN (SELECT value FROM json_each($1)))
             AND purpose IN ('card', 'petitioner') AND dest NOT LIKE 'group:%'",
        "UPDATE messages SET wanted = wanted + 1,
             next_us = CASE WHEN attempt IS NULL THEN $2 ELSE next_us END, attempts = 0
         WHERE petition IN (SELECT name FROM petitions WHERE state = 'open'
                 AND extends IN (SELECT json_array_elements_text($1::json)))
             AND purpose IN ('card', 'petitioner') AND dest NOT LIKE 'group:%'",
    );
    CLAIM = Sql::each(
        "UPDATE messages SET attempt = $2, next_us = $3, attempts = attempts + 1,
             tried_us = CASE WHEN ts IS NULL THEN COALESCE(tried_us, $1) END
         WHERE id IN (SELECT id FROM messages WHERE next_us <= $1 ORDER BY next_us, id LIMIT $4) RETURNING *",
        "UPDATE messages SET attempt = $2, next_us = $3, attempts = attempts + 1,
             tried_us = CASE WHEN ts IS NULL THEN COALESCE(tried_us, $1) END
         WHERE id IN (SELECT id FROM messages WHERE next_us <= $1 ORDER BY next_us, id LIMIT $4
             FOR UPDATE SKIP LOCKED) RETURNING *",
    );
    SENT = Sql::both(
        "UPDATE messages SET channel = COALESCE($2, channel), ts = COALESCE($3, ts), sent = $4, attempt = NULL,
             last_error = NULL, attempts = 0, tried_us = NULL, next_us = CASE WHEN wanted > $4 THEN CAST($5 AS BIGINT) ELSE NULL END,
             posted_us = CASE WHEN ts IS NULL AND CAST($3 AS TEXT) IS NOT NULL THEN CAST($5 AS BIGINT) ELSE posted_us END
         WHERE id = $1 AND attempt = $6",
    );
    LATER = Sql::both(
        "UPDATE messages SET attempt = NULL, last_error = $3, next_us = $2, tried_us = CASE WHEN $5 THEN tried_us END
         WHERE id = $1 AND attempt = $4",
    );
    GIVEN_UP = Sql::both(
        "UPDATE messages SET attempt = NULL, last_error = $2, sent = $4, tried_us = NULL,
             next_us = CASE WHEN wanted > $4 THEN CAST($5 AS BIGINT) ELSE NULL END
         WHERE id = $1 AND attempt = $3",
    );
    FAULTS = Sql::both(
        "SELECT messages.dest AS dest, messages.last_error AS error, COUNT(*) AS messages,
             COUNT(messages.next_us) AS waiting
         FROM messages JOIN petitions ON petitions.name = messages.petition
         WHERE messages.last_error IS NOT NULL AND petitions.opened_us >= $1
         GROUP BY messages.dest, messages.last_error ORDER BY 3 DESC, 1, 2 LIMIT 20",
    );
    HAS_CARD = Sql::both("SELECT COUNT(*) FROM messages WHERE petition = $1 AND purpose = 'card' AND dest = $2");
    FIND_POSTED = Sql::both(
        "SELECT channel, ts FROM messages WHERE petition = $1 AND purpose = $2 AND dest = $3
         AND channel IS NOT NULL AND ts IS NOT NULL",
    );
}

#[derive(FromRow)]
struct Row {
    id: String,
    petition: String,
    purpose: String,
    dest: String,
    channel: Option<String>,
    ts: Option<String>,
    wanted: i64,
    attempts: i64,
    tried_us: Option<i64>,
    lost_us: Option<i64>,
}

/// What a message is for. News are short replies under the petitioner's message, because an edit notifies nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// For reviewers: who asks for what, with the buttons; later the outcome.
    Card,
    /// The one message of the petitioner, which lives through the states.
    Petitioner,
    NewsDecided,
    NewsWarning,
    NewsEnded,
    /// For channels: what a rule let stand without a reviewer. One line, which stays as it is.
    PreApproved,
}

impl Purpose {
    pub fn word(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Petitioner => "petitioner",
            Self::NewsDecided => "news-decided",
            Self::NewsWarning => "news-warning",
            Self::NewsEnded => "news-ended",
            Self::PreApproved => "pre-approved",
        }
    }
    pub(super) fn from_word(word: &str) -> Option<Self> {
        [Self::Card, Self::Petitioner, Self::NewsDecided, Self::NewsWarning, Self::NewsEnded, Self::PreApproved]
            .into_iter()
            .find(|purpose| purpose.word() == word)
    }
}

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dest {
    Channel(String),
    /// A person by their Slack id.
    User(String),
    /// A person by e-mail, whose Slack id is looked up when the message is sent.
    Email(String),
    /// A Slack user group: becomes one message for each of its members.
    Group(String),
}

impl Dest {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let rest = rest.to_owned();
        match kind {
            "channel" => Some(Self::Channel(rest)),
            "user" => Some(Self::User(rest)),
            "email" => Some(Self::Email(rest)),
            "group" => Some(Self::Group(rest)),
            _ => None,
        }
    }
}

impl std::fmt::Display for Dest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Channel(id) => write!(f, "channel:{id}"),
            Self::User(id) => write!(f, "user:{id}"),
            Self::Email(id) => write!(f, "email:{id}"),
            Self::Group(id) => write!(f, "group:{id}"),
        }
    }
}

/// A message that is due, taken for one attempt.
#[derive(Clone, Debug)]
pub struct Message {
    pub id: MessageId,
    pub petition: PetitionName,
    pub purpose: Purpose,
    pub dest: Dest,
    /// Channel and time stamp once it was posted; an update needs both.
    pub posted: Option<(String, String)>,
    /// The changes that this attempt will have shown.
    pub wanted: i64,
    pub attempts: i64,
    /// Since when an earlier attempt may have posted it without our knowing.
    pub tried: Option<Timestamp>,
    /// It is known that it reaches nobody as things are.
    pub lost: bool,
}

pub struct NewMessage<'a> {
    pub id: MessageId,
    pub petition: &'a PetitionName,
    pub purpose: Purpose,
    pub dest: Dest,
}

/// Messages to one place that were not sent for one reason.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct MessageFault {
    /// As [`Dest`] writes it.
    pub dest: String,
    pub error: String,
    pub messages: i64,
    /// Those of them that are still tried again; the others were given up.
    pub waiting: i64,
}

/// What came of an attempt.
#[derive(Clone, Debug)]
pub enum Sent {
    /// Posted there now, or updated where it stood.
    Shown { posted: Option<(String, String)> },
    /// Worth another attempt at that time.
    Later { at: Timestamp, error: String, trace: Trace },
    /// Slack will never take it, or there is nobody to send it to. A later change tries again.
    Never { error: String },
}

/// What an attempt that is to be repeated leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// Nothing stands there.
    Nothing,
    /// It may stand there: nobody knows what came of this post, or of an earlier one.
    MayStand,
    /// Nothing stands there, nor will before somebody mends the place: an archived channel, a person who left.
    Unreachable,
}

impl Trace {
    pub(super) fn may_stand(self) -> bool {
        match self {
            Self::MayStand => true,
            Self::Nothing | Self::Unreachable => false,
        }
    }
}

impl Row {
    /// As claimed at `now`.
    fn decode(self, now: Timestamp) -> Result<Message, StoreError> {
        let fault = || StoreError::Inconsistent { table: "messages", key: self.id.clone() };
        Ok(Message {
            petition: PetitionName::new(self.petition.clone()),
            purpose: Purpose::from_word(&self.purpose).ok_or_else(fault)?,
            dest: Dest::parse(&self.dest).ok_or_else(fault)?,
            posted: self.channel.clone().zip(self.ts.clone()),
            wanted: self.wanted,
            attempts: self.attempts,
            // No two claims of one message are of one instant.
            tried: instants("messages", self.tried_us.filter(|at| *at != now.as_microsecond()))?,
            lost: self.lost_us.is_some(),
            id: MessageId::new(self.id),
        })
    }
}

impl Tx {
    /// `false` when there is such a message already.
    pub async fn insert_message(&mut self, message: &NewMessage<'_>, now: Timestamp) -> Result<bool, StoreError> {
        let rows = within!(self, INSERT, |sql, conn| {
            sqlx::query(sql)
                .bind(message.id.as_str())
                .bind(message.petition.as_str())
                .bind(message.purpose.word())
                .bind(message.dest.to_string())
                .bind(now.as_microsecond())
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
        if rows == 1 {
            self.enqueue(Lane::Notify, message.petition.as_str());
            self.touch_homes_of_petition(message.petition, now);
        }
        Ok(rows == 1)
    }

    /// The petition changed: its cards, its petitioner's message and the warning are to show it.
    pub async fn touch_messages(&mut self, petition: &PetitionName, now: Timestamp) -> Result<(), StoreError> {
        within!(self, TOUCH, |sql, conn| {
            sqlx::query(sql).bind(petition.as_str()).bind(now.as_microsecond()).execute(conn).await.map(|_| ())
        })?;
        self.enqueue(Lane::Notify, petition.as_str());
        self.touch_homes_of_petition(petition, now);
        self.touch_reminders(petition, now).await
    }

    /// These petitions are over: the extensions of them that still wait are to show it.
    pub async fn touch_messages_of_extensions(
        &mut self,
        petitions: &[PetitionName],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let names = serde_json::json!(petitions).to_string();
        let rows = within!(self, TOUCH_EXTENSIONS, |sql, conn| {
            let query = sqlx::query(sql).bind(&names).bind(now.as_microsecond());
            query.execute(conn).await.map(|done| done.rows_affected())
        })?;
        if rows > 0 {
            self.enqueue(Lane::Notify, "extensions");
        }
        Ok(())
    }

    /// A provisioner got further with an access: the messages of the petitions behind it are to show it. Those of
    /// leases that ended before `ended_since` have had their last word.
    pub async fn touch_messages_of_access(
        &mut self,
        access: &AccessId,
        now: Timestamp,
        ended_since: Timestamp,
    ) -> Result<(), StoreError> {
        let rows = within!(self, TOUCH_ACCESS, |sql, conn| {
            sqlx::query(sql)
                .bind(access.as_str())
                .bind(now.as_microsecond())
                .bind(ended_since.as_microsecond())
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
        if rows > 0 {
            self.enqueue(Lane::Notify, access.as_str());
        }
        self.touch_home_of_access(access, now);
        Ok(())
    }
}

impl Store {
    /// Takes up to `limit` due messages for one attempt, as for provisionings.
    pub async fn claim_messages(
        &self,
        now: Timestamp,
        attempt: &str,
        until: Timestamp,
        limit: i64,
    ) -> Result<Vec<Message>, StoreError> {
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
    pub async fn record_sent(
        &self,
        message: &Message,
        attempt: &str,
        now: Timestamp,
        sent: &Sent,
    ) -> Result<(), StoreError> {
        let id = message.id.as_str();
        match sent {
            Sent::Shown { posted } => {
                let (channel, ts) = posted.as_ref().map_or((None, None), |(c, t)| (Some(c), Some(t)));
                writing!(self, SENT, |sql, pool| {
                    sqlx::query(sql)
                        .bind(id)
                        .bind(channel)
                        .bind(ts)
                        .bind(message.wanted)
                        .bind(now.as_microsecond())
                        .bind(attempt)
                        .execute(pool)
                        .await
                        .map(|_| ())
                })?;
                if posted.is_some() {
                    self.wake_replies(&message.id, now).await?;
                }
            }
            Sent::Later { at, error, trace } => {
                writing!(self, LATER, |sql, pool| {
                    sqlx::query(sql)
                        .bind(id)
                        .bind(at.as_microsecond())
                        .bind(error)
                        .bind(attempt)
                        .bind(trace.may_stand())
                        .execute(pool)
                        .await
                        .map(|_| ())
                })?;
            }
            Sent::Never { error } => {
                writing!(self, GIVEN_UP, |sql, pool| {
                    sqlx::query(sql)
                        .bind(id)
                        .bind(error)
                        .bind(attempt)
                        .bind(message.wanted)
                        .bind(now.as_microsecond())
                        .execute(pool)
                        .await
                        .map(|_| ())
                })?;
            }
        }
        Ok(())
    }

    /// What keeps messages about petitions opened since then from being shown: the most frequent, at most twenty.
    pub async fn message_faults(&self, since: Timestamp) -> Result<Vec<MessageFault>, StoreError> {
        Ok(reading!(self, FAULTS, |sql, pool| {
            sqlx::query_as(sql).bind(since.as_microsecond()).fetch_all(pool).await
        })?)
    }

    /// Whether somebody is to get the petition's card there, or has it.
    pub async fn has_card(&self, petition: &PetitionName, dest: &Dest) -> Result<bool, StoreError> {
        let cards: i64 = reading!(self, HAS_CARD, |sql, pool| {
            sqlx::query_scalar(sql).bind(petition.as_str()).bind(dest.to_string()).fetch_one(pool).await
        })?;
        Ok(cards > 0)
    }

    /// Where the petition's message for a purpose and destination was posted, if it was.
    pub async fn posted_message(
        &self,
        petition: &PetitionName,
        purpose: Purpose,
        dest: &Dest,
    ) -> Result<Option<(String, String)>, StoreError> {
        Ok(reading!(self, FIND_POSTED, |sql, pool| {
            sqlx::query_as(sql)
                .bind(petition.as_str())
                .bind(purpose.word())
                .bind(dest.to_string())
                .fetch_optional(pool)
                .await
        })?)
    }
}
