//! A card reaches nobody: whoever comes next is asked at once, and where there is nobody the petitioner is told.

use latchkey::demo::workspace::Fault;
use serde_json::json;

use crate::harness::{
    acts::{ONE_LEAD, file},
    databases::TestDb,
    hook::{Hook, Reply},
    house::{ANA, BO, CHANNEL, COMMAND, CY, DAN, House},
    office::minutes,
};

const POST: &str = "chat.postMessage";
const OLD: &str = "C0OLD";
const TO_DAN: &str = r#"escalate = { after = "30m", to = ["dan@acme.test"] }"#;
const NO_CHANNEL: &str = "notify = []";
const NOBODY: &str = "Nobody could be asked";

/// A house whose reviewers are these, with a channel that is archived.
async fn house(db: TestDb, leads: &[&str], rule: &[&str]) -> House {
    let house = House::plan(db).file(&file(leads, "", &format!("{ONE_LEAD}\n{}", rule.join("\n")))).build().await;
    house.slack.add_channel(OLD, "old", &[ANA, BO], true);
    house.slack.archive_channel(OLD);
    house
}

/// The details of each escalation in the record.
async fn escalated(house: &House) -> Vec<String> {
    house.workflow().chain_record().await.unwrap();
    let entries = house.store().audit_page(0, "").await.unwrap().unwrap();
    let escalated = entries.into_iter().filter(|entry| entry.event == "petition.escalated");
    escalated.map(|entry| entry.details).collect()
}

both_databases! {
    async fn in_place_of_an_archived_channel_the_reviewers_themselves_are_asked(db: TestDb) {
        let house = house(db, &["bo", "cy"], &["dm = false", "notify = [\"C0OLD\"]", TO_DAN]).await;
        house.asked().await;
        for reviewer in [BO, CY] {
            assert!(house.with_button(reviewer, "Approve").is_some(), "{reviewer}: {}", house.reads(reviewer));
        }
        house.advance(minutes(20)).await;
        for reviewer in [BO, CY] {
            assert_eq!(house.slack.messages(reviewer).len(), 1, "{}", house.reads(reviewer));
        }
        assert_eq!(house.recorded("petition.escalated").await, 0);
        assert!(!house.reads(ANA).contains(NOBODY), "{}", house.reads(ANA));
        house.press(BO, "Approve").await;
        assert!(house.allows("ana", "123").await);
        house.finish().await;
    }

    async fn in_place_of_a_reviewer_who_left_those_after_them_are_asked_at_once(db: TestDb) {
        let house = house(db, &["bo"], &[NO_CHANNEL, TO_DAN]).await;
        house.slack.update_person(BO, |bo| bo.deleted = true);
        house.asked().await;
        assert!(house.with_button(DAN, "Approve").is_some(), "{}", house.reads(DAN));
        assert!(house.reads(ANA).contains("Escalated"), "{}", house.reads(ANA));
        assert!(!house.reads(ANA).contains(NOBODY), "{}", house.reads(ANA));
        let recorded = escalated(&house).await;
        assert!(matches!(&recorded[..], [details] if details.contains("no active full member")), "{recorded:?}");
        // Its own time comes too, and nothing more happens.
        house.advance(minutes(40)).await;
        assert_eq!(house.recorded("petition.escalated").await, 1);
        assert_eq!(house.slack.messages(DAN).iter().filter(|m| m.plain().contains("BUG-482")).count(), 1);
        house.press(DAN, "Approve").await;
        assert!(house.allows("ana", "123").await);
        house.finish().await;
    }

    /// With one reviewer left, the petition waits for them as ever.
    async fn while_one_reviewer_can_be_reached_nobody_else_is_asked(db: TestDb) {
        let house = house(db, &["bo", "cy"], &[NO_CHANNEL, TO_DAN]).await;
        house.slack.update_person(BO, |bo| bo.deleted = true);
        house.asked().await;
        house.advance(minutes(20)).await;
        assert_eq!(house.reads(DAN), "");
        assert!(house.with_button(CY, "Approve").is_some());
        assert_eq!(house.recorded("petition.escalated").await, 0);
        house.finish().await;
    }

    async fn where_nobody_is_left_the_petitioner_is_told(db: TestDb) {
        let house = house(db, &["bo"], &[NO_CHANNEL]).await;
        house.slack.update_person(BO, |bo| bo.deleted = true);
        house.asked().await;
        let said = house.reads(ANA);
        assert!(said.contains(NOBODY) && said.contains("whoever runs Latchkey"), "{said}");
        assert_eq!(house.slack.messages(ANA).len(), 1, "{said}");
        house.expect_record(&["petition.opened"]).await;
        house.press(ANA, "Cancel request").await;
        house.settle().await;
        assert!(!house.reads(ANA).contains(NOBODY), "{}", house.reads(ANA));
        house.finish().await;
    }

    /// Those to whom it escalates are gone as well.
    async fn where_those_after_them_are_gone_too_the_petitioner_is_told(db: TestDb) {
        let house = house(db, &["bo"], &[NO_CHANNEL, TO_DAN]).await;
        for user in [BO, DAN] {
            house.slack.update_person(user, |person| person.deleted = true);
        }
        house.asked().await;
        assert!(house.reads(ANA).contains(NOBODY), "{}", house.reads(ANA));
        assert_eq!(house.recorded("petition.escalated").await, 1);
        house.finish().await;
    }

    /// Somebody mends the channel: the card comes, and the petitioner's message says nothing of it any more.
    async fn what_is_mended_is_not_said_any_more(db: TestDb) {
        let house = house(db, &["bo"], &["notify = [\"C0OLD\"]"]).await;
        house.slack.update_person(BO, |bo| bo.deleted = true);
        house.asked().await;
        assert!(house.reads(ANA).contains(NOBODY), "{}", house.reads(ANA));
        let posts = house.slack.calls().iter().filter(|call| call.method == POST).count();
        assert!(posts < 10, "it is tried slowly: {posts} posts");
        house.slack.add_channel(OLD, "old", &[ANA, CY], true);
        house.advance(minutes(6)).await;
        assert!(house.with_button(OLD, "Approve").is_some(), "{}", house.reads(OLD));
        assert!(!house.reads(ANA).contains(NOBODY), "{}", house.reads(ANA));
        house.finish().await;
    }

    /// A group in which nobody may decide.
    async fn a_group_of_the_petitioner_alone_reaches_nobody(db: TestDb) {
        let rule = "require = [{ reviewers = [\"slack:S0LEADS\"] }]\nnotify = []";
        let house = House::plan(db).file(&file(&[], "", rule)).build().await;
        // Known beforehand, it would be refused.
        house.slack.fault(Some("usergroups.users.list"), 1_000, Fault::Status(503));
        house.asked().await;
        assert!(!house.reads(ANA).is_empty() && !house.reads(ANA).contains(NOBODY), "{}", house.reads(ANA));
        house.slack.set_usergroup("S0LEADS", "leads", &[ANA]);
        house.slack.clear_faults();
        house.advance_until("Ana is told", |house| house.reads(ANA).contains(NOBODY).then_some(())).await;
        assert!(house.with_button(ANA, "Approve").is_none());
        house.finish().await;
    }

    /// An outage, a limit, a wrong token: none of them says anything about the reviewers.
    async fn while_slack_is_away_nobody_else_is_asked(db: TestDb) {
        let house = house(db, &["bo"], &[NO_CHANNEL, TO_DAN]).await;
        let faults = [
            Fault::Status(503),
            Fault::ApiError("internal_error".to_owned()),
            Fault::ApiError("invalid_auth".to_owned()),
            Fault::RateLimited { retry_after: 1 },
        ];
        house.slack.fault(Some(POST), 2, faults[0].clone());
        house.types(ANA, COMMAND).await;
        house.settle().await;
        for fault in faults {
            house.slack.clear_faults();
            house.slack.fault(Some(POST), 1_000, fault);
            house.advance(minutes(3)).await;
        }
        house.slack.clear_faults();
        assert_eq!(house.recorded("petition.escalated").await, 0);
        house.advance(minutes(6)).await;
        house.advance_until("Bo is asked", |house| house.with_button(BO, "Approve")).await;
        assert_eq!(house.reads(DAN), "");
        assert!(!house.reads(ANA).contains(NOBODY), "{}", house.reads(ANA));
        house.finish().await;
    }

    /// While a bot is still to be asked it is not nobody; when it has no opinion, it is.
    async fn a_bot_is_somebody_until_it_has_answered(db: TestDb) {
        let hook = Hook::saying(json!({ "status": { "code": 0 }, "claims": [] })).await;
        hook.next([Reply::Text(500, String::new())]);
        let rule = format!(
            "require = [{{ reviewers = [\"bo@acme.test\", \"oncall@acme.test\"] }}]\nnotify = []\n\n[[decision]]\n\
             name = \"on-call bot\"\nbot = \"oncall@acme.test\"\nurl = \"{}\"\nsecret = \"wks0BOTSECRET\"",
            hook.url
        );
        let house = House::plan(db).file(&file(&[], "", &rule)).build().await;
        house.slack.update_person(BO, |bo| bo.deleted = true);
        house.asked().await;
        assert!(!house.reads(ANA).contains(NOBODY), "{}", house.reads(ANA));
        house.advance_until("the bot has answered", |house| house.reads(ANA).contains(NOBODY).then_some(())).await;
        assert_eq!(house.reads(CHANNEL), "");
        house.finish().await;
    }

    /// There never was a card, and when no bot has an opinion there is nobody to wait for.
    async fn where_only_bots_decide_and_none_does_the_petitioner_is_told(db: TestDb) {
        let hook = Hook::saying(json!({ "status": { "code": 0 }, "claims": [] })).await;
        hook.next([Reply::Text(500, String::new())]);
        let rule = format!(
            "require = [{{ reviewers = [\"oncall@acme.test\"] }}]\nnotify = []\n\n[[decision]]\n\
             name = \"on-call bot\"\nbot = \"oncall@acme.test\"\nurl = \"{}\"\nsecret = \"wks0BOTSECRET\"",
            hook.url
        );
        let house = House::plan(db).file(&file(&[], "", &rule)).build().await;
        house.asked().await;
        assert!(!house.reads(ANA).contains(NOBODY), "{}", house.reads(ANA));
        assert_eq!(house.store().unreached(house.now()).await.unwrap(), []);
        house.advance_until("the bot has answered", |house| house.reads(ANA).contains(NOBODY).then_some(())).await;
        let [(_, why)] = &house.store().unreached(house.now()).await.unwrap()[..] else { panic!("it is not listed") };
        assert_eq!(*why, None);
        house.finish().await;
    }
}
