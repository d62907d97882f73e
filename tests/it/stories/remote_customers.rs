//! The remote space has our customers: each is sent once, and again only when it changed.

use latchkey::http::auth::Scope;
use serde_json::{Value, json};

use crate::harness::{
    databases::{TestDb, raw_at},
    house::ANA,
    indent::{Indent, Mood, SPACE},
    office::{minutes, seconds},
};

fn says_no() -> Mood {
    Mood::Answers(400, vec![("content-type", "application/json".to_owned())], r#"{"message":"no"}"#.to_owned())
}

fn puts(indent: &Indent) -> usize {
    indent.calls("PUT resources:bulkUpdate")
}

both_databases! {
    async fn customers_are_sent_when_they_change_and_only_then(db: TestDb) {
        let indent = Indent::start().await;
        let mut house = indent.house(db).await;
        let sent = indent.resources();
        assert_eq!(sent.keys().collect::<Vec<_>>(), ["123", "124", "125", "126", "200", "201"]);
        assert_eq!((&sent["123"]["kind"], &sent["123"]["displayName"]), (&"customer".into(), &"AcmeCorp".into()));
        assert_eq!(sent["123"]["labels"]["plan"], "enterprise");
        assert_eq!(puts(&indent), 1);
        house.advance(minutes(16)).await;
        house.stop().await;
        house.start().await;
        house.settle().await;
        assert_eq!(puts(&indent), 1, "nothing changed");

        raw_at(&house.customers, "UPDATE customers SET plan = 'enterprise' WHERE id = 200").await;
        house.synced().await;
        house.settle().await;
        assert_eq!((puts(&indent), indent.resources()["200"]["labels"]["plan"].as_str()), (2, Some("enterprise")));
        raw_at(&house.customers, "DELETE FROM customers WHERE id = 201").await;
        house.synced().await;
        house.settle().await;
        assert_eq!((puts(&indent), indent.calls("POST resources:bulkDelete")), (2, 1));
        assert!(!indent.resources().contains_key("201"));
        indent.finish(house).await;
    }

    async fn what_a_program_puts_here_goes_there_too(db: TestDb) {
        let indent = Indent::start().await;
        let house = indent.house(db).await;
        let token = house.token_of("dan", &[Scope::Admin], None).await;
        let script = async |verb: &str, body: Value| {
            let url = format!("{}/v1/spaces/{SPACE}/resources:{verb}", house.bot);
            let answer = house.http.post(url).bearer_auth(&token).json(&body).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), 200);
        };
        let body = json!({ "resources": [{ "kind": "customer", "id": 300, "displayName": "New Ltd", "labels": { "plan": "free" } }] });
        script("bulkUpdate", body).await;
        house.settle().await;
        assert_eq!(indent.resources()["300"]["displayName"], "New Ltd");
        let body = json!({ "resourceNames": ["cus_300"] });
        script("bulkDelete", body).await;
        house.settle().await;
        assert!(!indent.resources().contains_key("300"));
        indent.finish(house).await;
    }

    async fn a_space_that_is_away_gets_them_when_it_is_back(db: TestDb) {
        let indent = Indent::start().await;
        indent.is(Mood::Answers(503, vec![("retry-after", "30".to_owned())], String::new()));
        let house = indent.house(db).await;
        // One at the start, and one more where customers were found while that was under way.
        let tried = puts(&indent);
        assert!((1..=2).contains(&tried) && indent.resources().is_empty(), "{tried}");
        house.advance(seconds(29)).await;
        assert_eq!(puts(&indent), tried);
        indent.goes_down();
        house.advance(seconds(2)).await;
        indent.comes_back();
        house.advance(minutes(1)).await;
        assert_eq!(indent.resources().len(), 6);
        indent.finish(house).await;
    }

    async fn a_customer_that_the_space_refuses_keeps_none_from_it(db: TestDb) {
        let indent = Indent::start().await;
        indent.is(Mood::Refuses("\"123\""));
        let house = indent.house(db).await;
        assert_eq!(indent.resources().len(), 5);
        indent.comes_back();
        house.advance(minutes(16)).await;
        assert_eq!(indent.resources().len(), 6);
        indent.finish(house).await;
    }

    /// A space refuses a petition about a customer that it has not: that is no answer to the petition.
    async fn a_petition_waits_until_the_space_has_its_customer(db: TestDb) {
        let indent = Indent::start().await;
        indent.is(Mood::Refuses("\"123\""));
        let house = indent.house(db).await;
        assert_eq!(indent.resources().len(), 5);
        indent.is(Mood::Refuses("\"petitioners\""));
        house.asked().await;
        assert!(!house.reads(ANA).contains("was refused"), "{}", house.reads(ANA));
        assert_eq!((indent.resources().len(), indent.petitions().len()), (6, 0), "the customer is sent at once");
        indent.comes_back();
        house.advance(seconds(2)).await;
        assert_eq!(indent.petitions().len(), 1);
        // One whose customer it has is refused.
        indent.next([says_no()]);
        house.types(ANA, "customer 200 to debug BUG-483").await;
        house.settle().await;
        assert!(house.reads(ANA).contains("was refused"), "{}", house.reads(ANA));
        indent.finish(house).await;
    }

    /// Some spaces answer 400, not 404, to taking away what is not there.
    async fn what_is_gone_there_already_is_not_taken_away_for_ever(db: TestDb) {
        let indent = Indent::start().await;
        let house = indent.house(db).await;
        indent.is(says_no());
        raw_at(&house.customers, "DELETE FROM customers WHERE id = 201").await;
        house.synced().await;
        house.settle().await;
        let owed = async || house.store().customers_to_take("", 9).await.unwrap().len();
        assert_eq!(owed().await, 1, "it does not say whether it is there");
        indent.is(Mood::Refuses("resourceNames"));
        house.advance(minutes(16)).await;
        assert_eq!((owed().await, indent.calls("GET resources/block-201") > 0), (0, true));
        let told = indent.calls("POST resources:bulkDelete");
        house.advance(minutes(16)).await;
        assert_eq!(indent.calls("POST resources:bulkDelete"), told);
        indent.finish(house).await;
    }
}
