//! PullUpdate at `/webhooks/indent`: all our customers, as many as there are, or an answer that says that there are none.

use std::time::Duration;

use latchkey::domain::signature::sign_v0;
use serde_json::{Value, json};

use crate::harness::{
    databases::{TestDb, raw_at},
    events::Event,
    house::{House, PATIENCE, WEBHOOK_SECRET},
    office::minutes,
};

const EVERY_CUSTOMER: &str = r#"{"kinds":["user","customer"],"flags":{}}"#;

async fn pull(house: &House) -> reqwest::Response {
    let time = house.now().to_string();
    let signature = sign_v0(WEBHOOK_SECRET, &time, EVERY_CUSTOMER.as_bytes());
    let request = house
        .http
        .post(format!("{}/webhooks/indent", house.bot))
        .header("x-indent-timestamp", time)
        .header("x-indent-signature", signature)
        .body(EVERY_CUSTOMER);
    request.send().await.unwrap()
}

both_databases! {
    async fn our_customers_are_told_as_resources(db: TestDb) {
        let house = House::new(db).await;
        raw_at(&house.customers, "UPDATE customers SET name = 'Café \"A/B\"' WHERE id = 123").await;
        raw_at(&house.customers, "DELETE FROM customers WHERE id IN (125, 126, 200)").await;
        house.advance(minutes(15)).await;
        // More than a fifth is gone, so the sync has changed nothing.
        let answer = pull(&house).await;
        assert_eq!(answer.headers()["content-type"], "application/json");
        assert_eq!(answer.text().await.unwrap().matches("\"id\"").count(), 6);
        raw_at(&house.customers, "INSERT INTO customers (id, name, plan) VALUES (125, 'Twin Ltd', 'free'), (126, 'Twin Ltd', 'team')").await;
        house.advance(minutes(15)).await;
        let (status, told) = (pull(&house).await.status().as_u16(), pull(&house).await.text().await.unwrap());
        assert_eq!(status, 200);
        let resources = [
            r#"{"kind":"customer","id":"123","displayName":"Café \"A/B\"","labels":{"plan":"enterprise"}}"#,
            r#"{"kind":"customer","id":"124","displayName":"Acme Corp Labs","labels":{"plan":"free"}}"#,
            r#"{"kind":"customer","id":"125","displayName":"Twin Ltd","labels":{"plan":"free"}}"#,
            r#"{"kind":"customer","id":"126","displayName":"Twin Ltd","labels":{"plan":"team"}}"#,
            r#"{"kind":"customer","id":"201","displayName":"Initech"}"#,
        ];
        assert_eq!(told, format!(r#"{{"status":{{}},"resources":[{}]}}"#, resources.join(",")));
        house.finish().await;
    }

    async fn other_kinds_are_not_ours_to_tell(db: TestDb) {
        let house = House::new(db).await;
        for call in [
            r#"{"kinds":["acme.v1.Vault"]}"#,
            r#"{"kinds":[]}"#,
            r#"{"kinds":null}"#,
            r#"{"kinds":"customer"}"#,
            r#"{"kinds":{"customer":true}}"#,
            r#"{"kinds":[["customer"],7,null]}"#,
            r#"{"kinds":["Customer"]}"#,
        ] {
            let (status, answer) = house.receive(call).await;
            assert_eq!((status, &answer["status"]["code"]), (200, &json!(3)), "{call}");
        }
        let (_, info) = house.receive(r#"{"info":true}"#).await;
        let detail: Value = serde_json::from_str(info["status"]["details"][0]["detail"].as_str().unwrap()).unwrap();
        assert_eq!(detail["integrations"][0]["capabilities"], json!(["ApplyUpdate", "PullUpdate"]));
        house.finish().await;
    }

    async fn there_may_be_none_or_many(db: TestDb) {
        let house = House::plan(db).env("CUSTOMERS_DATABASE_URL", "").build().await;
        let (_, none) = house.receive(EVERY_CUSTOMER).await;
        assert_eq!(none, json!({ "status": {}, "resources": [] }));
        // Around the size of what is read at once.
        for many in [999, 1000, 1001, 2000, 2501] {
            let rows: Vec<String> = (0..many).map(|n| format!("('c{n:05}', 'Name {n}', 'name{n}', '{{}}', 0, 0)")).collect();
            raw_at(&house.db.url, &format!(
                "DELETE FROM customers; INSERT INTO customers (id, name, name_key, labels, row_hash, changed_us) VALUES {}",
                rows.join(", ")
            )).await;
            let (status, answer) = house.receive(EVERY_CUSTOMER).await;
            let ids: Vec<&str> = answer["resources"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
            assert_eq!((status, ids.len(), ids.last().unwrap()), (200, many, &&*format!("c{:05}", many - 1)));
            assert!(ids.is_sorted_by(|a, b| a < b), "each once");
        }
        house.finish().await;
    }

    /// What breaks off is no answer: a receiver would take those that are missing for gone.
    async fn an_answer_that_breaks_off_is_not_taken_for_a_whole_one(db: TestDb) {
        let house = House::plan(db).env("CUSTOMERS_DATABASE_URL", "").build().await;
        // Far more than fits between the two, so that the end is not read before the table is gone.
        let filling = "x".repeat(1_500);
        for part in 0..20 {
            let rows: Vec<String> = (0..1000).map(|n| format!("('c{:05}', '{filling}', 'n', '{{}}', 0, 0)", part * 1000 + n)).collect();
            raw_at(&house.db.url, &format!(
                "INSERT INTO customers (id, name, name_key, labels, row_hash, changed_us) VALUES {}", rows.join(", ")
            )).await;
        }
        let mut answer = pull(&house).await;
        assert_eq!(answer.status().as_u16(), 200);
        assert!(answer.chunk().await.unwrap().is_some());
        raw_at(&house.db.url, "ALTER TABLE customers RENAME TO elsewhere").await;
        let mut told = Vec::new();
        let broke = tokio::time::timeout(PATIENCE, async {
            loop {
                match answer.chunk().await {
                    Ok(Some(chunk)) => told.extend_from_slice(&chunk),
                    Ok(None) => return false,
                    Err(_) => return true,
                }
            }
        });
        assert!(broke.await.unwrap(), "the connection ended in good order after {} bytes", told.len());
        raw_at(&house.db.url, "ALTER TABLE elsewhere RENAME TO customers").await;
        tokio::time::timeout(Duration::from_secs(60), house.finish()).await.unwrap();
    }

    /// Such an id could be taken for that of another kind, or become that of another customer.
    async fn ids_with_control_characters_are_refused(db: TestDb) {
        let house = House::new(db).await;
        for id in ["12\u{0}3", "123\u{0}", "123\n", "customer\u{1f}123", "\u{7f}"] {
            let mut event = Event::grant();
            event.0["resources"][1]["id"] = json!(id);
            let (status, answer) = house.receive(&event.body()).await;
            assert_eq!((status, &answer["status"]["code"]), (200, &json!(3)), "{id:?}");
        }
        assert!(house.streams().await.is_empty());
        assert!(!house.allows("ana", "123").await);
        house.finish().await;
    }
}
