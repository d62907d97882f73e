//! Our list of customers keeps step with the company's database, and believes no nonsense.

use jiff::SignedDuration;
use latchkey::domain::clock::Clock;

use crate::harness::{
    databases::{Kind, TestDb, raw, raw_at},
    house::{ANA, BO, House, Plan},
    office::{hours, minutes},
};

/// The next run of the schedule.
async fn quarter_of_an_hour(house: &House) {
    house.advance(minutes(15)).await;
}

/// Id, name and labels of everybody who can be asked for.
async fn known(house: &House) -> Vec<String> {
    let mut known = Vec::new();
    for id in ["123", "124", "125", "126", "200", "201", "300"] {
        if let Some(customer) = house.store().customer(id).await.unwrap() {
            known.push(format!("{id} {} {:?}", customer.name, customer.labels));
        }
    }
    known
}

/// Whether a petition for the customer comes about.
async fn can_be_asked_for(house: &House, words: &str) -> bool {
    let opened = |record: Vec<String>| record.into_iter().filter(|word| word == "petition.opened").count();
    let before = opened(house.record().await);
    assert_eq!(house.types(ANA, words).await.problem, None);
    opened(house.record().await) > before
}

async fn runs(house: &House) -> usize {
    house.record().await.into_iter().filter(|word| word == "customers.synced").count()
}

/// A query that fails in the middle of its rows when a note is no JSON.
fn with_notes(db: TestDb) -> Plan {
    let query = match db.kind {
        Kind::Sqlite => {
            "select id, name, json(plan) as plan from (select id, name, '\"' || plan || '\"' as plan from customers order by id)"
        }
        Kind::Postgres => "select id, name, ('\"' || plan || '\"')::json as plan from customers order by id",
    };
    House::plan(db).env("CUSTOMERS_QUERY", query)
}

both_databases! {
    async fn what_changed_there_changes_here(db: TestDb) {
        let house = House::new(db).await;
        assert_eq!(house.types(ANA, "customer 201 for 2h to debug BUG-1").await.problem, None);
        house.settle().await;
        house.press(BO, "Approve").await;
        house.settle().await;
        assert!(!can_be_asked_for(&house, "customer 300 for 1h to debug BUG-2").await);
        raw_at(&house.customers, "
            INSERT INTO customers (id, name, plan) VALUES (300, 'New Ltd', 'free');
            UPDATE customers SET name = 'Acme Labs Inc' WHERE id = 124;
            UPDATE customers SET plan = 'enterprise' WHERE id = 200;
            DELETE FROM customers WHERE id = 201;
        ").await;
        house.advance(minutes(15) - SignedDuration::from_secs(1)).await;
        assert!(!can_be_asked_for(&house, "customer 300 for 1h to debug BUG-2").await, "not before its time");
        house.advance(SignedDuration::from_secs(1)).await;
        assert!(can_be_asked_for(&house, "customer 300 for 1h to debug BUG-2").await);
        assert!(can_be_asked_for(&house, "\"acme labs inc\" for 1h to debug BUG-3").await);
        assert!(!can_be_asked_for(&house, "\"Acme Corp Labs\" for 1h to debug BUG-4").await);
        assert!(!can_be_asked_for(&house, "customer 200 for 9h to debug BUG-5").await, "its rule allows 8 hours now");
        assert!(!can_be_asked_for(&house, "customer 201 for 1h to debug BUG-6").await);
        assert!(!can_be_asked_for(&house, "Initech for 1h to debug BUG-6").await);

        // The lease of the one that vanished runs on, and ends in time.
        assert!(house.allows("ana", "201").await);
        house.advance(hours(2)).await;
        assert!(!house.allows("ana", "201").await && !house.production.allows("ana@acme.test", "201"));
        raw_at(&house.customers, "INSERT INTO customers (id, name) VALUES (201, 'Initech')").await;
        quarter_of_an_hour(&house).await;
        assert!(can_be_asked_for(&house, "customer 201 for 1h to debug BUG-7").await);
        assert_eq!(known(&house).await, [
            r#"123 AcmeCorp {"plan": "enterprise"}"#, r#"124 Acme Labs Inc {"plan": "free"}"#,
            r#"125 Twin Ltd {"plan": "free"}"#, r#"126 Twin Ltd {"plan": "team"}"#,
            r#"200 Globex {"plan": "enterprise"}"#, r#"201 Initech {}"#, r#"300 New Ltd {"plan": "free"}"#,
        ]);
        house.finish().await;
    }

    async fn a_run_without_news_leaves_no_trace(db: TestDb) {
        let house = House::new(db).await;
        let before = runs(&house).await;
        assert_eq!(before, 1);
        for _ in 0..4 {
            quarter_of_an_hour(&house).await;
        }
        assert_eq!(runs(&house).await, before);
        house.finish().await;
    }

    /// A source that lacks a fifth of what it had is more likely broken than right.
    async fn a_source_that_lacks_too_many_changes_nothing(db: TestDb) {
        let house = House::new(db).await;
        let before = known(&house).await;
        raw_at(&house.customers, "DELETE FROM customers WHERE id IN (200, 201); UPDATE customers SET name = 'X'").await;
        quarter_of_an_hour(&house).await;
        assert_eq!(known(&house).await, before);
        raw_at(&house.customers, "DELETE FROM customers").await;
        quarter_of_an_hour(&house).await;
        assert_eq!(known(&house).await, before);
        assert_eq!(runs(&house).await, 1);
        let (status, _) = house.check("ana", "123").await;
        assert_eq!((status, house.get("/readyz").await.unwrap().status().as_u16()), (200, 200));
        raw_at(&house.customers, crate::harness::house::CUSTOMERS.split(';').nth(1).unwrap()).await;
        raw_at(&house.customers, "DELETE FROM customers WHERE id = 201; UPDATE customers SET name = 'Y' WHERE id = 200").await;
        quarter_of_an_hour(&house).await;
        assert_eq!(known(&house).await.len(), 5);
        assert!(known(&house).await[4].contains("200 Y"));
        house.finish().await;
    }

    async fn a_source_that_cannot_be_read_changes_nothing(db: TestDb) {
        let house = with_notes(db).build().await;
        let before = known(&house).await;
        assert_eq!(before.len(), 6);
        // The first rows are fine, and would be news; the last is not.
        raw_at(&house.customers, "UPDATE customers SET name = 'X' WHERE id < 200").await;
        raw_at(&house.customers, "UPDATE customers SET plan = 'a\"b' WHERE id = 201").await;
        quarter_of_an_hour(&house).await;
        assert_eq!(known(&house).await, before);
        raw_at(&house.customers, "ALTER TABLE customers RENAME TO elsewhere").await;
        quarter_of_an_hour(&house).await;
        assert_eq!(known(&house).await, before);
        assert!(can_be_asked_for(&house, "customer 123 for 1h to debug BUG-1").await);
        raw_at(&house.customers, "ALTER TABLE elsewhere RENAME TO customers").await;
        raw_at(&house.customers, "UPDATE customers SET plan = NULL WHERE id = 201").await;
        quarter_of_an_hour(&house).await;
        assert_eq!(known(&house).await.iter().filter(|one| one.contains(" X ")).count(), 4);
        house.finish().await;
    }

    /// I8: a sync that died with its process holds nobody up for longer than it must.
    async fn a_sync_that_was_killed_is_done_again_soon(db: TestDb) {
        let mut house = House::new(db).await;
        house.stop().await;
        // What a process leaves that was killed in the middle of its very first run.
        let store = house.db.store().await;
        let until = (house.clock.now() + minutes(2)).as_microsecond();
        raw(&store, "DELETE FROM customers").await;
        raw(&store, &format!("UPDATE schedules SET next_us = {until} WHERE name = 'sync-running'")).await;
        store.close().await;
        house.start().await;
        house.settle().await;
        house.advance(minutes(3)).await;
        assert_eq!(known(&house).await.len(), 6);
        house.finish().await;
    }
}
