//! What several people have to say, and who counts.

use latchkey::demo::workspace::Person;

use crate::harness::{
    acts::{ONE_LEAD, TWO_LEADS, file},
    databases::TestDb,
    house::{ANA, BO, CHANNEL, COMMAND, CY, DAN, House},
    office::seconds,
};

async fn two_of_the_leads(db: TestDb, leads: &[&str]) -> House {
    let house = House::plan(db).file(&file(leads, "", TWO_LEADS)).build().await;
    house.asked().await;
    house
}

/// Presses Approve, and nothing comes of it.
async fn approves_in_vain(house: &House, user: &str) {
    house.press_in(user, CHANNEL, "Approve").await;
    house.advance(seconds(1)).await;
    assert!(!house.allows("ana", "123").await, "{user} alone must not be enough");
}

both_databases! {
    async fn the_first_of_two_counts_and_the_second_grants(db: TestDb) {
        let house = two_of_the_leads(db, &["bo", "cy"]).await;
        assert!(house.reads(CHANNEL).contains("It takes 2 approvals"), "{}", house.reads(CHANNEL));
        approves_in_vain(&house, BO).await;
        for place in [BO, CY, CHANNEL, ANA] {
            let shown = house.reads(place);
            assert!(shown.contains("1 of 2 approvals so far, from bo"), "{place}: {shown}");
        }
        house.press(CY, "Approve").await;
        house.settle().await;
        assert!(house.allows("ana", "123").await);
        assert!(house.reads(CHANNEL).contains("by bo and cy"), "{}", house.reads(CHANNEL));
        assert_eq!(house.applied(), ["access/grant"]);
        house.finish().await;
    }

    async fn the_same_person_twice_counts_once(db: TestDb) {
        let house = two_of_the_leads(db, &["bo", "cy"]).await;
        approves_in_vain(&house, BO).await;
        approves_in_vain(&house, BO).await;
        house.expect_record(&["petition.opened", "claim.made"]).await;
        house.finish().await;
    }

    async fn two_accounts_with_one_e_mail_count_once(db: TestDb) {
        let house = two_of_the_leads(db, &["bo", "cy"]).await;
        house.slack.add_person(Person::new("U0BO2", "Bo Two", "BO@Acme.test"));
        approves_in_vain(&house, BO).await;
        approves_in_vain(&house, "U0BO2").await;
        house.press(CY, "Approve").await;
        assert!(house.allows("ana", "123").await);
        house.finish().await;
    }

    async fn each_line_is_met_by_other_people(db: TestDb) {
        let rule = r#"require = [{ reviewers = ["group:leads"] }, { reviewers = ["bo@acme.test", "dan@acme.test"] }]"#;
        let house = House::plan(db).file(&file(&["bo", "cy"], "", rule)).build().await;
        house.asked().await;
        // Bo would do for either line, but not for both.
        approves_in_vain(&house, BO).await;
        approves_in_vain(&house, BO).await;
        house.press_in(CY, CHANNEL, "Approve").await;
        house.settle().await;
        assert!(house.allows("ana", "123").await);
        house.finish().await;
    }

    /// Two people who fit only the same line do not meet two.
    async fn two_for_one_line_are_not_enough_for_two(db: TestDb) {
        let rule = r#"require = [{ reviewers = ["group:leads"] }, { reviewers = ["dan@acme.test"] }]"#;
        let house = House::plan(db).file(&file(&["bo", "cy"], "", rule)).build().await;
        house.asked().await;
        approves_in_vain(&house, BO).await;
        approves_in_vain(&house, CY).await;
        assert!(house.reads(CHANNEL).contains("somebody else as well"), "{}", house.reads(CHANNEL));
        house.press(DAN, "Approve").await;
        assert!(house.allows("ana", "123").await);
        house.finish().await;
    }

    /// I7: being a reviewer does not help with one's own.
    async fn nobody_approves_their_own_by_any_account(db: TestDb) {
        let house = House::plan(db).file(&file(&["ana", "bo"], "", ONE_LEAD)).build().await;
        house.slack.add_person(Person::new("U0ANA2", "Ana Two", "ANA@acme.test"));
        house.asked().await;
        assert!(house.with_button(ANA, "Approve").is_none(), "a card for the petitioner: {}", house.reads(ANA));
        for user in [ANA, "U0ANA2"] {
            let told = house.hears(user, CHANNEL, "Approve").await;
            assert!(told.contains("Another reviewer has to"), "{told}");
        }
        house.settle().await;
        assert!(!house.allows("ana", "123").await);
        house.expect_record(&["petition.opened"]).await;
        house.finish().await;
    }

    /// Nor with another e-mail on the same account.
    async fn a_new_e_mail_makes_nobody_somebody_else(db: TestDb) {
        let house = House::plan(db).file(&file(&["bo", "zoe"], "", ONE_LEAD)).build().await;
        house.asked().await;
        house.slack.update_person(ANA, |ana| ana.email = Some("zoe@acme.test".to_owned()));
        let told = house.hears(ANA, CHANNEL, "Approve").await;
        assert!(told.contains("Another reviewer has to"), "{told}");
        assert!(!house.allows("ana", "123").await);
        house.expect_record(&["petition.opened"]).await;
        house.finish().await;
    }

    async fn where_a_rule_says_so_people_approve_their_own(db: TestDb) {
        let rule = format!("{ONE_LEAD}\nself_approval = true");
        let house = House::plan(db).file(&file(&["ana", "bo"], "", &rule)).build().await;
        house.asked().await;
        house.press_in(ANA, CHANNEL, "Approve").await;
        house.settle().await;
        assert!(house.allows("ana", "123").await);
        house.finish().await;
    }

    /// Self-approval lets a reviewer count for their own; it makes nobody a reviewer.
    async fn self_approval_makes_nobody_a_reviewer(db: TestDb) {
        let rule = format!("{ONE_LEAD}\nself_approval = true");
        let house = House::plan(db).file(&file(&["bo", "cy"], "", &rule)).build().await;
        house.asked().await;
        let told = house.hears(ANA, CHANNEL, "Approve").await;
        assert!(told.contains("not a reviewer"), "{told}");
        assert!(!house.allows("ana", "123").await);
        house.finish().await;
    }

    /// I1: every claim is judged when the last of them is made.
    async fn an_approver_who_lost_the_right_meanwhile_does_not_count(db: TestDb) {
        let mut house = two_of_the_leads(db, &["bo", "cy"]).await;
        approves_in_vain(&house, BO).await;
        house.restart_with(&file(&["cy", "dan"], "", TWO_LEADS)).await;
        approves_in_vain(&house, CY).await;
        house.press_in(DAN, CHANNEL, "Approve").await;
        house.settle().await;
        assert!(house.allows("ana", "123").await);
        let card = house.reads(CHANNEL);
        assert!(card.contains("by cy and dan"), "{card}");
        house.finish().await;
    }

    async fn an_approver_who_left_meanwhile_does_not_count(db: TestDb) {
        let house = two_of_the_leads(db, &["bo", "cy", "dan"]).await;
        approves_in_vain(&house, BO).await;
        house.slack.update_person(BO, |bo| bo.deleted = true);
        approves_in_vain(&house, CY).await;
        house.press(DAN, "Approve").await;
        assert!(house.allows("ana", "123").await);
        house.finish().await;
    }

    /// A new address is a new person, until somebody puts it into the file.
    async fn an_approver_whose_e_mail_changed_does_not_count(db: TestDb) {
        let house = two_of_the_leads(db, &["bo", "cy", "dan"]).await;
        approves_in_vain(&house, BO).await;
        house.slack.update_person(BO, |bo| bo.email = Some("bo@elsewhere.test".to_owned()));
        approves_in_vain(&house, CY).await;
        let told = house.hears(BO, CHANNEL, "Approve").await;
        assert!(told.contains("not a reviewer"), "{told}");
        house.press(DAN, "Approve").await;
        assert!(house.allows("ana", "123").await);
        house.finish().await;
    }

    /// Two petitions are two: the claims on one say nothing about the other.
    async fn claims_belong_to_one_petition(db: TestDb) {
        let house = two_of_the_leads(db, &["bo", "cy"]).await;
        house.press(BO, "Approve").await;
        house.types(ANA, &COMMAND.replace("482", "483")).await;
        house.settle().await;
        // The newest card is that of the second petition.
        house.press(CY, "Approve").await;
        house.settle().await;
        assert!(!house.allows("ana", "123").await);
        house.press(BO, "Approve").await;
        house.settle().await;
        assert!(house.allows("ana", "123").await);
        assert_eq!(house.recorded("petition.granted").await, 1);
        house.finish().await;
    }
}
