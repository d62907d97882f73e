//! What somebody with a token might try: each of these must get them nothing.

use latchkey::http::auth::Scope;
use serde_json::{Value, json};

use crate::harness::{
    acts::{ONE_LEAD, TWO_LEADS, file},
    api::{Program, claims_of, history, name, petition, phase},
    databases::{TestDb, raw_at},
    hook::Hook,
    house::{FILE, House, file_with},
    office::minutes,
};

fn group(labels: Value) -> Value {
    json!({ "petition": { "reason": "debug BUG-482", "resources": [{ "kind": "okta.v1.Group", "id": "docs", "labels": labels }] } })
}

/// The labels of the resource in the last event that was told.
fn last_labels(hook: &Hook) -> (Value, Value) {
    let asked = hook.asked();
    let event = asked.last().unwrap().json()["events"].as_array().unwrap().last().unwrap().clone();
    (event["event"].clone(), event["resources"][1]["labels"]["oktaId"].clone())
}

both_databases! {
    /// What provisioners act on is what an administrator put here, not what a petitioner writes; and a revoke names what
    /// its grant named, whatever the catalogue says by then.
    async fn a_petitioner_does_not_choose_what_is_provisioned(db: TestDb) {
        let hook = Hook::saying(json!({ "status": {} })).await;
        let provisioner = format!("[[provisioner]]\nname = \"okta\"\nkind = \"webhook\"\nurl = \"{}\"\nsecret = \"s\"\nkinds = [\"okta.v1.Group\"]\n", hook.url);
        let house = House::plan(db).file(&file_with(&provisioner)).build().await;
        let [ana, bo, root] = [house.program("ana", &[Scope::Petition]).await, house.program("bo", &[Scope::Petition]).await, house.program("root", &[Scope::Admin]).await];
        let unknown = ana.post("/petitions", group(json!({ "oktaId": "00gADMINS" }))).await;
        assert!(unknown.refused(400, 3, "invalid_argument").contains("docs"));
        let put = async |id: &str| {
            let docs = json!({ "kind": "okta.v1.Group", "id": "docs", "displayName": "Docs", "labels": { "oktaId": id } });
            root.post("/resources:bulkUpdate", json!({ "resources": [docs] })).await.ok();
        };
        put("00gDOCS").await;
        let asked = ana.post("/petitions", group(json!({ "oktaId": "00gADMINS" }))).await.ok();
        assert_eq!(asked["resources"][0]["labels"]["oktaId"], "00gDOCS");
        bo.claims(&asked, "access/approve").await.ok();
        house.settle().await;
        assert_eq!(last_labels(&hook), (json!("access/grant"), json!("00gDOCS")));
        put("00gOTHER").await;
        let mut longer = group(json!({}));
        longer["petition"]["defaultDuration"] = json!("7h0m0s");
        let second = ana.post("/petitions", longer).await.ok();
        bo.claims(&second, "access/approve").await.ok();
        for one in [&asked, &second] {
            ana.claims(one, "access/revoke").await.ok();
        }
        house.settle().await;
        assert_eq!(last_labels(&hook), (json!("access/revoke"), json!("00gDOCS")), "what was given is taken away");
        house.finish().await;
    }

    /// I7: an administrator cannot choose the rule by re-labelling a customer of the company's database.
    async fn nobody_relabels_a_customer_of_the_database(db: TestDb) {
        let house = House::new(db).await;
        let root = house.program("root", &[Scope::Admin]).await;
        let free = json!({ "kind": "customer", "id": "123", "displayName": "Mine", "labels": { "plan": "free" } });
        let written = root.post("/resources:bulkUpdate", json!({ "resources": [free] })).await.ok();
        let stored = json!({ "kind": "customer", "id": "123", "displayName": "AcmeCorp", "labels": { "indent.com/block": "cus_123", "plan": "enterprise" } });
        assert_eq!(written["resources"][0], stored, "the answer is what is stored");
        assert_eq!(root.get("/resources/cus_123").await.ok(), stored);
        root.put("/resources/cus_123", json!({ "resource": free })).await.refused(409, 6, "already_exists");
        root.delete("/resources/cus_123").await.refused(409, 6, "already_exists");
        // It vanishes there, and stays here because it was uploaded: now it is the uploader's.
        raw_at(&house.customers, "DELETE FROM customers WHERE id = 123").await;
        house.advance(minutes(15)).await;
        assert_eq!(root.get("/resources/cus_123").await.ok(), stored);
        let changed = root.put("/resources/cus_123", json!({ "resource": free })).await.ok();
        assert_eq!(changed["displayName"], "Mine");
        raw_at(&house.customers, "INSERT INTO customers (id, name, plan) VALUES (123, 'AcmeCorp', 'enterprise')").await;
        house.advance(minutes(15)).await;
        assert_eq!(root.get("/resources/cus_123").await.ok(), stored, "what the database says holds again");
        house.finish().await;
    }

    /// Who was refused learns no name and no label of what they may not ask for.
    async fn a_refusal_tells_nothing_of_the_customer(db: TestDb) {
        let house = House::plan(db).file(&FILE.replace("name = \"enterprise\"", "name = \"enterprise\"\npetitioners = [\"dan@acme.test\"]")).build().await;
        let ana = house.program("ana", &[Scope::Petition]).await;
        let refused = ana.post("/petitions", petition("123")).await;
        refused.refused(403, 7, "permission_denied");
        let name = refused.body["details"][0]["petition"].as_str().unwrap();
        let shown = ana.get(&format!("/petitions/{name}")).await.ok();
        assert!(!shown.to_string().contains("AcmeCorp") && !shown.to_string().contains("plan"), "{shown}");
        assert!(shown["meta"]["labels"]["latchkey/note"].as_str().unwrap().contains("does not list you"));
        house.finish().await;
    }

    /// A key stands for one petition: another one under it is refused, and a refusal stays a refusal.
    async fn a_key_is_not_used_twice_for_different_things(db: TestDb) {
        let house = House::new(db).await;
        let ana = house.program("ana", &[Scope::Petition]).await;
        let keyed = |customer: &str, duration: &str| {
            let mut body = petition(customer);
            body["petition"]["meta"] = json!({ "labels": { "latchkey/petition": "k1", "indent.com/petition/duration": duration } });
            body
        };
        ana.post("/petitions", keyed("123", "1h0m0s")).await.ok();
        let other = ana.post("/petitions", keyed("124", "1h0m0s")).await;
        other.refused(409, 6, "already_exists");
        assert_eq!(other.header("x-should-retry"), "false");
        let mut long = keyed("123", "100h0m0s");
        long["petition"]["meta"]["labels"]["latchkey/petition"] = json!("k2");
        for _ in 0..2 {
            ana.post("/petitions", long.clone()).await.refused(403, 7, "permission_denied");
        }
        house.finish().await;
    }

    /// What reads as ours is ours: no name on cards, no note, no end but what we write.
    async fn nobody_writes_what_others_read_as_ours(db: TestDb) {
        let house = House::plan(db).file(&file(&["bo"], "", ONE_LEAD)).build().await;
        let eve = house.program("eve", &[Scope::Petition]).await;
        let mut body = petition("123");
        body["petition"]["petitioners"] = json!([{ "kind": "user", "email": "eve@acme.test", "displayName": "Bo (CEO)" }]);
        body["petition"]["meta"] = json!({ "labels": {
            "latchkey/note": "approved already", "latchkey/closed": "no", "PetitionReplacedBy": "x", "latchkey/reviewers": "me",
            "indent.com/time/expires": "2099-01-01T00:00:00Z", "indent.com/time/duration": "99h0m0s", "mine": "yes",
        } });
        let asked = eve.post("/petitions", body).await.ok();
        house.settle().await;
        assert!(!house.reads("C0ACCESS").contains("CEO"));
        let text = asked.to_string();
        for not in ["CEO", "approved already", "PetitionReplacedBy", "2099", "99h", "latchkey/closed"] {
            assert!(!text.contains(not), "{not}: {text}");
        }
        assert_eq!(asked["meta"]["labels"]["mine"], "yes");
        house.finish().await;
    }

    /// An approval counts when it is enough, also when it is made again after the rule has changed.
    async fn an_approval_is_judged_again_when_it_is_made_again(db: TestDb) {
        let mut house = House::plan(db).file(&file(&["bo", "cy"], "", TWO_LEADS)).build().await;
        let (ana, bo) = (house.program("ana", &[Scope::Petition]).await, house.program("bo", &[Scope::Petition]).await);
        let asked = ana.asks().await;
        bo.claims(&asked, "access/approve").await.ok();
        assert_eq!(phase(&ana.shows(&asked).await), "open");
        house.restart_with(&file(&["bo", "cy"], "", ONE_LEAD)).await;
        let at = |program: &Program| Program { bot: house.bot.clone(), ..program.clone() };
        at(&bo).claims(&asked, "access/approve").await.ok();
        let granted = at(&ana).shows(&asked).await;
        assert_eq!((phase(&granted), history(&granted)), ("granted", vec!["access/request", "access/approve", "access/grant"]));
        house.finish().await;
    }

    /// Claims keep what a program wrote on them, and nothing of it decides.
    async fn a_claim_keeps_its_labels(db: TestDb) {
        let house = House::plan(db).file(&file(&["bo"], "", ONE_LEAD)).build().await;
        let (ana, bo) = (house.program("ana", &[Scope::Petition]).await, house.program("bo", &[Scope::Petition]).await);
        let asked = ana.asks().await;
        let labels = json!({ "indent.com/workflow/origin/id": "wf-1", "latchkey/delegate": "ana@acme.test", "petition": "other" });
        let claim = json!({ "claim": { "event": "access/approve", "meta": { "labels": labels } } });
        let made = bo.post(&claims_of(&asked), claim).await.ok();
        assert_eq!(made["meta"]["labels"]["indent.com/workflow/origin/id"], "wf-1");
        assert_eq!(made["meta"]["labels"]["petition"], name(&asked));
        assert!(made["meta"]["labels"].get("latchkey/delegate").is_none());
        assert_eq!(ana.shows(&asked).await["state"]["eventHistory"][1], made);
        house.finish().await;
    }

    /// Odd but honest input: long names, e-mails in capitals, numbers that are too large to be ids.
    async fn odd_resources_are_kept_or_refused_by_name(db: TestDb) {
        let house = House::new(db).await;
        let root = house.program("root", &[Scope::Admin]).await;
        let long: String = (0..9_500).map(|n| char::from(b'a' + (n * 7 % 26) as u8)).collect();
        let long = json!({ "resources": [{ "kind": "customer", "id": "long", "displayName": long }, { "kind": "user", "id": "u", "email": "Ana@Acme.Test" }] });
        root.post("/resources:bulkUpdate", long).await.ok();
        for email in ["ana@acme.test", "Ana@Acme.Test"] {
            let found = root.get(&format!("/resources?labelSelector=indent.com/resource/email%3D{email}")).await.ok();
            assert_eq!(found["resources"].as_array().unwrap().len(), 1, "{email}");
        }
        let raw = format!("{}/v1/spaces/default/resources:bulkUpdate", house.bot);
        for (id, status) in [("18446744073709551615", 200), ("18446744073709551616", 400), ("100000000000000000000000000001", 400)] {
            let body = format!(r#"{{"resources":[{{"kind":"customer","id":{id},"displayName":"N"}}]}}"#);
            let answer = house.http.post(&raw).bearer_auth(&root.token).body(body).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), status, "{id}");
        }
        root.post("/resources:bulkDelete", json!({ "resourceNames": ["cusx_00"] })).await.refused(400, 3, "invalid_argument");
        root.post("/resources:bulkDelete", json!({ "resourceNames": ["cus_long"] })).await.ok();
        let all: Value = root.get("/resources?labelSelector=indent.com/resource/id%3D18446744073709551615").await.ok();
        assert_eq!(all["resources"][0]["id"], "18446744073709551615");
        house.finish().await;
    }
}
