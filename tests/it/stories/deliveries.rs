//! What production is told, word for word, and what happens when it does not take it.

use axum::{Router, response::Redirect, routing::any};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use latchkey::{
    demo::production::{Delivery, Trouble},
    domain::signature::sign_v0,
};
use sha2::Sha256;

use crate::harness::{
    databases::{TestDb, raw_at},
    events::Event,
    house::{ANA, BO, FILE, House, PRODUCTION_SECRET},
    office::{hours, minutes},
};

const SECOND_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Two secrets, a header of the company's own, and no patience with receivers that hang.
const PRODUCTION: &str = r#"
[[provisioner]]
name = "production"
kind = "webhook"
url = "${PRODUCTION_URL}"
secret = ["${PRODUCTION_SECRET}", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
headers = { x-team = "support" }
timeout = "4s"
"#;

fn kinds(deliveries: &[Delivery]) -> Vec<(&str, u16)> {
    deliveries.iter().map(|one| (one.kind(), one.status)).collect()
}

fn seconds(n: i64) -> SignedDuration {
    SignedDuration::from_secs(n)
}

/// Header by header, over the bytes that arrived.
fn assert_signed(delivery: &Delivery, now: Timestamp) {
    let header = |name: &str| delivery.headers.get(name).map(String::as_str).unwrap_or_default();
    let body = delivery.body.as_bytes();
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("x-team"), "support");
    assert_eq!(header("x-indent-timestamp"), now.to_string());
    assert_eq!(header("x-indent-signature"), sign_v0(PRODUCTION_SECRET, &now.to_string(), body));
    let (id, second) = (header("webhook-id"), now.as_second());
    assert!(!id.is_empty() && !id.contains('.'), "{id}");
    assert_eq!(header("webhook-timestamp"), second.to_string());
    // A secret of Standard Webhooks is base64, any other its own bytes.
    let key = STANDARD.decode(&SECOND_SECRET["whsec_".len()..]).unwrap();
    let standard = [PRODUCTION_SECRET.as_bytes(), &key].map(|key| {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).unwrap();
        mac.update(format!("{id}.{second}.{}", delivery.body).as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    });
    assert_eq!(header("webhook-signature"), standard.join(" "));
}

both_databases! {
    async fn every_byte_is_as_promised(db: TestDb) {
        let with_roles = FILE.replace("[access]", "[access]\nroles = [\"readonly\", \"admin\"]");
        let file = format!("{}{PRODUCTION}", with_roles.split("[[provisioner]]").next().unwrap());
        let query = r#"select id, name, plan, plan as "7", '<&é顧>' as note from customers"#;
        let house = House::plan(db).file(&file).env("CUSTOMERS_QUERY", query).build().await;
        raw_at(&house.customers, "UPDATE customers SET name = 'Café \"A/B\" ' || '</é顧>\\' WHERE id = 123").await;
        house.advance(minutes(15)).await;
        let answer = house.types(ANA, "customer 123 as admin for 90m to debug BUG-482 <naïve>").await;
        assert_eq!(answer.problem, None);
        house.settle().await;
        house.advance(minutes(1)).await;
        house.press(BO, "Approve").await;
        house.settle().await;
        house.advance(minutes(90)).await;

        let told = house.production.deliveries();
        assert_eq!(kinds(&told), [("access/grant", 200), ("access/revoke", 200)]);
        assert_signed(&told[0], "2026-03-02T09:16:00Z".parse().unwrap());
        assert_signed(&told[1], "2026-03-02T10:46:00Z".parse().unwrap());
        let petition = told[0].label("petition");
        let ana = r#"{"kind":"user","id":"ana@acme.test","email":"ana@acme.test"}"#;
        let bo = r#"{"kind":"user","id":"bo@acme.test","email":"bo@acme.test"}"#;
        let resources = format!(
            r#"[{ana},{{"kind":"customer","id":"123","displayName":"Café \"A/B\" </é顧>\\","labels":{}}}]"#,
            r#"{"note":"<&é顧>","plan":"enterprise","role":"admin"}"#,
        );
        let reason = r#""reason":"debug BUG-482 <naïve>""#;
        let history = [
            format!(r#"{{"event":"access/request","timestamp":"2026-03-02T09:15:00Z","actor":{ana},{reason},"resources":{resources}}}"#),
            format!(r#"{{"event":"access/approve","timestamp":"2026-03-02T09:16:00Z","actor":{bo},"resources":{resources}}}"#),
        ]
        .join(",");
        let labels = |version: u8| {
            format!(
                r#"{{"labels":{{"indent.com/petition":"{petition}","indent.com/time/duration":"1h30m0s","indent.com/time/expires":"2026-03-02T10:46:00Z","latchkey/role":"admin","latchkey/version":"{version}","petition":"{petition}"}}}}"#
            )
        };
        let grant = format!(
            r#"{{"event":"access/grant","timestamp":"2026-03-02T09:16:00Z","actor":{bo},{reason},"resources":{resources},"meta":{}}}"#,
            labels(1)
        );
        assert_eq!(told[0].body, format!(r#"{{"events":[{history},{grant}]}}"#));
        let system = r#"{"kind":"indent.v1.Bot","id":"system"}"#;
        let revoke = format!(
            r#"{{"event":"access/revoke","timestamp":"2026-03-02T10:46:00Z","actor":{system},"reason":"expired","resources":{resources},"meta":{}}}"#,
            labels(2)
        );
        assert_eq!(told[1].body, format!(r#"{{"events":[{history},{revoke}]}}"#));
        assert_ne!(told[0].headers["webhook-id"], told[1].headers["webhook-id"]);
        house.finish().await;
    }

    /// The receiver knows a redelivery by its id; its time and signature are of the attempt.
    async fn a_redelivery_says_the_same_at_another_time(db: TestDb) {
        let house = House::plan(db).provisioners(PRODUCTION).build().await;
        house.production.next([Trouble::Status(500), Trouble::Lost]);
        house.granted().await;
        // The customer is renamed meanwhile; what is told stays what was to be told.
        raw_at(&house.customers, "UPDATE customers SET name = 'Acme Inc', plan = 'free' WHERE id = 123").await;
        house.advance(minutes(16)).await;
        house.advance(minutes(6)).await;
        let told = house.production.deliveries();
        assert_eq!(kinds(&told), [("access/grant", 500), ("access/grant", 1), ("access/grant", 200)]);
        let start: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
        for (delivery, after) in told.iter().zip([0, 16, 22]) {
            assert_signed(delivery, start + minutes(after));
            assert_eq!(delivery.body, told[0].body);
            assert_eq!(delivery.headers["webhook-id"], told[0].headers["webhook-id"]);
        }
        assert_ne!(told[0].headers["x-indent-signature"], told[1].headers["x-indent-signature"]);
        // Confirmed, so that is that.
        house.advance(hours(1)).await;
        assert_eq!(house.production.deliveries().len(), 3);
        house.finish().await;
    }

    /// Three generations of receivers say failure in three ways; and some say nothing.
    async fn every_way_to_fail_is_a_failure(db: TestDb) {
        let house = House::plan(db).provisioners(PRODUCTION).build().await;
        let ways = [
            (Trouble::Body(r#"{"error":{"message":"no such user","stack":"at x"}}"#), "error: no such user"),
            (Trouble::Body(r#"{"status":{"code":5,"message":"unknown"}}"#), "status code 5: unknown"),
            (Trouble::Status(500), "500"),
            (Trouble::Status(302), "302"),
            (Trouble::Status(401), "401"),
            (Trouble::Hang, "in time"),
            (Trouble::Lost, "in time"),
        ];
        house.asked().await;
        house.production.set_down(Some(ways[0].0.clone()));
        house.press(BO, "Approve").await;
        for (attempt, (trouble, said)) in ways.into_iter().enumerate() {
            if attempt > 0 {
                house.production.set_down(Some(trouble.clone()));
                house.clock.advance(minutes(6));
            }
            house.settle().await;
            let list = house.access_list().await;
            let stream = &list[0]["provisioners"][0];
            assert_eq!((&stream["name"], &stream["state"]), (&"production".into(), &"failing".into()), "{trouble:?}");
            assert_eq!(stream["failing_since"], "2026-03-02T09:00:00Z");
            assert_eq!(stream["attempts"], attempt + 1);
            assert!(stream["last_error"].as_str().unwrap().contains(said), "{trouble:?}: {stream}");
            assert_eq!(house.production.deliveries().len(), attempt + 1);
            // Production asks us, and is told the truth.
            assert!(house.allows("ana", "123").await);
        }
        let said = house.reads(BO);
        assert!(said.contains("production: failing for") && said.contains("retrying"), "{said}");
        house.production.set_down(None);
        house.advance(minutes(6)).await;
        let list = house.access_list().await;
        assert_eq!(list[0]["provisioners"], serde_json::json!([{ "name": "production", "state": "applied" }]));
        assert_eq!(house.production.applied().len(), 1);
        assert!(house.reads(BO).contains("production: applied"), "{}", house.reads(BO));
        let record = house.record().await;
        let count = |word: &str| record.iter().filter(|event| *event == word).count();
        assert_eq!((count("provisioner.failing"), count("provisioner.applied")), (1, 1), "{record:?}");
        house.finish().await;
    }

    /// A signed event about a customer goes where the file says and nowhere else.
    async fn a_redirect_is_not_followed(db: TestDb) {
        let elsewhere = House::new(db.at(db.another().await)).await;
        let target = elsewhere.production.url().to_owned();
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let hook = format!("http://{}/hook", listener.local_addr().unwrap());
        let routes = Router::new().route("/hook", any(move || std::future::ready(Redirect::temporary(&target))));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let house = House::plan(db).provisioners(&PRODUCTION.replace("${PRODUCTION_URL}", &hook)).build().await;
        house.granted().await;
        let stream = house.stream().await;
        assert_eq!(stream.word(), "failing");
        assert!(stream.failing.unwrap().1.contains("307"));
        assert!(elsewhere.production.deliveries().is_empty());
        elsewhere.finish().await;
    }

    /// Where it stands in the back-off is in the database, not in a process.
    async fn attempts_and_their_times_survive_a_restart(db: TestDb) {
        let mut house = House::new(db).await;
        house.production.set_down(Some(Trouble::Status(503)));
        house.granted().await;
        let mut waits = Vec::new();
        for attempt in 1..=10 {
            let stream = house.stream().await;
            assert_eq!((stream.attempts, house.production.deliveries().len()), (attempt, attempt as usize));
            let wait = stream.next_at.unwrap().duration_since(house.now());
            waits.push(wait);
            house.advance(wait - SignedDuration::from_millis(1)).await;
            assert_eq!(house.production.deliveries().len(), attempt as usize, "not before its time");
            house.stop().await;
            house.start().await;
            house.settle().await;
            assert_eq!(house.stream().await.attempts, attempt, "a restart is no attempt");
            house.advance(SignedDuration::from_millis(1)).await;
        }
        for (n, wait) in waits.iter().enumerate() {
            let longest = seconds(1 << n).min(minutes(5));
            assert!(*wait <= longest && *wait >= longest * 3 / 4, "attempt {}: {wait}", n + 1);
        }
        house.production.set_down(None);
        house.advance(minutes(5)).await;
        assert_eq!(house.stream().await.word(), "applied");
        assert_eq!(house.production.applied().len(), 1);
        house.finish().await;
    }

    async fn only_those_are_told_whose_labels_fit_when_it_begins(db: TestDb) {
        let provisioner = PRODUCTION.replace("timeout", "match = { plan = \"enterprise\" }\ntimeout");
        let house = House::plan(db).provisioners(&provisioner).build().await;
        let until = house.now() + hours(3);
        for (customer, petition) in [("123", "p1"), ("200", "p2")] {
            house.receive(&Event::grant().customer(customer).petition(petition).until(until).body()).await;
        }
        house.settle().await;
        let customers = |house: &House| house.production.applied().iter().map(|d| d.customer().to_owned()).collect::<Vec<_>>();
        assert_eq!(customers(&house), ["123"]);
        // They change sides; who was told stays the same.
        raw_at(&house.customers, "UPDATE customers SET plan = 'free' WHERE id = 123").await;
        raw_at(&house.customers, "UPDATE customers SET plan = 'enterprise' WHERE id = 200").await;
        house.advance(minutes(15)).await;
        for (customer, petition) in [("123", "p3"), ("200", "p4")] {
            house.receive(&Event::grant().customer(customer).petition(petition).until(until + hours(1)).body()).await;
        }
        house.settle().await;
        assert_eq!(customers(&house), ["123", "123"]);
        house.advance(hours(5)).await;
        let told = house.production.applied();
        assert_eq!(kinds(&told), [("access/grant", 200), ("access/grant", 200), ("access/revoke", 200)]);
        assert!(told.iter().all(|one| one.customer() == "123"));
        // What begins from now on follows the labels of now.
        let until = house.now() + hours(1);
        house.receive(&Event::grant().customer("200").petition("p5").until(until).body()).await;
        house.settle().await;
        assert_eq!(customers(&house), ["123", "123", "123", "200"]);
        house.finish().await;
    }

    async fn a_dry_run_tells_nobody_and_counts_as_done(db: TestDb) {
        let house = House::plan(db).provisioners(&PRODUCTION.replace("timeout", "dry_run = true\ntimeout")).build().await;
        house.granted().await;
        assert_eq!(house.stream().await.word(), "applied");
        house.press(ANA, "I'm done").await;
        house.settle().await;
        assert_eq!(house.stream().await.word(), "revoked");
        assert!(house.production.deliveries().is_empty());
        house.finish().await;
    }

    /// Two leases are one access: its end is the later one, whichever begins or ends first.
    async fn an_end_that_moves_is_a_grant_with_the_new_end(db: TestDb) {
        let house = House::new(db).await;
        house.granted().await;
        house.advance(hours(1)).await;
        assert_eq!(house.types(ANA, "customer 123 for 8h to debug BUG-483").await.problem, None);
        house.settle().await;
        house.press(BO, "Approve").await;
        house.settle().await;
        assert!(house.check("ana", "123").await.1["expires_at"] == "2026-03-02T18:00:00Z");
        // The newest message is that of the longer one.
        house.press(ANA, "I'm done").await;
        house.settle().await;
        assert!(house.check("ana", "123").await.1["expires_at"] == "2026-03-02T13:00:00Z");
        house.advance(hours(3)).await;
        assert!(!house.allows("ana", "123").await);
        let told = house.production.applied();
        let said: Vec<_> = told
            .iter()
            .map(|one| (one.kind(), one.label("latchkey/version"), one.label("indent.com/time/expires")))
            .collect();
        assert_eq!(said, [
            ("access/grant", "1", "2026-03-02T13:00:00Z"),
            ("access/grant", "2", "2026-03-02T18:00:00Z"),
            ("access/grant", "3", "2026-03-02T13:00:00Z"),
            ("access/revoke", "4", "2026-03-02T13:00:00Z"),
        ]);
        let first = told[0].label("petition");
        assert_eq!([told[2].label("petition"), told[3].label("petition")], [first, first]);
        assert_ne!(told[1].label("petition"), first);
        let mut ids: Vec<&String> = told.iter().map(|one| &one.headers["webhook-id"]).collect();
        ids.dedup();
        assert_eq!(ids.len(), 4, "each state has an id of its own");
        house.finish().await;
    }

    /// When one of two leases ends and the end stays, there is nothing to tell.
    async fn a_lease_that_ends_beside_a_longer_one_is_no_news(db: TestDb) {
        let house = House::new(db).await;
        house.granted().await;
        assert_eq!(house.types(ANA, "customer 123 for 1h to debug BUG-483").await.problem, None);
        house.settle().await;
        house.press(BO, "Approve").await;
        house.settle().await;
        house.advance(hours(2)).await;
        assert_eq!(kinds(&house.production.deliveries()), [("access/grant", 200)]);
        assert!(house.allows("ana", "123").await);
        house.advance(hours(2)).await;
        assert_eq!(kinds(&house.production.deliveries()), [("access/grant", 200), ("access/revoke", 200)]);
        house.finish().await;
    }
}
