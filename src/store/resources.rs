//! Resources of other kinds than customers, as somebody put them here.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::{FromRow, types::Json};

use super::{
    Sql, Store, StoreError, Tx,
    db::{reading, statements, within},
};
use crate::domain::{
    customer::Labels,
    resource::{Resource, Source},
};

statements! {
    FIND = Sql::both("SELECT * FROM resources WHERE name = $1");
    FIND_BY_ID = Sql::both("SELECT * FROM resources WHERE kind = $1 AND id = $2");
    /// In the order of kind and id, which never change.
    PAGE = Sql::both(
        "SELECT * FROM resources WHERE (kind, id) > ($1, $2) AND ($3 = '' OR email = $3) ORDER BY kind, id LIMIT $4",
    );
    OF_SOURCE = Sql::both("SELECT * FROM resources WHERE source = $1");
    /// What is unchanged is not written again.
    PUT = Sql::each(
        "INSERT INTO resources (kind, id, name, display_name, email, alt_ids, labels, source, changed_us)
         SELECT value ->> 'kind', value ->> 'id', value ->> 'name', value ->> 'display_name', value ->> 'email',
             value -> 'alt_ids', value -> 'labels', $3, $2 FROM json_each($1) WHERE true
         ON CONFLICT (kind, id) DO UPDATE SET display_name = excluded.display_name, email = excluded.email,
             alt_ids = excluded.alt_ids, labels = excluded.labels, changed_us = excluded.changed_us,
             source = CASE WHEN excluded.source = 'upload' THEN excluded.source ELSE resources.source END
         WHERE resources.display_name <> excluded.display_name OR resources.email <> excluded.email
             OR resources.alt_ids <> excluded.alt_ids OR resources.labels <> excluded.labels
             OR (excluded.source = 'upload' AND resources.source <> 'upload')",
        "INSERT INTO resources (kind, id, name, display_name, email, alt_ids, labels, source, changed_us)
         SELECT kind, id, name, display_name, email, alt_ids, labels, $3, $2 FROM json_to_recordset($1::json)
             AS put (kind text, id text, name text, display_name text, email text, alt_ids jsonb, labels jsonb)
         ON CONFLICT (kind, id) DO UPDATE SET display_name = excluded.display_name, email = excluded.email,
             alt_ids = excluded.alt_ids, labels = excluded.labels, changed_us = excluded.changed_us,
             source = CASE WHEN excluded.source = 'upload' THEN excluded.source ELSE resources.source END
         WHERE resources.display_name <> excluded.display_name OR resources.email <> excluded.email
             OR resources.alt_ids <> excluded.alt_ids OR resources.labels <> excluded.labels
             OR (excluded.source = 'upload' AND resources.source <> 'upload')",
    );
    REMOVE = Sql::both("DELETE FROM resources WHERE name = $1");
    REMOVE_OF_SOURCE = Sql::both("DELETE FROM resources WHERE name = $1 AND source = $2");
}

#[derive(FromRow)]
struct Row {
    kind: String,
    id: String,
    name: String,
    display_name: String,
    email: String,
    alt_ids: Json<Vec<String>>,
    labels: Json<Labels>,
}

/// A resource with the name that the API knows it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredResource {
    /// One segment of a URL's path; never changes.
    pub name: String,
    pub resource: Resource,
}

impl Row {
    fn decode(self) -> StoredResource {
        let Self { kind, id, name, display_name, email, alt_ids, labels } = self;
        StoredResource {
            name,
            resource: Resource { kind, id, display_name, email, alt_ids: alt_ids.0, labels: labels.0 },
        }
    }
}

#[derive(Serialize)]
struct PutRow<'a> {
    kind: &'a str,
    id: &'a str,
    name: &'a str,
    display_name: &'a str,
    email: &'a str,
    alt_ids: &'a [String],
    labels: &'a Labels,
}

impl Store {
    pub async fn resource(&self, name: &str) -> Result<Option<StoredResource>, StoreError> {
        let row: Option<Row> =
            reading!(self, FIND, |sql, pool| sqlx::query_as(sql).bind(name).fetch_optional(pool).await)?;
        Ok(row.map(Row::decode))
    }

    pub async fn resource_of(&self, kind: &str, id: &str) -> Result<Option<StoredResource>, StoreError> {
        let row: Option<Row> = reading!(self, FIND_BY_ID, |sql, pool| {
            sqlx::query_as(sql).bind(kind).bind(id).fetch_optional(pool).await
        })?;
        Ok(row.map(Row::decode))
    }

    /// Up to `limit` resources in the order of kind and id, after a given one; an empty e-mail means any.
    pub async fn resources_page(
        &self,
        after: (&str, &str),
        email: &str,
        limit: i64,
    ) -> Result<Vec<StoredResource>, StoreError> {
        let rows: Vec<Row> = reading!(self, PAGE, |sql, pool| {
            sqlx::query_as(sql).bind(after.0).bind(after.1).bind(email).bind(limit).fetch_all(pool).await
        })?;
        Ok(rows.into_iter().map(Row::decode).collect())
    }
}

impl Tx {
    pub async fn resource(&mut self, name: &str) -> Result<Option<StoredResource>, StoreError> {
        let row: Option<Row> =
            within!(self, FIND, |sql, conn| sqlx::query_as(sql).bind(name).fetch_optional(conn).await)?;
        Ok(row.map(Row::decode))
    }

    pub async fn resource_by_id(&mut self, kind: &str, id: &str) -> Result<Option<StoredResource>, StoreError> {
        let row: Option<Row> = within!(self, FIND_BY_ID, |sql, conn| {
            sqlx::query_as(sql).bind(kind).bind(id).fetch_optional(conn).await
        })?;
        Ok(row.map(Row::decode))
    }

    /// Everything that a source brought.
    pub async fn resources_of_source(&mut self, source: &Source) -> Result<Vec<StoredResource>, StoreError> {
        let source = source.to_string();
        let rows: Vec<Row> =
            within!(self, OF_SOURCE, |sql, conn| sqlx::query_as(sql).bind(&source).fetch_all(conn).await)?;
        Ok(rows.into_iter().map(Row::decode).collect())
    }

    /// Creates or updates them by kind and id; those that are there keep their names. A pair must not come twice; a
    /// name that another resource has is `Conflict`. What is unchanged is not written; how many were.
    pub async fn put_resources(
        &mut self,
        resources: &[StoredResource],
        source: &Source,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let rows: Vec<PutRow<'_>> = resources
            .iter()
            .map(|StoredResource { name, resource }| PutRow {
                kind: &resource.kind,
                id: &resource.id,
                name,
                display_name: &resource.display_name,
                email: &resource.email,
                alt_ids: &resource.alt_ids,
                labels: &resource.labels,
            })
            .collect();
        let json = serde_json::to_string(&rows)
            .map_err(|_| StoreError::Inconsistent { table: "resources", key: String::new() })?;
        let source = source.to_string();
        Ok(within!(self, PUT, |sql, conn| {
            sqlx::query(sql)
                .bind(&json)
                .bind(now.as_microsecond())
                .bind(&source)
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?)
    }

    /// `false` when there is none of that name.
    pub async fn remove_resource(&mut self, name: &str) -> Result<bool, StoreError> {
        let rows = within!(self, REMOVE, |sql, conn| {
            sqlx::query(sql).bind(name).execute(conn).await.map(|done| done.rows_affected())
        })?;
        Ok(rows == 1)
    }

    /// The same, but only while it is still of that source: what somebody uploaded meanwhile stays.
    pub async fn remove_resource_of(&mut self, source: &Source, name: &str) -> Result<bool, StoreError> {
        let source = source.to_string();
        let rows = within!(self, REMOVE_OF_SOURCE, |sql, conn| {
            sqlx::query(sql).bind(name).bind(&source).execute(conn).await.map(|done| done.rows_affected())
        })?;
        Ok(rows == 1)
    }
}
