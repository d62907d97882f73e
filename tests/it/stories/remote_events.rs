//! What the space says comes in any order, twice, late, or before it is known whose petition it is about.

use serde_json::json;

use super::remote::granted;
use crate::harness::{
    databases::TestDb,
    events::Event,
    house::{ANA, BO, House},
    indent::{Indent, Mood},
    office::{hours, minutes, seconds},
};

async fn hear(house: &House, event: &Event) {
    assert_eq!(house.receive(&event.body()).await, (200, json!({ "status": {} })));
}

/// Opened leases, whoever made them.
async fn leases(house: &House) -> usize {
    house.store().open_leases(house.now(), "", "", "", 100).await.unwrap().len()
}

both_databases! {
    async fn saying_it_twice_changes_nothing(db: TestDb) {
        let indent = Indent::start().await;
        let house = indent.house(db).await;
        granted(&house, &indent).await;
        let before = house.record().await;
        hear(&house, &indent.event("access/grant")).await;
        assert_eq!((house.record().await, leases(&house).await), (before, 1));
        indent.acts("access/revoke", "cy@acme.test", "enough");
        hear(&house, &indent.event("access/revoke")).await;
        house.settle().await;
        let before = house.record().await;
        hear(&house, &indent.event("access/revoke")).await;
        hear(&house, &indent.event("access/grant")).await;
        assert_eq!(house.record().await, before);
        assert!(!house.allows("ana", "123").await);
        indent.finish(house).await;
    }

    async fn a_revoke_that_comes_first_is_final(db: TestDb) {
        let indent = Indent::start().await;
        let house = indent.house(db).await;
        house.asked().await;
        house.press(BO, "Approve").await;
        house.settle().await;
        indent.acts("access/revoke", "cy@acme.test", "enough");
        hear(&house, &indent.event("access/revoke")).await;
        hear(&house, &indent.event("access/grant")).await;
        assert!(!house.allows("ana", "123").await);
        house.settle().await;
        assert!(house.production.deliveries().is_empty());
        indent.finish(house).await;
    }

    async fn a_grant_of_what_was_cancelled_here_opens_nothing(db: TestDb) {
        let indent = Indent::start().await;
        let house = indent.house(db).await;
        house.asked().await;
        indent.goes_down();
        house.press(ANA, "Cancel request").await;
        house.settle().await;
        indent.acts("access/approve", "cy@acme.test", "fine");
        hear(&house, &indent.event("access/grant")).await;
        assert!(!house.allows("ana", "123").await);
        indent.comes_back();
        house.advance(seconds(61)).await;
        assert_eq!(indent.phase(), "closed", "{:?}", indent.claims());
        assert!(!house.allows("ana", "123").await);
        indent.finish(house).await;
    }

    async fn another_end_moves_the_lease(db: TestDb) {
        let indent = Indent::start().await;
        let house = indent.house(db).await;
        granted(&house, &indent).await;
        let later = indent.event("access/grant").at(house.now() + seconds(5)).until(house.now() + hours(6));
        hear(&house, &later).await;
        hear(&house, &indent.event("access/grant")).await;
        let (_, check) = house.check("ana", "123").await;
        assert_eq!((check["expires_at"].as_str(), leases(&house).await), (Some(&*(house.now() + hours(6)).to_string()), 1));
        house.advance(hours(5)).await;
        assert!(house.allows("ana", "123").await);
        house.advance(hours(1)).await;
        assert!(!house.allows("ana", "123").await);
        indent.finish(house).await;
    }

    /// The event is here before the answer that tells the petition's name.
    async fn a_grant_before_its_name_is_known_is_neither_lost_nor_doubled(db: TestDb) {
        let indent = Indent::start().await;
        let house = indent.house(db).await;
        indent.next([Mood::LosesAnswer]);
        house.asked().await;
        indent.acts("access/approve", "cy@acme.test", "fine");
        hear(&house, &indent.event("access/grant")).await;
        assert!(house.allows("ana", "123").await, "somebody granted it, whosever it is");
        house.advance(seconds(2)).await;
        assert_eq!((indent.petitions().len(), leases(&house).await), (1, 1));
        assert!(house.reads(ANA).contains("You have access to AcmeCorp (123) until"), "{}", house.reads(ANA));
        house.advance(seconds(31)).await;
        assert_eq!((leases(&house).await, house.applied()), (1, vec!["access/grant".to_owned()]));
        house.press(ANA, "I'm done").await;
        assert!(!house.allows("ana", "123").await);
        house.settle().await;
        assert_eq!(indent.claims().last().unwrap(), "revoke by ana@acme.test");
        indent.finish(house).await;
    }

    async fn a_revoke_before_its_name_is_known_closes_it(db: TestDb) {
        let indent = Indent::start().await;
        let house = indent.house(db).await;
        indent.next([Mood::LosesAnswer]);
        house.asked().await;
        indent.acts("access/approve", "cy@acme.test", "fine");
        indent.acts("access/revoke", "cy@acme.test", "enough");
        hear(&house, &indent.event("access/revoke")).await;
        hear(&house, &indent.event("access/grant")).await;
        assert!(!house.allows("ana", "123").await);
        house.advance(seconds(2)).await;
        assert!(!house.allows("ana", "123").await);
        assert!(house.reads(ANA).contains("revoked your access"), "{}", house.reads(ANA));
        indent.finish(house).await;
    }

    async fn our_own_name_on_an_event_is_enough(db: TestDb) {
        let indent = Indent::start().await;
        let house = indent.house(db).await;
        indent.next([Mood::LosesAnswer]);
        house.asked().await;
        indent.acts("access/approve", "cy@acme.test", "fine");
        let ours = indent.petitions()[0]["meta"]["labels"]["latchkey/petition"].as_str().unwrap().to_owned();
        hear(&house, &indent.event("access/grant").label("latchkey/petition", &ours)).await;
        house.settle().await;
        assert!(house.reads(ANA).contains("You have access to AcmeCorp (123) until"), "{}", house.reads(ANA));
        house.advance(seconds(2)).await;
        assert_eq!(leases(&house).await, 1);
        indent.finish(house).await;
    }

    /// A lease that was adopted is the petition's own for whatever comes later.
    async fn what_was_adopted_follows_its_petition(db: TestDb) {
        let indent = Indent::start().await;
        let house = indent.house(db).await;
        indent.next([Mood::LosesAnswer]);
        house.asked().await;
        let start = house.now();
        indent.acts("access/approve", "cy@acme.test", "fine");
        hear(&house, &indent.event("access/grant").version(1)).await;
        house.advance(seconds(2)).await;
        let longer = indent.event("access/grant").version(2).at(house.now()).until(start + hours(5));
        hear(&house, &longer).await;
        let (_, check) = house.check("ana", "123").await;
        assert_eq!((check["expires_at"].as_str(), leases(&house).await), (Some(&*(start + hours(5)).to_string()), 1));
        // Another petition's event on the same access makes a lease beside it.
        let other = Event::grant().petition("ffff").version(3).at(house.now()).until(start + hours(6));
        hear(&house, &other).await;
        assert_eq!(leases(&house).await, 2);
        assert!(house.reads(ANA).contains("You have access to AcmeCorp (123) until"), "{}", house.reads(ANA));
        hear(&house, &Event::revoke().petition("ffff").version(4).at(house.now())).await;
        assert!(!house.allows("ana", "123").await);
        indent.acts("access/revoke", "cy@acme.test", "enough");
        house.advance(minutes(1)).await;
        indent.finish(house).await;
    }

    /// Whoever sends it: a petition of ours is its petitioner's and nobody else's.
    async fn a_grant_to_somebody_else_opens_nothing(db: TestDb) {
        let indent = Indent::start().await;
        let house = indent.house(db).await;
        house.asked().await;
        let grant = Event::grant().petition(&indent.name());
        for event in [grant.clone().person("dan"), grant.clone().customer("200")] {
            hear(&house, &event).await;
        }
        assert_eq!(leases(&house).await, 0);
        indent.finish(house).await;
    }

    /// A sender with versions speaks of the whole access: what it says of one petition bounds the others.
    async fn the_end_of_an_access_is_the_end_of_all_its_petitions(db: TestDb) {
        let indent = Indent::start().await;
        let house = indent.house(db).await;
        granted(&house, &indent).await;
        let start = house.now();
        house.clock.advance(minutes(1));
        // A petition that we do not know holds the access from now on, and no longer than this.
        let other = Event::grant().petition("ffff").version(7).at(house.now()).until(start + hours(1));
        hear(&house, &other).await;
        let (_, check) = house.check("ana", "123").await;
        assert_eq!(check["expires_at"], (start + hours(1)).to_string());
        hear(&house, &Event::revoke().petition("ffff").version(8).at(house.now())).await;
        assert!(!house.allows("ana", "123").await);
        house.settle().await;
        assert_eq!(leases(&house).await, 0);
        assert!(!house.production.allows("ana@acme.test", "123"));
        // A version that was overtaken says nothing any more.
        hear(&house, &other).await;
        assert!(!house.allows("ana", "123").await);
        house.advance(minutes(1)).await;
        assert_eq!(indent.phase(), "closed", "{:?}", indent.claims());
        indent.finish(house).await;
    }
}
