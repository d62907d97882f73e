//! Reading the company's customers database, whatever its types.

use futures_util::{StreamExt, TryStreamExt};
use latchkey::{customers, domain::customer::Labels, workflow::SourceRow};

use crate::harness::databases::{Kind, TestDb, raw_at};

async fn read(url: &str, query: &str) -> Vec<SourceRow> {
    let source = customers::open(url, query).await.unwrap();
    source.rows().try_collect().await.unwrap()
}

fn row(id: &str, name: &str, labels: &[(&str, &str)]) -> SourceRow {
    let labels: Labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    SourceRow { id: id.to_owned(), name: name.to_owned(), labels }
}

/// A sentence for an operator: what to look at, and what to do.
async fn refusal(url: &str, query: &str) -> String {
    customers::open(url, query).await.unwrap_err().to_string()
}

both_databases! {
    async fn every_type_of_column_arrives_as_text(db: TestDb) {
        let url = db.url.clone();
        let (sql, labels): (&str, &[(&str, &str)]) = match db.kind {
            Kind::Sqlite => (
                "CREATE TABLE clients (id INTEGER, name TEXT, big BIGINT, ratio REAL, active BOOLEAN, day DATE);
                 INSERT INTO clients VALUES (123, 'AcmeCorp', 9007199254740993, 1.5, true, '2026-03-02')",
                &[("big", "9007199254740993"), ("ratio", "1.5"), ("active", "1"), ("day", "2026-03-02")],
            ),
            Kind::Postgres => (
                "CREATE TYPE plan AS ENUM ('free', 'paid');
                 CREATE TABLE clients (id INT, name VARCHAR(20), big BIGINT, ratio NUMERIC(10, 3), active BOOLEAN,
                     day DATE, key UUID, plan plan, tags TEXT[], extra JSONB, fixed CHAR(4));
                 INSERT INTO clients VALUES (123, 'AcmeCorp', 9007199254740993, 1.500, true, '2026-03-02',
                     'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'paid', '{a,b}', '{\"a\": 1}', 'eu')",
                &[
                    ("big", "9007199254740993"), ("ratio", "1.500"), ("active", "true"), ("day", "2026-03-02"),
                    ("key", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), ("plan", "paid"), ("tags", "{a,b}"),
                    ("extra", "{\"a\": 1}"), ("fixed", "eu"),
                ],
            ),
        };
        raw_at(&url, sql).await;
        assert_eq!(read(&url, "select * from clients").await, [row("123", "AcmeCorp", labels)]);
    }

    async fn a_uuid_or_a_bigint_can_be_the_id(db: TestDb) {
        let url = db.url.clone();
        let id = match db.kind {
            Kind::Sqlite => "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
            Kind::Postgres => "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid",
        };
        let query = format!("select {id} as id, 'AcmeCorp' as name");
        assert_eq!(read(&url, &query).await, [row("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "AcmeCorp", &[])]);
        let query = "select 9223372036854775807 as id, 'AcmeCorp' as name";
        assert_eq!(read(&url, query).await, [row("9223372036854775807", "AcmeCorp", &[])]);
    }

    async fn what_is_null_is_left_out_and_never_made_up(db: TestDb) {
        let url = db.url.clone();
        raw_at(
            &url,
            "CREATE TABLE clients (id TEXT, name TEXT, plan TEXT, region TEXT);
             INSERT INTO clients VALUES ('1', 'AcmeCorp', NULL, 'eu'), (NULL, 'Nobody', 'free', NULL),
                 ('', 'Empty', 'free', NULL), ('2', NULL, 'free', ''), ('3', '', NULL, NULL)",
        )
        .await;
        let rows = read(&url, "select id, name, plan, region from clients order by id").await;
        assert_eq!(
            rows,
            [
                row("1", "AcmeCorp", &[("region", "eu")]),
                row("2", "2", &[("plan", "free"), ("region", "")]),
                row("3", "3", &[]),
            ]
        );
    }

    async fn columns_may_be_called_anything_and_stand_anywhere(db: TestDb) {
        let url = db.url.clone();
        let query = r#"select 'eu' as "Re""gion (old); --", 'AcmeCorp' as "name", 'a' as "select", 123 as "id" -- that is all;"#;
        let labels = [("Re\"gion (old); --", "eu"), ("select", "a")];
        assert_eq!(read(&url, query).await, [row("123", "AcmeCorp", &labels)]);
        let query = "select 123 as nr, 'AcmeCorp' as title, 'free' as plan";
        assert_eq!(read(&url, query).await, [row("123", "AcmeCorp", &[("plan", "free")])]);
    }

    async fn a_query_may_end_in_a_semicolon_and_have_parts_of_its_own(db: TestDb) {
        let url = db.url.clone();
        let query = "with ours as (select 1 as id union all select 2) select id, 'N' as name from ours order by id ; \n;";
        assert_eq!(read(&url, query).await, [row("1", "N", &[]), row("2", "N", &[])]);
    }

    async fn one_column_is_the_id_and_the_name(db: TestDb) {
        let url = db.url.clone();
        assert_eq!(read(&url, "select 123 as nr").await, [row("123", "123", &[])]);
    }

    async fn a_source_can_be_read_again_and_left_halfway(db: TestDb) {
        let url = db.url.clone();
        raw_at(&url, "CREATE TABLE clients (id INT)").await;
        let thousand = "INSERT INTO clients WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
             SELECT i FROM n";
        raw_at(&url, thousand).await;
        let source = customers::open(&url, "select id, id as name from clients order by id").await.unwrap();
        assert_eq!(source.rows().take(2).count().await, 2);
        for _ in 0..2 {
            let rows: Vec<SourceRow> = source.rows().try_collect().await.unwrap();
            assert_eq!((rows.len(), rows[4999].id.as_str()), (5000, "5000"));
        }
    }

    async fn nothing_is_ever_written_there(db: TestDb) {
        let url = db.url.clone();
        raw_at(&url, "CREATE TABLE clients (id INT); INSERT INTO clients VALUES (1)").await;
        for query in [
            "insert into clients values (2) returning id",
            "delete from clients",
            "update clients set id = 3 returning id, id as name",
        ] {
            if let Ok(source) = customers::open(&url, query).await {
                let rows: Vec<_> = source.rows().collect().await;
                assert!(rows.iter().all(Result::is_err) && !rows.is_empty(), "{query}: {rows:?}");
            }
        }
        assert_eq!(read(&url, "select id from clients").await, [row("1", "1", &[])]);
    }

    async fn a_query_that_fails_is_named_with_the_databases_words(db: TestDb) {
        let url = db.url.clone();
        let no_table = refusal(&url, "select id from nowhere").await;
        assert!(no_table.contains("CUSTOMERS_QUERY") && no_table.contains("nowhere"), "{no_table}");
        let two = refusal(&url, "select 1 as id; select 2 as id").await;
        assert!(two.contains("CUSTOMERS_QUERY"), "{two}");
        for nothing in ["", " ; "] {
            let nothing = refusal(&url, nothing).await;
            assert!(nothing.contains("CUSTOMERS_QUERY"), "{nothing}");
        }
        let twice = refusal(&url, "select 1 as id, 2 as id").await;
        assert!(twice.contains("CUSTOMERS_QUERY") && twice.contains("“id”"), "{twice}");
    }

    async fn what_fails_while_it_is_read_ends_the_rows_with_a_sentence(db: TestDb) {
        let url = db.url.clone();
        let query = match db.kind {
            Kind::Sqlite => "select 1 as id union all select abs(-9223372036854775807 - 1)",
            Kind::Postgres => "select 1 / (2 - i) as id from generate_series(1, 3) as i",
        };
        let source = customers::open(&url, query).await.unwrap();
        let rows: Vec<_> = source.rows().collect().await;
        assert_eq!(rows.iter().filter(|row| row.is_err()).count(), 1);
        let error = rows.last().unwrap().as_ref().unwrap_err().to_string();
        assert!(error.contains("CUSTOMERS_QUERY") && error.contains("Nothing was changed"), "{error}");
    }

    async fn a_database_that_is_not_there_is_named_without_its_password(db: TestDb) {
        let urls = match db.kind {
            Kind::Sqlite => vec![format!("{}-is-not-there", db.url)],
            Kind::Postgres => {
                let missing = db.url.replace("latchkey_test", "latchkey_missing");
                let secret = missing.replace("postgres://postgres@", "postgres://postgres:s3cr3t-word@");
                vec![missing, secret, "postgres://bo:s3cr3t-word@127.0.0.1:1/customers".to_owned()]
            }
        };
        for url in urls {
            let error = refusal(&url, "select 1 as id").await;
            assert!(error.contains("CUSTOMERS_DATABASE_URL"), "{error}");
            assert!(!error.contains("s3cr3t-word"), "{error}");
        }
    }
}

#[tokio::test]
async fn what_is_no_address_is_refused_without_repeating_it() {
    for url in [
        "",
        "customers.db",
        "mysql://bo:s3cr3t-word@db/customers",
        "postgres://bo:s3cr3t-word@db:port/customers",
        "postgres://bo:s3cr3t-word@db/customers?sslmode=s3cr3t-word",
        "sqlite://customers.db?mode=s3cr3t-word",
    ] {
        let error = refusal(url, "select 1 as id").await;
        assert!(error.contains("CUSTOMERS_DATABASE_URL is not the address"), "{url}: {error}");
        assert!(!error.contains("s3cr3t-word"), "{error}");
    }
}
