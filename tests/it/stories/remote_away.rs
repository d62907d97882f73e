//! The remote space is slow, broken or gone: people get an honest answer at once, and nothing is lost or done twice.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::harness::{
    databases::TestDb,
    house::{ANA, BO, COMMAND},
    indent::{Indent, Mood},
    office::{minutes, seconds},
};

const HTML: &str = "<html><body>Bad gateway</body></html>";

fn html(status: u16) -> Mood {
    Mood::Answers(status, vec![("content-type", "text/html".to_owned())], HTML.to_owned())
}

fn json(status: u16, headers: Vec<(&'static str, String)>, said: &str) -> Mood {
    let headers = headers.into_iter().chain([("content-type", "application/json".to_owned())]).collect();
    Mood::Answers(status, headers, format!(r#"{{"error":{{"message":"{said}"}},"message":"{said}"}}"#))
}

both_databases! {
    async fn a_space_that_is_away_gets_the_petition_once_when_it_is_back(db: TestDb) {
        let indent = Indent::start().await;
        let house = indent.house(db).await;
        indent.goes_down();
        let answer = house.asked().await;
        assert!(answer.text().contains("on its way to the space “acme”"), "{}", answer.text());
        assert!(house.reads(ANA).contains("The space “acme” has not answered for 0 s"), "{}", house.reads(ANA));
        assert!(house.reads(ANA).contains("The petition is sent as soon as it does"), "{}", house.reads(ANA));
        for _ in 0..10 {
            house.advance(seconds(60)).await;
        }
        assert!(house.reads(ANA).contains("has not answered for 8 min") || house.reads(ANA).contains("has not answered for 7 min"), "{}", house.reads(ANA));
        // Who asks now is told so at once.
        let answer = house.types(ANA, "customer 200 to debug BUG-483").await;
        assert!(answer.text().contains("That space has not answered for 10 min"), "{}", answer.text());
        house.settle().await;
        indent.comes_back();
        house.advance(seconds(61)).await;
        assert_eq!(indent.petitions().len(), 2);
        assert!(!house.reads(ANA).contains("has not answered"), "{}", house.reads(ANA));
        assert!(house.reads(BO).contains("The space “acme” decides"), "{}", house.reads(BO));
        indent.finish(house).await;
    }

    async fn a_slow_space_keeps_nobody_waiting(db: TestDb) {
        let indent = Indent::start().await;
        let house = indent.house(db).await;
        let go_on = Arc::new(Notify::new());
        indent.next([Mood::Held(go_on.clone())]);
        let answer = house.types(ANA, COMMAND).await;
        assert!(answer.text().contains("on its way"), "{}", answer.text());
        house.slack.wait_for("the petition's message", crate::harness::house::PATIENCE, |slack| {
            slack.messages(ANA).iter().any(|message| message.plain().contains("It is on its way to the space “acme”")).then_some(())
        }).await.unwrap();
        assert_eq!(indent.petitions().len(), 0, "nobody waited for the space");
        go_on.notify_one();
        house.settle().await;
        assert_eq!(indent.petitions().len(), 1);
        indent.finish(house).await;
    }

    /// The space did it, and we did not hear so.
    async fn a_petition_whose_answer_was_lost_is_created_once(db: TestDb) {
        for mood in [Mood::LosesAnswer, Mood::DoesAndFails] {
            let indent = Indent::start().await;
            let house = indent.house(db.at(db.another().await)).await;
            indent.next([mood]);
            house.asked().await;
            assert_eq!(indent.petitions().len(), 1);
            house.advance(seconds(2)).await;
            assert_eq!((indent.petitions().len(), indent.calls("POST petitions")), (1, 1));
            house.press(BO, "Approve").await;
            house.settle().await;
            assert_eq!(indent.claims(), ["approve by bo@acme.test"]);
            indent.finish(house).await;
        }
    }

    async fn what_the_space_has_not_heard_is_sent_again(db: TestDb) {
        for mood in [html(502), html(200), html(404), json(500, vec![], "oops"), json(408, vec![], "slow")] {
            let indent = Indent::start().await;
            let house = indent.house(db.at(db.another().await)).await;
            indent.next([mood.clone(), mood.clone()]);
            house.asked().await;
            house.advance(seconds(2)).await;
            house.advance(seconds(3)).await;
            assert_eq!(indent.petitions().len(), 1, "{mood:?}");
            indent.finish(house).await;
        }
    }

    async fn a_space_that_wants_to_be_left_alone_is(db: TestDb) {
        let indent = Indent::start().await;
        let house = indent.house(db).await;
        let date = (house.now() + minutes(5)).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        indent.next([json(429, vec![("retry-after", "20".to_owned())], "later"), json(429, vec![("retry-after", date)], "later")]);
        house.asked().await;
        house.advance(seconds(19)).await;
        assert_eq!(indent.calls("POST petitions"), 1);
        house.advance(seconds(2)).await;
        assert_eq!(indent.calls("POST petitions"), 2);
        house.advance(minutes(4)).await;
        assert_eq!((indent.calls("POST petitions"), indent.calls("GET petitions")), (2, 0));
        house.advance(minutes(1)).await;
        assert_eq!((indent.petitions().len(), indent.calls("GET petitions")), (1, 0), "it was not heard, so it need not be looked for");
        indent.finish(house).await;
    }

    async fn what_the_space_refuses_is_closed_here_with_its_words(db: TestDb) {
        let indent = Indent::start().await;
        let house = indent.house(db).await;
        indent.next([json(403, vec![], "you may not ask for others")]);
        house.asked().await;
        assert!(house.reads(ANA).contains("you may not ask for others"), "{}", house.reads(ANA));
        assert!(house.reads(ANA).contains("was refused"), "{}", house.reads(ANA));
        house.advance(minutes(10)).await;
        assert_eq!(indent.calls(""), indent.calls("PUT resources:bulkUpdate") + 1);
        indent.finish(house).await;
    }

    async fn a_token_that_is_not_accepted_is_the_operators_to_mend(db: TestDb) {
        let indent = Indent::start().await;
        let house = indent.house(db).await;
        indent.is(json(401, vec![], "expired"));
        house.asked().await;
        assert!(house.reads(ANA).contains("INDENT_API_TOKEN"), "{}", house.reads(ANA));
        indent.comes_back();
        house.advance(seconds(2)).await;
        assert_eq!(indent.petitions().len(), 1);
        indent.finish(house).await;
    }

    async fn an_approval_that_the_space_does_not_take_is_shown_and_may_be_repeated(db: TestDb) {
        let indent = Indent::start().await;
        let house = indent.house(db).await;
        house.asked().await;
        indent.next([json(403, vec![], "bo is no reviewer here")]);
        house.press(BO, "Approve").await;
        house.settle().await;
        assert!(house.reads(ANA).contains("bo approved, but the space “acme” did not take it"), "{}", house.reads(ANA));
        house.press(BO, "Approve").await;
        house.settle().await;
        assert_eq!(indent.claims(), ["approve by bo@acme.test"]);
        indent.finish(house).await;
    }

    async fn what_was_cancelled_before_the_space_heard_of_it_is_not_sent(db: TestDb) {
        let indent = Indent::start().await;
        let house = indent.house(db).await;
        indent.next([json(429, vec![("retry-after", "60".to_owned())], "later")]);
        house.asked().await;
        house.press(ANA, "Cancel request").await;
        house.settle().await;
        house.advance(minutes(2)).await;
        assert_eq!(indent.petitions().len(), 0);
        assert!(!house.reads(ANA).contains("has not answered"), "{}", house.reads(ANA));
        indent.finish(house).await;
    }

    /// It was granted there while the denial was on its way.
    async fn taking_away_is_not_given_up_when_the_space_was_faster(db: TestDb) {
        let indent = Indent::start().await;
        let house = indent.house(db).await;
        house.asked().await;
        indent.acts("access/approve", "cy@acme.test", "fine");
        house.denies(BO, "use the replica").await;
        assert_eq!(indent.claims(), ["approve by cy@acme.test", "revoke by bo@acme.test"]);
        assert_eq!(indent.phase(), "closed");
        indent.finish(house).await;
    }

    async fn claims_keep_their_order_through_a_restart(db: TestDb) {
        let indent = Indent::start().await;
        let mut house = indent.house(db).await;
        indent.goes_down();
        house.asked().await;
        house.press(BO, "Approve").await;
        house.settle().await;
        house.stop().await;
        house.start().await;
        house.settle().await;
        indent.comes_back();
        house.advance(seconds(61)).await;
        assert_eq!((indent.petitions().len(), indent.claims()), (1, vec!["approve by bo@acme.test".to_owned()]));
        house.advance(seconds(31)).await;
        assert!(house.allows("ana", "123").await);
        indent.finish(house).await;
    }
}
