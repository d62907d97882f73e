//! `POST /webhooks/indent`: who is believed, what is understood, and what follows from it.

use jiff::{SignedDuration, Timestamp};
use latchkey::{domain::signature::sign_v0, http::auth::Scope};
use serde_json::{Value, json};

use crate::harness::{
    databases::TestDb,
    events::{Event, together},
    house::{FILE, House, WEBHOOK_SECRET},
    office::{hours, minutes},
};

/// Sends these bytes with these headers; status and body.
async fn send(house: &House, headers: &[(&str, &str)], body: Vec<u8>) -> (u16, Value) {
    let mut request = house.http.post(format!("{}/webhooks/indent", house.bot)).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

async fn signed(house: &House, secret: &str, time: &str, body: &str) -> (u16, Value) {
    let signature = sign_v0(secret, time, body.as_bytes());
    send(house, &[("X-Indent-Timestamp", time), ("X-Indent-Signature", &signature)], body.into()).await
}

fn fine() -> (u16, Value) {
    (200, json!({ "status": {} }))
}

/// 200 with a status that says that repeating cannot mend it.
async fn refused(house: &House, event: &Event, code: i64) {
    let (status, answer) = house.receive(&event.body()).await;
    assert_eq!((status, answer["status"]["code"].as_i64()), (200, Some(code)), "{answer} to {event:?}");
    assert!(answer["status"]["message"].as_str().is_some_and(|said| !said.is_empty()));
}

/// The end that a check names; `None` when it denies.
async fn end(house: &House, name: &str, customer: &str) -> Option<Timestamp> {
    let (status, body) = house.check(name, customer).await;
    assert_eq!(status, 200);
    body["allowed"].as_bool().unwrap().then(|| body["expires_at"].as_str().unwrap().parse().unwrap())
}

both_databases! {
    async fn without_a_secret_there_is_no_such_route(db: TestDb) {
        let house = House::plan(db).env("INDENT_WEBHOOK_SECRET", "").build().await;
        let (status, answer) = house.receive(&Event::grant().body()).await;
        assert_eq!((status, &answer["code"]), (404, &json!(5)));
        assert_eq!(signed(&house, "", &house.now().to_string(), "{}").await.0, 404);
        house.finish().await;
    }

    async fn only_the_right_signature_of_these_bytes_is_believed(db: TestDb) {
        let house = House::plan(db).env("INDENT_WEBHOOK_SECRET", "wks0FIRST, wks0SECOND").build().await;
        let event = Event::grant().petition("p1").body();
        let now = house.now();
        let time = now.to_string();
        let good = sign_v0("wks0FIRST", &time, event.as_bytes());
        let (stamp, signature) = ("x-indent-timestamp", "x-indent-signature");
        let upper = good.to_uppercase();
        let prefixed = format!("v0={good}");
        let faults: Vec<Vec<(&str, &str)>> = vec![
            vec![],
            vec![(signature, &good)],
            vec![(stamp, &time)],
            vec![(stamp, &time), (signature, "")],
            vec![(stamp, &time), (signature, &good[1..])],
            vec![(stamp, &time), (signature, &upper)],
            vec![(stamp, &time), (signature, &prefixed)],
            vec![(stamp, "2026-03-02T09:00:01Z"), (signature, &good)],
            vec![(stamp, "soon"), (signature, &good)],
            vec![(stamp, &time), (signature, &good), (signature, "00")],
            vec![("x-slack-request-timestamp", &time), ("x-slack-signature", &good)],
        ];
        for headers in faults {
            assert_eq!(send(&house, &headers, event.clone().into()).await.0, 401, "{headers:?}");
        }
        let headers = [(stamp, time.as_str()), (signature, good.as_str())];
        let reencoded = event.replace("\":", "\": ");
        for altered in [reencoded.as_str(), &event[..event.len() - 1], "", "{}"] {
            assert_eq!(send(&house, &headers, altered.into()).await.0, 401, "{altered}");
        }
        for secret in ["", "wks0FIRST, wks0SECOND", "wks0THIRD"] {
            assert_eq!(signed(&house, secret, &time, &event).await.0, 401, "{secret:?}");
        }
        for (off, status) in [(-301, 401), (301, 401), (-300, 200), (300, 200), (0, 200)] {
            let at = now + SignedDuration::from_secs(off);
            // A body of no meaning, so that nothing is granted yet.
            assert_eq!(signed(&house, "wks0FIRST", &at.to_string(), r#"{"events":[]}"#).await.0, status, "{off}");
            let numeric = at.as_second().to_string();
            assert_eq!(signed(&house, "wks0SECOND", &numeric, r#"{"events":[]}"#).await.0, status, "{off}");
        }
        assert_eq!(end(&house, "ana", "123").await, None);
        assert_eq!(signed(&house, "wks0SECOND", &time, &event).await, fine());
        assert!(end(&house, "ana", "123").await.is_some());
        house.finish().await;
    }

    /// The content type is not looked at; `fetch` without headers sends text/plain.
    async fn any_content_type_will_do(db: TestDb) {
        let house = House::new(db).await;
        for (kind, customer) in [("text/plain;charset=UTF-8", "123"), ("application/x-www-form-urlencoded", "200")] {
            let event = Event::grant().customer(customer).body();
            let time = house.now().as_second().to_string();
            let signature = sign_v0(WEBHOOK_SECRET, &time, event.as_bytes());
            let headers = [("x-indent-timestamp", time.as_str()), ("x-indent-signature", &signature), ("content-type", kind)];
            assert_eq!(send(&house, &headers, event.into()).await, fine());
            assert!(end(&house, "ana", customer).await.is_some());
        }
        house.finish().await;
    }

    async fn a_body_that_is_too_large_is_not_read(db: TestDb) {
        let house = House::new(db).await;
        let empty = r#"{"events":[]}"#;
        let padded = |length: usize| format!("{empty}{}", " ".repeat(length - empty.len()));
        let time = house.now().to_string();
        assert_eq!(signed(&house, WEBHOOK_SECRET, &time, &padded(1024 * 1024)).await, fine());
        assert_eq!(signed(&house, WEBHOOK_SECRET, &time, &padded(1024 * 1024 + 1)).await.0, 413);
        // Unsigned ones are not worth more.
        assert_eq!(send(&house, &[], vec![b' '; 3 * 1024 * 1024]).await.0, 413);
        house.finish().await;
    }

    async fn published_vectors_are_believed(db: TestDb) {
        for (secret, time, body, signature) in [
            ("secret_123", "2020-05-01T07:00:00Z", r#"{"events":[{"event":"access/grant","timestamp":"2020-05-01T07:00:00Z"}]}"#,
                "c27f187960625ebccc33336030b071dac1d54b1e98d9e27fe5452ee00c935fb0"),
            ("wks0TESTSECRET", "2024-02-01T09:30:00.000Z", r#"{"events":[{"event":"access/grant","actor":{"kind":"user","email":"approver@example.com"},"resources":[{"kind":"user","email":"dev@example.com"},{"kind":"example.v1.Customer","id":"cust_123"}],"meta":{"labels":{"indent.com/time/duration":"3h0m0s"}}}]}"#,
                "68de051dca4596e899d109fc5430c1bad98d61fd3d4fb52c983256cab343d399"),
            ("ключ-é", "2024-02-29T23:59:59.999Z", r#"{"events":[{"event":"access/request","reason":"naïve café — 顧客 #42"}]}"#,
                "fa2e071ac1fa0b8a7beae2134a398f8d9fba50453a5c63941ea5be7ee2f87a11"),
        ] {
            // Long ago for this house's clock, so only their signature is right.
            assert_eq!(sign_v0(secret, time, body.as_bytes()), signature);
            let house = House::plan(db.at(db.another().await)).env("INDENT_WEBHOOK_SECRET", secret)
                .env("CUSTOMER_KIND", "example.v1.Customer").build().await;
            assert_eq!(send(&house, &[("x-indent-timestamp", time), ("x-indent-signature", signature)], body.into()).await.0, 401);
            let now = house.now().to_string();
            let (status, answer) = signed(&house, secret, &now, body).await;
            assert_eq!(status, 200, "{answer}");
            house.finish().await;
        }
    }

    /// The end is the sender's, never further than our own maximum, and always set.
    async fn a_grant_lasts_until_its_end_and_no_longer(db: TestDb) {
        let house = House::new(db).await;
        let start = house.now();
        let most = start + hours(24);
        let cases = [
            ("a", Event::grant().until(start + hours(2)), start + hours(2)),
            ("b", Event::grant().until("2026-03-02T12:30:00+01:00"), start + minutes(150)),
            ("c", Event::grant().until(start + hours(25)), most),
            ("d", Event::grant(), most),
            ("e", Event::grant().label("indent.com/time/duration", "3h0m0s"), start + hours(3)),
            ("f", Event::grant().label("indent.com/time/duration", "0.5h0m0s"), start + minutes(30)),
            ("g", Event::grant().label("indent.com/time/duration", "-1ns"), most),
            ("h", Event::grant().label("expires", start + hours(1)), start + hours(1)),
            ("i", Event::grant().label("indent.com/time/duration", "3h0m0s").until(start + hours(1)), start + hours(1)),
            ("j", Event::grant().until("9999-12-30T00:00:00Z"), most),
        ];
        for (name, event, until) in cases {
            assert_eq!(house.receive(&event.person(name).petition(name).body()).await, fine(), "{name}");
            assert_eq!(end(&house, name, "123").await, Some(until), "{name}");
        }
        // One that is over already opens nothing.
        assert_eq!(house.receive(&Event::grant().person("z").petition("z").until(start).body()).await, fine());
        assert_eq!(end(&house, "z", "123").await, None);
        house.settle().await;
        let told = house.production.applied();
        assert_eq!(told.len(), 10);
        assert!(told.iter().all(|one| one.person() != "z@acme.test"));
        house.advance(hours(2)).await;
        assert_eq!(end(&house, "a", "123").await, None);
        assert!(!house.production.allows("a@acme.test", "123"));
        house.advance(hours(22)).await;
        assert!(house.production.allowed().is_empty(), "{:?}", house.production.allowed());
        house.finish().await;
    }

    async fn what_repeating_cannot_mend_is_said_once(db: TestDb) {
        let roles = FILE.replace("[access]", "[access]\nroles = [\"readonly\", \"admin\"]");
        let house = House::plan(db).file(&roles).build().await;
        let person = "/resources/0/email";
        // No index of PostgreSQL takes it, and it is no better at the next attempt.
        let long = "9".repeat(1025);
        for event in [
            Event::grant().set(person, json!("")),
            Event::grant().set(person, Value::Null),
            Event::grant().set(person, json!("ana")),
            Event::grant().set("/resources", json!([])),
            Event::grant().set("/resources", Value::Null),
            Event::grant().set("/resources/1/kind", json!("aws:iam:group")),
            Event::grant().set("/resources/1/id", Value::Null),
            Event::grant().set("/resources/1/id", json!("")),
            Event::grant().customer(&long),
            Event::revoke().customer(&long),
            Event::grant().petition(&long),
            Event::revoke().petition(&long),
            Event::grant().label("latchkey/role", "emperor"),
            Event::grant().until("tomorrow"),
            Event::grant().label("indent.com/time/duration", "long"),
            Event::grant().label("latchkey/version", "newest"),
            Event::grant().label("latchkey/version", "-1"),
            Event::revoke().set(person, Value::Null),
        ] {
            refused(&house, &event, 3).await;
        }
        for call in ["[]", "true", "{", "", r#"{"event":"access/grant"}"#] {
            let (status, answer) = house.receive(call).await;
            assert_eq!((status, &answer["status"]["code"]), (200, &json!(3)), "{call}");
        }
        house.settle().await;
        assert!(house.production.deliveries().is_empty());
        assert!(!house.record().await.iter().any(|word| word == "event.received"));
        house.finish().await;
    }

    /// Every field may be absent, null, or of a later version of the API.
    async fn what_we_do_not_know_is_accepted(db: TestDb) {
        let house = House::new(db).await;
        for call in [
            r#"{"events":[]}"#,
            r#"{"events":[{}]}"#,
            r#"{"events":[{"event":null,"timestamp":null,"actor":null,"resources":null,"reason":null,"meta":null}]}"#,
            r#"{"events":[{"event":"access/request","actor":{"kind":"user"},"reason":"x"},{"event":"access/approve"}]}"#,
            r#"{"events":[{"event":"weather/rain","timestamp":17,"resources":"none","meta":{"labels":[]}}],"flags":{"x":1}}"#,
        ] {
            assert_eq!(house.receive(call).await, fine(), "{call}");
        }
        let mut event = Event::grant().petition("p1");
        event.0["someday"] = json!({ "x": [1, null] });
        event.0["reason"] = Value::Null;
        event.0["actor"] = Value::Null;
        event.0["meta"]["labels"]["other"] = Value::Null;
        event.0["meta"]["labels"]["deep"] = json!({ "a": 1 });
        event.0["resources"][0]["labels"] = Value::Null;
        event.0["resources"][1]["id"] = json!(123);
        event.0["resources"].as_array_mut().unwrap().insert(0, Value::Null);
        assert_eq!(house.receive(&event.body()).await, fine());
        assert!(end(&house, "ana", "123").await.is_some());
        house.finish().await;
    }

    async fn the_other_calls_of_a_webhook_are_answered(db: TestDb) {
        let house = House::new(db).await;
        let (status, info) = house.receive(r#"{"info":true}"#).await;
        assert_eq!((status, &info["status"]["code"]), (200, &json!(0)));
        let detail: Value = serde_json::from_str(info["status"]["details"][0]["detail"].as_str().unwrap()).unwrap();
        let latchkey = &detail["integrations"][0];
        assert_eq!((&latchkey["name"], &latchkey["capabilities"][0]), (&json!("latchkey"), &json!("ApplyUpdate")));
        assert!(latchkey["version"].is_string());
        // `kinds` comes first, whatever else the body holds.
        let both = json!({ "kinds": ["customer"], "events": [Event::grant().0] }).to_string();
        assert_eq!(house.receive(&both).await.0, 200);
        assert_eq!(end(&house, "ana", "123").await, None);
        house.finish().await;
    }

    /// What Indent's own test tool sends.
    async fn the_tool_of_indent_is_answered(db: TestDb) {
        let house = House::plan(db).env("INDENT_WEBHOOK_SECRET", "wkeXample").build().await;
        for kind in ["access/grant", "access/revoke"] {
            let user = json!({ "kind": "slack/user", "id": "T0000000/U0000000", "altIds": ["slack/user:U0000000"] });
            let call = json!({ "events": [{
                "actor": user, "event": kind, "meta": { "labels": { "expires": "2020-05-01T07:00:00Z" } },
                "resources": [user, { "kind": "aws:iam:group", "id": "arn:aws:iam::1:group/x", "altIds": [] }],
            }] });
            let time = house.now().strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string();
            let (status, answer) = signed(&house, "wkeXample", &time, &call.to_string()).await;
            assert_eq!((status, &answer["status"]["code"]), (200, &json!(3)));
        }
        house.finish().await;
    }

    async fn a_role_is_a_label_or_stands_behind_the_id(db: TestDb) {
        let roles = FILE.replace("[access]", "[access]\nroles = [\"readonly\", \"admin\"]");
        let house = House::plan(db).file(&roles).build().await;
        let root = house.program("root", &[Scope::Admin]).await;
        let colon = json!({ "kind": "customer", "id": "eu:admin", "displayName": "Europe" });
        root.post("/resources:bulkUpdate", json!({ "resources": [colon] })).await.ok();
        let mut of_resource = Event::grant().customer("201");
        of_resource.0["resources"][1]["labels"]["role"] = json!("admin");
        for (event, customer, role) in [
            (Event::grant(), "123", "readonly"),
            (Event::grant().customer("124:admin"), "124", "admin"),
            (Event::grant().customer("125:readonly"), "125", "readonly"),
            (Event::grant().customer("200").label("latchkey/role", "Admin"), "200", "admin"),
            (of_resource, "201", "admin"),
            (Event::grant().customer("eu:7"), "eu:7", "readonly"),
            // The role is said beside it, or that is what the customer is called: nothing is cut off.
            (Event::grant().customer("us:admin").label("latchkey/role", "readonly"), "us:admin", "readonly"),
            (Event::grant().customer("eu:admin"), "eu:admin", "readonly"),
            (Event::grant().customer("asia:admin").label("latchkey/role", "admin"), "asia", "admin"),
        ] {
            assert_eq!(house.receive(&event.body()).await, fine());
            assert_eq!(house.check("ana", customer).await.1["role"], role, "{customer}");
        }
        house.finish().await;
    }

    async fn several_events_in_one_body_are_all_applied(db: TestDb) {
        let house = House::new(db).await;
        let events = [
            Event::grant().customer("200").petition("p1"),
            Event::grant().set("/resources/1/kind", json!("unknown")),
            Event::grant().customer("201").petition("p2"),
            Event::revoke().customer("200").petition("p1"),
        ];
        let (status, answer) = house.receive(&together(&events)).await;
        assert_eq!((status, &answer["status"]["code"]), (200, &json!(3)), "one of them could not be applied");
        assert!(end(&house, "ana", "200").await.is_none() && end(&house, "ana", "201").await.is_some());
        house.finish().await;
    }
}
