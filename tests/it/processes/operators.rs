//! What operators and auditors do on the command line: tokens, checks, lists, and the record.

use serde_json::Value;

use super::site::{Site, until};
use crate::harness::{
    databases::{Kind, TestDb, raw_at},
    events::Event,
    house::WEBHOOK_SECRET,
};
use latchkey::{
    clock::SystemClock,
    domain::{clock::Clock, signature::sign_v0},
};

async fn receive(site: &Site, url: &str, event: &Event) {
    let (time, body) = (SystemClock.now().to_string(), event.body());
    let signature = sign_v0(WEBHOOK_SECRET, &time, body.as_bytes());
    let request = site.http.post(format!("{url}/webhooks/indent")).header("x-indent-timestamp", time);
    let answer = request.header("x-indent-signature", signature).body(body).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), r#"{"status":{}}"#);
}

both_databases! {
    async fn tokens_are_made_listed_and_revoked(db: TestDb) {
        let site = Site::new(db).await;
        let made = site
            .run(&["token", "create", "--email", "Ops@acme.test", "--scope", "check", "--scope", "admin", "--expires-in", "30d", "--name", "for production"])
            .await;
        assert_eq!((made.code, made.err.as_str()), (Some(0), ""), "{made:?}");
        let token = made.out.strip_suffix('\n').unwrap();
        assert!(token.split('.').count() == 3 && !token.contains(char::is_whitespace), "{token}");
        let payload = token.split('.').nth(1).unwrap();
        assert!(!payload.contains(['-', '_']), "`atob` knows neither");
        let list = site.run(&["token", "list", "--json"]).await;
        let list: Vec<Value> = serde_json::from_str(&list.out).unwrap();
        assert_eq!(list.len(), 1);
        assert_eq!((&list[0]["email"], &list[0]["name"], &list[0]["state"]),
            (&"ops@acme.test".into(), &"for production".into(), &"live".into()));
        let mut scopes: Vec<&str> = list[0]["scopes"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
        scopes.sort_unstable();
        assert_eq!(scopes, ["admin", "check"]);
        let id = list[0]["id"].as_str().unwrap();
        let shown = site.run(&["token", "list"]).await.out;
        assert!(shown.contains(id) && shown.contains("for production") && !shown.contains(token), "{shown}");

        let (server, url) = site.serve().await;
        assert!(!site.allows(&url, token).await);
        assert_eq!(site.run(&["token", "revoke", id]).await.code, Some(0));
        let question = || site.http.get(format!("{url}/v1/check?user=ana@acme.test&customer=1")).bearer_auth(token);
        assert_eq!(question().send().await.unwrap().status().as_u16(), 401, "at once, in a running server");
        for id in [id, "tok_nobody"] {
            let again = site.run(&["token", "revoke", id]).await;
            assert_eq!((again.code, again.err.contains(id)), (Some(1), true), "{again:?}");
        }
        for words in [&["--email", "nobody"][..], &["--email", "a@b.test", "--expires-in", "soon"]] {
            let done = site.run(&[&["token", "create", "--scope", "check"], words].concat()).await;
            assert_eq!((done.code, done.out.as_str()), (Some(1), ""), "{done:?}");
        }
        server.stop().await;
    }

    async fn a_check_says_yes_no_or_that_it_cannot_tell(db: TestDb) {
        let mut site = Site::new(db).await;
        let (server, url) = site.serve().await;
        let check = site.token("check").await;
        let admin = site.token("admin").await;
        receive(&site, &url, &Event::grant().petition("p1")).await;
        let question = ["check", "ana@acme.test", "123"];
        // No token, no server, a token that is worth nothing here.
        assert_eq!(site.run(&question).await.code, Some(3));
        site.set("LATCHKEY_URL", &url);
        for token in ["", "a.b.c", &admin] {
            site.set("LATCHKEY_TOKEN", token);
            let done = site.run(&question).await;
            assert_eq!((done.code, done.out.as_str()), (Some(3), ""), "{done:?}");
            assert!(done.err.contains("cannot tell"), "{done:?}");
        }
        site.set("LATCHKEY_TOKEN", &check);
        let yes = site.run(&question).await;
        assert_eq!((yes.code, yes.out.starts_with("yes")), (Some(0), true), "{yes:?}");
        let no = site.run(&["check", "ana@acme.test", "200"]).await;
        assert_eq!((no.code, no.out.starts_with("no")), (Some(1), true), "{no:?}");
        let no = site.run(&["check", "ana@acme.test", "123", "--role", "admin"]).await;
        assert_eq!(no.code, Some(1), "{no:?}");
        let json = site.run(&["check", "ana@acme.test", "123", "--json"]).await;
        assert_eq!(serde_json::from_str::<Value>(&json.out).unwrap()["allowed"], true);
        assert_eq!(site.run(&["check", "ana", "123"]).await.code, Some(3), "that is no e-mail");

        let list = site.run(&["access", "list"]).await;
        assert_eq!((list.code, list.err.contains("`admin`")), (Some(1), true), "{list:?}");
        site.set("LATCHKEY_TOKEN", &admin);
        site.applied(1).await;
        until!("it is applied", site.run(&["access", "list"]).await.out.contains("production: applied"));
        let list = site.run(&["access", "list", "--json"]).await;
        let list: Vec<Value> = serde_json::from_str(&list.out).unwrap();
        assert_eq!((list.len(), &list[0]["user"], &list[0]["customer"]), (1, &"ana@acme.test".into(), &"123".into()));
        for (words, count) in [(["--customer", "200"], 0), (["--user", "ANA@acme.test"], 1)] {
            let list = site.run(&[&["access", "list", "--json"], &words[..]].concat()).await;
            assert_eq!(serde_json::from_str::<Vec<Value>>(&list.out).unwrap().len(), count);
        }
        server.stop().await;
        site.set("LATCHKEY_TOKEN", &check);
        assert_eq!(site.run(&question).await.code, Some(3), "nobody answers");
    }

    async fn the_record_is_exported_and_tampering_shows(db: TestDb) {
        let site = Site::new(db).await;
        let (server, url) = site.serve().await;
        for n in 0..3 {
            receive(&site, &url, &Event::grant().petition(&format!("p{n}")).customer(&n.to_string())).await;
        }
        site.applied(3).await;
        server.stop().await;
        let export = site.run(&["audit", "export"]).await;
        assert_eq!(export.code, Some(0), "{export:?}");
        let lines: Vec<Value> = export.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(lines.len() > 9, "{}", export.out);
        for (n, line) in lines.iter().enumerate() {
            assert_eq!(line["position"], n + 1);
            for field in ["at", "event", "actor", "via", "hash"] {
                assert!(line[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {line}");
            }
        }
        let words: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
        for word in ["customers.synced", "event.received", "lease.began", "access.began", "provisioner.applied"] {
            assert!(words.contains(&word), "{word}: {words:?}");
        }
        assert_eq!(site.run(&["audit", "export"]).await.out, export.out, "reading changes nothing");
        let verified = site.run(&["audit", "verify"]).await;
        assert_eq!(verified.code, Some(0));
        assert!(verified.out.contains(&format!("{} entries", lines.len())) && verified.out.contains(lines.last().unwrap()["hash"].as_str().unwrap()));

        raw_at(&site.db.url, "CREATE TABLE kept AS SELECT * FROM audit").await;
        let overriding = if site.db.kind == Kind::Postgres { "OVERRIDING SYSTEM VALUE" } else { "" };
        let put_back = format!("DELETE FROM audit; INSERT INTO audit {overriding} SELECT * FROM kept");
        for tamper in [
            "UPDATE audit SET actor = 'nobody' WHERE position = 3",
            "UPDATE audit SET details = '{}' WHERE position = 4",
            "UPDATE audit SET at_us = at_us + 1 WHERE position = 2",
            "UPDATE audit SET petition = 'p9' WHERE position = 5",
            "UPDATE audit SET hash = (SELECT hash FROM kept WHERE kept.position = 1) WHERE position = 2",
            "DELETE FROM audit WHERE position = 5",
            "DELETE FROM audit WHERE position = 1",
        ] {
            raw_at(&site.db.url, tamper).await;
            for command in ["verify", "export"] {
                let done = site.run(&["audit", command]).await;
                assert_eq!((done.code, done.err.contains("does not hold together")), (Some(1), true), "{tamper}: {done:?}");
            }
            raw_at(&site.db.url, &put_back).await;
            assert_eq!(site.run(&["audit", "verify"]).await.code, Some(0), "{tamper}");
        }
    }
}
