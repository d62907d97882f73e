//! Receivers that are down, slow, or gone from the file: a revoke reaches them in the end, and nothing overtakes it.

use std::sync::Arc;

use latchkey::{
    clock::ManualClock,
    demo::production::{Delivery, Production, Trouble},
    domain::event::Wanted,
    store::Db,
};

use crate::harness::{
    databases::TestDb,
    events::Event,
    house::{ANA, BO, CY, FILE, House, PATIENCE, PRODUCTION_SECRET, file_with},
    office::{hours, minutes, morning},
};

fn provisioner(name: &str, url: &str, timeout: &str) -> String {
    format!(
        "[[provisioner]]\nname = \"{name}\"\nkind = \"webhook\"\nurl = \"{url}\"\n\
         secret = \"${{PRODUCTION_SECRET}}\"\ntimeout = \"{timeout}\"\n"
    )
}

fn patient(timeout: &str) -> String {
    provisioner("production", "${PRODUCTION_URL}", timeout)
}

fn told(deliveries: &[Delivery]) -> Vec<(&str, &str, u16)> {
    deliveries.iter().map(|one| (one.kind(), one.customer(), one.status)).collect()
}

/// Waits for the n-th delivery to arrive, whatever becomes of it.
async fn arrived(production: &Production, count: usize) {
    let look = |p: &Production| (p.deliveries().len() >= count).then_some(());
    production.wait_for("a delivery", PATIENCE, look).await.unwrap();
}

/// Whether an attempt about the customer has begun of which nobody knows yet what came.
async fn hangs(house: &House, customer: &str) -> bool {
    const SQL: &str = "SELECT COUNT(*) FROM provisionings JOIN accesses ON accesses.id = provisionings.access
        WHERE customer = $1 AND attempt IS NOT NULL";
    let count: i64 = match house.store().db() {
        Db::Sqlite { read, .. } => sqlx::query_scalar(SQL).bind(customer).fetch_one(read).await.unwrap(),
        Db::Postgres(pool) => sqlx::query_scalar(SQL).bind(customer).fetch_one(pool).await.unwrap(),
    };
    count > 0
}

both_databases! {
    /// I3, and: the longer it takes, the louder it gets.
    async fn a_receiver_that_is_down_for_hours_gets_its_revoke(db: TestDb) {
        let mut house = House::new(db).await;
        house.granted().await;
        house.production.set_down(Some(Trouble::Status(503)));
        house.press(CY, "Revoke").await;
        assert!(!house.allows("ana", "123").await, "denied at once");
        house.settle().await;
        let since = house.now();
        let mut shown = String::new();
        for hour in 1..=3 {
            for _ in 0..30 {
                house.advance(minutes(2)).await;
            }
            let stream = house.stream().await;
            assert_eq!((stream.word(), stream.wanted), ("failing", Wanted::Revoke));
            assert_eq!(stream.attempts, 30 * hour + 1, "it is tried on and on");
            let backlog = house.store().backlog(house.now()).await.unwrap();
            assert_eq!((backlog.undelivered_revokes, backlog.oldest_revoke), (1, Some(since)));
            let card = house.reads(BO);
            assert!(card.contains("Not closed everywhere yet") && card.contains("production"), "{card}");
            assert_ne!(card, shown, "what people see grows old with it");
            shown = card;
            assert!(!house.allows("ana", "123").await);
        }
        assert!(shown.contains("failing for 2 h") && shown.contains("will not give up"), "{shown}");
        house.stop().await;
        house.start().await;
        house.production.set_down(None);
        house.advance(minutes(1)).await;
        let applied = house.production.applied();
        assert_eq!(told(&applied), [("access/grant", "123", 200), ("access/revoke", "123", 200)]);
        assert!(!house.production.allows("ana@acme.test", "123"));
        assert!(!house.reads(BO).contains("Not closed everywhere yet"), "{}", house.reads(BO));
        assert_eq!(house.store().backlog(house.now()).await.unwrap().oldest_revoke, None);
        house.advance(hours(5)).await;
        assert_eq!(house.production.applied().len(), 2, "exactly the revoke, and never a grant after it");
        house.finish().await;
    }

    /// Whoever lists accesses must see where one that is over may still be open.
    async fn what_is_over_but_not_closed_everywhere_is_listed(db: TestDb) {
        let house = House::new(db).await;
        house.granted().await;
        house.production.set_down(Some(Trouble::Status(503)));
        house.press(CY, "Revoke").await;
        house.settle().await;
        let list = house.access_list().await;
        assert_eq!(list.len(), 1, "{list:#?}");
        assert_eq!(list[0]["ended_at"], "2026-03-02T09:00:00Z");
        assert_eq!(list[0]["provisioners"][0]["state"], "failing");
        house.production.set_down(None);
        house.advance(minutes(2)).await;
        assert!(house.access_list().await.is_empty());
        house.finish().await;
    }

    async fn a_grant_that_was_never_delivered_is_replaced_by_its_revoke(db: TestDb) {
        let house = House::new(db).await;
        house.production.set_down(Some(Trouble::Status(500)));
        house.granted().await;
        house.press(ANA, "I'm done").await;
        house.settle().await;
        house.production.set_down(None);
        house.advance(minutes(6)).await;
        house.advance(hours(5)).await;
        assert_eq!(told(&house.production.applied()), [("access/revoke", "123", 200)]);
        house.finish().await;
    }

    /// Nobody knows whether a grant that hangs will still be applied, so its revoke waits for what comes of it.
    async fn a_revoke_comes_after_the_grant_that_is_under_way(db: TestDb) {
        for trouble in [Trouble::Hang, Trouble::Lost] {
            let house = House::plan(db.at(db.another().await)).provisioners(&patient("6s")).build().await;
            house.asked().await;
            house.production.next([trouble]);
            house.press(BO, "Approve").await;
            arrived(&house.production, 1).await;
            house.slack.wait_for("the card", PATIENCE, |_| house.with_button(CY, "Revoke")).await.unwrap();
            house.press(CY, "Revoke").await;
            assert!(!house.allows("ana", "123").await && hangs(&house, "123").await);
            house.settle().await;
            let deliveries = house.production.deliveries();
            assert_eq!((deliveries[0].kind(), deliveries[1].kind(), deliveries[1].status), ("access/grant", "access/revoke", 200));
            let failures = house.record().await.into_iter().filter(|word| word == "provisioner.failing").count();
            assert_eq!(failures, 1, "it was known what came of the grant before the revoke was sent");
            house.advance(hours(5)).await;
            assert_eq!(house.production.deliveries().len(), 2);
            assert!(!house.production.allows("ana@acme.test", "123"));
            house.finish().await;
        }
    }

    async fn one_receiver_that_hangs_holds_up_no_other(db: TestDb) {
        let clock = ManualClock::starting_at(morning());
        let other = Production::start(PRODUCTION_SECRET, Arc::new(clock)).await.unwrap();
        let both = patient("8s") + &provisioner("warehouse", other.url(), "4s");
        let house = House::plan(db).provisioners(&both).build().await;
        house.granted().await;
        house.production.set_down(Some(Trouble::Hang));
        house.press(CY, "Revoke").await;
        arrived(&house.production, 2).await;
        arrived(&other, 2).await;
        assert_eq!(house.streams().await[0].word(), "revoking", "the first must not be waited for");
        assert!(!other.allows("ana@acme.test", "123"));
        house.settle().await;
        let words: Vec<_> = house.streams().await.iter().map(|one| (one.provisioner.to_string(), one.word())).collect();
        assert_eq!(words, [("production".to_owned(), "failing"), ("warehouse".to_owned(), "revoked")]);
        house.production.set_down(None);
        house.advance(minutes(1)).await;
        house.finish().await;
    }

    /// One customer's call that hangs holds up neither grants nor revokes of others.
    async fn one_call_that_hangs_holds_up_no_other(db: TestDb) {
        let house = House::plan(db).provisioners(&patient("8s")).build().await;
        let send = |event: Event| {
            let house = &house;
            async move { assert_eq!(house.receive(&event.body()).await.0, 200) }
        };
        for customer in ["200", "201"] {
            send(Event::grant().customer(customer).petition(customer)).await;
        }
        house.settle().await;
        house.production.next([Trouble::Hang]);
        send(Event::grant().customer("123").petition("123")).await;
        arrived(&house.production, 3).await;
        send(Event::revoke().customer("200").petition("200")).await;
        arrived(&house.production, 4).await;
        assert!(hangs(&house, "123").await, "the grant must not be waited for");
        send(Event::grant().customer("124").petition("124")).await;
        arrived(&house.production, 5).await;
        assert!(hangs(&house, "123").await, "the grant must not be waited for");
        house.settle().await;
        house.production.next([Trouble::Hang]);
        send(Event::revoke().customer("201").petition("201")).await;
        arrived(&house.production, 6).await;
        send(Event::revoke().customer("124").petition("124")).await;
        arrived(&house.production, 7).await;
        assert!(hangs(&house, "201").await, "the revoke must not be waited for");
        house.advance(minutes(6)).await;
        let mut last = told(&house.production.deliveries())[2..].iter().map(|(kind, id, status)| format!("{kind} {id} {status}")).collect::<Vec<_>>();
        last[5..].sort();
        assert_eq!(last, [
            "access/grant 123 0", "access/revoke 200 200", "access/grant 124 200", "access/revoke 201 0",
            "access/revoke 124 200", "access/grant 123 200", "access/revoke 201 200",
        ]);
        house.finish().await;
    }

    /// Who was told of an access is owed its end, whatever the file says by then; and somebody must see to it.
    async fn a_provisioner_that_left_the_file_is_still_owed_its_revoke(db: TestDb) {
        let mut house = House::new(db).await;
        house.granted().await;
        house.stop().await;
        house.rewrite(&file_with(""));
        house.start().await;
        house.press(CY, "Revoke").await;
        // Somebody else may know it, so for a while nobody takes it upon them.
        house.clock.advance(minutes(3));
        house.settle().await;
        for _ in 1..10 {
            house.advance(minutes(3)).await;
        }
        let stream = house.stream().await;
        assert_eq!((stream.word(), stream.wanted), ("failing", Wanted::Revoke));
        assert!(stream.failing.unwrap().1.contains("latchkey.toml has no provisioner named `production`"));
        assert!(stream.attempts > 5);
        let card = house.reads(BO);
        assert!(card.contains("Not closed everywhere yet") && card.contains("production"), "{card}");
        let backlog = house.store().backlog(house.now()).await.unwrap();
        assert_eq!(backlog.undelivered_revokes, 1);
        assert_eq!(house.production.applied().len(), 1);
        house.stop().await;
        house.rewrite(FILE);
        house.start().await;
        house.advance(minutes(1)).await;
        assert_eq!(told(&house.production.applied()), [("access/grant", "123", 200), ("access/revoke", "123", 200)]);
        house.finish().await;
    }

    /// The state that is wanted now is what is told, however often it went to and fro while nobody listened.
    async fn a_newer_state_replaces_one_that_was_not_delivered(db: TestDb) {
        let house = House::new(db).await;
        house.granted().await;
        house.production.set_down(Some(Trouble::Status(500)));
        for n in 1..=3 {
            house.press(ANA, "I'm done").await;
            house.advance(minutes(2)).await;
            let again = format!("customer 123 for 1h to debug BUG-{n}");
            assert_eq!(house.types(ANA, &again).await.problem, None);
            house.settle().await;
            house.press(BO, "Approve").await;
            house.settle().await;
        }
        house.production.set_down(None);
        house.advance(minutes(6)).await;
        let applied = house.production.applied();
        assert_eq!(told(&applied), [("access/grant", "123", 200), ("access/grant", "123", 200)]);
        assert_eq!([applied[0].label("latchkey/version"), applied[1].label("latchkey/version")], ["1", "7"]);
        house.advance(hours(1) - minutes(6)).await;
        assert_eq!(house.production.applied()[2].label("latchkey/version"), "8");
        assert!(!house.production.allows("ana@acme.test", "123"));
        house.finish().await;
    }
}
