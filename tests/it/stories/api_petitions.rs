//! Programs written for Indent ask, decide and list over the HTTP API.

use latchkey::http::auth::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    acts::{ONE_LEAD, TWO_LEADS, file},
    api::{approval, claim, claims_of, history, name, petition, phase},
    databases::TestDb,
    house::{ANA, FILE, House},
    office::hours,
};

const OWN: &str = r#"require = [{ reviewers = ["group:leads"] }]
self_approval = true"#;

fn action(id: &str) -> Value {
    json!({ "petition": {
        "reason": "testing", "petitioners": [{ "kind": "user", "email": "ana@acme.test" }],
        "resources": [{ "kind": "action", "displayName": "Approval", "id": id, "labels": { "indent.com/block": "e843" } }],
        "meta": { "labels": { "indent.com/app/config/id": "space:default" } },
    } })
}

both_databases! {
    /// What the SDK's own test suite does: create, list, cancel, approve and revoke, with the petitioner's token.
    async fn the_sdk_s_own_tests_pass(db: TestDb) {
        let house = House::plan(db).file(&file(&["ana", "bo"], "", OWN)).build().await;
        let ana = house.program("ana", &[Scope::Petition]).await;
        assert!(ana.get("/resources").await.ok()["resources"].is_array());
        assert_eq!(ana.get("/petitions").await.ok(), json!({ "petitions": [] }));

        let (one, two) = tokio::join!(ana.post("/petitions", action("approval+1")), ana.post("/petitions", action("approval+1")));
        let (one, two) = (one.ok(), two.ok());
        assert_ne!(name(&one), name(&two), "two concurrent creates by one user are two petitions");
        assert_eq!(one["resources"][0], action("approval+1")["petition"]["resources"][0]);
        assert_eq!(one["petitioners"][0]["email"], "ana@acme.test");
        assert_eq!((phase(&one), history(&one)), ("open", vec!["access/request"]));

        ana.claims(&one, "access/deny").await.ok();
        assert_eq!((phase(&ana.shows(&one).await), history(&ana.shows(&one).await)), ("closed", vec!["access/request", "access/deny"]));

        ana.post(&claims_of(&two), approval("3h0m0s")).await.ok();
        let granted = ana.shows(&two).await;
        assert_eq!((phase(&granted), history(&granted)), ("granted", vec!["access/request", "access/approve", "access/grant"]));
        let grant = &granted["state"]["eventHistory"][2]["meta"]["labels"];
        assert_eq!(grant["indent.com/time/duration"], "3h0m0s");
        assert_eq!(grant["indent.com/time/expires"], (house.now() + hours(3)).to_string());

        let mut expired = claim("access/revoke");
        expired["claim"]["reason"] = json!("expired");
        ana.post(&claims_of(&two), expired).await.ok();
        let closed = ana.shows(&two).await;
        assert_eq!(phase(&closed), "closed");
        assert_eq!(history(&closed), ["access/request", "access/approve", "access/grant", "access/revoke"]);
        house.settle().await;
        assert!(house.production.deliveries().is_empty(), "an action has no provisioning");
        house.finish().await;
    }

    /// An action ends in time like everything else, and is never a customer, whatever its id is.
    async fn an_action_opens_no_customer_and_ends_in_time(db: TestDb) {
        let house = House::plan(db).file(&file(&["ana", "bo"], "", OWN)).build().await;
        let ana = house.program("ana", &[Scope::Petition]).await;
        let asked = ana.post("/petitions", action("123")).await.ok();
        ana.post(&claims_of(&asked), approval("1h0m0s")).await.ok();
        assert_eq!(phase(&ana.shows(&asked).await), "granted");
        for id in ["123", "action/123", "action\u{1f}123", "action%1F123"] {
            assert!(!house.allows("ana", id).await, "{id}");
        }
        let root = house.program("root", &[Scope::Admin]).await;
        let held = root.get("/access").await.ok()["leases"][0].clone();
        assert_eq!((&held["customer"], &held["kind"]), (&json!("123"), &json!("action")), "{held}");
        for (query, count) in [("customer=123&kind=action", 1), ("customer=123&kind=vault", 0), ("customer=123", 0)] {
            let found = root.get(&format!("/access?{query}")).await.ok();
            assert_eq!(found["leases"].as_array().unwrap().len(), count, "{query}");
        }
        root.get("/access?kind=action").await.refused(400, 3, "invalid_argument");
        house.advance(hours(1)).await;
        let closed = ana.shows(&asked).await;
        assert_eq!((phase(&closed), history(&closed).last()), ("closed", Some(&"access/revoke")));
        assert_eq!(closed["state"]["eventHistory"][3]["reason"], "expired");
        house.finish().await;
    }

    /// The whole way for a customer: asked by API, approved by API, delivered, seen by check, and over.
    async fn a_customer_is_asked_for_approved_and_opened(db: TestDb) {
        let house = House::new(db).await;
        let (ana, bo) = (house.program("ana", &[Scope::Petition]).await, house.program("bo", &[Scope::Petition]).await);
        let mut body = petition("123");
        body["petition"]["defaultDuration"] = json!("7200s");
        let asked = ana.post("/petitions", body).await.ok();
        assert_eq!(asked["resources"][0]["displayName"], "AcmeCorp");
        assert_eq!(asked["resources"][0]["labels"]["plan"], "enterprise");
        house.settle().await;
        assert!(house.reads("C0ACCESS").contains("AcmeCorp"), "the reviewers have the card in Slack");
        assert!(house.reads("U0ANA").contains("AcmeCorp"), "and Ana her message, as Slack knows her by her e-mail");
        bo.claims(&asked, "access/approve").await.ok();
        house.settle().await;
        assert!(house.allows("ana", "123").await);
        assert_eq!(house.production.deliveries().len(), 1);
        house.advance(hours(2)).await;
        assert!(!house.allows("ana", "123").await);
        assert_eq!(phase(&ana.shows(&asked).await), "closed");
        house.finish().await;
    }

    /// The approver accepts the length or changes it; the shortest of several approvals counts, and no length is more
    /// than the rule allows, which is said.
    async fn approvals_say_for_how_long(db: TestDb) {
        let house = House::plan(db).file(&file(&["bo", "cy"], "max_duration = \"8h\"", TWO_LEADS)).build().await;
        let [ana, bo, cy] = [house.program("ana", &[Scope::Petition]).await, house.program("bo", &[Scope::Petition]).await, house.program("cy", &[Scope::Petition]).await];
        for (first, second, length) in [
            ("0s", "0s", "4h0m0s"), ("1h0m0s", "0s", "1h0m0s"), ("0.5h0m0s", "6h0m0s", "30m0s"),
            ("6h0m0s", "5h0m0s", "5h0m0s"), ("-1ns", "-1ns", "8h0m0s"), ("100h0m0s", "9h0m0s", "8h0m0s"),
        ] {
            let asked = ana.asks().await;
            bo.post(&claims_of(&asked), approval(first)).await.ok();
            assert_eq!(phase(&ana.shows(&asked).await), "open", "one of two");
            cy.post(&claims_of(&asked), approval(second)).await.ok();
            let granted = ana.shows(&asked).await;
            let labels = &granted["state"]["eventHistory"][3]["meta"]["labels"];
            assert_eq!(labels["indent.com/time/duration"], length, "{first} and {second}");
            let said = labels["latchkey/note"].as_str().unwrap_or_default();
            assert_eq!(said.contains("allows 8h"), length == "8h0m0s", "{said}");
        }
        for bad in ["soon", "0.1s"] {
            let asked = ana.asks().await;
            bo.post(&claims_of(&asked), approval(bad)).await.refused(400, 3, "invalid_argument");
        }
        house.finish().await;
    }

    /// Without end becomes the maximum and says so; longer than the maximum is refused with the maximum named, and on
    /// record.
    async fn what_is_asked_for_is_bounded_by_the_policy(db: TestDb) {
        let house = House::new(db).await;
        let ana = house.program("ana", &[Scope::Petition]).await;
        let ask = async |label: &str, value: &str| {
            let mut body = petition("123");
            body["petition"]["meta"] = json!({ "labels": { label: value } });
            ana.post("/petitions", body).await
        };
        for (label, value) in [("indent.com/petition/duration", "-1ns"), ("indent.com/time/indefinite", "true")] {
            let asked = ask(label, value).await.ok();
            assert_eq!(asked["defaultDuration"], "28800s", "rule `enterprise` allows 8h");
            assert!(asked["meta"]["labels"]["latchkey/note"].as_str().unwrap().contains("allows 8h"));
        }
        assert_eq!(ask("indent.com/petition/duration", "0s").await.ok()["defaultDuration"], "14400s", "the default");
        assert_eq!(ask("indent.com/petition/duration", "0.5h0m0s").await.ok()["defaultDuration"], "1800s");
        let refused = ask("indent.com/petition/duration", "9h0m0s").await;
        assert!(refused.refused(403, 7, "permission_denied").contains("8h"));
        let name = refused.body["details"][0]["petition"].as_str().unwrap();
        let closed = ana.get(&format!("/petitions/{name}")).await.ok();
        assert_eq!((phase(&closed), &closed["meta"]["labels"]["latchkey/closed"]), ("closed", &json!("refused")));
        house.finish().await;
    }

    /// What cannot be a petition is refused by name and leaves none.
    async fn bad_petitions_are_told_what_is_wrong(db: TestDb) {
        let house = House::new(db).await;
        let ana = house.program("ana", &[Scope::Petition]).await;
        let with = |field: &str, value: Value| {
            let mut body = petition("123");
            body["petition"][field] = value;
            body
        };
        for (body, says) in [
            (json!({}), "petition"),
            (json!({ "petition": [] }), "body"),
            (with("resources", json!([])), "exactly one"),
            (with("resources", json!([{ "kind": "customer", "id": "123" }, { "kind": "customer", "id": "124" }])), "exactly one"),
            (with("resources", json!([{ "kind": "customer", "id": "999" }])), "999"),
            (with("resources", json!([{ "kind": "customer" }])), "id"),
            (with("resources", json!([{ "kind": "action", "id": "a\u{1f}b" }])), "id"),
            (with("reason", json!("x")), "reason"),
            (with("reason", json!("debug\u{0} BUG-482")), "reason"),
            (with("petitioners", json!([{ "kind": "user" }])), "email"),
            (with("petitioners", json!([{ "email": "not an address" }])), "e-mail"),
            (with("defaultDuration", json!("soon")), "defaultDuration"),
        ] {
            let said = ana.post("/petitions", body.clone()).await.refused(400, 3, "invalid_argument");
            assert!(said.contains(says), "{body}: {said}");
        }
        let answer = ana.call(Method::POST, "/petitions", None).await;
        answer.refused(400, 3, "invalid_argument");
        assert_eq!(ana.get("/petitions").await.ok(), json!({ "petitions": [] }));
        house.finish().await;
    }

    /// Only with the scope `admin`; the record has both, and neither may approve it.
    async fn a_service_asks_on_behalf_of_others(db: TestDb) {
        let house = House::plan(db).file(&file(&["bo", "dan"], "", ONE_LEAD)).build().await;
        let mut body = petition("123");
        body["petition"]["petitioners"] = json!([{ "kind": "user", "email": "Ana@acme.test", "displayName": "Ana" }]);
        let bo = house.program("bo", &[Scope::Petition]).await;
        bo.post("/petitions", body.clone()).await.refused(403, 7, "permission_denied");
        let dan = house.program("dan", &[Scope::Admin, Scope::Petition]).await;
        let asked = dan.post("/petitions", body).await.ok();
        assert_eq!(asked["petitioners"][0]["email"], "ana@acme.test");
        assert_eq!(asked["state"]["eventHistory"][0]["actor"]["email"], "dan@acme.test", "both are on record");
        dan.claims(&asked, "access/approve").await.refused(403, 7, "permission_denied");
        bo.claims(&asked, "access/approve").await.ok();
        assert!(house.allows("ana", "123").await && !house.allows("dan", "123").await);
        house.finish().await;
    }

    /// A key of the filer's own makes a repeat the same petition; without one each is its own.
    async fn a_repeat_under_one_key_is_one_petition(db: TestDb) {
        let house = House::new(db).await;
        let (ana, dan) = (house.program("ana", &[Scope::Petition]).await, house.program("dan", &[Scope::Petition]).await);
        let mut keyed = petition("123");
        keyed["petition"]["meta"] = json!({ "labels": { "latchkey/petition": "there-1" } });
        let (one, two) = tokio::join!(ana.post("/petitions", keyed.clone()), ana.post("/petitions", keyed.clone()));
        assert_eq!(name(&one.ok()), name(&two.ok()));
        let again = ana.post("/petitions", keyed.clone()).await.ok();
        assert_eq!(ana.get("/petitions?labelSelector=latchkey/petition=there-1").await.ok()["petitions"][0]["name"], again["name"]);
        assert_ne!(name(&dan.post("/petitions", keyed).await.ok()), name(&again), "the key is the filer's own");
        assert_ne!(name(&ana.asks().await), name(&ana.asks().await));
        house.finish().await;
    }

    /// Granting takes claims; an administrator only closes, and what was given is taken away at once.
    async fn an_administrator_closes_and_never_grants(db: TestDb) {
        let house = House::new(db).await;
        let (ana, bo) = (house.program("ana", &[Scope::Petition]).await, house.program("bo", &[Scope::Petition]).await);
        let root = house.program("root", &[Scope::Admin]).await;
        let to = |phase: &str| json!({ "petition": { "state": { "status": { "phase": phase } } } });
        let (open, granted) = (ana.asks().await, ana.asks().await);
        bo.claims(&granted, "access/approve").await.ok();
        let path = |petition: &Value| format!("/petitions/{}", name(petition));
        root.put(&path(&open), to("granted")).await.refused(409, 6, "already_exists");
        root.put(&path(&open), to("done")).await.refused(400, 3, "invalid_argument");
        let mut other = to("closed");
        other["petition"]["reason"] = json!("something else");
        root.put(&path(&open), other).await.refused(400, 3, "invalid_argument");
        ana.put(&path(&open), to("closed")).await.refused(403, 7, "permission_denied");
        root.claims(&open, "access/approve").await.refused(403, 7, "permission_denied");
        for petition in [&open, &granted] {
            let whole = root.shows(petition).await;
            let mut whole = json!({ "petition": whole });
            whole["petition"]["state"]["status"]["phase"] = json!("closed");
            assert_eq!(phase(&root.put(&path(petition), whole.clone()).await.ok()), "closed");
            assert_eq!(phase(&root.put(&path(petition), whole).await.ok()), "closed", "again changes nothing");
        }
        assert!(!house.allows("ana", "123").await);
        let labels = json!({ "petition": { "meta": { "labels": { "seen-by": "audit" } } } });
        root.put(&path(&open), labels).await.ok();
        assert_eq!(root.get("/petitions?labelSelector=seen-by%3Daudit").await.ok()["petitions"].as_array().unwrap().len(), 1);
        // Whatever they show can be selected by, also what nobody wrote on them.
        let all = root.get("/petitions").await.ok()["petitions"].as_array().unwrap().clone();
        for label in ["latchkey/closed", "indent.com/app/config/id", "latchkey/reviewers", "indent.com/time/expires"] {
            let has = all.iter().filter(|one| !one["meta"]["labels"][label].is_null()).count();
            let selected = root.get(&format!("/petitions?labelSelector={label}")).await.ok();
            assert_eq!(selected["petitions"].as_array().unwrap().len(), has, "{label}");
        }
        let open = root.get("/petitions?labelSelector=!latchkey/closed").await.ok();
        assert!(open["petitions"].as_array().unwrap().iter().all(|one| phase(one) != "closed"), "{open}");
        house.finish().await;
    }

    /// What the policy goes by stays, whatever labels an administrator's program writes.
    async fn other_labels_leave_ours_alone(db: TestDb) {
        let house = House::new(db).await;
        let (bo, root) = (house.program("bo", &[Scope::Petition]).await, house.program("root", &[Scope::Admin]).await);
        let moment = house.now() + hours(3);
        let answer = house.types(ANA, "new 123 to debug BUG-482").await;
        assert_eq!(answer.problem, None, "{}", answer.text());
        let form = house.slack.view(ANA).expect("a form is open");
        let sent = house.slack.submit(ANA, &form.id, &[("ask-until", &moment.as_second().to_string())]).await;
        assert_eq!(sent.problem, None, "{}", sent.text());
        house.settle().await;
        let (found, _) = root.all("/petitions", "petitions").await;
        let other = json!({ "seen-by": "audit", "latchkey/until": "2099-01-01T00:00:00Z", "latchkey/note": "mine" });
        let path = format!("/petitions/{}", name(&found[0]));
        let put = root.put(&path, json!({ "petition": { "meta": { "labels": other } } })).await.ok();
        let labels = &put["meta"]["labels"];
        assert_eq!((&labels["seen-by"], &labels["latchkey/until"]), (&json!("audit"), &json!(moment.to_string())));
        assert!(labels.get("latchkey/note").is_none(), "{labels}");
        house.advance(hours(2)).await;
        bo.claims(&found[0], "access/approve").await.ok();
        assert_eq!(house.check("ana", "123").await.1["expires_at"], moment.to_string(), "not three hours from now");
        house.finish().await;
    }

    /// Newest first, or oldest; each page is in step with the others while petitions come.
    async fn petitions_are_listed_in_pages(db: TestDb) {
        let house = House::plan(db).file(&file(&["bo"], "", ONE_LEAD)).build().await;
        let (ana, root) = (house.program("ana", &[Scope::Petition]).await, house.program("root", &[Scope::Admin]).await);
        let mut names = Vec::new();
        for n in 0..7 {
            let mut body = petition(if n % 2 == 0 { "123" } else { "124" });
            body["petition"]["meta"] = json!({ "labels": { "n": n, "odd": n % 2 == 1 } });
            names.push(name(&ana.post("/petitions", body).await.ok()).to_owned());
            house.clock.advance(jiff::SignedDuration::from_millis(5));
        }
        let listed = |found: &[Value]| found.iter().map(|one| name(one).to_owned()).collect::<Vec<_>>();
        for size in [1, 2, 3, 7, 8, 1000] {
            let (found, pages) = root.all(&format!("/petitions?pageSize={size}&ascending=true"), "petitions").await;
            assert_eq!(listed(&found), names, "{size}");
            assert_eq!(pages, 7_usize.div_ceil(size), "{size}");
        }
        let first = root.get("/petitions?pageSize=3").await.ok();
        ana.asks().await;
        let token = first["nextPageToken"].as_str().unwrap();
        let rest = root.get(&format!("/petitions?pageSize=100&page_token={token}")).await.ok();
        names.reverse();
        assert_eq!(listed(rest["petitions"].as_array().unwrap()), names[3..]);
        let odd = root.get("/petitions?labelSelector=odd%3Dtrue%2Cn%20notin%20(3)").await.ok();
        assert_eq!(listed(odd["petitions"].as_array().unwrap()), [names[1].clone(), names[5].clone()]);
        let by_resource = root.get("/petitions?labelSelector=indent.com/resource/id%3D124").await.ok();
        assert_eq!(by_resource["petitions"].as_array().unwrap().len(), 3);
        let among = root.get(&format!("/petitions?among[]={}&among={}&among=nothing", names[0], names[4])).await.ok();
        assert_eq!(listed(among["petitions"].as_array().unwrap()), [names[0].clone(), names[4].clone()]);
        for bad in ["pageSize=many", "pageToken=%21", "labelSelector=a%3D%3D%3Db", "ascending=perhaps"] {
            root.get(&format!("/petitions?{bad}")).await.refused(400, 3, "invalid_argument");
        }
        house.finish().await;
    }

    /// The rule of another label does not see it, and who is named by it does.
    async fn a_petition_token_sees_its_own_and_what_it_may_review(db: TestDb) {
        let two = FILE.replace("[[rule]]\nname = \"everyone else\"\nrequire = [{ reviewers = [\"group:leads\"] }]", "[[rule]]\nname = \"everyone else\"\nrequire = [{ reviewers = [\"dan@acme.test\"] }]");
        let house = House::plan(db).file(&two).build().await;
        let [ana, bo, dan] = [house.program("ana", &[Scope::Petition]).await, house.program("bo", &[Scope::Petition]).await, house.program("dan", &[Scope::Petition]).await];
        let enterprise = ana.asks().await;
        house.clock.advance(jiff::SignedDuration::from_millis(5));
        let free = ana.post("/petitions", petition("124")).await.ok();
        let seen = async |program: &crate::harness::api::Program| {
            let (found, _) = program.all("/petitions", "petitions").await;
            found.iter().map(|one| one["resources"][0]["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!((seen(&ana).await, seen(&bo).await, seen(&dan).await), (vec!["124".into(), "123".into()], vec!["123".into()], vec!["124".into()]));
        for (who, theirs, other) in [(&bo, &enterprise, &free), (&dan, &free, &enterprise)] {
            who.shows(theirs).await;
            who.get(&format!("/petitions/{}", name(other))).await.refused(404, 5, "not_found");
            who.get(&claims_of(other)).await.refused(404, 5, "not_found");
            for event in ["access/approve", "access/deny", "access/revoke"] {
                who.claims(other, event).await.refused(404, 5, "not_found");
            }
        }
        for name in ["nothing", "%2F", "a%22b", "%F0%9F%94%91", "..", "%00"] {
            ana.get(&format!("/petitions/{name}")).await.refused(404, 5, "not_found");
        }
        house.finish().await;
    }

    /// Extending leaves no gap: to the provisioners it is one grant with a new end, and no revoke.
    async fn a_petition_takes_the_place_of_another(db: TestDb) {
        let house = House::plan(db).file(&file(&["bo"], "", ONE_LEAD)).build().await;
        let [ana, bo, dan] = [house.program("ana", &[Scope::Petition]).await, house.program("bo", &[Scope::Petition]).await, house.program("dan", &[Scope::Petition]).await];
        let old = ana.asks().await;
        bo.claims(&old, "access/approve").await.ok();
        house.advance(hours(1)).await;
        let replacing = |customer: &str| {
            let mut body = petition(customer);
            body["petition"]["meta"] = json!({ "labels": { "PetitionReplaces": name(&old) } });
            body["petition"]["defaultDuration"] = json!("7200s");
            body
        };
        for other in [dan.post("/petitions", replacing("123")).await.ok(), ana.post("/petitions", replacing("124")).await.ok()] {
            bo.claims(&other, "access/approve").await.ok();
            assert_eq!(phase(&ana.shows(&old).await), "granted", "somebody else's, or another customer's, replaces nothing");
        }
        let told = house.production.deliveries().len();
        let new = ana.post("/petitions", replacing("123")).await.ok();
        assert_eq!(phase(&ana.shows(&old).await), "granted", "until the new one is granted");
        bo.claims(&new, "access/approve").await.ok();
        house.settle().await;
        let closed = ana.shows(&old).await;
        assert_eq!((phase(&closed), &closed["meta"]["labels"]["PetitionReplacedBy"]), ("closed", &new["name"]));
        let told: Vec<String> = house.production.deliveries()[told..].iter().filter(|one| one.person() == "ana@acme.test").map(|one| one.kind().to_owned()).collect();
        assert_eq!(told.last().map(String::as_str), Some("access/grant"));
        assert!(!told.contains(&"access/revoke".to_owned()), "{told:?}");
        assert_eq!(house.check("ana", "123").await.1["expires_at"], (house.now() + hours(2)).to_string());
        house.finish().await;
    }
}
