//! Pulls: what an endpoint says there is becomes what can be asked for, and nothing that it says by mistake does.

use jiff::SignedDuration;
use latchkey::{
    domain::signature::sign_v0,
    http::auth::Scope,
    store::{Db, StoredResource},
    workflow::PullError,
};
use serde_json::{Value, json};

use crate::harness::{
    databases::TestDb,
    hook::{Hook, Reply},
    house::{ANA, CHANNEL, House, Patience, file_with},
    indent::Indent,
    office::minutes,
};

const SECRET: &str = "wks0PULLSECRET";

fn file(hook: &Hook, more: &str) -> String {
    file_with(&format!("[[pull]]\nname = \"crm\"\nurl = \"{}\"\nsecret = \"{SECRET}\"\n{more}\n", hook.url))
}

fn customer(id: Value, name: &str, plan: &str) -> Value {
    json!({ "kind": "customer", "id": id, "displayName": name, "labels": { "plan": plan } })
}

fn brings(resources: &[Value]) -> Value {
    json!({ "status": {}, "resources": resources })
}

fn ten() -> Vec<Value> {
    (1..=10).map(|n| customer(json!(n), &format!("Company {n}"), "team")).collect()
}

/// Without a database of customers, everybody is the pull's.
async fn house(db: TestDb, hook: &Hook, more: &str) -> House {
    let house = House::plan(db).file(&file(hook, more)).env("CUSTOMERS_DATABASE_URL", "").build().await;
    first(&house, hook).await;
    house
}

/// The pull of the start is over.
async fn first(house: &House, hook: &Hook) {
    let mut patience = Patience::new("the endpoint is asked");
    while hook.asked().is_empty() {
        patience.tick().await;
    }
    house.settle().await;
}

async fn customers(house: &House) -> Vec<(String, String)> {
    let page = house.store().customers_page("", 1000).await.unwrap();
    page.into_iter().map(|customer| (customer.id.to_string(), customer.name)).collect()
}

async fn others(house: &House) -> Vec<StoredResource> {
    house.store().resources_page(("", ""), "", 1000).await.unwrap()
}

async fn sources(house: &House) -> Vec<String> {
    const SQL: &str = "SELECT DISTINCT source FROM customers WHERE removed_us IS NULL ORDER BY source";
    match house.store().db() {
        Db::Sqlite { read, .. } => sqlx::query_scalar(SQL).fetch_all(read).await.unwrap(),
        Db::Postgres(pool) => sqlx::query_scalar(SQL).fetch_all(pool).await.unwrap(),
    }
}

/// The schedule is due again, and what it starts is over.
async fn next(house: &House, hook: &Hook) {
    after(house, hook, minutes(15)).await;
}

async fn after(house: &House, hook: &Hook, every: SignedDuration) {
    let before = hook.asked().len();
    house.advance(every).await;
    let mut patience = Patience::new("the endpoint is asked");
    while hook.asked().len() == before {
        patience.tick().await;
    }
    house.settle().await;
}

both_databases! {
    async fn what_it_brings_can_be_asked_for(db: TestDb) {
        let vault = json!({ "kind": "acme.v1.Vault", "id": "v1", "displayName": "Vault", "email": "v@acme.test",
            "altIds": ["a", 7], "labels": { "oktaId": "0x", "size": 3, "nothing": null } });
        let stranger = json!({ "kind": "user", "id": "u1" });
        let mut resources = ten();
        resources.extend([vault, stranger]);
        let hook = Hook::saying(brings(&resources)).await;
        let more = "kinds = [\"customer\", \"acme.v1.Vault\"]\nflags = { full = \"yes\" }\nheaders = { x-team = \"it\" }";
        let house = house(db, &hook, more).await;
        let asked = hook.asked();
        assert_eq!(asked.len(), 1, "at the start");
        assert_eq!(asked[0].body, r#"{"flags":{"full":"yes"},"kinds":["acme.v1.Vault","customer"]}"#);
        assert_eq!(asked[0].header("x-team"), "it");
        let time = house.now().to_string();
        assert_eq!(asked[0].header("x-indent-signature"), sign_v0(SECRET, &time, asked[0].body.as_bytes()));
        assert_eq!((asked[0].header("x-indent-timestamp"), asked[0].header("webhook-id").is_empty()), (&*time, false));

        assert_eq!(customers(&house).await.len(), 10);
        assert_eq!(sources(&house).await, ["pull:crm"]);
        let vaults = others(&house).await;
        let [vault] = &vaults[..] else { panic!("{vaults:?}") };
        let vault = &vault.resource;
        assert_eq!((&*vault.kind, &*vault.id, &*vault.display_name, &*vault.email), ("acme.v1.Vault", "v1", "Vault", "v@acme.test"));
        assert_eq!((&vault.alt_ids, vault.labels.len(), &*vault.labels["size"]), (&vec!["a".to_owned(), "7".into()], 2, "3"));
        // A number is as good as a text.
        let answer = house.types(ANA, "customer 7 for 4h to debug BUG-482").await;
        assert_eq!(answer.problem, None, "{}", answer.text());
        house.settle().await;
        assert!(house.reads(CHANNEL).contains("Company 7"));
        house.finish().await;
    }

    async fn it_follows_the_endpoint(db: TestDb) {
        let hook = Hook::saying(brings(&ten())).await;
        let house = house(db, &hook, "").await;
        let put = house.recorded("resources.put").await;
        next(&house, &hook).await;
        assert_eq!(house.recorded("resources.put").await, put, "nothing new, nothing on record");
        let mut resources = ten();
        resources[0] = customer(json!("1"), "Renamed", "team");
        resources.remove(9);
        resources.push(customer(json!("11"), "New", "team"));
        resources.push(customer(json!("11"), "Newer", "team"));
        hook.says(Reply::Json(brings(&resources)));
        next(&house, &hook).await;
        let now = customers(&house).await;
        let names: Vec<&str> = now.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(now.len(), 10);
        assert!(names.contains(&"Renamed") && names.contains(&"Newer") && !names.contains(&"Company 10"), "{names:?}");
        assert_eq!(house.recorded("resources.removed").await, 1);
        // And back again.
        hook.says(Reply::Json(brings(&ten())));
        next(&house, &hook).await;
        assert!(customers(&house).await.contains(&("10".into(), "Company 10".into())));
        house.finish().await;
    }

    /// More than a fifth missing is rather a fault of the endpoint than the truth.
    async fn too_many_removals_change_nothing(db: TestDb) {
        let hook = Hook::saying(brings(&ten())).await;
        let house = house(db, &hook, "").await;
        let mut seven = ten().split_off(3);
        seven.push(customer(json!(12), "New", "team"));
        for said in [brings(&seven), brings(&[])] {
            hook.says(Reply::Json(said));
            next(&house, &hook).await;
            assert_eq!(customers(&house).await.len(), 10);
        }
        hook.says(Reply::Json(brings(&ten().split_off(2))));
        next(&house, &hook).await;
        assert_eq!(customers(&house).await.len(), 8, "a fifth may go");
        house.finish().await;
    }

    async fn a_pull_that_fails_changes_nothing(db: TestDb) {
        let hook = Hook::saying(brings(&ten())).await;
        let house = house(db, &hook, "timeout = \"4s\"").await;
        let had = customers(&house).await;
        let elsewhere = Hook::saying(brings(&[])).await;
        let new = || customer(json!(99), "Wrong", "team");
        let mut broken = ten();
        broken.insert(0, new());
        let with = |resource: Value| {
            let mut all = broken.clone();
            all.push(resource);
            Reply::Json(brings(&all))
        };
        let said = |mut answer: Value| {
            answer["resources"] = json!(broken);
            Reply::Json(answer)
        };
        let whole = brings(&broken).to_string();
        for trouble in [
            Reply::Text(500, whole.clone()),
            said(json!({ "error": { "message": "no" } })),
            said(json!({ "status": { "code": 13, "message": "no" } })),
            Reply::Json(json!({})),
            Reply::Json(json!({ "status": {} })),
            Reply::Json(json!({ "status": {}, "resources": null })),
            Reply::Json(json!({ "status": {}, "resources": { "0": new() } })),
            Reply::Json(json!([new()])),
            Reply::Text(200, "ok".to_owned()),
            Reply::Text(200, whole[..whole.len() - 1].to_owned()),
            Reply::Text(200, format!("{whole}{whole}")),
            with(json!({ "kind": "customer" })),
            with(json!({ "kind": "customer", "id": "" })),
            with(json!({ "kind": "customer", "id": ["1"] })),
            with(json!({ "kind": "customer", "id": "1\u{0}" })),
            with(json!({ "kind": "customer", "id": "vault\u{1f}1" })),
            Reply::Redirect(elsewhere.url.clone()),
            Reply::Hang,
        ] {
            hook.says(trouble.clone());
            next(&house, &hook).await;
            assert_eq!(customers(&house).await, had, "{trouble:?}");
        }
        assert!(elsewhere.asked().is_empty());
        hook.says(Reply::Text(200, whole));
        next(&house, &hook).await;
        assert_eq!(customers(&house).await.len(), 11);
        house.finish().await;
    }

    /// What came from the company's database or by an upload is not a pull's to take away.
    async fn what_others_brought_stays(db: TestDb) {
        let hook = Hook::saying(brings(&ten())).await;
        let house = House::plan(db).file(&file(&hook, "")).build().await;
        first(&house, &hook).await;
        assert_eq!(sources(&house).await, ["pull:crm", "sync"]);
        assert_eq!(customers(&house).await.len(), 16);
        let mut resources = ten();
        resources.push(customer(json!(123), "Acme Inc", "enterprise"));
        hook.says(Reply::Json(brings(&resources)));
        next(&house, &hook).await;
        hook.says(Reply::Json(brings(&ten())));
        next(&house, &hook).await;
        assert_eq!(customers(&house).await.len(), 16, "the sync brought it");
        house.finish().await;
    }

    /// Sooner than the space would be looked after anyway.
    async fn what_it_changes_goes_to_the_remote_space(db: TestDb) {
        let hook = Hook::saying(brings(&ten())).await;
        let indent = Indent::start().await;
        let plan = House::plan(db).file(&file(&hook, "every = \"5m\"")).env("CUSTOMERS_DATABASE_URL", "");
        let house = indent.build(plan).await;
        first(&house, &hook).await;
        assert_eq!(indent.resources().len(), 10);
        let mut resources = ten();
        resources[0] = customer(json!(1), "Renamed", "team");
        hook.says(Reply::Json(brings(&resources)));
        after(&house, &hook, minutes(5)).await;
        assert_eq!(indent.resources()["1"]["displayName"], "Renamed");
        resources.remove(9);
        hook.says(Reply::Json(brings(&resources)));
        after(&house, &hook, minutes(5)).await;
        assert!(!indent.resources().contains_key("10"));
        indent.finish(house).await;
    }

    /// One run at a time, whoever asks: an older answer must not take away what a newer one brought.
    async fn on_demand_it_runs_now_and_says_what_it_brought(db: TestDb) {
        let hook = Hook::saying(brings(&ten())).await;
        let house = house(db, &hook, "flags = { a = \"1\", b = \"2\" }").await;
        let mut resources = ten();
        resources.push(customer(json!("11"), "New", "team"));
        hook.says(Reply::Json(brings(&resources)));
        let admin = house.token(Scope::Admin).await;
        let run = |kinds: &[&str]| {
            let url = format!("{}/v1/spaces/default/resources:pullUpdate", house.bot);
            let body = json!({ "kinds": kinds, "flags": { "b": "3" } });
            let request = house.http.put(url).bearer_auth(&admin).json(&body);
            async { request.send().await.unwrap().json::<Value>().await.unwrap() }
        };
        let brought = run(&["user", "customer"]).await;
        assert_eq!((brought["resources"].as_array().unwrap().len(), &brought["status"]), (11, &json!({})), "{brought}");
        let new = brought["resources"].as_array().unwrap().iter().find(|one| one["id"] == "11").unwrap();
        assert_eq!((&new["kind"], &new["displayName"], &new["labels"]["plan"]), (&json!("customer"), &json!("New"), &json!("team")));
        assert_eq!(hook.asked().last().unwrap().body, r#"{"flags":{"a":"1","b":"3"},"kinds":["customer"]}"#);
        assert_eq!(customers(&house).await.len(), 11);
        for kinds in [&["acme.v1.Vault"][..], &[]] {
            let nobody = run(kinds).await;
            assert_eq!(nobody["resources"], json!([]));
            assert!(nobody["status"]["message"].as_str().unwrap().contains("no [[pull]]"), "{nobody}");
        }
        hook.says(Reply::Text(500, String::new()));
        let failed = run(&["customer"]).await;
        assert_eq!((&failed["resources"], &failed["status"]["message"]), (&json!([]), &json!("pull `crm`: it answered 500")));
        hook.says(Reply::Hang);
        let asked = hook.asked().len();
        let first = tokio::spawn(run(&["customer"]));
        let mut patience = Patience::new("the first is under way");
        while hook.asked().len() == asked {
            patience.tick().await;
        }
        let second = run(&["customer"]).await;
        assert_eq!(second["status"]["message"], format!("pull `crm`: {}", PullError::Busy));
        first.abort();
        house.finish().await;
    }

    /// It changes who can be asked for, so it takes an administrator.
    async fn only_administrators_ask_for_it(db: TestDb) {
        let hook = Hook::saying(brings(&ten())).await;
        let house = house(db, &hook, "").await;
        let asked = hook.asked().len();
        let url = format!("{}/v1/spaces/default/resources:pullUpdate", house.bot);
        for scope in [Scope::Petition, Scope::Check, Scope::Delegate] {
            let token = house.token(scope).await;
            let request = house.http.post(&url).bearer_auth(token).json(&json!({ "kinds": ["customer"] }));
            assert_eq!(request.send().await.unwrap().status().as_u16(), 403);
        }
        assert_eq!(house.http.post(&url).json(&json!({ "kinds": ["customer"] })).send().await.unwrap().status().as_u16(), 401);
        assert_eq!(hook.asked().len(), asked);
        house.finish().await;
    }

    async fn a_schedule_of_its_own(db: TestDb) {
        let hook = Hook::saying(brings(&ten())).await;
        let house = house(db, &hook, "every = \"1h\"").await;
        house.advance(minutes(59)).await;
        assert_eq!(hook.asked().len(), 1);
        house.advance(minutes(1)).await;
        house.advance(SignedDuration::from_secs(1)).await;
        let mut patience = Patience::new("it is asked again");
        while hook.asked().len() < 2 {
            patience.tick().await;
        }
        house.advance(minutes(30)).await;
        assert_eq!(hook.asked().len(), 2);
        house.finish().await;
    }
}
