//! I8: what was acknowledged is stored. After `kill -9` a restart finishes what was under way.

use latchkey::demo::{
    production::{Production, Trouble},
    workspace::Fault,
};

use super::site::{LONG, Site, until};
use crate::harness::{
    databases::TestDb,
    house::{ANA, BO, CHANNEL},
};

both_databases! {
    async fn a_grant_that_was_under_way_is_delivered(db: TestDb) {
        let site = Site::new(db).await;
        let (server, _) = site.serve().await;
        site.production.set_down(Some(Trouble::Hang));
        site.granted("4h").await;
        site.arrived(1).await;
        server.kill();
        site.production.set_down(None);
        let (server, url) = site.serve().await;
        let told = site.applied(1).await;
        assert_eq!((told[0].kind(), told[0].label("latchkey/version")), ("access/grant", "1"));
        let token = site.token("check").await;
        assert!(site.allows(&url, &token).await);
        server.stop().await;
        assert_eq!(site.production.applied().len(), 1, "{:?}", site.production.applied());
    }

    async fn a_revoke_that_was_under_way_is_delivered(db: TestDb) {
        let site = Site::new(db).await;
        let (server, _) = site.serve().await;
        site.granted("4h").await;
        site.applied(1).await;
        // Applied, but nobody lives to hear so.
        site.production.set_down(Some(Trouble::Lost));
        site.press(ANA, "I'm done").await;
        site.arrived(2).await;
        server.kill();
        site.production.set_down(None);
        let (server, url) = site.serve().await;
        let told = site.applied(2).await;
        let all = site.production.deliveries();
        assert_eq!([told[0].kind(), told[1].kind()], ["access/grant", "access/revoke"]);
        assert_eq!((all[1].body.as_str(), &all[1].headers["webhook-id"]), (told[1].body.as_str(), &told[1].headers["webhook-id"]));
        assert!(!site.production.allows("ana@acme.test", "123"));
        let token = site.token("check").await;
        assert!(!site.allows(&url, &token).await);
        server.stop().await;
    }

    /// A lease whose end comes while nobody lives.
    async fn what_came_due_meanwhile_is_done(db: TestDb) {
        let site = Site::new(db).await;
        let (server, _) = site.serve().await;
        // Long enough for a busy machine to deliver the grant.
        site.granted("15s").await;
        let expires: jiff::Timestamp = site.applied(1).await[0].label("indent.com/time/expires").parse().unwrap();
        server.kill();
        let clock = latchkey::clock::SystemClock;
        latchkey::domain::clock::Clock::sleep_until(&clock, expires).await;
        let (server, url) = site.serve().await;
        let token = site.token("check").await;
        assert!(!site.allows(&url, &token).await);
        // The grant comes once more where the kill was faster than our note that it had arrived; the revoke is the last.
        let revoked = |p: &Production| p.applied().last().filter(|last| last.kind() == "access/revoke").map(|_| ());
        site.production.wait_for("the revoke", LONG, revoked).await.unwrap();
        assert!(!site.production.allows("ana@acme.test", "123"));
        server.stop().await;
    }

    async fn a_card_that_was_under_way_is_posted(db: TestDb) {
        let site = Site::new(db).await;
        let (server, _) = site.serve().await;
        site.slack.fault(Some("chat.postMessage"), 100, Fault::Hang);
        site.types("customer 123 for 4h to debug BUG-482").await;
        let asked = |slack: &latchkey::demo::workspace::Workspace| {
            slack.calls().into_iter().find(|call| call.method == "chat.postMessage")
        };
        site.slack.wait_for("the first card", LONG, asked).await.unwrap();
        server.kill();
        site.slack.clear_faults();
        let (server, _) = site.serve().await;
        for place in [CHANNEL, BO] {
            site.slack.wait_for("the card", LONG, |_| site.with_button(place, "Approve")).await.unwrap();
        }
        site.press(BO, "Approve").await;
        site.applied(1).await;
        until!("the cards are decided", {
            [CHANNEL, BO].into_iter().all(|place| site.with_button(place, "Approve").is_none())
        });
        for place in [CHANNEL, BO] {
            let cards = site.slack.messages(place).into_iter();
            let cards = cards.filter(|m| !m.is_reply() && m.plain().contains("Approved")).count();
            assert_eq!(cards, 1, "{place}");
        }
        server.stop().await;
    }

    /// Killed between the post and the note that it was made.
    async fn a_card_that_was_posted_is_not_posted_again(db: TestDb) {
        let site = Site::new(db).await;
        let (server, _) = site.serve().await;
        site.slack.fault(Some("chat.postMessage"), 100, Fault::Held);
        site.types("customer 123 for 4h to debug BUG-482").await;
        for place in [CHANNEL, BO] {
            site.slack.wait_for("the card", LONG, |_| site.with_button(place, "Approve")).await.unwrap();
        }
        server.kill();
        site.slack.clear_faults();
        let (server, _) = site.serve().await;
        site.press(BO, "Approve").await;
        site.applied(1).await;
        until!("the cards are decided", {
            [CHANNEL, BO].into_iter().all(|place| site.with_button(place, "Approve").is_none())
        });
        for place in [CHANNEL, BO] {
            let cards = site.slack.messages(place).into_iter().filter(|message| !message.is_reply()).count();
            assert_eq!(cards, 1, "{place}");
        }
        server.stop().await;
    }
}
