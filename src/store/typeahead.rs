//! Customers while somebody types: by the beginning of an id, by the beginning or any part of a name, and those that
//! they asked for lately.

use sqlx::FromRow;

use super::{
    Sql, Store, StoreError,
    customers::Row,
    db::{reading, statements},
};
use crate::domain::{
    customer::{Customer, name_key},
    id::CustomerId,
    person::Email,
};

statements! {
    BY_ID = Sql::each(
        "SELECT id, name, labels FROM customers WHERE id >= $1 AND id < $2 AND removed_us IS NULL ORDER BY id LIMIT $3",
        "SELECT id, name, labels FROM customers WHERE id ~>=~ $1 AND id ~<~ $2 AND removed_us IS NULL
         ORDER BY id USING ~<~ LIMIT $3",
    );
    /// `$1` is a name key: letters and digits, at least three.
    BY_PART = Sql::each(
        "SELECT DISTINCT customers.id, customers.name, customers.labels FROM customer_parts
         JOIN customers ON customers.id = customer_parts.id
         WHERE customer_parts MATCH '\"' || $1 || '\"' AND customers.removed_us IS NULL
             AND instr(customers.name_key, $1) > 0
         LIMIT $2",
        "SELECT id, name, labels FROM customers WHERE name_key LIKE '%' || $1 || '%' AND removed_us IS NULL LIMIT $2",
    );
    RECENT = Sql::both(
        "SELECT customer FROM petitions WHERE petitioner = $1 GROUP BY customer ORDER BY MAX(name) DESC LIMIT $2",
    );
}

/// From so many letters on a part of a name is looked for: an index of parts has none that are shorter.
const PART: usize = 3;

#[derive(FromRow)]
struct Recent {
    customer: String,
}

impl Store {
    /// Customers that can be asked for and fit what was typed so far, the nearest first: the one with that id, names
    /// that begin so, ids that begin so, names that hold it anywhere. At most `limit`, none twice; for an empty text
    /// the first by name.
    pub async fn customers_typed(&self, typed: &str, limit: usize) -> Result<Vec<Customer>, StoreError> {
        let (typed, key) = (typed.trim(), name_key(typed));
        let mut found = Found { customers: Vec::new(), limit };
        if !typed.is_empty() {
            found.add(self.customer(typed).await?);
        }
        if typed.is_empty() || !key.is_empty() {
            found.add(self.customers_like(&key, limit as i64).await?);
        }
        if !typed.is_empty() && found.lacks() {
            found.add(self.customers_with_id_from(typed, limit).await?);
        }
        if key.chars().count() >= PART && found.lacks() {
            let rows: Vec<Row> = reading!(self, BY_PART, |sql, pool| {
                // Planned for this very text: how many names hold it decides which way is quick.
                sqlx::query_as(sql).bind(&key).bind(limit as i64).persistent(false).fetch_all(pool).await
            })?;
            let mut rows: Vec<Customer> = rows.into_iter().map(Row::decode).collect();
            rows.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
            found.add(rows);
        }
        Ok(found.customers)
    }

    /// Up to `limit` whose ids begin so, in their order.
    async fn customers_with_id_from(&self, start: &str, limit: usize) -> Result<Vec<Customer>, StoreError> {
        let beyond = format!("{start}{}", char::MAX);
        let rows: Vec<Row> = reading!(self, BY_ID, |sql, pool| {
            sqlx::query_as(sql).bind(start).bind(&beyond).bind(limit as i64).fetch_all(pool).await
        })?;
        Ok(rows.into_iter().map(Row::decode).collect())
    }

    /// What somebody asked for, the latest first, each once; some of it cannot be asked for any more.
    pub async fn asked_for_lately(&self, person: &Email, limit: usize) -> Result<Vec<CustomerId>, StoreError> {
        let rows: Vec<Recent> = reading!(self, RECENT, |sql, pool| {
            sqlx::query_as(sql).bind(person.as_str()).bind(limit as i64).fetch_all(pool).await
        })?;
        Ok(rows.into_iter().map(|row| CustomerId::new(row.customer)).collect())
    }
}

/// Each customer once, in the order in which it was found.
struct Found {
    customers: Vec<Customer>,
    limit: usize,
}

impl Found {
    fn add(&mut self, more: impl IntoIterator<Item = Customer>) {
        for customer in more {
            if self.lacks() && self.customers.iter().all(|known| known.id != customer.id) {
                self.customers.push(customer);
            }
        }
    }

    fn lacks(&self) -> bool {
        self.customers.len() < self.limit
    }
}
