//! Accesses: one row for each person, customer and role that ever was.

use jiff::Timestamp;
use sqlx::FromRow;

use super::{
    Sql, StoreError, Tx,
    db::{statements, within},
    instants,
};
use crate::domain::{
    access::Access,
    id::{AccessId, CustomerId, Role},
    lease::Holding,
    person::Email,
};

statements! {
    /// Finds or makes the row, and holds it: whoever changes leases of an access does so one after the other.
    LOCK = Sql::both(
        "INSERT INTO accesses (id, person, customer, role, version) VALUES ($1, $2, $3, $4, 0)
         ON CONFLICT (person, customer, role) DO UPDATE SET person = excluded.person RETURNING *",
    );
    SET = Sql::both("UPDATE accesses SET version = $2, ends_us = $3 WHERE id = $1");
}

#[derive(FromRow)]
struct AccessRow {
    id: String,
    person: String,
    customer: String,
    role: String,
    version: i64,
    ends_us: Option<i64>,
}

impl AccessRow {
    fn decode(self) -> Result<Access, StoreError> {
        let person = Email::parse(&self.person)
            .map_err(|_| StoreError::Inconsistent { table: "accesses", key: self.id.clone() })?;
        Ok(Access {
            id: AccessId::new(self.id),
            holding: Holding {
                person,
                customer: CustomerId::new(self.customer),
                role: (!self.role.is_empty()).then(|| Role::new(self.role)),
            },
            version: self.version,
            ends_at: instants("accesses", self.ends_us)?,
        })
    }
}

impl Tx {
    /// The access of a holding, made if it is new (with the id given), and held until the commit.
    pub async fn lock_access(&mut self, holding: &Holding, id_if_new: &AccessId) -> Result<Access, StoreError> {
        let row: AccessRow = within!(self, LOCK, |sql, conn| {
            sqlx::query_as(sql)
                .bind(id_if_new.as_str())
                .bind(holding.person.as_str())
                .bind(holding.customer.as_str())
                .bind(holding.role.as_ref().map_or("", Role::as_str))
                .fetch_one(conn)
                .await
        })?;
        row.decode()
    }

    /// Writes version and end of an access that this transaction holds.
    pub async fn set_access(
        &mut self,
        id: &AccessId,
        version: i64,
        ends_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        within!(self, SET, |sql, conn| {
            sqlx::query(sql)
                .bind(id.as_str())
                .bind(version)
                .bind(ends_at.map(|at| at.as_microsecond()))
                .execute(conn)
                .await
                .map(|_| ())
        })?;
        Ok(())
    }
}
