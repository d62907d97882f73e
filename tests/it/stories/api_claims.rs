//! Claims over the HTTP API: who speaks, what a repeat is, and who comes too late.

use latchkey::http::auth::Scope;
use serde_json::{Value, json};

use crate::harness::{
    acts::{ONE_LEAD, TWO_LEADS, file},
    api::{Program, approval, claim, claims_of, history, name, phase},
    databases::TestDb,
    house::{BO, House},
    office::{hours, minutes, seconds},
};

async fn petitioners(house: &House, names: &[&str]) -> Vec<Program> {
    let mut programs = Vec::new();
    for name in names {
        programs.push(house.program(name, &[Scope::Petition]).await);
    }
    programs
}

/// A claim that says somebody else made it.
fn as_somebody(event: &str, who: &str) -> Value {
    let mut claim = claim(event);
    claim["claim"]["actor"] = json!({ "kind": "user", "email": format!("{who}@acme.test") });
    claim
}

both_databases! {
    /// The SDK repeats what it got no answer to, up to three times: each is the same claim.
    async fn a_claim_again_is_the_same_claim(db: TestDb) {
        let house = House::plan(db).file(&file(&["bo", "cy"], "", TWO_LEADS)).build().await;
        let people = petitioners(&house, &["ana", "bo", "cy"]).await;
        let [ana, bo, cy] = &people[..] else { unreachable!() };
        let asked = ana.asks().await;
        let path = claims_of(&asked);
        let (one, two, three) = tokio::join!(
            bo.post(&path, approval("1h0m0s")), bo.post(&path, approval("1h0m0s")), bo.post(&path, approval("1h0m0s"))
        );
        let first = one.ok();
        assert_eq!((&two.ok(), &three.ok()), (&first, &first));
        assert_eq!(phase(&ana.shows(&asked).await), "open", "one person is one approval");
        let other = bo.post(&path, approval("2h0m0s")).await;
        other.refused(409, 6, "already_exists");
        assert_eq!(other.header("x-should-retry"), "false");
        cy.claims(&asked, "access/approve").await.ok();
        assert_eq!(bo.post(&path, approval("1h0m0s")).await.ok(), first, "also once it is granted");
        let revoke = cy.claims(&asked, "access/revoke").await.ok();
        assert_eq!(cy.claims(&asked, "access/revoke").await.ok(), revoke, "also once it is closed");
        assert_eq!(history(&ana.shows(&asked).await), ["access/request", "access/approve", "access/approve", "access/grant", "access/revoke"]);
        house.finish().await;
    }

    /// An approval that names its end gives nothing beyond it, and is the same claim when it comes again with less time
    /// left.
    async fn an_approval_may_name_its_end(db: TestDb) {
        let house = House::plan(db).file(&file(&["bo", "cy"], "", TWO_LEADS)).build().await;
        let people = petitioners(&house, &["ana", "bo", "cy"]).await;
        let [ana, bo, cy] = &people[..] else { unreachable!() };
        let until = |end: &str, duration: &str| {
            let mut claim = approval(duration);
            claim["claim"]["meta"]["labels"]["indent.com/time/expires"] = json!(end);
            claim
        };
        let asked = ana.asks().await;
        let path = claims_of(&asked);
        let over = house.now().to_string();
        for bad in ["tomorrow", over.as_str()] {
            bo.post(&path, until(bad, "1h0m0s")).await.refused(400, 3, "invalid_argument");
        }
        let end = (house.now() + minutes(90)).to_string();
        let first = bo.post(&path, until(&end, "2h0m0s")).await.ok();
        assert_eq!(first["meta"]["labels"]["indent.com/time/duration"], "1h30m0s", "{first}");
        house.clock.advance(seconds(1));
        assert_eq!(bo.post(&path, until(&end, "2h0m0s")).await.ok(), first, "less time is left, and it is the same");
        assert_eq!(phase(&ana.shows(&asked).await), "open", "one person is one approval");
        bo.post(&path, until(&end, "1h0m0s")).await.refused(409, 6, "already_exists");
        cy.post(&path, until(&end, "0s")).await.ok();
        assert_eq!(house.check("ana", "123").await.1["expires_at"], end);
        house.advance(minutes(90)).await;
        assert!(!house.allows("ana", "123").await);
        assert_eq!(bo.post(&path, until(&end, "2h0m0s")).await.ok(), first, "also once it is over");

        // However late the others approve, who named an end is not taken to have meant a length.
        let path = claims_of(&ana.asks().await);
        let end = (house.now() + minutes(60)).to_string();
        bo.post(&path, until(&end, "0s")).await.ok();
        house.advance(minutes(50)).await;
        cy.post(&path, approval("0s")).await.ok();
        assert_eq!(house.check("ana", "123").await.1["expires_at"], end);
        let path = claims_of(&ana.asks().await);
        let end = (house.now() + minutes(60)).to_string();
        bo.post(&path, until(&end, "0s")).await.ok();
        house.advance(minutes(60)).await;
        cy.post(&path, approval("0s")).await.refused(409, 6, "already_exists");
        assert!(!house.allows("ana", "123").await);
        house.finish().await;
    }

    /// A claim is listed, and can be got, by whoever sees its petition.
    async fn claims_are_listed_and_got(db: TestDb) {
        let house = House::plan(db).file(&file(&["bo", "cy"], "", TWO_LEADS)).build().await;
        let people = petitioners(&house, &["ana", "bo", "cy"]).await;
        let [ana, bo, cy] = &people[..] else { unreachable!() };
        let asked = ana.asks().await;
        let mut approve = claim("access/approve");
        approve["claim"]["reason"] = json!("go ahead, “naïve” 顧客 %2F");
        let made = bo.post(&claims_of(&asked), approve).await.ok();
        assert_eq!((&made["actor"]["email"], &made["reason"]), (&json!("bo@acme.test"), &json!("go ahead, “naïve” 顧客 %2F")));
        assert_eq!(made["resources"][0]["email"], "ana@acme.test", "the petitioner comes first");
        house.clock.advance(hours(1));
        let second = cy.claims(&asked, "access/approve").await.ok();
        let (all, pages) = ana.all(&format!("{}?pageSize=1", claims_of(&asked)), "claims").await;
        assert_eq!((all, pages), (vec![made.clone(), second], 2));
        let path = format!("{}/{}", claims_of(&asked), made["meta"]["name"].as_str().unwrap());
        assert_eq!(ana.get(&path).await.ok(), made);
        ana.get(&format!("{}/clm_0", claims_of(&asked))).await.refused(404, 5, "not_found");
        house.finish().await;
    }

    /// I7, I1: the actor is the token's subject, whatever the body says.
    async fn nobody_speaks_for_somebody_else(db: TestDb) {
        let house = House::plan(db).file(&file(&["ana", "bo"], "", ONE_LEAD)).build().await;
        let people = petitioners(&house, &["ana", "bo", "dan"]).await;
        let [ana, bo, dan] = &people[..] else { unreachable!() };
        let asked = ana.asks().await;
        ana.post(&claims_of(&asked), as_somebody("access/approve", "bo")).await.refused(403, 7, "permission_denied");
        dan.post(&claims_of(&asked), as_somebody("access/approve", "bo")).await.refused(404, 5, "not_found");
        let root = house.program("root", &[Scope::Admin]).await;
        root.post(&claims_of(&asked), as_somebody("access/approve", "bo")).await.refused(403, 7, "permission_denied");
        let root = house.program("root", &[Scope::Admin, Scope::Petition]).await;
        root.claims(&asked, "access/approve").await.refused(403, 7, "permission_denied");
        let check = house.program("bo", &[Scope::Check]).await;
        check.claims(&asked, "access/approve").await.refused(403, 7, "permission_denied");
        assert!(!house.allows("ana", "123").await);
        let made = bo.post(&claims_of(&asked), as_somebody("access/approve", "dan")).await.ok();
        assert_eq!(made["actor"]["email"], "bo@acme.test");
        house.finish().await;
    }

    /// The policy judges the person whom a trusted bot names; both are on record.
    async fn a_trusted_bot_names_the_person(db: TestDb) {
        let house = House::plan(db).file(&file(&["ana", "bo"], "", ONE_LEAD)).build().await;
        let ana = house.program("ana", &[Scope::Petition]).await;
        let bot = house.program("bot", &[Scope::Delegate]).await;
        let asked = ana.asks().await;
        bot.claims(&asked, "access/approve").await.refused(403, 7, "permission_denied");
        for who in ["ana", "dan", "bot"] {
            bot.post(&claims_of(&asked), as_somebody("access/approve", who)).await.refused(403, 7, "permission_denied");
        }
        let own = house.program("ana", &[Scope::Petition, Scope::Delegate]).await;
        own.post(&claims_of(&asked), as_somebody("access/approve", "bo")).await.refused(403, 7, "permission_denied");
        let made = bot.post(&claims_of(&asked), as_somebody("access/approve", "bo")).await.ok();
        assert_eq!(made["actor"]["email"], "bo@acme.test");
        assert_eq!(made["meta"]["labels"]["latchkey/delegate"], "bot@acme.test");
        assert!(house.allows("ana", "123").await);
        house.finish().await;
    }

    /// Who comes too late learns how it stands, and that repeating is pointless.
    async fn the_second_of_two_learns_who_was_first(db: TestDb) {
        let house = House::plan(db).file(&file(&["bo", "cy"], "", ONE_LEAD)).build().await;
        let people = petitioners(&house, &["ana", "bo", "cy"]).await;
        let [ana, bo, cy] = &people[..] else { unreachable!() };
        let asked = ana.asks().await;
        bo.claims(&asked, "access/revoke").await.refused(409, 6, "already_exists");
        bo.claims(&asked, "access/approve").await.ok();
        for event in ["access/approve", "access/deny"] {
            let late = cy.claims(&asked, event).await;
            assert!(late.refused(409, 6, "already_exists").contains("approved by bo@acme.test"), "{late:?}");
            assert_eq!(late.header("x-should-retry"), "false");
        }
        ana.claims(&asked, "access/revoke").await.ok();
        let late = cy.claims(&asked, "access/revoke").await;
        assert!(late.refused(409, 6, "already_exists").contains("gave the access back"), "{late:?}");
        for bad in ["access/grant", "access/request", "", "approve"] {
            bo.claims(&asked, bad).await.refused(400, 3, "invalid_argument");
        }
        house.finish().await;
    }

    /// Slack and the API are two doors to one petition: who approves in the one counts in the other.
    async fn two_doors_lead_to_one_petition(db: TestDb) {
        let house = House::plan(db).file(&file(&["bo", "cy"], "", TWO_LEADS)).build().await;
        house.asked().await;
        let cy = house.program("cy", &[Scope::Petition]).await;
        let (found, _) = cy.all("/petitions", "petitions").await;
        let asked = &found[0];
        cy.claims(asked, "access/approve").await.ok();
        house.press(BO, "Approve").await;
        house.settle().await;
        assert!(house.allows("ana", "123").await);
        let granted = cy.shows(asked).await;
        assert_eq!((phase(&granted), history(&granted).len()), ("granted", 4));
        let bo = house.program("bo", &[Scope::Petition]).await;
        assert_eq!(bo.claims(asked, "access/approve").await.ok()["actor"]["email"], "bo@acme.test", "made before, in Slack");
        assert!(!name(&granted).is_empty());
        house.finish().await;
    }

    /// Somebody whom no Slack knows is who the token says; and with one approval in the API, the last one in Slack counts both.
    async fn people_outside_slack_decide_by_token(db: TestDb) {
        let house = House::plan(db).file(&file(&["eve", "bo"], "", TWO_LEADS)).build().await;
        house.asked().await;
        let eve = house.program("eve", &[Scope::Petition]).await;
        let (found, _) = eve.all("/petitions", "petitions").await;
        eve.claims(&found[0], "access/approve").await.ok();
        house.press(BO, "Approve").await;
        house.settle().await;
        assert!(house.allows("ana", "123").await);
        house.finish().await;
    }
}
