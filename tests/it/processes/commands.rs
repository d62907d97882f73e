//! How a start is refused, and the commands around it.

use std::path::Path;

use super::site::{Done, LONG, Site, provisioner, until};
use crate::harness::{
    databases::{Kind, TestDb, raw_at, run},
    house::FILE,
};

/// Exit status 1, and a message that names all of this.
fn assert_refused(done: &Done, names: &[&str]) {
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.err.starts_with("latchkey: ") && !done.err.contains("panicked"), "{}", done.err);
    for name in names {
        assert!(done.err.contains(name), "“{name}” is missing: {}", done.err);
    }
}

/// On one database, for what has to do with none.
fn once<F: Future<Output = ()> + Send + 'static>(body: fn(TestDb) -> F) {
    run(Kind::Sqlite, body);
}

#[test]
fn a_wrong_setting_stops_the_start_and_is_named() {
    once(|db| async move {
        let mut site = Site::new(db).await;
        for (name, value, says) in [
            ("LATCHKEY_FOO", "1", "no such setting"),
            ("LATCHKEY_CONFGI", "x.toml", "LATCHKEY_CONFIG"),
            ("LISTEN", "3000", "127.0.0.1:3000"),
            ("DATABASE_URL", "mysql://x", "sqlite://"),
            ("LATCHKEY_SECRET", "short", "32"),
            ("PUBLIC_URL", "latchkey.example.com", "https://"),
            ("SLACK_SIGNING_SECRET", "", "SLACK_SIGNING_SECRET"),
            ("CUSTOMERS_SYNC_EVERY", "often", "15m"),
            ("CUSTOMERS_MAX_REMOVALS", "0.2", "20%"),
            ("LOG_FORMAT", "xml", "json"),
            ("OKTA_DOMAIN", "acme", "cannot do that yet"),
        ] {
            let before = site.set(name, value);
            assert_refused(&site.run(&["serve"]).await, &[name, says]);
            assert_refused(&site.run(&["worker"]).await, &[name, says]);
            site.set(name, &before.unwrap_or_default());
        }
        // Somebody else's variables are nobody's mistake, and an empty one is not set.
        site.set("LATCHKEY_FOO", "");
        site.set("SOMETHING", "else");
        let (server, _) = site.serve().await;
        // Two cannot listen on one address.
        let listen = server.url().await.trim_start_matches("http://").to_owned();
        site.set("LISTEN", &listen);
        assert_refused(&site.run(&["serve"]).await, &["LISTEN", &listen]);
        server.stop().await;
    });
}

#[test]
fn a_mistake_in_the_file_is_named_with_its_place() {
    once(|db| async move {
        let mut site = Site::new(db).await;
        for (text, place, says) in [
            ("[access]\nmax_duration = 24\n", ":2:16", "unit"),
            ("[access]\nmax_durations = \"24h\"\n", ":2:1", "max_duration"),
            ("[access\n", ":1:", "TOML"),
            ("[[rule]]\nname = \"x\"\nrequire = [{ reviewers = [\"group:nobody\"] }]\n", ":3:", "nobody"),
        ] {
            site.write_file(text);
            assert_refused(&site.run(&["serve"]).await, &["latchkey.toml", place, says]);
        }
        site.write_file(FILE);
        site.set("PRODUCTION_SECRET", "");
        assert_refused(&site.run(&["serve"]).await, &["PRODUCTION_SECRET", "latchkey.toml:"]);
        std::fs::remove_file(site.path("latchkey.toml")).unwrap();
        assert_refused(&site.run(&["serve"]).await, &["latchkey.toml", "latchkey init"]);
        site.set("LATCHKEY_CONFIG", "elsewhere.toml");
        assert_refused(&site.run(&["serve"]).await, &["elsewhere.toml", "latchkey init"]);
    });
}

#[test]
fn what_init_writes_serves_and_stays() {
    once(|db| async move {
        let site = Site::new(db).await;
        std::fs::remove_file(site.path("latchkey.toml")).unwrap();
        let done = site.run(&["init"]).await;
        assert_eq!(done.code, Some(0), "{done:?}");
        assert!(done.out.contains("latchkey.toml") && done.out.contains("latchkey serve"), "{}", done.out);
        let (server, _) = site.serve().await;
        server.stop().await;
        std::fs::write(site.path("latchkey.toml"), "# mine\n").unwrap();
        assert_refused(&site.run(&["init"]).await, &["latchkey.toml", "stays as it is"]);
        assert_eq!(std::fs::read_to_string(site.path("latchkey.toml")).unwrap(), "# mine\n");
        assert_eq!(site.run(&["init", "other.toml"]).await.code, Some(0));
        assert!(site.path("other.toml").exists());
        assert_refused(&site.run(&["init", "no/such/folder.toml"]).await, &["no/such/folder.toml"]);
    });
}

#[test]
fn wrong_usage_is_status_two() {
    once(|db| async move {
        let site = Site::new(db).await;
        for words in [
            &[][..],
            &["fly"],
            &["serve", "--fast"],
            &["check"],
            &["check", "ana@acme.test"],
            &["token"],
            &["token", "create", "--email", "a@b.test"],
            &["token", "create", "--email", "a@b.test", "--scope", "root"],
            &["token", "revoke"],
            &["audit"],
            &["access"],
        ] {
            let done = site.run(words).await;
            assert_eq!(done.code, Some(2), "{words:?}: {done:?}");
            assert!(done.out.is_empty() && done.err.contains("--help"), "{words:?}: {done:?}");
        }
        for words in [&["--help"][..], &["serve", "--help"], &["--version"]] {
            let done = site.run(words).await;
            assert!(done.code == Some(0) && done.err.is_empty() && done.out.contains("latchkey"), "{done:?}");
        }
    });
}

fn everything_in(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

/// With nothing configured, whatever else is; and nothing is left of it.
#[test]
fn the_demo_plays_and_leaves_nothing() {
    once(|db| async move {
        let mut site = Site::new(db).await;
        site.set("LATCHKEY_SECRET", "far too short");
        let done = site.run(&["demo", "--once"]).await;
        assert_eq!(done.code, Some(0), "{done:?}");
        for said in ["Ana types", "Bo presses Approve", "check: denied", "lease.ended"] {
            assert!(done.out.contains(said), "{said} is missing: {}", done.out);
        }
        assert_eq!(done.err, "");
        assert_eq!(everything_in(&site.path("tmp")), Vec::<String>::new());
        assert!(!site.path("latchkey.db").exists());

        // Told to stop in the middle, it leaves nothing either.
        let mut demo = site.start(&["demo"]);
        until!("its folder is there", !everything_in(&site.path("tmp")).is_empty());
        demo.terminate();
        demo.ended(LONG).await;
        assert_eq!(everything_in(&site.path("tmp")), Vec::<String>::new());
    });
}

both_databases! {
    async fn a_stale_schema_is_refused_or_brought_up_to_date(db: TestDb) {
        let mut site = Site::new(db).await;
        let empty = site.db.another().await;
        site.set("DATABASE_URL", &empty);
        for command in ["serve", "worker"] {
            assert_refused(&site.run(&[command, "--no-migrate"]).await, &["latchkey migrate"]);
        }
        for _ in 0..2 {
            let done = site.run(&["migrate"]).await;
            assert_eq!((done.code, done.out.contains("up to date")), (Some(0), true), "{done:?}");
        }
        let server = site.start(&["serve", "--no-migrate"]);
        let url = server.url().await;
        site.ready(&url).await;
        server.stop().await;
        site.set("DATABASE_URL", "postgres://nobody:s3cret@127.0.0.1:1/none");
        let done = site.run(&["migrate"]).await;
        assert_refused(&done, &["DATABASE_URL", "127.0.0.1:1"]);
        assert!(!done.err.contains("s3cret"));
    }

    async fn one_sync_by_hand(db: TestDb) {
        let mut site = Site::new(db).await;
        site.write(&provisioner("1s"));
        for (sql, said) in [
            ("SELECT 1", "6 customers read: 6 changed, 0 vanished."),
            ("SELECT 1", "6 customers read: 0 changed, 0 vanished."),
            ("UPDATE customers SET name = 'X' WHERE id = 123; DELETE FROM customers WHERE id = 201",
                "5 customers read: 1 changed, 1 vanished."),
        ] {
            raw_at(&site.customers, sql).await;
            let done = site.run(&["sync"]).await;
            assert_eq!((done.code, done.out.trim()), (Some(0), said), "{done:?}");
        }
        raw_at(&site.customers, "DELETE FROM customers WHERE id IN (123, 124)").await;
        assert_refused(&site.run(&["sync"]).await, &["CUSTOMERS_MAX_REMOVALS", "2 of the 5"]);
        site.set("CUSTOMERS_MAX_REMOVALS", "50%");
        assert_eq!(site.run(&["sync"]).await.code, Some(0));
        site.set("CUSTOMERS_QUERY", "select id, name from nothing");
        assert_refused(&site.run(&["sync"]).await, &["CUSTOMERS_QUERY"]);
        site.set("CUSTOMERS_QUERY", "");
        site.set("CUSTOMERS_DATABASE_URL", "sqlite://no-such-file.db");
        assert_refused(&site.run(&["sync"]).await, &["CUSTOMERS_DATABASE_URL"]);
        assert!(!site.path("no-such-file.db").exists(), "it is only read");
        site.set("CUSTOMERS_DATABASE_URL", "");
        assert_refused(&site.run(&["sync"]).await, &["CUSTOMERS_DATABASE_URL"]);
    }
}
