//! What the policy refuses is said at once, is on record, and reaches no reviewer.

use crate::harness::{
    acts::{ONE_LEAD, TWO_LEADS, file},
    databases::{TestDb, raw_at},
    house::{ANA, BO, CHANNEL, CY, DAN, House},
    office::{hours, minutes},
};

/// Refused, recorded, and nobody was bothered.
async fn expect_refused(house: &House, user: &str, text: &str, because: &str) {
    let before = house.recorded("petition.refused").await;
    let answer = house.types(user, text).await;
    assert_eq!(answer.problem, None);
    assert!(answer.text().contains(because), "{text}: {}", answer.text());
    house.settle().await;
    assert_eq!(house.recorded("petition.refused").await, before + 1, "{text}");
    for place in [ANA, BO, CY, DAN, CHANNEL] {
        assert_eq!(house.reads(place), "", "{place} was told of {text}");
    }
}

both_databases! {
    async fn longer_than_the_maximum_is_refused_with_the_maximum(db: TestDb) {
        let house = House::new(db).await;
        expect_refused(&house, ANA, "customer 123 for 9h to debug BUG-482", "8h").await;
        expect_refused(&house, ANA, "customer 123 for 8h1s to debug BUG-482", "8h").await;
        expect_refused(&house, ANA, "customer 200 for 25h to debug BUG-482", "24h").await;
        expect_refused(&house, ANA, "customer 123 for 3 weeks to debug BUG-482", "8h").await;
        expect_refused(&house, ANA, "customer 123 for 1000000h to debug BUG-482", "8h").await;
        expect_refused(&house, ANA, "customer 123 to debug BUG-483 for 99999999999999h", "8h").await;
        assert_eq!(house.recorded("petition.opened").await, 0);
        house.types(ANA, "customer 123 for 8h to debug BUG-482").await;
        assert_eq!(house.recorded("petition.opened").await, 1);
        house.finish().await;
    }

    /// No time at all, or no time that anybody could name, is no length; what would be one is said.
    async fn no_time_at_all_is_asked_again(db: TestDb) {
        let house = House::new(db).await;
        for text in ["for 0h", "for 0s", "for 0 minutes", "for 4x", "for 4 parsecs", "for 1 month"] {
            let answer = house.types(ANA, &format!("customer 123 {text} to debug BUG-482")).await;
            let commands = crate::harness::acts::commands_in(&answer);
            assert_eq!(commands, ["customer 123 for 4h to debug BUG-482"], "{text}: {}", answer.text());
        }
        house.expect_record(&[]).await;
        house.finish().await;
    }

    async fn only_petitioners_of_the_rule_may_ask(db: TestDb) {
        let rule = format!("{ONE_LEAD}\npetitioners = [\"ANA@acme.test\", \"slack:S0SUPPORT\"]");
        let house = House::plan(db).file(&file(&["bo", "cy"], "", &rule)).build().await;
        house.slack.set_usergroup("S0SUPPORT", "support", &[CY]);
        expect_refused(&house, DAN, "customer 123 for 1h to debug BUG-482", "does not list you").await;
        for user in [ANA, CY] {
            let said = house.types(user, "customer 123 for 1h to debug BUG-482").await.text();
            assert!(said.contains("You asked for"), "{said}");
        }
        // Slack cannot tell whether Dan is in the group by now: nothing is stored, and he may try again.
        house.advance(minutes(2)).await;
        let fault = latchkey::demo::workspace::Fault::Status(500);
        house.slack.fault(Some("usergroups.users.list"), 1, fault);
        let said = house.types(DAN, "customer 123 for 1h to debug BUG-482").await.text();
        assert!(said.to_lowercase().contains("try again"), "{said}");
        assert_eq!(house.recorded("petition.refused").await, 1);
        house.finish().await;
    }

    async fn without_a_rule_it_is_refused(db: TestDb) {
        let rule = format!("match = {{ plan = \"enterprise\" }}\n{ONE_LEAD}");
        let house = House::plan(db).file(&file(&["bo", "cy"], "", &rule)).build().await;
        expect_refused(&house, ANA, "customer 200 for 1h to debug BUG-482", "No rule").await;
        expect_refused(&house, ANA, "customer Initech for 1h to debug BUG-482", "No rule").await;
        house.types(ANA, "customer 123 for 1h to debug BUG-482").await;
        assert_eq!(house.recorded("petition.opened").await, 1);
        house.finish().await;
    }

    /// I7 seen from its beginning: a petition that only its petitioner could approve is not opened.
    async fn what_nobody_could_ever_approve_is_refused_at_once(db: TestDb) {
        let house = House::plan(db).file(&file(&["bo", "cy"], "", TWO_LEADS)).build().await;
        expect_refused(&house, BO, "customer 123 for 1h to debug BUG-482", "cannot be met").await;
        // With a second account of the same e-mail he is still one person.
        house.slack.add_person(latchkey::demo::workspace::Person::new("U0BO2", "Bo Two", "BO@acme.test"));
        expect_refused(&house, "U0BO2", "customer 123 for 2h to debug BUG-482", "cannot be met").await;
        house.types(ANA, "customer 123 for 1h to debug BUG-482").await;
        assert_eq!(house.recorded("petition.opened").await, 1);
        house.finish().await;
    }

    /// A Slack group of reviewers whose only member is the petitioner cannot approve either.
    async fn a_slack_group_of_the_petitioner_alone_cannot_approve(db: TestDb) {
        let rule = "require = [{ reviewers = [\"slack:S0LEADS\"] }]";
        let house = House::plan(db).file(&file(&["bo"], "", rule)).build().await;
        house.slack.set_usergroup("S0LEADS", "leads", &[ANA]);
        expect_refused(&house, ANA, "customer 123 for 1h to debug BUG-482", "cannot be met").await;
        house.slack.set_usergroup("S0LEADS", "leads", &[ANA, BO]);
        house.advance(minutes(2)).await;
        let said = house.types(ANA, "customer 123 for 1h to debug BUG-482").await.text();
        assert!(said.contains("You asked for"), "{said}");
        house.finish().await;
    }

    async fn a_ticket_is_wanted_where_the_file_says_so(db: TestDb) {
        let house = House::plan(db).file(&file(&["bo", "cy"], "ticket = '[A-Z]+-[0-9]+'", ONE_LEAD)).build().await;
        let said = house.types(ANA, "customer 123 for 1h to look at the bug").await.text();
        assert!(said.contains("ticket"), "{said}");
        house.expect_record(&[]).await;
        let said = house.types(ANA, "customer 123 for 1h to look at BUG\u{2013}482").await.text();
        assert!(said.contains("You asked for"), "{said}");
        house.finish().await;
    }

    /// A vanished customer cannot be asked for; what was granted runs on and ends in time.
    async fn a_vanished_customers_lease_runs_on_and_ends(db: TestDb) {
        let house = House::new(db).await;
        house.types(ANA, "customer 200 for 4h to debug BUG-482").await;
        house.settle().await;
        house.press(BO, "Approve").await;
        house.settle().await;
        raw_at(&house.customers, "DELETE FROM customers WHERE id = 200").await;
        house.synced().await;
        for text in ["customer 200 for 1h to debug BUG-483", "customer Globex for 1h to debug BUG-483"] {
            let said = house.types(CY, text).await.text();
            assert!(said.contains("There is no customer"), "{said}");
        }
        assert_eq!(house.recorded("petition.opened").await, 1);
        assert!(house.allows("ana", "200").await);
        house.advance(hours(4) - minutes(16)).await;
        assert!(!house.allows("ana", "200").await);
        assert_eq!(house.applied(), ["access/grant", "access/revoke"]);
        assert!(house.reads(ANA).contains("is over"), "{}", house.reads(ANA));
        house.finish().await;
    }
}
