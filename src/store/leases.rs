//! Leases, and the question that production asks.

use jiff::Timestamp;
use sqlx::FromRow;

use super::{
    Sql, Store, StoreError, Tx,
    db::{reading, statements, within},
    instant, instants,
};
use crate::domain::{
    id::{AccessId, CustomerId, LeaseId, PetitionName, Role},
    lease::{EndCause, Holding, Lease},
    person::Email,
};

statements! {
    INSERT = Sql::both(
        "INSERT INTO leases (id, access, origin, petition, person, customer, role, starts_us, expires_us, warn_us,
             said_us)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    );
    FIND = Sql::both("SELECT * FROM leases WHERE id = $1");
    MADE_BY_EVENT = Sql::both("SELECT * FROM leases WHERE id = $1 AND origin = 'event' AND ended_us IS NULL");
    OF_ACCESS = Sql::both("SELECT * FROM leases WHERE access = $1 AND ended_us IS NULL");
    LAST_ENDED = Sql::both(
        "SELECT * FROM leases WHERE access = $1 AND ended_us IS NOT NULL
         ORDER BY ended_us DESC, expires_us DESC, id DESC LIMIT 1",
    );
    OF_PETITION = Sql::both("SELECT * FROM leases WHERE petition = $1 AND origin IN ('space', 'remote')");
    FOREIGN_OF_PETITION = Sql::both(
        "SELECT * FROM leases WHERE petition = $1 AND origin = 'event' AND ended_us IS NULL ORDER BY access",
    );
    END = Sql::both(
        "UPDATE leases SET ended_us = $2, cause = $3, warn_us = NULL WHERE id = $1 AND ended_us IS NULL",
    );
    MOVE = Sql::both(
        "UPDATE leases SET expires_us = $2, petition = $3, said_us = $4 WHERE id = $1 AND ended_us IS NULL",
    );
    /// What an event made before it was known that the petition is one of ours.
    ADOPT = Sql::both(
        "UPDATE leases SET origin = 'remote', petition = $2, warn_us = $3 WHERE id = $1 AND ended_us IS NULL",
    );
    SAID_OF = Sql::both("SELECT said_us FROM leases WHERE id = $1");
    SAID_UNTIL = Sql::both(
        "SELECT * FROM leases WHERE access = $1 AND origin = 'event' AND ended_us IS NULL AND said_us <= $2 ORDER BY id",
    );
    EXPIRED = Sql::both(
        "SELECT * FROM leases WHERE ended_us IS NULL AND expires_us <= $1 AND (expires_us, id) > ($2, $3)
         ORDER BY expires_us, id LIMIT $4",
    );
    WARNABLE = Sql::both(
        "SELECT * FROM leases WHERE ended_us IS NULL AND warn_us IS NOT NULL AND warn_us <= $1 ORDER BY warn_us LIMIT $2",
    );
    WARNED = Sql::both("UPDATE leases SET warn_us = NULL WHERE id = $1 AND warn_us IS NOT NULL AND ended_us IS NULL");
    HELD = Sql::both(
        "SELECT petition, role, expires_us FROM leases
         WHERE person = $1 AND customer = $2 AND ended_us IS NULL AND expires_us > $3",
    );
    LIVE_OF_PERSON = Sql::both(
        "SELECT * FROM leases WHERE person = $1 AND ended_us IS NULL AND expires_us > $2 ORDER BY expires_us, id LIMIT $3",
    );
    LIVE_ON_CUSTOMER = Sql::both(
        "SELECT * FROM leases WHERE customer = $1 AND ended_us IS NULL AND expires_us > $2 ORDER BY expires_us, id LIMIT $3",
    );
    /// Live, or the last of an access that is over while somebody has not confirmed that.
    OPEN = Sql::both(
        "SELECT * FROM leases WHERE ended_us IS NULL AND expires_us > $1 AND ($2 = '' OR person = $2)
             AND ($3 = '' OR customer = $3) AND id > $4
         UNION ALL SELECT * FROM leases WHERE ended_us IS NOT NULL AND ($2 = '' OR person = $2)
             AND ($3 = '' OR customer = $3) AND id > $4 AND id IN (
                 SELECT (SELECT id FROM leases WHERE access = provisionings.access AND ended_us IS NOT NULL
                     ORDER BY ended_us DESC, expires_us DESC, id DESC LIMIT 1)
                 FROM provisionings WHERE wanted = 'revoke' AND next_us IS NOT NULL)
         ORDER BY id LIMIT $5",
    );
}

#[derive(FromRow)]
struct LeaseRow {
    id: String,
    access: String,
    petition: String,
    person: String,
    customer: String,
    role: String,
    starts_us: i64,
    expires_us: i64,
    warn_us: Option<i64>,
    ended_us: Option<i64>,
    cause: Option<String>,
}

const TABLE: &str = "leases";

impl LeaseRow {
    fn decode(self) -> Result<Lease, StoreError> {
        let fault = || StoreError::Inconsistent { table: TABLE, key: self.id.clone() };
        let ended = match (self.ended_us, self.cause.as_deref()) {
            (None, None) => None,
            (Some(at), Some(cause)) => {
                let cause = match cause {
                    "expired" => EndCause::Expired,
                    "revoked" => EndCause::Revoked,
                    "done" => EndCause::Done,
                    "replaced" => EndCause::Replaced,
                    _ => return Err(fault()),
                };
                Some((instant(TABLE, at)?, cause))
            }
            _ => return Err(fault()),
        };
        Ok(Lease {
            holding: Holding {
                person: Email::parse(&self.person).map_err(|_| fault())?,
                customer: CustomerId::new(self.customer.clone()),
                role: (!self.role.is_empty()).then(|| Role::new(self.role.clone())),
            },
            access: AccessId::new(self.access.clone()),
            petition: self.petition.clone(),
            starts_at: instant(TABLE, self.starts_us)?,
            expires_at: instant(TABLE, self.expires_us)?,
            warn_at: instants(TABLE, self.warn_us)?,
            ended,
            id: LeaseId::new(self.id),
        })
    }
}

fn leases(rows: Vec<LeaseRow>) -> Result<Vec<Lease>, StoreError> {
    rows.into_iter().map(LeaseRow::decode).collect()
}

/// One live lease, as the check needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub petition: String,
    pub role: Option<Role>,
    pub expires_at: Timestamp,
}

impl Store {
    /// The live leases of one person on one customer. The answer to every check; nothing is cached.
    pub async fn held(&self, person: &Email, customer: &str, now: Timestamp) -> Result<Vec<Held>, StoreError> {
        let rows: Vec<(String, String, i64)> = reading!(self, HELD, |sql, pool| {
            sqlx::query_as(sql).bind(person.as_str()).bind(customer).bind(now.as_microsecond()).fetch_all(pool).await
        })?;
        rows.into_iter()
            .map(|(petition, role, expires)| {
                Ok(Held {
                    petition,
                    role: (!role.is_empty()).then(|| Role::new(role)),
                    expires_at: instant(TABLE, expires)?,
                })
            })
            .collect()
    }

    /// The lease of a petition of our own, if it was granted.
    pub async fn lease_of(&self, petition: &PetitionName) -> Result<Option<Lease>, StoreError> {
        let row: Option<LeaseRow> = reading!(self, OF_PETITION, |sql, pool| {
            sqlx::query_as(sql).bind(petition.as_str()).fetch_optional(pool).await
        })?;
        row.map(LeaseRow::decode).transpose()
    }

    /// Leases whose end has come and that nobody has ended yet, in the order of their ends, after a given one. A row
    /// that cannot be read is reported and left out: it must not keep the others from ending.
    pub async fn expired_leases(
        &self,
        now: Timestamp,
        after: Option<&(Timestamp, LeaseId)>,
        limit: i64,
    ) -> Result<Vec<Lease>, StoreError> {
        let (end, id) = after.map_or((i64::MIN, ""), |(end, id)| (end.as_microsecond(), id.as_str()));
        let rows: Vec<LeaseRow> = reading!(self, EXPIRED, |sql, pool| {
            sqlx::query_as(sql).bind(now.as_microsecond()).bind(end).bind(id).bind(limit).fetch_all(pool).await
        })?;
        let read =
            |row: LeaseRow| row.decode().inspect_err(|error| tracing::error!(%error, "a lease cannot be read")).ok();
        Ok(rows.into_iter().filter_map(read).collect())
    }

    /// Leases whose holders are to be warned now.
    pub async fn warnable_leases(&self, now: Timestamp, limit: i64) -> Result<Vec<Lease>, StoreError> {
        leases(reading!(self, WARNABLE, |sql, pool| {
            sqlx::query_as(sql).bind(now.as_microsecond()).bind(limit).fetch_all(pool).await
        })?)
    }

    /// The live leases of one person, the first to end first.
    pub async fn leases_of_person(&self, person: &Email, now: Timestamp, limit: i64) -> Result<Vec<Lease>, StoreError> {
        leases(reading!(self, LIVE_OF_PERSON, |sql, pool| {
            sqlx::query_as(sql).bind(person.as_str()).bind(now.as_microsecond()).bind(limit).fetch_all(pool).await
        })?)
    }

    /// The live leases on one customer, the first to end first.
    pub async fn leases_on_customer(
        &self,
        customer: &CustomerId,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<Lease>, StoreError> {
        leases(reading!(self, LIVE_ON_CUSTOMER, |sql, pool| {
            sqlx::query_as(sql).bind(customer.as_str()).bind(now.as_microsecond()).bind(limit).fetch_all(pool).await
        })?)
    }

    /// A page of the leases that may open a door: those that are live, and the last one of each access that is over
    /// while a provisioner has not confirmed that. In the order of their ids, after `after`; empty texts mean
    /// everybody, everything.
    pub async fn open_leases(
        &self,
        now: Timestamp,
        person: &str,
        customer: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Lease>, StoreError> {
        leases(reading!(self, OPEN, |sql, pool| {
            sqlx::query_as(sql)
                .bind(now.as_microsecond())
                .bind(person)
                .bind(customer)
                .bind(after)
                .bind(limit)
                .fetch_all(pool)
                .await
        })?)
    }
}

/// Where a lease comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A petition of our own.
    Space,
    /// A signed event from outside, by its own time.
    Event { said_at: Timestamp },
    /// A petition of our own that a remote space granted, by the time of its word.
    Remote { said_at: Timestamp },
}

impl Tx {
    /// A petition of our own can have one lease only; a second is `Conflict`.
    pub async fn insert_lease(&mut self, lease: &Lease, origin: Origin) -> Result<(), StoreError> {
        let (origin, said_us) = match origin {
            Origin::Space => ("space", None),
            Origin::Event { said_at } => ("event", Some(said_at.as_microsecond())),
            Origin::Remote { said_at } => ("remote", Some(said_at.as_microsecond())),
        };
        within!(self, INSERT, |sql, conn| {
            sqlx::query(sql)
                .bind(lease.id.as_str())
                .bind(lease.access.as_str())
                .bind(origin)
                .bind(&lease.petition)
                .bind(lease.holding.person.as_str())
                .bind(lease.holding.customer.as_str())
                .bind(lease.holding.role.as_ref().map_or("", Role::as_str))
                .bind(lease.starts_at.as_microsecond())
                .bind(lease.expires_at.as_microsecond())
                .bind(lease.warn_at.map(|at| at.as_microsecond()))
                .bind(said_us)
                .execute(conn)
                .await
                .map(|_| ())
        })?;
        Ok(())
    }

    pub async fn lease(&mut self, id: &LeaseId) -> Result<Option<Lease>, StoreError> {
        let row: Option<LeaseRow> =
            within!(self, FIND, |sql, conn| sqlx::query_as(sql).bind(id.as_str()).fetch_optional(conn).await)?;
        row.map(LeaseRow::decode).transpose()
    }

    /// A lease that an event made and that nobody has ended; not one that has become a petition's own since.
    pub async fn event_lease(&mut self, id: &LeaseId) -> Result<Option<Lease>, StoreError> {
        let row: Option<LeaseRow> = within!(self, MADE_BY_EVENT, |sql, conn| {
            sqlx::query_as(sql).bind(id.as_str()).fetch_optional(conn).await
        })?;
        row.map(LeaseRow::decode).transpose()
    }

    pub async fn lease_of(&mut self, petition: &PetitionName) -> Result<Option<Lease>, StoreError> {
        let row: Option<LeaseRow> = within!(self, OF_PETITION, |sql, conn| {
            sqlx::query_as(sql).bind(petition.as_str()).fetch_optional(conn).await
        })?;
        row.map(LeaseRow::decode).transpose()
    }

    /// The leases of an access that nobody has ended, whether or not their time is up.
    pub async fn active_leases(&mut self, access: &AccessId) -> Result<Vec<Lease>, StoreError> {
        leases(within!(self, OF_ACCESS, |sql, conn| {
            sqlx::query_as(sql).bind(access.as_str()).fetch_all(conn).await
        })?)
    }

    /// The lease of an access that was ended last.
    pub async fn last_ended_lease(&mut self, access: &AccessId) -> Result<Option<Lease>, StoreError> {
        let row: Option<LeaseRow> = within!(self, LAST_ENDED, |sql, conn| {
            sqlx::query_as(sql).bind(access.as_str()).fetch_optional(conn).await
        })?;
        row.map(LeaseRow::decode).transpose()
    }

    /// Active leases that events from outside made for a petition of another space, in the order of their accesses.
    pub async fn foreign_leases(&mut self, petition: &str) -> Result<Vec<Lease>, StoreError> {
        leases(within!(self, FOREIGN_OF_PETITION, |sql, conn| {
            sqlx::query_as(sql).bind(petition).fetch_all(conn).await
        })?)
    }

    /// `false` when somebody has ended it before.
    pub async fn end_lease(&mut self, id: &LeaseId, at: Timestamp, cause: EndCause) -> Result<bool, StoreError> {
        let rows = within!(self, END, |sql, conn| {
            sqlx::query(sql)
                .bind(id.as_str())
                .bind(at.as_microsecond())
                .bind(cause.word())
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
        Ok(rows == 1)
    }

    /// Active leases of an access that events from outside made, the last of them at `at` or before.
    pub async fn leases_said_until(&mut self, access: &AccessId, at: Timestamp) -> Result<Vec<Lease>, StoreError> {
        leases(within!(self, SAID_UNTIL, |sql, conn| {
            sqlx::query_as(sql).bind(access.as_str()).bind(at.as_microsecond()).fetch_all(conn).await
        })?)
    }

    /// Gives an active lease from outside another end, and the petition and event that now stand for it.
    pub async fn move_lease(
        &mut self,
        id: &LeaseId,
        expires_at: Timestamp,
        petition: &str,
        said_at: Timestamp,
    ) -> Result<(), StoreError> {
        within!(self, MOVE, |sql, conn| {
            sqlx::query(sql)
                .bind(id.as_str())
                .bind(expires_at.as_microsecond())
                .bind(petition)
                .bind(said_at.as_microsecond())
                .execute(conn)
                .await
                .map(|_| ())
        })?;
        Ok(())
    }

    /// A lease that an event made becomes the lease of the petition of ours that the event was about.
    pub async fn adopt_lease(
        &mut self,
        id: &LeaseId,
        petition: &PetitionName,
        warn_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        within!(self, ADOPT, |sql, conn| {
            sqlx::query(sql)
                .bind(id.as_str())
                .bind(petition.as_str())
                .bind(warn_at.map(|at| at.as_microsecond()))
                .execute(conn)
                .await
                .map(|_| ())
        })?;
        Ok(())
    }

    /// The time of the word from outside that last spoke for a lease.
    pub async fn said_of(&mut self, id: &LeaseId) -> Result<Option<Timestamp>, StoreError> {
        let said: Option<Option<i64>> = within!(self, SAID_OF, |sql, conn| {
            sqlx::query_scalar(sql).bind(id.as_str()).fetch_optional(conn).await
        })?;
        instants(TABLE, said.flatten())
    }

    /// `false` when the holder was warned before, or the lease is over.
    pub async fn mark_warned(&mut self, id: &LeaseId) -> Result<bool, StoreError> {
        let rows = within!(self, WARNED, |sql, conn| {
            sqlx::query(sql).bind(id.as_str()).execute(conn).await.map(|done| done.rows_affected())
        })?;
        Ok(rows == 1)
    }
}
