//! Resources over the HTTP API: customers that a script uploads, and everything else.

use latchkey::http::auth::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    api::{Program, petition},
    databases::{TestDb, raw_at},
    house::{ANA, FILE, House},
    office::minutes,
};

async fn admin(house: &House) -> Program {
    house.program("root", &[Scope::Admin]).await
}

fn ids(resources: &[Value]) -> Vec<String> {
    resources.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

fn customer(id: impl Into<Value>, name: &str, plan: &str) -> Value {
    json!({ "kind": "customer", "id": id.into(), "displayName": name, "labels": { "plan": plan } })
}

fn block(resource: &Value) -> &str {
    resource["labels"]["indent.com/block"].as_str().unwrap()
}

both_databases! {
    /// A script reads `select id, name, plan from customers` and uploads them: they are listed, can be asked for in
    /// Slack, and no sync removes them.
    async fn uploaded_customers_can_be_asked_for_and_stay(db: TestDb) {
        let house = House::new(db).await;
        let root = admin(&house).await;
        for (n, method) in [Method::POST, Method::PUT].into_iter().enumerate() {
            let resources = json!({ "resources": [customer(900 + n, &format!("Uploaded {n}"), "team")] });
            let written = root.call(method, "/resources:bulkUpdate", Some(resources)).await.ok();
            assert_eq!((&written["resources"][0]["id"], block(&written["resources"][0])), (&json!(format!("90{n}")), &*format!("cus_90{n}")));
        }
        let (all, _) = root.all("/resources", "resources").await;
        assert_eq!(ids(&all), ["123", "124", "125", "126", "200", "201", "900", "901"]);
        house.advance(minutes(15)).await;
        house.advance(minutes(15)).await;
        let (all, _) = root.all("/resources", "resources").await;
        assert_eq!(all.len(), 8, "the sync never removes what was uploaded");
        let answer = house.types(ANA, "customer \"Uploaded 1\" for 1h to debug BUG-482").await;
        assert!(answer.text().contains("Uploaded 1"), "{}", answer.text());
        let ana = house.program("ana", &[Scope::Petition]).await;
        ana.post("/petitions", petition("900")).await.ok();
        house.finish().await;
    }

    /// Who uploads a customer of the company's database keeps it when it vanishes there.
    async fn what_was_synced_and_then_uploaded_stays_too(db: TestDb) {
        let house = House::new(db).await;
        let root = admin(&house).await;
        root.post("/resources:bulkUpdate", json!({ "resources": [customer("124", "Labs", "free")] })).await.ok();
        raw_at(&house.customers, "DELETE FROM customers WHERE id IN (124, 125)").await;
        house.advance(minutes(15)).await;
        let (all, _) = root.all("/resources", "resources").await;
        assert_eq!(ids(&all), ["123", "124", "126", "200", "201"]);
        house.finish().await;
    }

    async fn a_resource_is_created_read_changed_and_deleted(db: TestDb) {
        let house = House::new(db).await;
        let root = admin(&house).await;
        for resource in [
            customer("a/b c", "Slash “&” Söhne", "team"),
            customer("100%", "Percent %2F", "team"),
            customer("🔑'\"", "Key 🔑", "team"),
            json!({ "kind": "okta.v1.Group", "id": "g/1", "displayName": "Leads", "email": "Leads@acme.test", "alt_ids": [7], "labels": { "oktaId": "00g1" } }),
        ] {
            let made = root.post("/resources", json!({ "resource": resource })).await.ok();
            let path = format!("/resources/{}", block(&made));
            assert_eq!(root.get(&path).await.ok(), made);
            assert_eq!((&made["id"], &made["displayName"]), (&resource["id"], &resource["displayName"]));
            let twice = root.post("/resources", json!({ "resource": resource })).await;
            twice.refused(409, 6, "already_exists");
            assert_eq!(twice.header("x-should-retry"), "false");
            let changed = root.put(&path, json!({ "resource": { "displayName": "Other", "labels": { "plan": "free" } } })).await.ok();
            assert_eq!((&changed["displayName"], &changed["id"], block(&changed)), (&json!("Other"), &made["id"], block(&made)));
            assert_eq!(root.get(&path).await.ok(), changed);
            root.put(&path, json!({ "resource": { "id": "another" } })).await.refused(400, 3, "invalid_argument");
            assert_eq!(root.delete(&path).await.ok(), changed);
            root.get(&path).await.refused(404, 5, "not_found");
            root.delete(&path).await.refused(404, 5, "not_found");
            root.put(&path, json!({ "resource": {} })).await.refused(404, 5, "not_found");
        }
        root.delete("/resources/cus_123").await.refused(409, 6, "already_exists");
        for name in ["nothing", "cus_", "cusx_00", "res_%00", "%2E%2E", "a%2Fb"] {
            root.get(&format!("/resources/{name}")).await.refused(404, 5, "not_found");
        }
        house.finish().await;
    }

    /// All or nothing, and the bad one is named.
    async fn ten_thousand_with_one_bad_one_change_nothing(db: TestDb) {
        let house = House::new(db).await;
        let root = admin(&house).await;
        let mut resources: Vec<Value> = (0..10_000).map(|n| customer(format!("bulk-{n:05}"), &format!("Bulk {n}"), "team")).collect();
        let whole = resources.clone();
        resources[7_777]["id"] = json!("");
        let said = root.post("/resources:bulkUpdate", json!({ "resources": resources })).await.refused(400, 3, "invalid_argument");
        assert!(said.contains("resources[7777]"), "{said}");
        resources[7_777]["id"] = json!("bulk-00003");
        let said = root.post("/resources:bulkUpdate", json!({ "resources": resources })).await.refused(400, 3, "invalid_argument");
        assert!(said.contains("resources[7777]") && said.contains("bulk-00003") && said.contains("twice"), "{said}");
        resources[7_777] = json!({ "kind": "customer", "id": "x\u{0}" });
        root.post("/resources:bulkUpdate", json!({ "resources": resources })).await.refused(400, 3, "invalid_argument");
        for odd in [json!({ "kind": "customer", "id": {} }), json!({ "kind": ["customer"], "id": "x" }), json!("bulk-7777")] {
            resources[7_777] = odd;
            let said = root.post("/resources:bulkUpdate", json!({ "resources": resources })).await.refused(400, 3, "invalid_argument");
            assert!(said.contains("resources[7777]"), "{said}");
        }
        assert_eq!(house.store().customer_count().await.unwrap(), 6, "nothing was written");
        let written = root.post("/resources:bulkUpdate", json!({ "resources": whole })).await.ok();
        assert_eq!(written["resources"].as_array().unwrap().len(), 10_000);
        assert_eq!(house.store().customer_count().await.unwrap(), 10_006);
        let names: Vec<&str> = written["resources"].as_array().unwrap().iter().map(block).collect();
        let mut one_missing = names.clone();
        one_missing.push("cus_nobody");
        root.post("/resources:bulkDelete", json!({ "resourceNames": one_missing })).await.refused(400, 3, "invalid_argument");
        assert_eq!(house.store().customer_count().await.unwrap(), 10_006);
        assert_eq!(root.post("/resources:bulkDelete", json!({ "resourceNames": names })).await.ok(), json!({}));
        assert_eq!(house.store().customer_count().await.unwrap(), 6);
        house.finish().await;
    }

    /// What is there throughout is listed exactly once while others come, change and go.
    async fn pages_are_stable_while_resources_change(db: TestDb) {
        let house = House::new(db).await;
        let root = admin(&house).await;
        let put = async |from: usize, to: usize, step: usize, plan: &str| {
            let resources: Vec<Value> = (from..to).step_by(step).map(|n| customer(format!("r{n:05}"), &format!("R {n}"), plan)).collect();
            root.post("/resources:bulkUpdate", json!({ "resources": resources })).await.ok();
        };
        put(0, 5000, 2, "team").await;
        let (mut found, mut token, mut page_no) = (Vec::new(), String::new(), 0);
        loop {
            let page = root.get(&format!("/resources?pageSize=333&pageToken={token}")).await.ok();
            found.extend(ids(page["resources"].as_array().unwrap()));
            // Some come before and after where we are, and some of those that were there change.
            put(page_no * 400 + 1, page_no * 400 + 200, 2, "free").await;
            put(page_no * 400, page_no * 400 + 200, 2, "free").await;
            page_no += 1;
            match page["nextPageToken"].as_str() {
                Some(next) => next.clone_into(&mut token),
                None => break,
            }
        }
        let mut once = found.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), found.len(), "nothing is listed twice");
        for n in (0..5000).step_by(2) {
            assert!(once.binary_search(&format!("r{n:05}")).is_ok(), "r{n:05} was there throughout");
        }
        house.finish().await;
    }

    async fn resources_are_selected_by_labels_names_and_views(db: TestDb) {
        let house = House::plan(db).file(&FILE.replace("name = \"everyone else\"", "name = \"everyone else\"\npetitioners = [\"dan@acme.test\"]")).build().await;
        let root = admin(&house).await;
        let others = json!({ "resources": [
            { "kind": "slack/user", "id": "U1", "email": "ana@acme.test", "labels": { "plan": "team" } },
            { "kind": "okta.v1.Group", "id": "g1", "labels": { "a": "x:y", "mail": "bo@acme.test" } },
        ] });
        root.post("/resources:bulkUpdate", others).await.ok();
        let select = async |query: &str| ids(root.get(&format!("/resources?{query}")).await.ok()["resources"].as_array().unwrap());
        for (query, wanted) in [
            ("labelSelector=plan%3Denterprise", vec!["123"]),
            ("labelSelector=plan%20in%20(team,enterprise)", vec!["123", "126", "200", "U1"]),
            ("labelSelector=plan%3Dteam,indent.com/resource/kind%3Dcustomer", vec!["126", "200"]),
            ("labelSelector=!plan", vec!["201", "g1"]),
            ("label_selector=mail%3Dbo@acme.test", vec!["g1"]),
            ("labelSelector=a%3Dx:y", vec!["g1"]),
            ("labelSelector=indent.com/resource/email%3Dana@acme.test", vec!["U1"]),
            ("labelSelector=indent.com/resource/email%3Dbo@acme.test", vec![]),
            ("labelSelector=indent.com/resource/id%3D124", vec!["124"]),
            ("among=cus_200&among[]=cus_123&among=cus_nobody", vec!["123", "200"]),
            ("view=people", vec!["U1"]),
            ("view=requestable", vec!["123"]),
            ("view=requestable&labelSelector=plan%3Dnothing", vec!["123"]),
        ] {
            assert_eq!(select(query).await, wanted, "{query}");
        }
        root.get("/resources?view=everything").await.refused(400, 3, "invalid_argument");
        root.get("/resources?labelSelector=a%20in%20b").await.refused(400, 3, "invalid_argument");
        let (ana, dan) = (house.program("ana", &[Scope::Petition]).await, house.program("dan", &[Scope::Petition]).await);
        let mine = async |program: &Program| ids(&program.all("/resources?pageSize=2", "resources").await.0);
        assert_eq!(mine(&ana).await, ["123"], "what she may ask for and nothing else");
        assert_eq!(mine(&dan).await, ["123", "124", "125", "126", "200", "201"]);
        ana.get("/resources/cus_124").await.refused(404, 5, "not_found");
        assert_eq!(dan.get("/resources/cus_124").await.ok()["id"], "124");
        house.finish().await;
    }

    async fn only_administrators_write_and_read_what_the_file_says(db: TestDb) {
        let house = House::new(db).await;
        for scopes in [[Scope::Petition].as_slice(), &[Scope::Check], &[Scope::Delegate]] {
            let program = house.program("bo", scopes).await;
            let one = json!({ "resource": customer("1", "One", "team") });
            for answer in [
                program.post("/resources", one.clone()).await,
                program.put("/resources/cus_123", one.clone()).await,
                program.delete("/resources/cus_123").await,
                program.post("/resources:bulkUpdate", json!({ "resources": [] })).await,
                program.put("/resources:bulkUpdate", json!({ "resources": [] })).await,
                program.post("/resources:bulkDelete", json!({ "resourceNames": [] })).await,
                // Not even read, let alone found wrong: whoever may not write gets nothing large parsed here.
                program.post("/resources:bulkUpdate", json!({ "resources": "none" })).await,
                program.put("/resources:bulkUpdate", json!({ "resources": "none" })).await,
                program.post("/resources:bulkDelete", json!({ "resourceNames": "none" })).await,
                program.get("/webhooks").await,
                program.get("/webhooks/production").await,
                program.get("/resourcePolicies").await,
                program.get("/resourcePolicies/enterprise").await,
            ] {
                answer.refused(403, 7, "permission_denied");
            }
        }
        let root = admin(&house).await;
        let webhook = root.get("/webhooks/production").await.ok();
        assert_eq!(root.get("/webhooks").await.ok(), json!({ "webhooks": [webhook] }));
        assert_eq!((&webhook["url"], &webhook["dryRun"]), (&json!(house.production.url()), &json!(false)));
        assert!(!webhook.to_string().contains("wks0"), "no secret is shown");
        let policies = root.get("/resourcePolicies").await.ok();
        assert_eq!(policies["policies"][0]["selector"]["matchLabels"], json!({ "plan": "enterprise" }));
        assert_eq!(root.get("/resourcePolicies/enterprise").await.ok(), policies["policies"][0]);
        root.get("/webhooks/nothing").await.refused(404, 5, "not_found");
        house.finish().await;
    }
}
