//! PullUpdate: all customers as resources, streamed, so that a million of them need no more memory than a thousand.

use axum::{
    body::{Body, Bytes},
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde::Serialize;

use crate::{
    domain::customer::{Customer, Labels},
    store::{Store, StoreError},
};

/// Read at once.
const BATCH: i64 = 1_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Resource<'a> {
    kind: &'a str,
    id: &'a str,
    display_name: &'a str,
    #[serde(skip_serializing_if = "Labels::is_empty")]
    labels: &'a Labels,
}

/// Where the stream stands.
struct Rest {
    store: Store,
    kind: String,
    /// Read, and not yet sent.
    batch: Vec<Customer>,
    started: bool,
    ended: bool,
}

/// Answers with every customer that can be asked for. The first batch is read before anything is said, so that a
/// database that is away is an honest error; if it goes away later, the connection breaks, and what was sent by then
/// cannot be taken for a whole answer.
pub(super) async fn all_customers(store: Store, kind: &str) -> Result<Response, StoreError> {
    let batch = store.customers_page("", BATCH).await?;
    let rest = Rest { store, kind: kind.to_owned(), batch, started: false, ended: false };
    let body = stream::try_unfold(rest, |rest| async move {
        next(rest).await.inspect_err(|error| {
            tracing::warn!(%error, "the database went away while customers were being sent; the connection is broken");
        })
    });
    Ok(([(CONTENT_TYPE, "application/json")], Body::from_stream(body)).into_response())
}

async fn next(mut rest: Rest) -> Result<Option<(Bytes, Rest)>, StoreError> {
    if rest.ended {
        return Ok(None);
    }
    let mut chunk = if rest.started { Vec::new() } else { br#"{"status":{},"resources":["#.to_vec() };
    for (n, customer) in rest.batch.iter().enumerate() {
        if rest.started || n > 0 {
            chunk.push(b',');
        }
        let resource = Resource {
            kind: &rest.kind,
            id: customer.id.as_str(),
            display_name: &customer.name,
            labels: &customer.labels,
        };
        serde_json::to_writer(&mut chunk, &resource)
            .map_err(|_| StoreError::Inconsistent { table: "customers", key: customer.id.to_string() })?;
    }
    rest.started = true;
    // A batch that is not full was the last.
    let last = rest.batch.last().filter(|_| rest.batch.len() as i64 == BATCH).map(|last| last.id.clone());
    rest.batch = match &last {
        Some(last) => rest.store.customers_page(last.as_str(), BATCH).await?,
        None => Vec::new(),
    };
    if rest.batch.is_empty() {
        chunk.extend_from_slice(b"]}");
        rest.ended = true;
    }
    Ok(Some((chunk.into(), rest)))
}
