//! The company's database of customers: it opens, the query is understood, and so many rows come.

use futures_util::StreamExt;

use super::{Check, Group, PATIENCE, fail, ok, warn};
use crate::{
    config::{FileConfig, Settings},
    customers,
    workflow::SyncError,
};

const GROUP: Group = Group::Customers;

pub(super) async fn look(settings: &Settings, file: Option<&FileConfig>) -> Vec<Check> {
    let Some(source) = &settings.customers else {
        // Uploads or pulls may bring them; where the file cannot be read, nobody knows.
        let pulled = file.is_none_or(|file| !file.pulls.is_empty());
        return match pulled {
            true => Vec::new(),
            false => vec![warn(
                GROUP,
                "no customers are read: CUSTOMERS_DATABASE_URL is not set, and there is no [[pull]]",
                "set it, add a [[pull]], or put customers through the API",
            )],
        };
    };
    let opened = tokio::time::timeout(2 * PATIENCE, customers::open(source.url.expose(), &source.query)).await;
    let opened = match opened {
        Ok(Ok(opened)) => opened,
        Ok(Err(error)) => return vec![broken(&error)],
        Err(_) => return vec![silent()],
    };
    let columns = opened.columns().join(", ");
    let mut count = 0u64;
    let counting = async {
        let mut rows = std::pin::pin!(opened.rows());
        while let Some(row) = rows.next().await {
            row?;
            count += 1;
        }
        Ok::<(), SyncError>(())
    };
    // A table may be long; that it can be read is what matters.
    match tokio::time::timeout(PATIENCE, counting).await {
        Ok(Err(error)) => vec![broken(&error)],
        Ok(Ok(())) if count == 0 => {
            vec![warn(GROUP, format!("CUSTOMERS_QUERY gives no row ({columns})"), "check what it selects")]
        }
        Ok(Ok(())) => vec![ok(GROUP, format!("{count} customers, with the columns {columns}"))],
        Err(_) if count == 0 => vec![silent()],
        Err(_) => vec![ok(GROUP, format!("more than {count} customers, with the columns {columns}"))],
    }
}

fn silent() -> Check {
    let what = format!("CUSTOMERS_DATABASE_URL gave no row within {} s", PATIENCE.as_secs());
    fail(GROUP, what, "check that it can be reached from here, and that nothing locks what CUSTOMERS_QUERY reads")
}

/// The sentence says what to do behind its first full stop.
fn broken(error: &SyncError) -> Check {
    let sentence = error.to_string();
    let (what, remedy) =
        sentence.split_once(". ").or_else(|| sentence.split_once("; ")).unwrap_or((&sentence, "see `latchkey sync`"));
    fail(GROUP, what, remedy)
}
