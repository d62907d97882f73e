//! The two schemas are one, and every statement fits both.

use std::collections::BTreeMap;

use latchkey::store::{Db, OpenError, Store, migrations_missing, statements};
use sqlx::Executor;

use super::{insert_petition, petition};
use crate::harness::databases::{Kind, TestDb, run};

/// Table and column, and whether it may be NULL.
async fn columns(store: &Store) -> BTreeMap<(String, String), bool> {
    const SQLITE: &str = "SELECT t.name, c.name, c.\"notnull\" = 0 AND c.pk = 0 FROM sqlite_schema t
        JOIN pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'";
    const POSTGRES: &str = "SELECT table_name::text, column_name::text, is_nullable = 'YES'
        FROM information_schema.columns WHERE table_schema = 'public'";
    // The job queue keeps its own tables, differently on each; what SQLite finds parts of names in is an index elsewhere.
    let ours = |table: &str| {
        !table.starts_with('_') && table != "Jobs" && table != "Workers" && !table.starts_with("customer_parts")
    };
    let rows: Vec<(String, String, bool)> = match store.db() {
        Db::Sqlite { read, .. } => sqlx::query_as(SQLITE).fetch_all(read).await.unwrap(),
        Db::Postgres(pool) => sqlx::query_as(POSTGRES).fetch_all(pool).await.unwrap(),
    };
    rows.into_iter().filter(|(table, ..)| ours(table)).map(|(table, column, null)| ((table, column), null)).collect()
}

#[test]
fn both_databases_have_the_same_tables_and_columns() {
    // Kept in the test of PostgreSQL, which makes its own SQLite beside it.
    run(Kind::Postgres, |db: TestDb| async move {
        let folder = tempfile::tempdir().unwrap();
        let sqlite = Store::open(&format!("sqlite://{}", folder.path().join("l.db").display()), 1).await.unwrap();
        sqlite.migrate().await.unwrap();
        let (sqlite, postgres) = (columns(&sqlite).await, columns(&db.store().await).await);
        assert!(sqlite.len() > 80, "only {} columns were found", sqlite.len());
        assert_eq!(sqlite, postgres);
    });
}

both_databases! {
    async fn every_statement_prepares(db: TestDb) {
        let store = db.store().await;
        let mut faults = Vec::new();
        let mut tried = 0;
        for (table, all) in statements() {
            for sql in all {
                tried += 1;
                let (text, result) = match store.db() {
                    Db::Sqlite { write, .. } => (sql.sqlite, write.prepare(sqlx::SqlSafeStr::into_sql_str(sql.sqlite)).await.map(|_| ())),
                    Db::Postgres(pool) => (sql.postgres, pool.prepare(sqlx::SqlSafeStr::into_sql_str(sql.postgres)).await.map(|_| ())),
                };
                if let Err(error) = result {
                    faults.push(format!("{table}: {text}\n  {error}"));
                }
            }
        }
        assert!(tried > 60, "only {tried} statements were found");
        assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    }

    async fn migrating_again_changes_nothing(db: TestDb) {
        let store = db.store().await;
        insert_petition(&store, &petition("p1")).await;
        let before = columns(&store).await;
        store.migrate().await.unwrap();
        db.store().await;
        assert_eq!(columns(&store).await, before);
        assert!(store.petition(&petition("p1").name).await.unwrap().is_some());
        assert!(migrations_missing(&store).await.unwrap().is_empty());
    }

    async fn several_processes_may_migrate_at_once(db: TestDb) {
        let url = db.another().await;
        let migrating: Vec<_> = (0..4)
            .map(|_| {
                let url = url.clone();
                tokio::spawn(async move { Store::open(&url, 2).await.unwrap().migrate().await })
            })
            .collect();
        for one in migrating {
            one.await.unwrap().unwrap();
        }
        Store::open(&url, 2).await.unwrap().check_schema().await.unwrap();
    }

    async fn an_unmigrated_database_is_refused(db: TestDb) {
        let empty = Store::open(&db.another().await, 2).await.unwrap();
        match empty.check_schema().await {
            Err(error @ OpenError::Stale(_)) => {
                let said = error.to_string();
                assert!(said.contains("0001_latchkey") && said.contains("latchkey migrate"), "{said}");
            }
            other => panic!("{other:?}"),
        }
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite");
        let name = |file: std::fs::DirEntry| file.path().file_stem().unwrap().to_str().unwrap().to_owned();
        let mut files: Vec<String> = std::fs::read_dir(folder).unwrap().map(|file| name(file.unwrap())).collect();
        files.sort();
        assert_eq!(migrations_missing(&empty).await.unwrap(), files);
        empty.migrate().await.unwrap();
        empty.check_schema().await.unwrap();
    }

    async fn what_was_committed_is_there_after_a_restart(db: TestDb) {
        let store = db.store().await;
        insert_petition(&store, &petition("p1")).await;
        store.close().await;
        let again = db.store().await;
        assert_eq!(again.petition(&petition("p1").name).await.unwrap(), Some(petition("p1")));
        again.ping().await.unwrap();
    }

    async fn what_was_not_committed_never_was(db: TestDb) {
        let store = db.store().await;
        let mut tx = store.begin().await.unwrap();
        tx.insert_petition(&petition("p1"), "p1", None).await.unwrap();
        drop(tx);
        assert_eq!(store.petition(&petition("p1").name).await.unwrap(), None);
        insert_petition(&store, &petition("p1")).await;
    }
}
