//! Opening a database by its URL, and bringing it up to date.

use std::{str::FromStr, sync::Arc, time::Duration};

use sqlx::{
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{Db, Store, StoreError};

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// Slack waits three seconds for an answer; a database that does not answer in two must be given up by then.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a change waits to begin, for the pool and for other processes together. What is left of Slack's time is for
/// what is read before, and for saying that nothing was stored.
pub(super) const TURN: Duration = Duration::from_millis(1_500);

/// What PostgreSQL ends by itself: waiting for a row that somebody holds, a statement that hangs, a transaction whose
/// client is frozen or gone. Else one lost client could keep every lease of the house from ending.
const GUARDS: [(&str, &str); 3] =
    [("lock_timeout", "1500"), ("statement_timeout", "15000"), ("idle_in_transaction_session_timeout", "10000")];

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("DATABASE_URL is neither sqlite://… nor postgres://…")]
    UnknownScheme,
    #[error("cannot open the database: {0}")]
    Connect(#[source] sqlx::Error),
    #[error("cannot bring the database up to date: {0}")]
    Migrate(String),
    #[error("the database's schema is not up to date ({0}); run `latchkey migrate`")]
    Stale(String),
}

impl Store {
    /// Connects. `connections` bounds the pool on PostgreSQL; SQLite has one writer and four readers.
    pub async fn open(url: &str, connections: u32) -> Result<Self, OpenError> {
        let db = if url.starts_with("sqlite:") {
            let options = SqliteConnectOptions::from_str(url).map_err(OpenError::Connect)?;
            make_private(options.get_filename()).map_err(|error| OpenError::Connect(sqlx::Error::Io(error)))?;
            let options = options
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                // In WAL mode NORMAL may lose the last commits on a power loss, and what was acknowledged is stored.
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(PATIENCE)
                .foreign_keys(true);
            let write = SqlitePoolOptions::new()
                .max_connections(1)
                .max_lifetime(None)
                .idle_timeout(None)
                .acquire_timeout(PATIENCE)
                .connect_with(options.clone())
                .await
                .map_err(OpenError::Connect)?;
            let read = SqlitePoolOptions::new()
                .max_connections(4)
                .acquire_timeout(PATIENCE)
                .connect_with(options.read_only(true).create_if_missing(false))
                .await
                .map_err(OpenError::Connect)?;
            Db::Sqlite { write, read }
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let options = PgConnectOptions::from_str(url)
                .map_err(OpenError::Connect)?
                .application_name("latchkey")
                .options(GUARDS);
            let pool = PgPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(PATIENCE)
                .connect_with(options)
                .await
                .map_err(OpenError::Connect)?;
            Db::Postgres(pool)
        } else {
            return Err(OpenError::UnknownScheme);
        };
        Ok(Self { db, nudges: Arc::default(), watchers: Arc::default() })
    }

    /// Connects to look only: nothing is made, and nothing can be written.
    pub async fn look(url: &str) -> Result<Self, OpenError> {
        let db = if url.starts_with("sqlite:") {
            let options = SqliteConnectOptions::from_str(url).map_err(OpenError::Connect)?;
            // Where nobody has it open there is no log beside it, and a reader would leave one behind, in its own name.
            let mut log = options.get_filename().as_os_str().to_owned();
            log.push("-wal");
            let alone = !std::path::Path::new(&log).exists();
            let options = options.read_only(true).create_if_missing(false).immutable(alone).busy_timeout(PATIENCE);
            let pool = SqlitePoolOptions::new().max_connections(2).acquire_timeout(PATIENCE);
            let pool = pool.connect_with(options).await.map_err(OpenError::Connect)?;
            Db::Sqlite { write: pool.clone(), read: pool }
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let options = PgConnectOptions::from_str(url).map_err(OpenError::Connect)?;
            let read_only = [("default_transaction_read_only", "on")];
            let options = options.application_name("latchkey").options(GUARDS).options(read_only);
            let pool = PgPoolOptions::new().max_connections(2).acquire_timeout(PATIENCE);
            Db::Postgres(pool.connect_with(options).await.map_err(OpenError::Connect)?)
        } else {
            return Err(OpenError::UnknownScheme);
        };
        Ok(Self { db, nudges: Arc::default(), watchers: Arc::default() })
    }

    /// Applies what is missing, forward only; harmless when nothing is. Several processes may try at once.
    pub async fn migrate(&self) -> Result<(), OpenError> {
        let fault = |error: sqlx::migrate::MigrateError| OpenError::Migrate(error.to_string());
        match &self.db {
            Db::Sqlite { write, .. } => {
                // One transaction for all of it: on SQLite nothing else keeps two processes from migrating at once.
                // (`run` would say the same, but its future is not `Send` for a borrowed connection.)
                let mut tx = write.begin_with("BEGIN IMMEDIATE").await.map_err(OpenError::Connect)?;
                SQLITE.run_direct(None, &mut *tx, false).await.map_err(fault)?;
                // In a table of its own: apalis and we would otherwise each find the other's versions missing. Its
                // `setup` is not used because it turns `synchronous` off.
                let mut jobs = apalis_sqlite::SqliteStorage::<()>::migrations();
                jobs.dangerous_set_table_name("_apalis_migrations");
                jobs.run_direct(None, &mut *tx, false).await.map_err(fault)?;
                // An index that apalis' acknowledgements scan in full, finished jobs included.
                sqlx::query("DROP INDEX IF EXISTS LIdx").execute(&mut *tx).await.map_err(OpenError::Connect)?;
                tx.commit().await.map_err(OpenError::Connect)?;
            }
            Db::Postgres(pool) => {
                // Whoever is second waits for the first, and a migration takes what it takes.
                let unguarded = GUARDS.map(|(guard, _)| (guard, "0"));
                let options = (*pool.connect_options()).clone().options(unguarded);
                let patient =
                    PgPoolOptions::new().max_connections(1).connect_with(options).await.map_err(OpenError::Connect)?;
                POSTGRES.run(&patient).await.map_err(fault)?;
                apalis_postgres::PostgresStorage::<()>::setup(&patient)
                    .await
                    .map_err(|error| OpenError::Migrate(error.to_string()))?;
                patient.close().await;
            }
        }
        Ok(())
    }

    /// Refuses a schema that lacks a migration of this program.
    pub async fn check_schema(&self) -> Result<(), OpenError> {
        match migrations_missing(self).await {
            Ok(missing) if missing.is_empty() => Ok(()),
            Ok(missing) => Err(OpenError::Stale(format!("missing: {}", missing.join(", ")))),
            Err(error) => Err(OpenError::Stale(error.to_string())),
        }
    }
}

/// A new database file is for its owner alone: it holds the secret that signs tokens.
fn make_private(file: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(|_| ()),
    }
}

/// The names of our migrations that the database has not seen; all of them for an empty database.
pub async fn migrations_missing(store: &Store) -> Result<Vec<String>, StoreError> {
    const APPLIED: &str = "SELECT version FROM _sqlx_migrations WHERE success";
    let (migrator, applied): (&Migrator, Result<Vec<i64>, sqlx::Error>) = match &store.db {
        Db::Sqlite { read, .. } => (&SQLITE, sqlx::query_scalar(APPLIED).fetch_all(read).await),
        Db::Postgres(pool) => (&POSTGRES, sqlx::query_scalar(APPLIED).fetch_all(pool).await),
    };
    let applied = match applied {
        Ok(applied) => applied,
        // No such table: nothing was ever applied.
        Err(sqlx::Error::Database(error)) if matches!(error.code().as_deref(), Some("42P01" | "1")) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    Ok(migrator
        .iter()
        .filter(|migration| !applied.contains(&migration.version))
        .map(|migration| format!("{:04}_{}", migration.version, migration.description.replace(' ', "_")))
        .collect())
}
