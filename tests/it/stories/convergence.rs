//! The outcome of events from outside does not depend on their order, number or delay; and two Latchkeys agree.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::harness::{
    databases::TestDb,
    events::Event,
    house::{ANA, BO, House, WEBHOOK_SECRET},
    office::{hours, minutes},
};

async fn hear(house: &House, event: &Event) {
    let (status, answer) = house.receive(&event.body()).await;
    assert_eq!((status, answer), (200, json!({ "status": {} })), "{event:?}");
}

async fn end(house: &House, name: &str, customer: &str) -> Option<Timestamp> {
    let (_, body) = house.check(name, customer).await;
    body["allowed"].as_bool().unwrap().then(|| body["expires_at"].as_str().unwrap().parse().unwrap())
}

/// Every order of three, each once with every word repeated at its end.
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// Tells these events in every order, of another customer for each, and twice; then everybody must hold `until`.
async fn agree(house: &House, name: &str, events: &[Event; 3], until: Option<Timestamp>) {
    for (n, order) in ORDERS.iter().enumerate() {
        let customer = format!("{name}-{n}");
        let of_customer = |at: &usize| {
            let mut event = events[*at].clone().customer(&customer);
            for label in ["petition", "indent.com/petition"] {
                if let Some(petition) = event.0["meta"]["labels"][label].as_str().map(str::to_owned) {
                    event.0["meta"]["labels"][label] = json!(format!("{petition}-{customer}"));
                }
            }
            event
        };
        for event in order.iter().map(of_customer) {
            hear(house, &event).await;
            hear(house, &event).await;
        }
        assert_eq!(end(house, "ana", &customer).await, until, "{name} in the order {order:?}");
        house.settle().await;
        assert_eq!(
            house.production.allows("ana@acme.test", &customer),
            until.is_some(),
            "{name} in the order {order:?}"
        );
        for event in order.iter().map(of_customer) {
            hear(house, &event).await;
        }
        assert_eq!(end(house, "ana", &customer).await, until, "{name}: said again in the order {order:?}");
    }
}

both_databases! {
    async fn a_revoke_ends_its_petition_for_good(db: TestDb) {
        let house = House::new(db).await;
        let start = house.now();
        let (grant, revoke) = (Event::grant().petition("p"), Event::revoke().petition("p"));
        // The clocks of senders differ, so times mean nothing here.
        let later = grant.clone().until(start + hours(9)).at(start + hours(1));
        agree(&house, "revoked", &[grant.clone().until(start + hours(2)), revoke.clone().at(start), later], None).await;
        let by_other_label = Event::revoke().label("indent.com/petition", "p");
        agree(&house, "other", &[grant.clone(), by_other_label, grant.clone().at(start + minutes(1))], None).await;
        // Another petition's lease is another lease.
        let other = Event::grant().petition("q").until(start + hours(3));
        agree(&house, "union", &[grant.until(start + hours(8)), revoke, other], Some(start + hours(3))).await;
        house.finish().await;
    }

    async fn the_highest_version_wins_in_any_order(db: TestDb) {
        let house = House::new(db).await;
        let start = house.now();
        let grant = |version, end| Event::grant().petition("p").version(version).until(start + end);
        let revoke = |version| Event::revoke().petition("p").version(version);
        agree(&house, "moved", &[grant(1, hours(2)), grant(2, hours(5)), grant(3, hours(1))], Some(start + hours(1))).await;
        agree(&house, "ended", &[grant(1, hours(2)), grant(2, hours(5)), revoke(3)], None).await;
        agree(&house, "again", &[grant(1, hours(2)), revoke(2), grant(3, hours(6))], Some(start + hours(6))).await;
        // `10` is more than `9`.
        agree(&house, "digits", &[grant(9, hours(2)), grant(10, hours(3)), revoke(8)], Some(start + hours(3))).await;
        house.finish().await;
    }

    async fn the_later_bare_event_wins_and_a_revoke_wins_ties(db: TestDb) {
        let house = House::new(db).await;
        let start = house.now();
        let at = |minute| start - minutes(60) + minutes(minute);
        let grant = |minute, end| Event::grant().at(at(minute)).until(start + end);
        let revoke = |minute| Event::revoke().at(at(minute));
        agree(&house, "tie", &[grant(1, hours(2)), grant(2, hours(3)), revoke(2)], None).await;
        agree(&house, "late", &[grant(1, hours(2)), revoke(2), grant(3, hours(3))], Some(start + hours(3))).await;
        agree(&house, "early", &[grant(1, hours(2)), grant(2, hours(3)), revoke(0)], Some(start + hours(3))).await;
        agree(&house, "longer", &[grant(1, hours(2)), grant(1, hours(3)), revoke(0)], Some(start + hours(3))).await;
        house.finish().await;
    }

    /// Without a time of its own an event is as old as its signature.
    async fn a_bare_event_without_a_time_has_that_of_its_signature(db: TestDb) {
        let house = House::new(db).await;
        hear(&house, &Event::grant()).await;
        assert!(end(&house, "ana", "123").await.is_some());
        house.advance(minutes(1)).await;
        hear(&house, &Event::revoke()).await;
        assert!(end(&house, "ana", "123").await.is_none());
        house.advance(minutes(1)).await;
        hear(&house, &Event::grant()).await;
        assert!(end(&house, "ana", "123").await.is_some());
        house.finish().await;
    }

    /// I1: what our own reviewers did not grant, nobody outside does.
    async fn a_petition_of_ours_is_never_granted_from_outside(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        let name = json!(house.with_button(BO, "Approve").unwrap().blocks).to_string();
        let name = name.split("\"value\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        for event in [Event::grant().petition(&name), Event::grant().label("indent.com/petition", &name).version(7)] {
            let (status, answer) = house.receive(&event.body()).await;
            assert_eq!((status, &answer["status"]["code"]), (200, &json!(7)), "{answer}");
        }
        assert_eq!(end(&house, "ana", "123").await, None);
        house.press(BO, "Approve").await;
        house.settle().await;
        assert!(end(&house, "ana", "123").await.is_some());
        // Taking away is always safe, and people are told.
        hear(&house, &Event::revoke().petition(&name)).await;
        assert_eq!(end(&house, "ana", "123").await, None);
        house.settle().await;
        assert!(!house.production.allows("ana@acme.test", "123"));
        assert!(house.with_button(BO, "Revoke").is_none() && house.with_button(ANA, "I'm done").is_none());
        house.finish().await;
    }

    /// A delivers to B's webhook: B gives the same access at every step, and in whatever order it hears of them.
    async fn two_latchkeys_agree(db: TestDb) {
        let b = House::new(db.at(db.another().await)).await;
        let two = format!(
            "[[provisioner]]\nname = \"production\"\nkind = \"webhook\"\nurl = \"${{PRODUCTION_URL}}\"\n\
             secret = \"${{PRODUCTION_SECRET}}\"\n[[provisioner]]\nname = \"b\"\nkind = \"webhook\"\n\
             url = \"{}/webhooks/indent\"\nsecret = \"{WEBHOOK_SECRET}\"\n",
            b.bot
        );
        let a = House::plan(db.clone()).provisioners(&two).build().await;
        let same = async || {
            // What A told may still be on its way to B's own production.
            b.settle().await;
            let ends = (end(&a, "ana", "123").await, end(&b, "ana", "123").await);
            assert_eq!(ends.0, ends.1);
            ends.0
        };
        let pass = async |by: SignedDuration| {
            b.clock.advance(by);
            a.advance(by).await;
            b.settle().await;
        };
        a.granted().await;
        assert_eq!(same().await, Some("2026-03-02T13:00:00Z".parse().unwrap()));
        pass(hours(1)).await;
        assert_eq!(a.types(ANA, "customer 123 for 8h to debug BUG-483").await.problem, None);
        a.settle().await;
        a.press(BO, "Approve").await;
        a.settle().await;
        assert_eq!(same().await, Some("2026-03-02T18:00:00Z".parse().unwrap()));
        a.press(ANA, "I'm done").await;
        a.settle().await;
        assert_eq!(same().await, Some("2026-03-02T13:00:00Z".parse().unwrap()));
        pass(hours(3) - SignedDuration::from_secs(1)).await;
        assert!(same().await.is_some());
        pass(SignedDuration::from_secs(1)).await;
        assert_eq!(same().await, None);
        a.asked().await;
        a.press(BO, "Approve").await;
        a.settle().await;
        assert_eq!(same().await, Some("2026-03-02T17:00:00Z".parse().unwrap()));
        b.settle().await;
        let heard = |house: &House| -> Vec<(String, String)> {
            let applied = house.production.applied();
            applied.iter().map(|one| (one.kind().to_owned(), one.label("indent.com/time/expires").to_owned())).collect()
        };
        assert_eq!(heard(&a), heard(&b), "B tells its own production the same");
        assert_eq!(heard(&a).len(), 5);

        // Everything that A ever said, again and backwards, changes nothing; and a third house that hears it only so agrees.
        let c = House::new(db.at(db.another().await)).await;
        c.settle().await;
        c.advance(hours(4)).await;
        let bodies: Vec<String> = a.production.applied().into_iter().map(|one| one.body).collect();
        for body in bodies.iter().rev().chain(&bodies) {
            for house in [&b, &c] {
                let answer: (u16, Value) = house.receive(body).await;
                assert_eq!(answer, (200, json!({ "status": {} })));
                assert_eq!(end(house, "ana", "123").await, end(&a, "ana", "123").await);
            }
        }
        b.settle().await;
        c.settle().await;
        pass(hours(4)).await;
        c.advance(hours(4)).await;
        assert_eq!(same().await, None);
        for house in [&a, &b, &c] {
            assert!(!house.production.allows("ana@acme.test", "123"));
        }
        a.finish().await;
        b.finish().await;
        c.finish().await;
    }
}
