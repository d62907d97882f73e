//! A fresh database for each test, on SQLite and on PostgreSQL.

use std::{
    panic::resume_unwind,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use latchkey::store::{Db, Store};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tempfile::TempDir;

use super::server::{self, Server};

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(180);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// Runs each body twice, as the tests `name::sqlite` and `name::postgres`.
///
/// ```ignore
/// both_databases! {
///     async fn what_is_promised(db: TestDb) {
///         let store = db.store().await;
///     }
/// }
/// ```
macro_rules! both_databases {
    ($($(#[$attribute:meta])* async fn $name:ident($db:ident: $of:ty) $(-> $result:ty)? $body:block)*) => {$(
        $(#[$attribute])*
        mod $name {
            #[allow(unused_imports, reason = "not every body needs something from outside")]
            use super::*;
            async fn body($db: $of) $(-> $result)? $body
            #[test]
            fn sqlite() {
                $crate::harness::databases::run($crate::harness::databases::Kind::Sqlite, body);
            }
            #[test]
            fn postgres() {
                $crate::harness::databases::run($crate::harness::databases::Kind::Postgres, body);
            }
        }
    )*};
}

/// What a test's body may return.
pub trait Finish: Send + 'static {
    fn finish(self);
}

impl Finish for () {
    fn finish(self) {}
}

impl<E: std::fmt::Debug + Send + 'static> Finish for Result<(), E> {
    fn finish(self) {
        self.unwrap();
    }
}

/// One test's database. It is gone when the test is over, whoever still holds it; clones are the same database.
#[derive(Clone, Debug)]
pub struct TestDb {
    pub kind: Kind,
    /// What `DATABASE_URL` would be.
    pub url: String,
    place: Arc<Place>,
}

#[derive(Debug)]
enum Place {
    Sqlite { folder: TempDir, made: AtomicU32 },
    Postgres { server: &'static Server, names: Mutex<Vec<String>> },
}

impl TestDb {
    fn sqlite() -> Self {
        let folder = tempfile::Builder::new().prefix("latchkey-test-").tempdir_in(scratch()).unwrap();
        let url = sqlite_file(folder.path().join("latchkey.db"));
        Self { kind: Kind::Sqlite, url, place: Arc::new(Place::Sqlite { folder, made: AtomicU32::new(0) }) }
    }

    async fn postgres(server: &'static Server) -> Self {
        let name = server.create(Some(&server.template)).await;
        let url = server.url_of(&name);
        let names = Mutex::new(vec![name]);
        Self { kind: Kind::Postgres, url, place: Arc::new(Place::Postgres { server, names }) }
    }

    /// Opens it, up to date. Each call is another pool of connections to the same database.
    pub async fn store(&self) -> Store {
        let store = Store::open(&self.url, 8).await.unwrap();
        store.migrate().await.unwrap();
        store
    }

    /// The same database by another way, or another one as if it were the test's own. It goes when this one does.
    pub fn at(&self, url: String) -> Self {
        Self { url, ..self.clone() }
    }

    /// The URL of one more database of the same kind, with nothing in it.
    pub async fn another(&self) -> String {
        match &*self.place {
            Place::Sqlite { folder, made } => {
                let number = made.fetch_add(1, Ordering::Relaxed);
                sqlite_file(folder.path().join(format!("another-{number}.db")))
            }
            Place::Postgres { server, names } => {
                let name = server.create(None).await;
                let url = server.url_of(&name);
                names.lock().unwrap().push(name);
                url
            }
        }
    }

    async fn drop(self) {
        if let Place::Postgres { server, names } = &*self.place {
            let names = std::mem::take(&mut *names.lock().unwrap());
            for name in names {
                server.drop(&name).await;
            }
        }
    }
}

/// In memory where that is offered: thousands of commits that each wait for the disk make every time limit a gamble.
fn scratch() -> PathBuf {
    let memory = std::path::Path::new("/dev/shm");
    if tempfile::tempfile_in(memory).is_ok() { memory.to_owned() } else { std::env::temp_dir() }
}

/// An empty file is a database with nothing in it.
fn sqlite_file(path: PathBuf) -> String {
    std::fs::write(&path, "").unwrap();
    format!("sqlite://{}", path.display())
}

/// Runs SQL that the store would never run.
pub async fn raw(store: &Store, sql: &str) {
    let sql = AssertSqlSafe(sql.to_owned());
    match store.db() {
        Db::Sqlite { write, .. } => write.execute(sqlx::raw_sql(sql)).await.map(|_| ()).unwrap(),
        Db::Postgres(pool) => pool.execute(sqlx::raw_sql(sql)).await.map(|_| ()).unwrap(),
    }
}

/// Runs SQL on a database that no store knows.
pub async fn raw_at(url: &str, sql: &str) {
    let sql = AssertSqlSafe(sql.to_owned());
    if url.starts_with("sqlite:") {
        let mut conn = sqlx::SqliteConnection::connect(url).await.unwrap();
        conn.execute(sqlx::raw_sql(sql)).await.unwrap();
        conn.close().await.unwrap();
    } else {
        let mut conn = PgConnection::connect(url).await.unwrap();
        conn.execute(sqlx::raw_sql(sql)).await.unwrap();
        conn.close().await.unwrap();
    }
}

/// Runs one test on a database of its own, and takes that away afterwards, also when the test fails or hangs.
pub fn run<F, T>(kind: Kind, body: fn(TestDb) -> F)
where
    F: Future<Output = T> + Send + 'static,
    T: Finish,
{
    let server = match kind {
        Kind::Sqlite => None,
        Kind::Postgres => match server::find() {
            Some(server) => Some(server),
            None => return,
        },
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let result = runtime.block_on(async {
        let db = match server {
            None => TestDb::sqlite(),
            Some(server) => TestDb::postgres(server).await,
        };
        let test = tokio::spawn(body(db.clone()));
        let stop = test.abort_handle();
        let result = tokio::time::timeout(LIMIT, test).await;
        stop.abort();
        db.drop().await;
        result
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
    match result {
        Ok(Ok(done)) => done.finish(),
        Ok(Err(fault)) => resume_unwind(fault.into_panic()),
        Err(_) => panic!("the test took longer than {} s", LIMIT.as_secs()),
    }
}
