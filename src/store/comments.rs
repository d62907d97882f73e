//! What people wrote in the threads of messages, kept until and after it is passed on.

use jiff::Timestamp;
use sqlx::FromRow;

use super::{
    Sql, Store, StoreError, Tx,
    db::{reading, statements, within},
    instant,
};
use crate::domain::{
    id::{PetitionName, SlackUserId},
    person::{Email, Person},
};

statements! {
    INSERT = Sql::both(
        "INSERT INTO comments (channel, ts, petition, author, author_slack, author_name, text, at_us)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (channel, ts) DO NOTHING",
    );
    FIND = Sql::both("SELECT * FROM comments WHERE channel = $1 AND ts = $2");
}

#[derive(FromRow)]
struct Row {
    channel: String,
    ts: String,
    petition: String,
    author: String,
    author_slack: Option<String>,
    author_name: String,
    text: String,
    at_us: i64,
}

/// One comment, by its place in Slack, which is the same each time Slack tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    pub channel: String,
    pub ts: String,
    pub petition: PetitionName,
    pub author: Person,
    /// As Slack sent it, in Slack's markup.
    pub text: String,
    pub at: Timestamp,
}

impl Row {
    fn decode(self) -> Result<Comment, StoreError> {
        let fault = |_| StoreError::Inconsistent { table: "comments", key: format!("{} {}", self.channel, self.ts) };
        let email = Email::parse(&self.author).map_err(fault)?;
        Ok(Comment {
            channel: self.channel,
            ts: self.ts,
            petition: PetitionName::new(self.petition),
            author: Person { email, slack: self.author_slack.map(SlackUserId::new), name: self.author_name },
            text: self.text,
            at: instant("comments", self.at_us)?,
        })
    }
}

impl Tx {
    /// `false` when it is there already.
    pub async fn insert_comment(&mut self, comment: &Comment) -> Result<bool, StoreError> {
        let author = &comment.author;
        let rows = within!(self, INSERT, |sql, conn| {
            sqlx::query(sql)
                .bind(&comment.channel)
                .bind(&comment.ts)
                .bind(comment.petition.as_str())
                .bind(author.email.as_str())
                .bind(author.slack.as_ref().map(SlackUserId::as_str))
                .bind(&author.name)
                .bind(&comment.text)
                .bind(comment.at.as_microsecond())
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
        Ok(rows == 1)
    }
}

impl Store {
    pub async fn comment(&self, channel: &str, ts: &str) -> Result<Option<Comment>, StoreError> {
        let row: Option<Row> =
            reading!(self, FIND, |sql, pool| sqlx::query_as(sql).bind(channel).bind(ts).fetch_optional(pool).await)?;
        row.map(Row::decode).transpose()
    }
}
