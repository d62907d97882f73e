//! One reviewer's word, the petitioner's own buttons, and what everybody sees of them.

use crate::harness::{
    acts::{ONE_LEAD, file},
    databases::TestDb,
    house::{ANA, BO, CHANNEL, CY, DAN, House},
    office::{hours, minutes},
};

both_databases! {
    async fn any_reviewer_approves_and_every_card_says_who(db: TestDb) {
        let house = House::new(db).await;
        for (user, name, place) in [(CY, "cy", CY), (BO, "bo", CHANNEL)] {
            house.types(ANA, &format!("customer 123 for 1h to debug BUG-482 with {name}")).await;
            house.settle().await;
            house.press_in(user, place, "Approve").await;
            house.settle().await;
            assert!(house.allows("ana", "123").await);
            for place in [BO, CY, CHANNEL] {
                let card = house.slack.messages(place).pop().unwrap().plain();
                assert!(card.contains("Approved") && card.contains(name), "{place}: {card}");
            }
            assert!(house.reads(ANA).contains(&format!("{name} approved")), "{}", house.reads(ANA));
            assert!(house.reads(ANA).contains("production: applied"), "{}", house.reads(ANA));
            house.press(ANA, "I'm done").await;
            house.settle().await;
            assert!(!house.allows("ana", "123").await);
        }
        house.finish().await;
    }

    async fn a_denial_needs_a_reason_and_tells_it_to_everybody(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        let view = house.opens_deny(BO).await;
        assert!(view.plain().contains("AcmeCorp"), "{}", view.plain());
        for nothing in ["   ", "\u{a0}\n\t", "\u{200b}\u{feff}"] {
            house.slack.submit(BO, &view.id, &[("reason", nothing)]).await;
            let errors = house.slack.view(BO).expect("the form stays open").errors;
            assert!(errors["reason"].contains("why"), "{nothing:?}: {errors:?}");
        }
        house.expect_record(&["petition.opened"]).await;
        let answer = house.slack.submit(BO, &view.id, &[("reason", "Use the <staging> copy & ask again")]).await;
        assert_eq!(answer.problem, None);
        assert!(house.slack.view(BO).is_none());
        house.settle().await;
        for place in [BO, CY, CHANNEL, ANA] {
            let shown = house.reads(place);
            assert!(shown.contains("Use the <staging> copy & ask again"), "{place}: {shown}");
            assert!(house.with_button(place, "Approve").is_none() && house.with_button(place, "Deny").is_none());
        }
        assert!(house.reads(ANA).contains("bo denied"), "{}", house.reads(ANA));
        assert!(house.with_button(ANA, "Cancel request").is_none());
        assert!(!house.allows("ana", "123").await);
        assert_eq!(house.applied().len(), 0);
        house.expect_record(&["petition.opened", "claim.made", "petition.denied"]).await;
        house.finish().await;
    }

    /// The second to decide learns who was first, and nothing changes.
    async fn a_denial_after_the_approval_is_told_of_it(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        let view = house.opens_deny(CY).await;
        house.press(BO, "Approve").await;
        let answer = house.slack.submit(CY, &view.id, &[("reason", "not today")]).await;
        assert!(answer.text().contains("already approved by bo"), "{}", answer.text());
        assert!(house.slack.view(CY).is_some());
        house.settle().await;
        assert!(house.allows("ana", "123").await);
        assert_eq!(house.recorded("petition.denied").await, 0);
        house.finish().await;
    }

    async fn a_click_on_a_decided_card_changes_nothing_and_tells_by_whom(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        let stale = house.with_button(BO, "Approve").unwrap();
        house.denies(CY, "wrong customer").await;
        for button in ["Approve", "Deny"] {
            let told = house.hears_on(BO, &stale, button).await;
            assert!(told.contains("already denied by cy"), "{told}");
        }
        house.settle().await;
        assert!(!house.allows("ana", "123").await);
        assert!(house.slack.view(BO).is_none(), "no form for what is decided");
        house.expect_record(&["petition.opened", "claim.made", "petition.denied"]).await;
        house.finish().await;
    }

    async fn a_reviewer_revokes_on_the_card(db: TestDb) {
        let house = House::new(db).await;
        house.granted().await;
        for place in [BO, CY, CHANNEL] {
            assert!(house.with_button(place, "Revoke").is_some(), "{place}: {}", house.reads(place));
        }
        let card = house.with_button(CY, "Revoke").unwrap();
        house.press_in(CY, CHANNEL, "Revoke").await;
        assert!(!house.allows("ana", "123").await, "at once");
        house.settle().await;
        assert_eq!(house.applied(), ["access/grant", "access/revoke"]);
        assert!(!house.production.allows("ana@acme.test", "123"));
        for place in [BO, CY, CHANNEL] {
            assert!(house.with_button(place, "Revoke").is_none());
            assert!(house.reads(place).contains("Revoked"), "{place}: {}", house.reads(place));
        }
        assert!(house.reads(ANA).contains("cy revoked your access"), "{}", house.reads(ANA));
        assert!(house.hears_on(CY, &card, "Revoke").await.contains("already revoked by cy"));
        house.finish().await;
    }

    async fn who_is_no_reviewer_revokes_nothing(db: TestDb) {
        let house = House::new(db).await;
        house.granted().await;
        for user in [DAN, ANA] {
            let told = house.hears(user, CHANNEL, "Revoke").await;
            assert!(told.contains("not a reviewer"), "{told}");
        }
        assert!(house.allows("ana", "123").await);
        assert_eq!(house.recorded("claim.made").await, 1);
        house.finish().await;
    }

    async fn the_holder_gives_access_back(db: TestDb) {
        let house = House::new(db).await;
        house.granted().await;
        let message = house.with_button(ANA, "I'm done").unwrap();
        house.press(ANA, "I'm done").await;
        assert!(!house.allows("ana", "123").await, "at once");
        house.settle().await;
        assert_eq!(house.applied(), ["access/grant", "access/revoke"]);
        assert!(house.reads(CHANNEL).contains("Given back"), "{}", house.reads(CHANNEL));
        assert!(house.hears_on(ANA, &message, "I'm done").await.contains("already given back"));
        house.finish().await;
    }

    async fn the_petitioner_cancels(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        let card = house.with_button(BO, "Approve").unwrap();
        let message = house.with_button(ANA, "Cancel request").unwrap();
        house.press(ANA, "Cancel request").await;
        house.settle().await;
        assert!(house.reads(CHANNEL).contains("Cancelled"), "{}", house.reads(CHANNEL));
        assert!(house.with_button(CHANNEL, "Approve").is_none());
        assert!(house.hears_on(BO, &card, "Approve").await.contains("already cancelled"));
        assert!(house.hears_on(ANA, &message, "Cancel request").await.contains("already cancelled"));
        assert!(!house.allows("ana", "123").await);
        house.expect_record(&["petition.opened", "claim.made", "petition.withdrawn"]).await;
        house.finish().await;
    }

    /// Whoever gets hold of a petitioner's button is not the petitioner.
    async fn only_the_petitioner_cancels_or_gives_back(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        let message = house.with_button(ANA, "Cancel request").unwrap();
        for user in [BO, DAN] {
            assert!(house.hears_on(user, &message, "Cancel request").await.contains("only ana"));
        }
        house.press(BO, "Approve").await;
        house.settle().await;
        let message = house.with_button(ANA, "I'm done").unwrap();
        for user in [BO, DAN] {
            assert!(house.hears_on(user, &message, "I'm done").await.contains("only ana"));
        }
        assert!(house.allows("ana", "123").await);
        assert_eq!(house.recorded("petition.withdrawn").await, 0);
        house.finish().await;
    }

    async fn after_its_time_to_be_decided_nobody_approves(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        let stale = house.with_button(BO, "Approve").unwrap();
        let own = house.with_button(ANA, "Cancel request").unwrap();
        house.advance(hours(24) - minutes(1)).await;
        assert!(house.with_button(BO, "Approve").is_some());
        // Whether or not the worker has got to it by then.
        house.clock.advance(minutes(1));
        for (user, message, button) in [(BO, &stale, "Approve"), (BO, &stale, "Deny"), (ANA, &own, "Cancel request")] {
            let told = house.hears_on(user, message, button).await;
            assert!(told.contains("nobody decided it in time"), "{button}: {told}");
        }
        assert!(house.slack.view(BO).is_none());
        house.settle().await;
        assert!(!house.allows("ana", "123").await);
        for place in [BO, CHANNEL] {
            assert!(house.with_button(place, "Approve").is_none());
            assert!(house.reads(place).contains("nobody decided in time"), "{}", house.reads(place));
        }
        assert!(house.reads(ANA).contains("Nobody decided your petition"), "{}", house.reads(ANA));
        house.expect_record(&["petition.opened", "petition.undecided"]).await;
        house.finish().await;
    }

    /// The file that counts is today's: who is no reviewer any more decides nothing.
    async fn after_a_change_of_the_file_its_reviewers_decide(db: TestDb) {
        let mut house = House::new(db).await;
        house.asked().await;
        house.restart_with(&file(&["cy", "dan"], "", ONE_LEAD)).await;
        let told = house.hears(BO, BO, "Approve").await;
        assert!(told.contains("not a reviewer"), "{told}");
        assert!(!house.allows("ana", "123").await);
        house.press_in(DAN, CHANNEL, "Approve").await;
        assert!(house.allows("ana", "123").await);
        house.finish().await;
    }

    async fn longer_than_the_rule_allows_by_now_is_shortened_and_said(db: TestDb) {
        let mut house = House::new(db).await;
        house.types(ANA, "customer 123 for 8h to debug BUG-482").await;
        house.settle().await;
        let rule = format!("{ONE_LEAD}\nmax_duration = \"2h\"");
        house.restart_with(&file(&["bo", "cy"], "", &rule)).await;
        house.press(BO, "Approve").await;
        house.settle().await;
        for place in [BO, CHANNEL, ANA] {
            assert!(house.reads(place).contains("Asked for 8h, shortened to 2h"), "{}", house.reads(place));
        }
        house.advance(hours(2)).await;
        assert!(!house.allows("ana", "123").await);
        house.finish().await;
    }

    /// No rule covers it any more: nobody can approve, and the card does not pretend otherwise.
    async fn without_a_rule_any_more_nobody_approves(db: TestDb) {
        let mut house = House::new(db).await;
        house.asked().await;
        let rule = format!("match = {{ plan = \"team\" }}\n{ONE_LEAD}");
        house.restart_with(&file(&["bo", "cy"], "", &rule)).await;
        let told = house.hears(BO, BO, "Approve").await;
        assert!(told.contains("No rule"), "{told}");
        house.settle().await;
        assert!(!house.allows("ana", "123").await);
        house.finish().await;
    }
}
