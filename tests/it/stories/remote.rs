//! A remote space decides: the petition goes there, the clicks become claims there, and its word comes back.

use latchkey::{demo::workspace::Fault, http::auth::Scope};
use serde_json::json;

use crate::harness::{
    databases::TestDb,
    house::{ANA, BO, CHANNEL, DAN, House},
    indent::{Indent, SPACE},
    office::{hours, seconds},
};

/// Ana asked, Bo approved, and the space granted it by its event.
pub async fn granted(house: &House, indent: &Indent) {
    house.asked().await;
    house.press(BO, "Approve").await;
    house.settle().await;
    let (status, answer) = house.receive(&indent.event("access/grant").body()).await;
    assert_eq!((status, &answer), (200, &json!({ "status": {} })));
    house.settle().await;
    assert!(house.allows("ana", "123").await, "the grant did not open access");
}

both_databases! {
    async fn a_petition_is_asked_here_and_decided_there(db: TestDb) {
        let indent = Indent::start().await;
        let house = indent.house(db).await;
        let answer = house.asked().await;
        assert!(answer.text().contains("on its way to the space “acme”"), "{}", answer.text());
        let petition = indent.petitions().remove(0);
        assert_eq!(petition["reason"], "debug BUG-482");
        assert_eq!(petition["petitioners"], json!([{ "kind": "user", "email": "ana@acme.test", "displayName": "ana" }]));
        assert_eq!((&petition["resources"][0]["id"], &petition["resources"][0]["displayName"]), (&json!("123"), &json!("AcmeCorp")));
        assert_eq!(petition["meta"]["labels"]["indent.com/petition/duration"], "4h0m0s");
        assert!(house.reads(ANA).contains("The space “acme” decides"), "{}", house.reads(ANA));
        assert!(!house.reads(ANA).contains("on its way"), "{}", house.reads(ANA));

        house.press(BO, "Approve").await;
        house.settle().await;
        assert_eq!(indent.claims(), ["approve by bo@acme.test"]);
        assert_eq!(indent.claim(0)["meta"]["labels"]["indent.com/time/duration"], "4h0m0s");
        assert!(!house.allows("ana", "123").await, "an approval here is only a word");
        assert!(house.reads(BO).contains("Approved by bo; the space “acme” decides"), "{}", house.reads(BO));

        let grant = indent.event("access/grant");
        assert_eq!(house.receive(&grant.body()).await.0, 200);
        house.settle().await;
        let (_, check) = house.check("ana", "123").await;
        assert_eq!(check["expires_at"], (house.now() + hours(4)).to_string());
        assert!(house.production.allows("ana@acme.test", "123"));
        assert!(house.reads(ANA).contains("You have access to AcmeCorp (123) until"), "{}", house.reads(ANA));
        assert!(house.reads(ANA).contains("approved by bo"), "{}", house.reads(ANA));

        indent.acts("access/revoke", "cy@acme.test", "enough");
        assert_eq!(house.receive(&indent.event("access/revoke").body()).await.0, 200);
        assert!(!house.allows("ana", "123").await);
        house.settle().await;
        assert!(!house.production.allows("ana@acme.test", "123"));
        assert!(house.reads(ANA).contains("cy@acme.test revoked your access"), "{}", house.reads(ANA));
        assert_eq!(indent.calls("POST petitions/"), 1, "nothing is told that the space said itself");
        indent.finish(house).await;
    }

    /// Asked for until a moment, it ends then, whatever length the space counts from its approval.
    async fn until_a_moment_is_that_moment_there_too(db: TestDb) {
        let indent = Indent::start().await;
        let house = indent.house(db).await;
        let moment = house.now() + hours(3);
        house.types(ANA, "new 123 to debug BUG-482").await;
        let form = house.slack.view(ANA).expect("the form");
        let sent = house.slack.submit(ANA, &form.id, &[("ask-until", &moment.as_second().to_string())]).await;
        assert_eq!(sent.problem, None, "{}", sent.text());
        house.settle().await;
        house.advance(hours(2)).await;
        house.press(BO, "Approve").await;
        house.settle().await;
        assert_eq!(house.receive(&indent.event("access/grant").body()).await.0, 200);
        house.settle().await;
        assert_eq!(house.check("ana", "123").await.1["expires_at"], moment.to_string());
        house.advance(hours(1)).await;
        assert!(!house.allows("ana", "123").await);
        indent.finish(house).await;
    }

    async fn what_a_lost_event_would_have_said_is_seen(db: TestDb) {
        let indent = Indent::start().await;
        let house = indent.house(db).await;
        house.asked().await;
        house.press(BO, "Approve").await;
        house.settle().await;
        let end = house.now() + hours(4);
        house.advance(seconds(31)).await;
        let (_, check) = house.check("ana", "123").await;
        assert_eq!(check["expires_at"], end.to_string(), "the clock started when it was granted");
        // The event comes late, and changes nothing.
        let before = house.record().await;
        assert_eq!(house.receive(&indent.event("access/grant").body()).await.0, 200);
        assert_eq!(house.record().await, before);

        indent.acts("access/revoke", "cy@acme.test", "enough");
        house.advance(seconds(31)).await;
        assert!(!house.allows("ana", "123").await);
        assert!(house.reads(ANA).contains("cy@acme.test revoked your access"), "{}", house.reads(ANA));
        let looks = indent.calls("GET petitions/");
        house.advance(hours(1)).await;
        assert_eq!(indent.calls("GET petitions/"), looks, "what is over is not looked at");
        indent.finish(house).await;
    }

    async fn a_quiet_petition_is_looked_at_seldom(db: TestDb) {
        let indent = Indent::start().await;
        let house = indent.house(db).await;
        house.asked().await;
        for _ in 0..10 {
            house.advance(seconds(30)).await;
        }
        let soon = indent.calls("GET petitions/");
        assert!((9..=10).contains(&soon), "{soon}");
        house.advance(hours(3)).await;
        let before = indent.calls("GET petitions/");
        for _ in 0..20 {
            house.advance(seconds(30)).await;
        }
        assert!(indent.calls("GET petitions/") - before <= 2);
        indent.finish(house).await;
    }

    async fn a_denial_closes_it_here_and_there(db: TestDb) {
        let indent = Indent::start().await;
        let house = indent.house(db).await;
        house.asked().await;
        house.denies(BO, "use the replica").await;
        assert_eq!(indent.claims(), ["deny by bo@acme.test"]);
        assert_eq!((indent.claim(0)["reason"].as_str(), indent.phase()), (Some("use the replica"), "closed".to_owned()));
        assert!(house.reads(ANA).contains("bo denied your petition"), "{}", house.reads(ANA));
        house.advance(seconds(31)).await;
        indent.finish(house).await;
    }

    /// Who sees everything whatever Slack says does not wait for it.
    async fn what_an_administrator_closes_while_slack_is_away_is_closed_there(db: TestDb) {
        let indent = Indent::start().await;
        let house = indent.house(db).await;
        house.asked().await;
        let token = house.token_of("dan", &[Scope::Admin], None).await;
        let petition = indent.petitions().remove(0);
        let name = petition["meta"]["labels"]["latchkey/petition"].as_str().unwrap();
        let url = format!("{}/v1/spaces/{SPACE}/petitions/{name}", house.bot);
        let body = json!({ "petition": { "state": { "status": { "phase": "closed" } } } });
        house.slack.fault(Some("users.lookupByEmail"), 20, Fault::Status(500));
        let answer = house.http.put(url).bearer_auth(&token).json(&body).send().await.unwrap();
        house.slack.clear_faults();
        assert_eq!(answer.status().as_u16(), 200);
        house.settle().await;
        assert_eq!((indent.claims(), indent.phase()), (vec!["deny by ana@acme.test".to_owned()], "closed".to_owned()));
        house.advance(seconds(31)).await;
        indent.finish(house).await;
    }

    async fn what_its_petitioner_cancels_is_cancelled_there(db: TestDb) {
        let indent = Indent::start().await;
        let house = indent.house(db).await;
        house.asked().await;
        house.press(ANA, "Cancel request").await;
        house.settle().await;
        assert_eq!(indent.claims(), ["deny by ana@acme.test"]);
        assert_eq!(indent.phase(), "closed");
        indent.finish(house).await;
    }

    async fn what_its_holder_gives_back_is_over_at_once(db: TestDb) {
        let indent = Indent::start().await;
        let house = indent.house(db).await;
        granted(&house, &indent).await;
        indent.goes_down();
        house.press(ANA, "I'm done").await;
        assert!(!house.allows("ana", "123").await, "giving back waits for nobody");
        house.settle().await;
        assert!(!house.production.allows("ana@acme.test", "123"));
        assert!(house.reads(ANA).contains("has not answered for 0 s"), "{}", house.reads(ANA));
        indent.comes_back();
        house.advance(seconds(2)).await;
        assert_eq!(indent.claims().last().unwrap(), "revoke by ana@acme.test");
        assert!(!house.reads(ANA).contains("has not answered"), "{}", house.reads(ANA));
        indent.finish(house).await;
    }

    async fn a_revoke_here_takes_effect_while_the_space_is_away(db: TestDb) {
        let indent = Indent::start().await;
        let mut house = indent.house(db).await;
        granted(&house, &indent).await;
        indent.goes_down();
        house.press(BO, "Revoke").await;
        assert!(!house.allows("ana", "123").await);
        house.settle().await;
        house.advance(hours(2)).await;
        // It grants once more, not knowing better.
        assert_eq!(house.receive(&indent.event("access/grant").at(house.now()).body()).await.0, 200);
        assert!(!house.allows("ana", "123").await, "what was revoked here stays revoked");
        house.stop().await;
        house.start().await;
        indent.comes_back();
        house.advance(seconds(61)).await;
        assert_eq!(indent.claims().last().unwrap(), "revoke by bo@acme.test");
        assert_eq!(indent.phase(), "closed");
        indent.finish(house).await;
    }

    async fn without_a_revoke_it_ends_by_itself(db: TestDb) {
        let indent = Indent::start().await;
        let house = indent.house(db).await;
        granted(&house, &indent).await;
        indent.goes_down();
        house.clock.advance(hours(4));
        assert!(!house.allows("ana", "123").await);
        house.settle().await;
        assert!(!house.production.allows("ana@acme.test", "123"));
        assert!(house.reads(ANA).contains("its time was up"), "{}", house.reads(ANA));
        indent.finish(house).await;
    }

    async fn who_may_not_review_here_is_not_heard_there(db: TestDb) {
        let indent = Indent::start().await;
        let house = indent.house(db).await;
        house.asked().await;
        let said = house.hears(DAN, CHANNEL, "Approve").await;
        assert!(said.contains("reviewer"), "{said}");
        let said = house.hears(ANA, CHANNEL, "Approve").await;
        assert!(!said.is_empty());
        house.settle().await;
        assert_eq!(indent.claims(), Vec::<String>::new());
        indent.finish(house).await;
    }

    async fn what_nobody_decides_is_closed_there_too(db: TestDb) {
        let indent = Indent::start().await;
        let house = indent.house(db).await;
        house.asked().await;
        house.advance(hours(24)).await;
        assert_eq!((indent.claims(), indent.phase()), (vec!["deny by ana@acme.test".to_owned()], "closed".to_owned()));
        indent.finish(house).await;
    }
}
