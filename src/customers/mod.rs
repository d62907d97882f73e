//! The company's own database of customers. We only read it, one row at a time.
//!
//! The operator's query is wrapped so that every column arrives as text, whatever its type: the databases know best
//! how to write their own types. What a column is for is found from its name and place (`columns.rs`).
//!
//! May import: `domain`, `workflow`. To add a kind of database: a variant of [`Source`]'s `Db` and its arms here.

mod columns;
mod fault;

use std::{str::FromStr, time::Duration};

use futures_util::{
    Stream, StreamExt,
    stream::{self, BoxStream},
};
use sqlx::{
    AssertSqlSafe, Column, ColumnIndex, ConnectOptions, Connection, Decode, Executor, PgPool, Row, SqlSafeStr,
    SqlitePool, Statement, Type,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

use self::columns::Columns;
use crate::workflow::{SourceRow, SyncError};

/// How long the database may take to let us in.
const CONNECT: Duration = Duration::from_secs(5);
/// How long it may take to understand the query, which it does not run for that.
const PREPARE: Duration = Duration::from_secs(10);
/// How long it may take over the next row. The first may need a sort of the whole table; after two minutes without a
/// row the sync is given up for dead anyway.
const NEXT_ROW: Duration = Duration::from_secs(120);

/// The customers database with its query, tried and understood. It holds one connection while rows are read.
#[derive(Debug)]
pub struct Source {
    db: Db,
    columns: Columns,
    /// The operator's query, wrapped.
    sql: String,
}

#[derive(Debug)]
enum Db {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// Connects, read only, and asks the database what the query's columns are, without running it.
pub async fn open(url: &str, query: &str) -> Result<Source, SyncError> {
    let query = query.trim().trim_end_matches(|c: char| c == ';' || c.is_whitespace());
    match url.split(':').next() {
        Some("sqlite") => open_sqlite(url, query).await,
        Some("postgres" | "postgresql") => open_postgres(url, query).await,
        Some(_) | None => Err(fault::not_an_address()),
    }
}

async fn open_sqlite(url: &str, query: &str) -> Result<Source, SyncError> {
    let options = SqliteConnectOptions::from_str(url)
        .map_err(|_| fault::not_an_address())?
        .read_only(true)
        .create_if_missing(false)
        .busy_timeout(CONNECT);
    let columns = describe(&options, query).await?;
    let pool = SqlitePoolOptions::new().max_connections(1).acquire_timeout(CONNECT).connect_lazy_with(options);
    Ok(Source { db: Db::Sqlite(pool), sql: columns.wrap(query), columns })
}

async fn open_postgres(url: &str, query: &str) -> Result<Source, SyncError> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|_| fault::not_an_address())?
        .application_name("latchkey customers")
        .options([("default_transaction_read_only", "on")]);
    let columns = describe(&options, query).await?;
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(CONNECT).connect_lazy_with(options);
    Ok(Source { db: Db::Postgres(pool), sql: columns.wrap(query), columns })
}

/// Tries the connection and the query. The columns' names come from the query as it stands, so that a mistake in it is
/// reported in the operator's words and not in those of our wrapping.
async fn describe<O>(options: &O, query: &str) -> Result<Columns, SyncError>
where
    O: ConnectOptions<Connection: Sized>,
    for<'c> &'c mut O::Connection: Executor<'c, Database = <O::Connection as Connection>::Database>,
{
    let connected = tokio::time::timeout(CONNECT, options.connect()).await;
    let mut conn = connected.map_err(|_| fault::silent(CONNECT))?.map_err(|error| fault::connection(&error))?;
    let prepare = async {
        let statement = conn.prepare(AssertSqlSafe(query).into_sql_str()).await.map_err(|e| fault::query(&e))?;
        let names = statement.columns().iter().map(|column| column.name().to_owned()).collect();
        let columns = Columns::assign(names)?;
        let wrapped = AssertSqlSafe(columns.wrap(query)).into_sql_str();
        conn.prepare(wrapped).await.map_err(|error| fault::query(&error))?;
        Ok(columns)
    };
    let columns = tokio::time::timeout(PREPARE, prepare).await.map_err(|_| fault::silent(PREPARE))?;
    // Only a courtesy to the server: what we came for we have.
    let _ = conn.close().await;
    columns
}

impl Source {
    /// The names of the query's columns, in its order.
    pub fn columns(&self) -> &[String] {
        self.columns.names()
    }

    /// The customers, as the query gives them, each read when it is asked for. After an error there is nothing more.
    ///
    /// A row without an id is left out; how many those were is logged once, at the end.
    pub fn rows(&self) -> impl Stream<Item = Result<SourceRow, SyncError>> + Send + '_ {
        let rows = Some(Reading { texts: self.texts(), skipped: 0 });
        stream::unfold(rows, async |reading| {
            let mut reading = reading?;
            loop {
                match tokio::time::timeout(NEXT_ROW, reading.texts.next()).await {
                    Ok(Some(Ok(texts))) => match self.columns.row(texts) {
                        Some(row) => return Some((Ok(row), Some(reading))),
                        None => reading.skipped += 1,
                    },
                    Ok(Some(Err(error))) => return Some((Err(fault::row(&error)), None)),
                    Ok(None) => {
                        reading.report();
                        return None;
                    }
                    Err(_) => return Some((Err(fault::silent(NEXT_ROW)), None)),
                }
            }
        })
    }

    fn texts(&self) -> BoxStream<'_, Result<Vec<Option<String>>, sqlx::Error>> {
        let query = AssertSqlSafe(self.sql.as_str());
        match &self.db {
            Db::Sqlite(pool) => sqlx::query(query).persistent(false).fetch(pool).map(|row| texts(&row?)).boxed(),
            Db::Postgres(pool) => sqlx::query(query).persistent(false).fetch(pool).map(|row| texts(&row?)).boxed(),
        }
    }
}

/// A run over the rows, under way.
struct Reading<'a> {
    texts: BoxStream<'a, Result<Vec<Option<String>>, sqlx::Error>>,
    skipped: u64,
}

impl Reading<'_> {
    fn report(&self) {
        if self.skipped > 0 {
            tracing::warn!(rows = self.skipped, "CUSTOMERS_QUERY gave rows without an id; they were left out");
        }
    }
}

fn texts<R: Row>(row: &R) -> Result<Vec<Option<String>>, sqlx::Error>
where
    usize: ColumnIndex<R>,
    for<'r> Option<String>: Decode<'r, R::Database> + Type<R::Database>,
{
    (0..row.len()).map(|at| row.try_get(at)).collect()
}
