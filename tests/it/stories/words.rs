//! The words of `/access`: who is shown what, and what they end.

use latchkey::demo::workspace::Fault;

use crate::harness::{
    acts::{ONE_LEAD, Signed, commands_in, file, form},
    databases::TestDb,
    house::{ANA, BO, CHANNEL, COMMAND, CY, DAN, House},
    office::{hours, minutes},
};

/// What is said to a word; it never fails.
async fn says(house: &House, user: &str, text: &str) -> String {
    let answer = house.types(user, text).await;
    assert_eq!(answer.problem, None, "{text}: {}", answer.text());
    assert!(!answer.text().trim().is_empty(), "{text}");
    answer.text()
}

/// Asks, and Bo approves.
async fn gets(house: &House, user: &str, text: &str) {
    says(house, user, text).await;
    house.settle().await;
    house.press_in(BO, CHANNEL, "Approve").await;
    house.settle().await;
}

/// The name of the petition that a text shows first.
fn petition_in(text: &str) -> String {
    let hex = |word: &&str| word.len() == 16 && word.chars().all(|c| c.is_ascii_hexdigit());
    text.split(|c: char| !c.is_ascii_alphanumeric()).find(hex).unwrap_or_else(|| panic!("{text}")).to_owned()
}

/// A command as Slack signs it, to be sent as often as wanted.
fn command(house: &House, user: &str, text: &str) -> Signed {
    let fields = [
        ("command", "/access"),
        ("text", text),
        ("user_id", user),
        ("team_id", "T0ACME"),
        ("channel_id", CHANNEL),
        ("trigger_id", "1.2.3"),
        ("response_url", "https://hooks.slack.com/commands/T0ACME/1/x"),
    ];
    house.signed("/slack/commands", form(&fields))
}

/// With roles, so that one person can hold several accesses to one customer.
fn with_roles() -> String {
    file(&["bo", "cy"], "roles = [\"readonly\", \"admin\"]", ONE_LEAD)
}

both_databases! {
    /// `/access list`: what I have, for how long still, how far each provisioner is, and what I wait for; mine alone.
    async fn a_list_shows_what_is_mine(db: TestDb) {
        let house = House::new(db).await;
        let said = says(&house, ANA, "list").await;
        assert!(said.contains("no access now") && said.contains("/access customer"), "{said}");
        house.granted().await;
        says(&house, ANA, "customer 200 for 1h to debug BUG-483").await;
        house.advance(minutes(30)).await;
        let said = says(&house, ANA, " */access* LIST ").await;
        assert!(said.contains("AcmeCorp (123)") && said.contains("3 h left"), "{said}");
        assert!(said.contains("production: applied"), "{said}");
        assert!(said.contains("Globex (200)") && said.contains("It takes 1 approval"), "{said}");
        assert_eq!(commands_in(&house.types(ANA, "list").await), ["done 123", "extend 123 by 2h"]);
        let said = says(&house, BO, "list").await;
        assert!(said.contains("no access now") && !said.contains("Acme"), "{said}");
        house.advance(hours(4)).await;
        let said = says(&house, ANA, "list").await;
        assert!(!said.contains("AcmeCorp"), "{said}");
        house.finish().await;
    }

    /// Long lists are cut, with how many more there are.
    async fn a_long_list_is_cut(db: TestDb) {
        let house = House::new(db).await;
        for n in 0..25 {
            says(&house, ANA, &format!("customer 200 for 1h to debug BUG-{n}")).await;
        }
        let said = says(&house, ANA, "list").await;
        let rows = |block: &serde_json::Value| block["text"]["text"].as_str().is_some_and(|text| text.contains("Globex"));
        let answer = house.slack.ephemerals(ANA).pop().unwrap();
        assert_eq!(answer.blocks.iter().filter(|block| rows(block)).count(), 20, "{said}");
        assert!(said.contains("And 5 more petitions"), "{said}");
        let said = says(&house, BO, "pending").await;
        assert!(said.contains("25 petitions wait for you") && said.contains("And 10 more petitions"), "{said}");
        house.finish().await;
    }

    /// `/access pending`: what waits for this reviewer under today's rule, and until they have said their word.
    async fn pending_shows_what_waits_for_me(db: TestDb) {
        let rule = "require = [{ reviewers = [\"group:leads\", \"slack:S0LEADS\"], count = 2 }]";
        let house = House::plan(db).file(&file(&["bo", "cy"], "", rule)).build().await;
        house.slack.set_usergroup("S0LEADS", "leads", &[DAN]);
        house.asked().await;
        for user in [BO, CY, DAN] {
            let said = says(&house, user, "pending").await;
            assert!(said.contains("AcmeCorp (123)") && said.contains("BUG-482"), "{user}: {said}");
        }
        let said = says(&house, ANA, "pending").await;
        assert!(said.contains("Nothing waits") && !said.contains("Acme"), "nobody approves their own: {said}");
        house.slack.set_usergroup("S0LEADS", "leads", &[]);
        house.advance(minutes(2)).await;
        let said = says(&house, DAN, "pending").await;
        assert!(said.contains("Nothing waits"), "{said}");
        // The buttons of the answer are those of the card.
        let answer = house.slack.ephemerals(BO).pop().unwrap();
        assert_eq!(house.slack.press(BO, &answer, "Approve").await.problem, None);
        house.settle().await;
        // Nothing redraws what only Bo is shown, so it is said.
        let said = house.slack.ephemerals(BO).pop().unwrap().plain();
        assert!(said.contains("Your approval counts"), "{said}");
        let said = says(&house, BO, "pending").await;
        assert!(said.contains("Nothing waits"), "{said}");
        let said = says(&house, CY, "pending").await;
        assert!(said.contains("1 of 2 approvals so far, from bo"), "{said}");
        house.advance(hours(24)).await;
        let said = says(&house, CY, "pending").await;
        assert!(said.contains("Nothing waits"), "{said}");
        house.finish().await;
    }

    /// `/access status`: for those whose petition it is and those who may decide it; to others there is none.
    async fn a_status_is_for_those_who_may_see_it(db: TestDb) {
        let house = House::new(db).await;
        house.asked().await;
        let name = petition_in(&says(&house, ANA, "list").await);
        for user in [ANA, BO, CY] {
            let said = says(&house, user, &format!("status {name}")).await;
            assert!(said.contains("(ana) asked for access to AcmeCorp (123)"), "{user}: {said}");
            assert!(said.contains("debug BUG-482") && said.contains("Open"), "{user}: {said}");
        }
        let nobodys = says(&house, DAN, "status 0000000000000000").await;
        let hidden = says(&house, DAN, &format!("status `{}`", name.to_uppercase())).await;
        assert_eq!(hidden.replace(&name, "0000000000000000"), nobodys, "what is hidden looks like what is not there");
        assert!(!hidden.contains("Acme"), "{hidden}");
        house.press(BO, "Approve").await;
        house.settle().await;
        let said = says(&house, ANA, &format!("status {name}")).await;
        assert!(said.contains("Approved; it ends") && said.contains("bo approved"), "{said}");
        assert!(said.contains("production: applied"), "{said}");
        house.press(ANA, "I'm done").await;
        house.settle().await;
        let said = says(&house, CY, &format!("status {name}")).await;
        assert!(said.contains("Given back by ana") && said.contains("ana gave it back"), "{said}");
        // Who may see it is judged by today's rule.
        let mut house = house;
        house.restart_with(&file(&["dan"], "", ONE_LEAD)).await;
        let said = says(&house, CY, &format!("status {name}")).await;
        assert!(said.contains("There is no petition"), "{said}");
        let said = says(&house, DAN, &format!("status {name}")).await;
        assert!(said.contains("AcmeCorp"), "{said}");
        house.finish().await;
    }

    /// `/access who`: for the reviewers of that customer's rule, and nobody else.
    async fn who_has_access_is_for_reviewers(db: TestDb) {
        let house = House::new(db).await;
        let said = says(&house, BO, "who 123").await;
        assert!(said.contains("Nobody has access to AcmeCorp (123)"), "{said}");
        house.granted().await;
        for text in ["who 123", "who customer AcmeCorp", "who “acme corp”"] {
            let said = says(&house, BO, text).await;
            assert!(said.contains("(ana)") && said.contains("4 h left") && said.contains("Petition"), "{text}: {said}");
        }
        for user in [ANA, DAN] {
            let said = says(&house, user, "who 123").await;
            assert!(said.contains("not a reviewer") && !said.contains("ana"), "{user}: {said}");
        }
        let answer = house.types(BO, "who Twin Ltd").await;
        assert_eq!(commands_in(&answer), ["who 125", "who 126"], "{}", answer.text());
        let said = says(&house, BO, "who Nonesuch").await;
        assert!(said.contains("There is no customer"), "{said}");
        let said = says(&house, BO, "who").await;
        assert!(said.contains("/access who 123"), "{said}");
        house.finish().await;
    }

    /// `/access done`: all of my access to that customer, in whatever roles; nobody else's, and no other customer's.
    async fn done_gives_back_all_of_one_customer(db: TestDb) {
        let house = House::plan(db).file(&with_roles()).build().await;
        gets(&house, ANA, "customer 123 as readonly for 4h to debug BUG-482").await;
        gets(&house, ANA, "customer 123 as admin for 2h to debug BUG-482").await;
        gets(&house, ANA, "customer 200 for 4h to debug BUG-482").await;
        gets(&house, DAN, "customer 123 for 4h to debug BUG-482").await;
        let answer = house.types(ANA, "done").await;
        let offered = ["done 123", "done 200"].map(str::to_owned);
        assert!(offered.iter().all(|command| commands_in(&answer).contains(command)), "{}", answer.text());
        let answer = house.types(ANA, "done Globbex").await;
        assert!(answer.text().contains("no access to “Globbex”"), "{}", answer.text());
        assert!(house.allows("ana", "123").await && house.allows("ana", "200").await, "nothing was done yet");
        let said = says(&house, ANA, "done AcmeCorp").await;
        assert!(said.contains("as readonly") && said.contains("as admin") && said.contains("2 petitions"), "{said}");
        house.settle().await;
        assert!(!house.allows("ana", "123").await);
        assert!(house.allows("ana", "200").await && house.allows("dan", "123").await);
        let said = says(&house, ANA, "done 123").await;
        assert!(said.contains("no access to “123”"), "{said}");
        assert_eq!(house.recorded("petition.closed").await, 2);
        house.finish().await;
    }

    /// The same signed command again answers like the first, and ends nothing that began since.
    async fn a_replayed_end_changes_nothing(db: TestDb) {
        let house = House::plan(db).file(&with_roles()).build().await;
        gets(&house, ANA, "customer 123 as readonly for 4h to debug BUG-482").await;
        gets(&house, ANA, "customer 123 as admin for 4h to debug BUG-482").await;
        let done = command(&house, ANA, "done 123");
        let first = house.send(&done).await;
        assert!(first.0 == 200 && first.1.contains("2 petitions"), "{first:?}");
        assert_eq!(house.send(&done).await, first);
        gets(&house, ANA, "customer 123 as admin for 4h to debug BUG-483").await;
        assert_eq!(house.send(&done).await, first);
        assert!(house.allows("ana", "123").await);
        let revoke = command(&house, BO, "revoke 123 because it is late");
        let first = house.send(&revoke).await;
        assert!(first.1.contains("You revoked"), "{first:?}");
        gets(&house, ANA, "customer 123 as admin for 4h to debug BUG-484").await;
        assert_eq!(house.send(&revoke).await, first);
        assert!(house.allows("ana", "123").await);
        house.finish().await;
    }

    /// Nor does it act when the first did not: what was unclear then may be clear by now.
    async fn a_replay_of_what_did_nothing_does_nothing(db: TestDb) {
        let house = House::new(db).await;
        gets(&house, ANA, COMMAND).await;
        gets(&house, DAN, COMMAND).await;
        let revoke = command(&house, BO, "revoke 123");
        assert!(house.send(&revoke).await.1.contains("Say whose access"));
        says(&house, DAN, "done 123").await;
        let (_, again) = house.send(&revoke).await;
        assert!(again.contains("nothing was changed"), "{again}");
        assert!(house.allows("ana", "123").await);
        house.finish().await;
    }

    /// `/access revoke`: reviewers alone, and only when it is clear whose.
    async fn revoke_takes_from_whom_it_names(db: TestDb) {
        let house = House::new(db).await;
        gets(&house, ANA, COMMAND).await;
        gets(&house, DAN, COMMAND).await;
        for text in ["revoke 123 <@U0DAN|dan>", "revoke 123"] {
            let said = says(&house, ANA, text).await;
            assert!(said.contains("not a reviewer") && !said.contains("dan"), "{said}");
        }
        for text in ["revoke AcmeCorp", "revoke 123 @nobody"] {
            let answer = house.types(CY, text).await;
            let commands = commands_in(&answer);
            assert_eq!(commands, ["revoke 123 ana@acme.test", "revoke 123 dan@acme.test"], "{}", answer.text());
        }
        let said = says(&house, CY, "revoke 123 <@U0BO|bo>").await;
        assert!(said.contains("has no access to AcmeCorp"), "{said}");
        assert!(house.allows("ana", "123").await && house.allows("dan", "123").await, "nothing was done yet");
        let said = says(&house, CY, "revoke 123 <@U0DAN|dan> because the laptop is lost").await;
        assert!(said.contains("You revoked the access of") && said.contains("(dan)"), "{said}");
        house.settle().await;
        assert!(house.allows("ana", "123").await && !house.allows("dan", "123").await);
        assert!(house.reads(DAN).contains("the laptop is lost"), "{}", house.reads(DAN));
        let said = says(&house, CY, "revoke customer 123 from Ana@acme.test").await;
        assert!(said.contains("You revoked the access of"), "{said}");
        house.settle().await;
        assert!(!house.allows("ana", "123").await);
        assert_eq!(house.applied().iter().filter(|kind| *kind == "access/revoke").count(), 2);
        let said = says(&house, CY, "revoke 123").await;
        assert!(said.contains("nothing to revoke"), "{said}");
        house.finish().await;
    }

    /// Today's rule decides who may revoke; who approved may take it back all the same.
    async fn revoke_is_judged_by_todays_rule(db: TestDb) {
        let mut house = House::new(db).await;
        house.granted().await;
        house.restart_with(&file(&["dan"], "", ONE_LEAD)).await;
        let said = says(&house, CY, "revoke 123 <@U0ANA>").await;
        assert!(said.contains("not a reviewer"), "{said}");
        assert!(house.allows("ana", "123").await);
        let said = says(&house, BO, "revoke 123 <@U0ANA>").await;
        assert!(said.contains("You revoked"), "he approved it: {said}");
        assert!(!house.allows("ana", "123").await);
        house.finish().await;
    }

    /// A near miss is answered with the word, and does nothing; a customer of that name is asked for all the same.
    async fn misspelt_words_are_answered_with_the_word(db: TestDb) {
        let house = House::new(db).await;
        for (text, wanted) in [
            ("lst", "list"),
            ("penidng", "pending"),
            ("revok 123 ana@acme.test", "revoke 123 ana@acme.test"),
            ("hlep", "help"),
            ("list mine", "list"),
            ("whoo", "who 123"),
        ] {
            let answer = house.types(ANA, text).await;
            assert_eq!(commands_in(&answer)[0], wanted, "{text}: {}", answer.text());
            assert!(answer.text().contains("nothing was done"), "{}", answer.text());
        }
        house.expect_record(&[]).await;
        crate::harness::databases::raw_at(&house.customers, "INSERT INTO customers (id, name) VALUES (300, 'List')").await;
        house.synced().await;
        for (n, text) in ["customer \"list\" for 1h to debug BUG-1", "customer list to debug BUG-2", "list for 1h to debug BUG-3"]
            .into_iter()
            .enumerate()
        {
            let said = says(&house, ANA, text).await;
            assert!(said.contains("You asked for access to List (300)"), "{text}: {said}");
            assert_eq!(house.recorded("petition.opened").await, n + 1);
        }
        let said = says(&house, ANA, "list").await;
        assert!(said.contains("You wait for"), "alone it is the word: {said}");
        house.finish().await;
    }

    /// Every word is explained, with an example that is one.
    async fn help_explains_every_word(db: TestDb) {
        let house = House::new(db).await;
        let all = says(&house, ANA, "help").await;
        for word in ["list", "pending", "status", "who", "done", "revoke", "help"] {
            assert!(all.contains(&format!("/access {word}")), "{word}: {all}");
            let answer = house.types(ANA, &format!("help {word}")).await;
            let example = commands_in(&answer).into_iter().find(|command| !command.contains(['<', '['])).unwrap();
            assert!(example.starts_with(word), "{}", answer.text());
        }
        assert_eq!(says(&house, ANA, "help penidng").await, says(&house, ANA, "help pending").await);
        assert_eq!(says(&house, ANA, "help me").await, all);
        house.finish().await;
    }

    /// When Slack cannot tell who somebody is, they are shown nothing and nothing is done.
    async fn without_slack_nothing_is_shown_or_done(db: TestDb) {
        let house = House::new(db).await;
        house.granted().await;
        house.advance(minutes(2)).await;
        for (user, text) in [(ANA, "list"), (BO, "pending"), (BO, "who 123"), (ANA, "done 123"), (BO, "revoke 123")] {
            house.slack.fault(Some("users.info"), 1, Fault::Status(500));
            let said = says(&house, user, text).await;
            assert!(said.contains("Slack could not be asked") && !said.contains("Acme"), "{text}: {said}");
        }
        assert!(house.allows("ana", "123").await);
        let said = says(&house, ANA, "done 123").await;
        assert!(said.contains("You gave back"), "{said}");
        house.finish().await;
    }

    /// Slack was answered before it was known; who typed it is told all the same.
    async fn what_came_late_is_told_all_the_same(db: TestDb) {
        let house = House::plan(db).hasty().build().await;
        let before = house.slack.ephemerals(ANA).len();
        assert!(says(&house, ANA, "list").await.contains("longer than usual"));
        house.settle().await;
        let told: Vec<String> = house.slack.ephemerals(ANA)[before..].iter().map(|message| message.plain()).collect();
        assert!(told.iter().any(|said| said.contains("You have no access now")), "{told:?}");
        house.finish().await;
    }

    /// A length in the reason is part of the reason.
    async fn a_revoke_may_say_for_how_long_it_was_needed(db: TestDb) {
        let house = House::new(db).await;
        house.granted().await;
        let said = says(&house, BO, "revoke 123 <@U0ANA|ana> because she needed it only for 1 hour").await;
        house.settle().await;
        assert!(!house.allows("ana", "123").await, "{said}");
        assert!(house.reads(ANA).contains("she needed it only for 1 hour"), "{}", house.reads(ANA));
        house.finish().await;
    }
}
