//! Ways to say what one wants.

use jiff::SignedDuration;
use latchkey::demo::workspace::Person;

use crate::harness::{
    acts::{ONE_LEAD, commands_in, file},
    databases::TestDb,
    house::{ANA, BO, CHANNEL, CY, FILE, House},
    office::{hours, minutes},
};

/// Nobody is told, so that many can ask quickly.
fn quiet(access: &str) -> String {
    file(&["bo", "cy"], access, &format!("{ONE_LEAD}\nnotify = []\ndm = false"))
}

/// Somebody new types it, so that nobody's messages pile up.
async fn newcomer(house: &House, number: usize) -> String {
    let id = format!("U0NEW{number}");
    house.slack.add_person(Person::new(&id, &format!("New {number}"), &format!("new{number}@acme.test")));
    id
}

both_databases! {
    async fn every_form_of_the_command_is_understood(db: TestDb) {
        let house = House::plan(db).file(&quiet("")).build().await;
        let acme = "AcmeCorp (123)";
        let labs = "Acme Corp Labs (124)";
        let forms = [
            ("customer 123 for 4h to debug BUG-482", acme),
            ("123 for 4h to debug BUG-482", acme),
            ("AcmeCorp for 4 hours to debug BUG-482", acme),
            ("acmecorp for 240m because of BUG-482", acme),
            ("Customer #123 for 4h to debug BUG-482", acme),
            ("\"AcmeCorp\" for 4h to debug BUG-482", acme),
            ("123 to debug BUG-482 for 4h", acme),
            ("123 debug BUG-482 for 4h", acme),
            ("customer 123 debug BUG-482", acme),
            ("/access customer 123 for 4h to debug BUG-482", acme),
            ("*customer 123* for `4h` to debug BUG-482", acme),
            ("customer\u{a0}123\u{202f}for 4h to debug BUG\u{2013}482", acme),
            ("cus\u{200b}tomer \u{feff}123 for 4h to debug BUG\u{2011}482", acme),
            ("customer １２３ for ４h to debug BUG\u{2212}482", acme),
            ("\"Acme Corp Labs\" for 4h to debug BUG-482", labs),
            ("customer “Acme Corp Labs” for 4h to debug BUG-482", labs),
            ("„Acme Corp Labs“ for 4h to debug BUG-482", labs),
            ("«Acme Corp Labs» for 4h to debug BUG-482", labs),
            ("‘Acme Corp Labs’ for 4h to debug BUG-482", labs),
            ("Acme Corp Labs for 4h to debug BUG-482", labs),
            ("acme corp labs debug BUG-482", labs),
        ];
        for (number, (text, customer)) in forms.iter().enumerate() {
            let user = newcomer(&house, number).await;
            let said = house.types(&user, text).await.text();
            assert!(said.contains(&format!("access to {customer} for 4h")), "{text}: {said}");
            house.settle().await;
            let shown = house.reads(&user);
            assert!(shown.contains(customer) && shown.contains("BUG-482"), "{text}: {shown}");
        }
        assert_eq!(house.recorded("petition.opened").await, forms.len());
        house.finish().await;
    }

    async fn lengths_are_understood_as_people_write_them(db: TestDb) {
        let house = House::plan(db).file(&quiet("max_duration = \"72h\"")).build().await;
        let lengths = [
            ("for 4h ", "4h"), ("for 4 hours ", "4h"), ("for 90m ", "1h 30m"), ("for 90 minutes ", "1h 30m"),
            ("for 1h30m ", "1h 30m"), ("for 1.5h ", "1h 30m"), ("for 2 days ", "2 days"), ("for two days ", "2 days"),
            ("for half an hour ", "30m"), ("for 45s ", "45s"), ("for the next 2 hours ", "2h"), ("", "4h"),
        ];
        for (number, (typed, shown)) in lengths.iter().enumerate() {
            let user = newcomer(&house, number).await;
            let said = house.types(&user, &format!("customer 123 {typed}to debug BUG-482")).await.text();
            assert!(said.contains(&format!("AcmeCorp (123) for {shown}.")), "{typed}: {said}");
        }
        house.finish().await;
    }

    /// The length that was asked for is the length that is given, from the approval on.
    async fn the_lease_is_as_long_as_asked(db: TestDb) {
        let house = House::new(db).await;
        house.types(ANA, "customer 123 for 1h30m to debug BUG-482").await;
        house.settle().await;
        house.advance(hours(2)).await;
        house.press(BO, "Approve").await;
        house.settle().await;
        house.advance(minutes(90) - SignedDuration::from_micros(1)).await;
        assert!(house.allows("ana", "123").await);
        house.clock.advance(SignedDuration::from_micros(1));
        assert!(!house.allows("ana", "123").await);
        house.finish().await;
    }

    async fn help_is_given_and_its_example_works(db: TestDb) {
        let house = House::new(db).await;
        for text in ["help", "?", "-h", "--help", "HELP"] {
            let answer = house.types(ANA, text).await;
            assert!(commands_in(&answer).len() >= 2, "{text}: {}", answer.text());
        }
        house.expect_record(&[]).await;
        let help = commands_in(&house.types(ANA, "help").await);
        house.types(ANA, &help[0]).await;
        house.types(CY, &help[1]).await;
        house.expect_record(&["petition.opened", "petition.opened"]).await;
        house.finish().await;
    }

    /// Nothing typed is never silence and never a petition.
    async fn an_empty_command_asks_for_nothing(db: TestDb) {
        let house = House::new(db).await;
        for text in ["", "   ", "\u{200b}", "new"] {
            let answer = house.types(ANA, text).await;
            assert_eq!(answer.problem, None);
        }
        house.expect_record(&[]).await;
        house.finish().await;
    }

    /// A name that nobody has gets those that are near, as commands that work as they stand.
    async fn an_unknown_customer_gets_suggestions_that_work(db: TestDb) {
        let house = House::new(db).await;
        let answer = house.types(ANA, "customer Acme for 2h to debug BUG-482").await;
        assert!(answer.text().contains("There is no customer “Acme”"), "{}", answer.text());
        let commands = commands_in(&answer);
        assert_eq!(commands, [
            "customer 123 for 2h to debug BUG-482",
            "customer 124 for 2h to debug BUG-482",
        ]);
        house.expect_record(&[]).await;
        let said = house.types(ANA, &commands[0]).await.text();
        assert!(said.contains("AcmeCorp (123) for 2h"), "{said}");

        let answer = house.types(ANA, "customer Zebra for 2h to debug BUG-482").await;
        assert!(answer.text().contains("There is no customer “Zebra”"), "{}", answer.text());
        assert!(commands_in(&answer).is_empty());
        house.expect_record(&["petition.opened"]).await;
        house.finish().await;
    }

    async fn of_two_customers_with_one_name_neither_is_guessed(db: TestDb) {
        let house = House::new(db).await;
        let answer = house.types(ANA, "customer “Twin Ltd” for 2h to debug BUG-482").await;
        let commands = commands_in(&answer);
        assert_eq!(commands.len(), 2, "{}", answer.text());
        house.expect_record(&[]).await;
        let said = house.types(ANA, &commands[1]).await.text();
        assert!(said.contains("Twin Ltd (126)"), "{said}");
        house.finish().await;
    }

    /// What was understood stays, what is missing is shown as it could be.
    async fn a_missing_or_short_reason_gets_a_command_that_works(db: TestDb) {
        let house = House::new(db).await;
        let invisible = "123 for 2h to \u{200b} ";
        let short = ["customer 123 for 2h", "customer 123 for 2h to", "customer 123 for 2h to x", invisible];
        for text in short {
            let answer = house.types(ANA, text).await;
            let commands = commands_in(&answer);
            assert!(answer.text().contains("reason"), "{text}: {}", answer.text());
            assert_eq!(commands, ["customer 123 for 2h to debug BUG-482"], "{text}");
        }
        house.expect_record(&[]).await;
        house.types(ANA, "customer 123 for 2h to debug BUG-482").await;
        house.expect_record(&["petition.opened"]).await;
        house.finish().await;
    }

    async fn roles_are_asked_for_shown_and_checked(db: TestDb) {
        let roles = "roles = [\"readonly\", \"admin\"]";
        let house = House::plan(db).file(&file(&["bo", "cy"], roles, ONE_LEAD)).build().await;
        let said = house.types(ANA, "customer 123 as Admin for 1h to debug BUG-482").await.text();
        assert!(said.contains("AcmeCorp (123) as admin"), "{said}");
        house.settle().await;
        assert!(house.with_button(CHANNEL, "Approve").unwrap().plain().contains("as admin"));
        house.press(BO, "Approve").await;
        house.settle().await;
        assert_eq!(house.production.applied()[0].label("latchkey/role"), "admin");
        let allows = async |role: &str| {
            let path = format!("/v1/check?user=ana@acme.test&customer=123&role={role}");
            let request = house.http.get(format!("{}{path}", house.bot)).bearer_auth(&house.check_token);
            let answer: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
            answer["allowed"].as_bool().unwrap()
        };
        assert!(allows("admin").await && allows("readonly").await && !allows("root").await);
        house.press(ANA, "I'm done").await;

        let said = house.types(ANA, "customer 123 for 1h to debug BUG-483").await.text();
        assert!(said.contains("as readonly"), "none given is the weakest: {said}");
        house.settle().await;
        house.press(BO, "Approve").await;
        assert!(allows("readonly").await && !allows("admin").await);

        let said = house.types(ANA, "customer 123 as root for 1h to debug BUG-484").await.text();
        assert!(said.contains("readonly") && said.contains("admin"), "{said}");
        let answer = house.types(ANA, "customer 123 as for 1h to debug BUG-484").await;
        assert!(answer.text().contains("role"), "{}", answer.text());
        assert_eq!(house.recorded("petition.opened").await, 2);
        house.finish().await;
    }

    /// Names are customer data too: only those are told who may ask for them, or decide about them.
    async fn names_are_for_those_whom_they_concern(db: TestDb) {
        let rule = "max_duration = \"8h\"\npetitioners = [\"cy@acme.test\"]\n";
        let house = House::plan(db).file(&FILE.replace("max_duration = \"8h\"\n", rule)).build().await;
        let words = ["Acme for 2h to debug BUG-482", "123", "123 for 2h to debug BUG-482", "who Acme", "revoke Acme"];
        for text in words {
            let said = house.types(ANA, text).await.text();
            assert!(!said.is_empty() && !said.contains("AcmeCorp"), "{text}: {said}");
        }
        assert!(house.types(ANA, words[0]).await.text().contains("Acme Corp Labs (124)"));
        assert!(house.types(ANA, words[2]).await.text().contains("does not list you"));
        for (user, text) in [(CY, words[0]), (CY, words[1]), (BO, words[3]), (BO, words[4])] {
            let said = house.types(user, text).await.text();
            assert!(said.contains("AcmeCorp (123)"), "{text}: {said}");
        }
        house.finish().await;
    }

    /// Where only the channel is told, nobody reads that the card goes to somebody.
    async fn the_answer_names_only_those_who_are_asked(db: TestDb) {
        let house = House::plan(db).file(&file(&["bo", "cy"], "", &format!("{ONE_LEAD}\ndm = false"))).build().await;
        let said = house.types(ANA, "customer 123 for 2h to debug BUG-482").await.text();
        assert!(said.contains("The card is in 1 channel.") && !said.contains("bo@acme.test"), "{said}");
        house.finish().await;
    }
}
