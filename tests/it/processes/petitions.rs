//! `latchkey petitions …` against a server that runs.

use serde_json::Value;
use tokio::net::TcpListener;

use super::site::{Done, Site, until};
use crate::harness::databases::{Kind, TestDb, run};

/// Somebody with a token, at a server.
struct Caller<'a> {
    site: &'a Site,
    url: String,
    token: String,
}

impl<'a> Caller<'a> {
    async fn new(site: &'a Site, url: &str, email: &str, scope: &str) -> Self {
        Self { site, url: url.to_owned(), token: site.token_of(email, scope).await }
    }

    async fn says(&self, words: &[&str]) -> Done {
        let vars = [("LATCHKEY_URL", self.url.as_str()), ("LATCHKEY_TOKEN", &self.token)];
        self.site.run_with(&vars, &[&["petitions"], words].concat()).await
    }

    /// What it printed, of a command that must be done.
    async fn does(&self, words: &[&str]) -> String {
        let done = self.says(words).await;
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{words:?}: {done:?}");
        done.out.trim_end().to_owned()
    }

    /// The sentence, of a command that must fail.
    async fn fails(&self, words: &[&str]) -> String {
        let done = self.says(words).await;
        assert_eq!((done.code, done.out.as_str()), (Some(1), ""), "{words:?}: {done:?}");
        assert!(done.err.starts_with("latchkey: ") && done.err.trim_end().lines().count() == 1, "{done:?}");
        done.err
    }

    async fn shown(&self, name: &str) -> Value {
        serde_json::from_str(&self.does(&["show", name, "--json"]).await).unwrap()
    }
}

const ASK: [&str; 5] = ["create", "--customer", "123", "--reason", "debug BUG-482"];

/// The newest petition, once there is one.
async fn newest(caller: &Caller<'_>, than: &str) -> String {
    let look = || async {
        let all: Vec<Value> = serde_json::from_str(&caller.does(&["list", "--json"]).await).unwrap();
        all.first().map(|one| one["name"].as_str().unwrap().to_owned()).filter(|name| name != than)
    };
    until!("somebody has asked", look().await.is_some());
    look().await.unwrap()
}

both_databases! {
    async fn a_whole_story_by_commands(db: TestDb) {
        let site = Site::new(db).await;
        let (server, url) = site.serve().await;
        let ana = Caller::new(&site, &url, "ana@acme.test", "petition").await;
        let bo = Caller::new(&site, &url, "bo@acme.test", "petition").await;
        let check = site.token("check").await;

        let name = ana.does(&[&ASK[..], &["--for", "1h30m"]].concat()).await;
        let shown = ana.does(&["show", &name]).await;
        for said in [&*name, "open", "ana@acme.test", "123 (AcmeCorp)", "1h 30m", "debug BUG-482", "1 of group:leads"] {
            assert!(shown.contains(said), "{said} is missing: {shown}");
        }
        let own = ana.fails(&["approve", &name]).await;
        assert!(own.contains("403"), "{own}");
        assert!(!site.allows(&url, &check).await);

        let approved = bo.does(&["approve", &name, "--for", "30m", "--reason", "looks right"]).await;
        assert!(approved.contains("is granted: ana@acme.test may see 123 (AcmeCorp) until "), "{approved}");
        assert!(site.allows(&url, &check).await);
        let history = ana.shown(&name).await["state"]["eventHistory"].clone();
        let words: Vec<&str> = history.as_array().unwrap().iter().map(|one| one["event"].as_str().unwrap()).collect();
        assert_eq!(words, ["access/request", "access/approve", "access/grant"]);
        assert_eq!(history[2]["meta"]["labels"]["indent.com/time/duration"], "30m0s");
        let shown = ana.does(&["show", &name]).await;
        assert!(shown.contains("bo@acme.test approved it for 30m: looks right"), "{shown}");

        let revoked = bo.does(&["revoke", &name, "--reason", "all done"]).await;
        assert!(revoked.contains("access ended by bo@acme.test: all done"), "{revoked}");
        assert!(!site.allows(&url, &check).await);
        let late = bo.fails(&["approve", &name]).await;
        assert!(late.contains("409"), "{late}");

        let second = ana.does(&ASK).await;
        let denied = bo.does(&["deny", &second, "--reason", "not today"]).await;
        assert!(denied.contains("bo@acme.test said no: not today"), "{denied}");
        let list = ana.does(&["list"]).await;
        let names: Vec<&str> = list.lines().skip(1).filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(names, [&*second, &*name]);
        let one = ana.does(&["list", "--selector", "indent.com/resource/id in (124)"]).await;
        assert_eq!(one, "There are no petitions that you may see.");
        server.stop().await;
    }

    /// The name at once, the outcome when there is one, and the exit status says which.
    async fn waiting_ends_with_the_decision(db: TestDb) {
        let site = Site::new(db).await;
        let (server, url) = site.serve().await;
        let ana = Caller::new(&site, &url, "ana@acme.test", "petition").await;
        let bo = Caller::new(&site, &url, "bo@acme.test", "petition").await;
        let mut before = String::new();
        for (act, code, said) in [
            (&["approve"][..], 0, "granted: ana@acme.test may see 123 (AcmeCorp) until "),
            (&["deny", "--reason", "not today"], 1, "closed: bo@acme.test said no: not today"),
        ] {
            let words = [&ASK[..], &["--wait"]].concat();
            let (waited, name) = tokio::join!(ana.says(&words), async {
                let name = newest(&bo, &before).await;
                bo.does(&[&[act[0], &name], &act[1..]].concat()).await;
                name
            });
            assert_eq!((waited.code, waited.out.trim()), (Some(code), &*name), "{waited:?}");
            assert!(waited.err.starts_with(said), "{waited:?}");
            before = name;
        }
        let waited = ana.says(&[&ASK[..], &["--wait=1s"]].concat()).await;
        assert_eq!(waited.code, Some(1));
        assert!(waited.err.contains("not decided in time") && waited.err.contains(waited.out.trim()), "{waited:?}");
        assert_eq!(ana.shown(waited.out.trim()).await["state"]["status"]["phase"], "open");
        server.stop().await;
    }
}

#[test]
fn what_is_refused_is_said_in_a_sentence() {
    run(Kind::Sqlite, |db| async move {
        let site = Site::new(db).await;
        let (server, url) = site.serve().await;
        let ana = Caller::new(&site, &url, "ana@acme.test", "petition").await;
        for (words, said) in [
            (&["create", "--customer", "999", "--reason", "debug BUG-482"][..], "999"),
            (&["create", "--customer", "123", "--reason", "x"], "reason"),
            (&["create", "--customer", "123", "--reason", "debug BUG-482", "--for", "90d"], "8h"),
            (&["create", "--customer", "123", "--reason", "debug BUG-482", "--user", "bo@acme.test"], "`admin`"),
            (&["show", "nobody-filed-this"], "there is no petition `nobody-filed-this`"),
            (&["show", ".."], "“..”"),
            (&["list", "--selector", "a b"], "character 3"),
        ] {
            let sentence = ana.fails(words).await;
            assert!(sentence.contains(said), "{words:?}: {sentence}");
        }
        for words in [
            &["create", "--customer", "123"][..],
            &["create", "--customer", "123", "--reason", "debug BUG-482", "--for", "bananas"],
            &["create", "--customer", "123", "--reason", "debug BUG-482", "--wait=never"],
            &["deny", "x"],
            &["approve"],
            &[],
        ] {
            let done = ana.says(words).await;
            assert_eq!(done.code, Some(2), "{words:?}: {done:?}");
        }
        let elsewhere = [("LATCHKEY_URL", url.as_str()), ("LATCHKEY_TOKEN", &ana.token), ("INDENT_SPACE", "other")];
        let done = site.run_with(&elsewhere, &["petitions", "list"]).await;
        assert!(done.code == Some(1) && done.err.contains("INDENT_SPACE"), "{done:?}");
        let nobody = [("LATCHKEY_URL", url.as_str()), ("LATCHKEY_TOKEN", "not-a-token")];
        let done = site.run_with(&nobody, &["petitions", "list"]).await;
        assert!(done.code == Some(1) && done.err.contains("latchkey token create"), "{done:?}");
        let without = [("LATCHKEY_URL", url.as_str())];
        let done = site.run_with(&without, &["petitions", "list"]).await;
        assert!(done.code == Some(1) && done.err.contains("LATCHKEY_TOKEN is not set"), "{done:?}");
        server.stop().await;
    });
}

/// A proxy's page, an address where nobody is, and something that is no address.
#[test]
fn a_server_that_is_no_latchkey_is_named() {
    run(Kind::Sqlite, |db| async move {
        let site = Site::new(db).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = format!("http://{}", listener.local_addr().unwrap());
        let page = || async { axum::response::Html("<html>Welcome</html>") };
        let served = tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(page)).await });
        for (url, said) in [
            (&*proxy, "is LATCHKEY_URL right?"),
            ("http://127.0.0.1:1", "no answer from http://127.0.0.1:1"),
            ("latchkey.example.com", "LATCHKEY_URL"),
            ("mailto:ops@acme.test", "LATCHKEY_URL"),
        ] {
            let vars = [("LATCHKEY_URL", url), ("LATCHKEY_TOKEN", "anything")];
            for words in [&["petitions", "list"][..], &["petitions", "show", "x"], &["petitions", "revoke", "x"]] {
                let done = site.run_with(&vars, words).await;
                assert!(done.code == Some(1) && done.err.contains(said), "{url} {words:?}: {done:?}");
            }
        }
        served.abort();
    });
}

/// Whoever waits does not hear of a restart.
#[test]
fn waiting_outlives_a_restart() {
    run(Kind::Sqlite, |db| async move {
        let mut site = Site::new(db).await;
        let (server, url) = site.serve().await;
        site.set("LISTEN", url.trim_start_matches("http://"));
        let ana = Caller::new(&site, &url, "ana@acme.test", "petition").await;
        let bo = Caller::new(&site, &url, "bo@acme.test", "petition").await;
        let words = [&ASK[..], &["--wait"]].concat();
        let (waited, server) = tokio::join!(ana.says(&words), async {
            let name = newest(&bo, "").await;
            server.kill();
            let (server, _) = site.serve().await;
            bo.does(&["approve", &name]).await;
            server
        });
        assert_eq!(waited.code, Some(0), "{waited:?}");

        // One that is gone for good is not taken for a no.
        let words = [&ASK[..], &["--wait=15s"]].concat();
        let (waited, ()) = tokio::join!(ana.says(&words), async {
            let name = newest(&bo, waited.out.trim()).await;
            assert_eq!(bo.shown(&name).await["name"], name);
            server.kill();
        });
        assert_eq!(waited.code, Some(1), "{waited:?}");
        assert!(waited.err.contains("cannot tell"), "{waited:?}");
    });
}
