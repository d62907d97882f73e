//! Whether anybody is asked about a petition: cards that reach nobody, and petitions that have no others.

use jiff::Timestamp;

use super::{
    Lane, Sql, Store, StoreError, Tx,
    db::{reading, statements, within},
};
use crate::domain::id::{MessageId, PetitionName};

statements! {
    LOSE = Sql::both("UPDATE messages SET lost_us = $2 WHERE id = $1 AND lost_us IS NULL");
    FIND = Sql::both("UPDATE messages SET lost_us = NULL WHERE id = $1 AND lost_us IS NOT NULL");
    /// One, where no card of a petition stands or is under way, and no bot is to be asked of it.
    UNREACHED = Sql::both(
        "SELECT COUNT(*) FROM petitions WHERE name = $1
             AND NOT EXISTS (SELECT 1 FROM messages AS card WHERE card.petition = petitions.name
                 AND card.purpose = 'card'
                 AND (card.ts IS NOT NULL OR (card.next_us IS NOT NULL AND card.lost_us IS NULL)))
             AND NOT EXISTS (SELECT 1 FROM decisions WHERE decisions.petition = petitions.name
                 AND decisions.next_us IS NOT NULL)",
    );
    /// The same of all open petitions that no other space decides.
    ALL_UNREACHED = Sql::both(
        "SELECT name, (SELECT MIN(last_error) FROM messages WHERE petition = name AND purpose = 'card')
         FROM petitions WHERE state = 'open' AND pending_until_us > $1
             AND NOT EXISTS (SELECT 1 FROM messages AS card WHERE card.petition = petitions.name
                 AND card.purpose = 'card'
                 AND (card.ts IS NOT NULL OR (card.next_us IS NOT NULL AND card.lost_us IS NULL)))
             AND NOT EXISTS (SELECT 1 FROM decisions WHERE decisions.petition = petitions.name
                 AND decisions.next_us IS NOT NULL)
             AND NOT EXISTS (SELECT 1 FROM remote_petitions WHERE remote_petitions.petition = petitions.name)
         ORDER BY name LIMIT 20",
    );
    TOUCH_PETITIONER = Sql::both(
        "UPDATE messages SET wanted = wanted + 1,
             next_us = CASE WHEN attempt IS NULL THEN $2 ELSE next_us END, attempts = 0
         WHERE petition = $1 AND purpose = 'petitioner'",
    );
}

impl Tx {
    /// Notes that a card reaches nobody as things are. `false`: that is noted already.
    pub async fn lose_card(&mut self, card: &MessageId, now: Timestamp) -> Result<bool, StoreError> {
        Ok(within!(self, LOSE, |sql, conn| {
            let query = sqlx::query(sql).bind(card.as_str()).bind(now.as_microsecond());
            query.execute(conn).await.map(|done| done.rows_affected() == 1)
        })?)
    }

    /// Notes that it reaches somebody after all. `false`: nothing else was noted.
    pub async fn find_card(&mut self, card: &MessageId) -> Result<bool, StoreError> {
        Ok(within!(self, FIND, |sql, conn| {
            sqlx::query(sql).bind(card.as_str()).execute(conn).await.map(|done| done.rows_affected() == 1)
        })?)
    }

    /// Whether a petition has no card that stands or is under way, and no bot to be asked.
    pub async fn is_unreached(&mut self, petition: &PetitionName) -> Result<bool, StoreError> {
        let found: i64 = within!(self, UNREACHED, |sql, conn| {
            sqlx::query_scalar(sql).bind(petition.as_str()).fetch_one(conn).await
        })?;
        Ok(found > 0)
    }

    /// The petitioner's message alone is to show a change.
    pub async fn touch_petitioner(&mut self, petition: &PetitionName, now: Timestamp) -> Result<(), StoreError> {
        within!(self, TOUCH_PETITIONER, |sql, conn| {
            sqlx::query(sql).bind(petition.as_str()).bind(now.as_microsecond()).execute(conn).await.map(|_| ())
        })?;
        self.enqueue(Lane::Notify, petition.as_str());
        Ok(())
    }
}

impl Store {
    /// As [`Tx::is_unreached`].
    pub async fn is_unreached(&self, petition: &PetitionName) -> Result<bool, StoreError> {
        let found: i64 = reading!(self, UNREACHED, |sql, pool| {
            sqlx::query_scalar(sql).bind(petition.as_str()).fetch_one(pool).await
        })?;
        Ok(found > 0)
    }

    /// The open petitions that reach nobody, with what keeps a card of theirs, if they have any; at most twenty.
    pub async fn unreached(&self, now: Timestamp) -> Result<Vec<(PetitionName, Option<String>)>, StoreError> {
        let rows: Vec<(String, Option<String>)> = reading!(self, ALL_UNREACHED, |sql, pool| {
            sqlx::query_as(sql).bind(now.as_microsecond()).fetch_all(pool).await
        })?;
        Ok(rows.into_iter().map(|(name, error)| (PetitionName::new(name), error)).collect())
    }
}
