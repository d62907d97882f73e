//! Petitions in the order of their names, which is the order in which they were opened and never changes.

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::{FromRow, types::Json};

use super::{
    Sql, Store, StoreError,
    db::{reading, statements},
    petitions::{ClaimRow, PetitionRow, claims},
};
use crate::domain::{
    customer::Labels,
    id::PetitionName,
    person::Email,
    petition::{Claim, Petition},
};

statements! {
    NEWEST = Sql::both(
        "SELECT petitions.*, customers.labels AS customer_labels FROM petitions
         LEFT JOIN customers ON customers.id = petitions.customer
         WHERE $1 = '' OR petitions.name < $1 ORDER BY petitions.name DESC LIMIT $2",
    );
    OLDEST = Sql::both(
        "SELECT petitions.*, customers.labels AS customer_labels FROM petitions
         LEFT JOIN customers ON customers.id = petitions.customer
         WHERE petitions.name > $1 ORDER BY petitions.name LIMIT $2",
    );
    WAITING = Sql::both(
        "SELECT petitions.*, customers.labels AS customer_labels FROM petitions
         LEFT JOIN customers ON customers.id = petitions.customer
         WHERE state = 'open' AND pending_until_us > $1 AND petitions.name > $2 ORDER BY petitions.name LIMIT $3",
    );
    WAITING_OF = Sql::both(
        "SELECT name FROM petitions WHERE state = 'open' AND petitioner = $1 AND pending_until_us > $2
         ORDER BY name LIMIT $3",
    );
    NAMED = Sql::each(
        "SELECT petitions.*, customers.labels AS customer_labels FROM petitions
         LEFT JOIN customers ON customers.id = petitions.customer
         WHERE petitions.name IN (SELECT value FROM json_each($1))",
        "SELECT petitions.*, customers.labels AS customer_labels FROM petitions
         LEFT JOIN customers ON customers.id = petitions.customer
         WHERE petitions.name IN (SELECT json_array_elements_text($1::json))",
    );
    CLAIMS_OF = Sql::each(
        "SELECT * FROM claims WHERE petition IN (SELECT value FROM json_each($1)) ORDER BY at_us, id",
        "SELECT * FROM claims WHERE petition IN (SELECT json_array_elements_text($1::json)) ORDER BY at_us, id",
    );
}

#[derive(FromRow)]
struct Row {
    #[sqlx(flatten)]
    petition: PetitionRow,
    customer_labels: Option<Json<Labels>>,
}

/// A petition, and its customer's labels of today; `None` where it is for no customer.
#[derive(Clone, Debug)]
pub struct Listed {
    pub petition: Petition,
    pub labels: Option<Labels>,
}

impl Row {
    fn decode(self) -> Result<Listed, StoreError> {
        Ok(Listed { petition: self.petition.decode()?, labels: self.customer_labels.map(|labels| labels.0) })
    }
}

fn as_json(names: &[PetitionName]) -> String {
    serde_json::json!(names).to_string()
}

impl Store {
    /// Up to `limit` petitions before (newest first) or after (`ascending`) a given one; an empty name is the end to
    /// begin at.
    pub async fn petitions_page(&self, from: &str, ascending: bool, limit: i64) -> Result<Vec<Listed>, StoreError> {
        let page = if ascending { OLDEST } else { NEWEST };
        let rows: Vec<Row> =
            reading!(self, page, |sql, pool| sqlx::query_as(sql).bind(from).bind(limit).fetch_all(pool).await)?;
        rows.into_iter().map(Row::decode).collect()
    }

    /// Up to `limit` petitions that wait for a decision, oldest first, after a given one.
    pub async fn waiting_petitions(&self, now: Timestamp, after: &str, limit: i64) -> Result<Vec<Listed>, StoreError> {
        let rows: Vec<Row> = reading!(self, WAITING, |sql, pool| {
            sqlx::query_as(sql).bind(now.as_microsecond()).bind(after).bind(limit).fetch_all(pool).await
        })?;
        rows.into_iter().map(Row::decode).collect()
    }

    /// The names of up to `limit` petitions for one person that wait for a decision, oldest first.
    pub async fn waiting_of(
        &self,
        person: &Email,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<PetitionName>, StoreError> {
        let names: Vec<String> = reading!(self, WAITING_OF, |sql, pool| {
            sqlx::query_scalar(sql).bind(person.as_str()).bind(now.as_microsecond()).bind(limit).fetch_all(pool).await
        })?;
        Ok(names.into_iter().map(PetitionName::new).collect())
    }

    /// Those of them that there are, in no order.
    pub async fn petitions_named(&self, names: &[PetitionName]) -> Result<Vec<Listed>, StoreError> {
        let names = as_json(names);
        let rows: Vec<Row> = reading!(self, NAMED, |sql, pool| sqlx::query_as(sql).bind(&names).fetch_all(pool).await)?;
        rows.into_iter().map(Row::decode).collect()
    }

    /// The claims on each of several petitions, oldest first; none for a petition without any.
    pub async fn claims_of(&self, names: &[PetitionName]) -> Result<HashMap<PetitionName, Vec<Claim>>, StoreError> {
        let names = as_json(names);
        let rows: Vec<ClaimRow> =
            reading!(self, CLAIMS_OF, |sql, pool| sqlx::query_as(sql).bind(&names).fetch_all(pool).await)?;
        let mut of: HashMap<PetitionName, Vec<Claim>> = HashMap::new();
        for claim in claims(rows)? {
            of.entry(claim.petition.clone()).or_default().push(claim);
        }
        Ok(of)
    }
}
