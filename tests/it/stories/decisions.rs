//! Bots that are asked what they say: only where a rule names them, only for themselves, and the policy judges.

use jiff::{SignedDuration, Timestamp};
use latchkey::{domain::signature::sign_v0, http::auth::Scope, store::Db};
use serde_json::{Value, json};

use crate::harness::{
    databases::TestDb,
    hook::{Asked, Hook, Reply},
    house::{ANA, BO, CHANNEL, CY, House},
    office::{hours, minutes},
};

const BOT: &str = "oncall@acme.test";
const SECRET: &str = "wks0BOTSECRET";

/// A file with one rule and one bot at `hook`; `more` are further lines of the decision.
fn file(hook: &Hook, require: &str, more: &str) -> String {
    format!(
        r#"
[groups]
leads = ["bo@acme.test", "cy@acme.test"]

[[rule]]
name = "everyone"
require = [{require}]
notify = ["C0ACCESS"]

[[decision]]
name = "on-call bot"
bot = "{BOT}"
url = "{}"
secret = "{SECRET}"
{more}
"#,
        hook.url
    )
}

const BOT_ALONE: &str = r#"{ reviewers = ["oncall@acme.test"] }"#;
const BOT_OR_LEAD: &str = r#"{ reviewers = ["group:leads", "oncall@acme.test"] }"#;
const BOT_AND_LEAD: &str = r#"{ reviewers = ["oncall@acme.test"] }, { reviewers = ["group:leads"] }"#;

fn claim(event: &str, actor: &Value) -> Value {
    json!({ "event": event, "actor": actor, "reason": "on call", "resources": [], "meta": { "labels": {} } })
}

fn claims(claims: &[Value]) -> Value {
    json!({ "status": { "code": 0 }, "claims": claims })
}

fn bot() -> Value {
    json!({ "kind": "indent.v1.Bot", "id": "bot", "email": "OnCall@acme.test" })
}

fn approves() -> Value {
    claims(&[claim("access/approve", &bot())])
}

fn denies() -> Value {
    claims(&[claim("access/deny", &bot())])
}

fn nothing() -> Value {
    claims(&[])
}

async fn house(db: TestDb, hook: &Hook, require: &str, more: &str) -> House {
    House::plan(db).file(&file(hook, require, more)).build().await
}

fn assert_signed(asked: &Asked, now: Timestamp) {
    assert_eq!(asked.header("x-indent-timestamp"), now.to_string());
    assert_eq!(asked.header("x-indent-signature"), sign_v0(SECRET, &now.to_string(), asked.body.as_bytes()));
    assert_eq!(asked.header("webhook-timestamp"), now.as_second().to_string());
    assert!(asked.header("webhook-signature").starts_with("v1,"));
    assert_eq!(asked.header("content-type"), "application/json");
}

/// How many claims there are on anything, by whom.
async fn claimed(house: &House) -> Vec<(String, String)> {
    const SQL: &str = "SELECT maker, kind FROM claims ORDER BY at_us, maker";
    match house.store().db() {
        Db::Sqlite { read, .. } => sqlx::query_as(SQL).fetch_all(read).await.unwrap(),
        Db::Postgres(pool) => sqlx::query_as(SQL).fetch_all(pool).await.unwrap(),
    }
}

async fn cards(house: &House) -> Vec<String> {
    const SQL: &str = "SELECT dest FROM messages WHERE purpose = 'card' ORDER BY dest";
    match house.store().db() {
        Db::Sqlite { read, .. } => sqlx::query_scalar(SQL).fetch_all(read).await.unwrap(),
        Db::Postgres(pool) => sqlx::query_scalar(SQL).fetch_all(pool).await.unwrap(),
    }
}

both_databases! {
    /// Asked once, in Indent's words, and taken at its word where the rule says that it is enough.
    async fn a_bot_that_the_rule_names_can_grant_alone(db: TestDb) {
        let hook = Hook::saying(approves()).await;
        let house = house(db, &hook, BOT_OR_LEAD, "headers = { x-team = \"support\" }").await;
        house.asked().await;
        assert!(house.allows("ana", "123").await);
        let asked = hook.asked();
        let [question] = &asked[..] else { panic!("{asked:?}") };
        assert_signed(question, house.now());
        assert_eq!(question.header("x-team"), "support");
        let petition = question.json()["events"][0]["meta"]["labels"]["petition"].as_str().unwrap().to_owned();
        assert_eq!(question.header("webhook-id"), format!("{petition}-on-call-bot"));
        let ana = r#"{"kind":"user","id":"ana@acme.test","email":"ana@acme.test"}"#;
        assert_eq!(question.body, format!(
            r#"{{"events":[{{"event":"access/request","timestamp":"2026-03-02T09:00:00Z","actor":{ana},"reason":"debug BUG-482","resources":[{{"kind":"customer","id":"123","displayName":"AcmeCorp","labels":{{"plan":"enterprise"}}}}],"meta":{{"labels":{{"indent.com/petition":"{petition}","indent.com/petition/duration":"4h0m0s","petition":"{petition}"}}}}}}]}}"#
        ));
        // Nobody sends a card to a bot, and everybody else reads who it was.
        assert_eq!(cards(&house).await, [format!("channel:{CHANNEL}"), "email:bo@acme.test".into(), "email:cy@acme.test".into()]);
        assert!(house.reads(ANA).contains("on-call bot"), "{}", house.reads(ANA));
        house.expect_record(&["petition.opened", "claim.made", "petition.granted", "lease.began", "access.began"]).await;
        house.advance(hours(5)).await;
        assert!(!house.allows("ana", "123").await);
        assert_eq!(hook.asked().len(), 1, "asked once");
        house.finish().await;
    }

    async fn one_of_two_is_a_beginning(db: TestDb) {
        let hook = Hook::saying(approves()).await;
        let house = house(db, &hook, BOT_AND_LEAD, "").await;
        house.asked().await;
        assert!(!house.allows("ana", "123").await);
        assert_eq!(claimed(&house).await, [(BOT.to_owned(), "approve".to_owned())]);
        house.press(BO, "Approve").await;
        house.settle().await;
        assert!(house.allows("ana", "123").await, "the bot's word still counts, though Slack knows no such person");
        house.finish().await;
    }

    async fn its_denial_closes_the_petition_whatever_else_it_says(db: TestDb) {
        let both = claims(&[claim("access/approve", &bot()), claim("access/deny", &bot())]);
        for said in [denies(), both] {
            let hook = Hook::saying(said).await;
            let house = house(db.at(db.another().await), &hook, BOT_OR_LEAD, "").await;
            house.asked().await;
            assert!(!house.allows("ana", "123").await);
            house.expect_record(&["petition.opened", "claim.made", "petition.denied"]).await;
            assert!(house.with_button(BO, "Approve").is_none(), "{}", house.reads(BO));
            house.finish().await;
        }
    }

    /// No opinion, somebody else's words, words that mean nothing: people decide.
    async fn what_is_no_claim_of_its_own_is_ignored(db: TestDb) {
        let somebody = json!({ "kind": "user", "email": "bo@acme.test", "id": BOT });
        let other_id = json!({ "kind": "indent.v1.Bot", "id": "another" });
        let labelled = |labels: Value| {
            let mut claim = claim("access/approve", &bot());
            claim["meta"]["labels"] = labels;
            claims(&[claim])
        };
        let answers = [
            nothing(),
            json!({}),
            json!({ "status": {}, "claims": null }),
            claims(&[claim("access/approve", &somebody)]),
            claims(&[claim("access/deny", &somebody)]),
            claims(&[claim("access/approve", &other_id)]),
            claims(&[claim("access/revoke", &bot()), claim("access/grant", &bot()), json!("yes"), json!(null), json!([7])]),
            labelled(json!({ "petition": "0000000000000000" })),
            labelled(json!({ "indent.com/time/expires": "2026-03-02T09:00:00Z" })),
            labelled(json!({ "indent.com/time/expires": "soon" })),
            labelled(json!({ "indent.com/time/duration": 3 })),
            labelled(json!({ "indent.com/time/duration": "for ever" })),
        ];
        let hook = Hook::saying(nothing()).await;
        let house = house(db, &hook, BOT_OR_LEAD, "").await;
        for (n, said) in answers.iter().enumerate() {
            hook.says(Reply::Json(said.clone()));
            assert_eq!(house.types(ANA, &format!("customer 123 for 4h to debug BUG-{n}")).await.problem, None);
            house.settle().await;
            assert_eq!(hook.asked().len(), n + 1, "{said}");
            assert_eq!(claimed(&house).await, [], "{said}");
        }
        house.advance(hours(1)).await;
        assert_eq!(hook.asked().len(), answers.len(), "what was answered is not asked again");
        house.press(BO, "Approve").await;
        assert!(house.allows("ana", "123").await, "people decide");
        house.finish().await;
    }

    /// Without an actor, or named by its id, it speaks for itself.
    async fn it_need_not_introduce_itself(db: TestDb) {
        for actor in [Value::Null, json!({}), json!({ "kind": "indent.v1.Bot", "id": BOT })] {
            let hook = Hook::saying(claims(&[claim("access/approve", &actor)])).await;
            let house = house(db.at(db.another().await), &hook, BOT_ALONE, "").await;
            house.asked().await;
            assert!(house.allows("ana", "123").await, "{actor}");
            house.finish().await;
        }
    }

    async fn a_bot_that_the_rule_does_not_name_is_not_asked(db: TestDb) {
        let hook = Hook::saying(approves()).await;
        let rules = r#"
[[rule]]
name = "enterprise"
match = { plan = "enterprise" }
require = [{ reviewers = ["bo@acme.test"] }]
"#;
        let file = file(&hook, BOT_ALONE, "").replacen("[[rule]]", &format!("{rules}\n[[rule]]"), 1);
        let house = House::plan(db).file(&file).build().await;
        house.asked().await;
        assert!(hook.asked().is_empty());
        assert!(!house.allows("ana", "123").await);
        // The other rule names it.
        assert_eq!(house.types(ANA, "customer 200 for 4h to debug BUG-482").await.problem, None);
        house.settle().await;
        assert!(house.allows("ana", "200").await);
        house.finish().await;
    }

    async fn kinds_and_labels_choose_who_is_asked(db: TestDb) {
        for (more, asked) in [
            ("match = { plan = \"enterprise\" }", true),
            ("match = { plan = \"free\" }", false),
            ("match = { region = \"eu\" }", false),
            ("kinds = [\"customer\"]", true),
            ("kinds = [\"acme.v1.Vault\", \"customer\"]", true),
            ("kinds = [\"acme.v1.Vault\"]", false),
            ("dry_run = true", false),
        ] {
            let hook = Hook::saying(approves()).await;
            let house = house(db.at(db.another().await), &hook, BOT_OR_LEAD, more).await;
            house.asked().await;
            assert_eq!((hook.asked().len(), house.allows("ana", "123").await), (usize::from(asked), asked), "{more}");
            house.finish().await;
        }
    }

    /// A bot has no say in what it asks for itself, as nobody has.
    async fn it_is_not_asked_about_its_own_petition(db: TestDb) {
        let hook = Hook::saying(claims(&[claim("access/approve", &Value::Null)])).await;
        let house = house(db, &hook, BOT_OR_LEAD, "").await;
        house.program("oncall", &[Scope::Petition]).await.asks().await;
        house.settle().await;
        assert!(hook.asked().is_empty());
        assert!(!house.allows("oncall", "123").await);
        house.finish().await;
    }

    /// Garbage, an outage, a redirect, silence: it is asked again, each time signed anew, until it answers.
    async fn it_is_asked_until_it_answers(db: TestDb) {
        let elsewhere = Hook::saying(approves()).await;
        let hook = Hook::saying(approves()).await;
        let troubles = [
            Reply::Text(500, String::new()),
            Reply::Text(200, "<html>".to_owned()),
            Reply::Text(200, "[]".to_owned()),
            Reply::Json(json!({ "status": { "code": 2, "message": "no" }, "claims": [claim("access/approve", &bot())] })),
            Reply::Json(json!({ "error": { "message": "no" }, "claims": [claim("access/approve", &bot())] })),
            Reply::Json(json!({ "claims": { "event": "access/approve" } })),
            Reply::Text(500, approves().to_string()),
            Reply::Text(200, format!("{}{}", approves(), " ".repeat(1 << 20))),
            Reply::Redirect(elsewhere.url.clone()),
            Reply::Hang,
        ];
        hook.next(troubles.clone());
        let house = house(db, &hook, BOT_ALONE, "timeout = \"4s\"").await;
        let start = house.now();
        house.asked().await;
        for n in 1..=troubles.len() {
            assert_eq!(hook.asked().len(), n);
            assert!(!house.allows("ana", "123").await, "{:?}", troubles[n - 1]);
            house.advance(minutes(1)).await;
        }
        assert!(house.allows("ana", "123").await);
        let asked = hook.asked();
        for (n, question) in asked.iter().enumerate() {
            assert_signed(question, start + minutes(n as i64));
            assert_eq!((&question.body, question.header("webhook-id")), (&asked[0].body, asked[0].header("webhook-id")));
        }
        assert!(elsewhere.asked().is_empty(), "a redirect is not followed");
        house.finish().await;
    }

    async fn what_is_closed_meanwhile_is_not_asked_about(db: TestDb) {
        let hook = Hook::saying(approves()).await;
        hook.next([Reply::Text(503, String::new())]);
        let house = house(db, &hook, BOT_OR_LEAD, "").await;
        house.asked().await;
        house.denies(BO, "not now").await;
        house.advance(hours(1)).await;
        assert_eq!(hook.asked().len(), 1);
        assert!(!house.allows("ana", "123").await);
        house.finish().await;
    }

    /// The rule of the instant at which it answers judges it, not the one that asked.
    async fn the_policy_of_today_judges(db: TestDb) {
        let hook = Hook::saying(approves()).await;
        hook.next([Reply::Text(503, String::new())]);
        let before = file(&hook, BOT_OR_LEAD, "");
        let mut house = House::plan(db).file(&before).build().await;
        house.asked().await;
        let other = r#"[[rule]]
name = "enterprise"
match = { plan = "enterprise" }
require = [{ reviewers = ["group:leads"] }]
"#;
        house.restart_with(&before.replacen("[[rule]]", &format!("{other}\n[[rule]]"), 1)).await;
        house.advance(minutes(1)).await;
        assert_eq!(hook.asked().len(), 2);
        assert_eq!(claimed(&house).await, []);
        assert!(!house.allows("ana", "123").await);
        house.advance(hours(1)).await;
        assert_eq!(hook.asked().len(), 2, "its answer was heard");
        house.finish().await;
    }

    /// Owed across a restart; and when the file has no such decision any more, nobody is asked.
    async fn a_question_outlives_the_process_but_not_the_file(db: TestDb) {
        let hook = Hook::saying(approves()).await;
        hook.next([Reply::Text(503, String::new()), Reply::Text(503, String::new())]);
        let with = file(&hook, BOT_OR_LEAD, "");
        let mut house = House::plan(db).file(&with).build().await;
        house.asked().await;
        house.restart_with(&with).await;
        house.advance(minutes(1)).await;
        assert_eq!(hook.asked().len(), 2);
        house.stop().await;
        house.rewrite(with.split("[[decision]]").next().unwrap());
        house.start().await;
        house.advance(minutes(3)).await;
        house.advance(SignedDuration::from_secs(1)).await;
        house.stop().await;
        house.rewrite(&with);
        house.start().await;
        house.advance(hours(1)).await;
        assert_eq!(hook.asked().len(), 2, "it was closed when nobody was there to ask");
        house.finish().await;
    }

    /// The label's length, never beyond the label's end, never beyond the rule's maximum.
    async fn it_says_for_how_long(db: TestDb) {
        for (labels, until) in [
            (json!({ "indent.com/time/duration": "1h30m0s" }), "2026-03-02T10:30:00Z"),
            (json!({ "indent.com/time/duration": "0.5h" }), "2026-03-02T09:30:00Z"),
            (json!({ "indent.com/time/duration": "0s" }), "2026-03-02T13:00:00Z"),
            (json!({ "indent.com/time/duration": "-1ns" }), "2026-03-02T13:00:00Z"),
            (json!({ "indent.com/time/duration": "200h0m0s" }), "2026-03-03T09:00:00Z"),
            (json!({ "indent.com/time/expires": "2026-03-02T10:00:00Z" }), "2026-03-02T10:00:00Z"),
            (json!({ "indent.com/time/expires": "2026-03-02T23:00:00Z" }), "2026-03-02T13:00:00Z"),
            (json!({ "indent.com/time/duration": "3h", "indent.com/time/expires": "2026-03-02T10:00:00Z" }), "2026-03-02T10:00:00Z"),
            (json!({ "indent.com/time/duration": "15m", "indent.com/time/expires": "2026-03-02T10:00:00Z" }), "2026-03-02T09:15:00Z"),
        ] {
            let mut approval = claim("access/approve", &bot());
            approval["meta"]["labels"] = labels.clone();
            let hook = Hook::saying(claims(&[approval])).await;
            let house = house(db.at(db.another().await), &hook, BOT_ALONE, "").await;
            house.asked().await;
            assert_eq!(house.check("ana", "123").await.1["expires_at"], until, "{labels}");
            house.finish().await;
        }
    }

    /// When the bot is the last of several, those who approved before it are judged with today's facts.
    async fn it_may_be_the_last_of_several(db: TestDb) {
        let hook = Hook::saying(approves()).await;
        hook.next([Reply::Text(503, String::new())]);
        let house = house(db, &hook, BOT_AND_LEAD, "").await;
        house.asked().await;
        house.press(BO, "Approve").await;
        house.settle().await;
        assert!(!house.allows("ana", "123").await);
        house.advance(minutes(1)).await;
        assert!(house.allows("ana", "123").await);
        house.finish().await;
    }

    /// Who has lost the right since is not counted with it.
    async fn an_approval_of_somebody_who_left_does_not_count_beside_it(db: TestDb) {
        let hook = Hook::saying(approves()).await;
        hook.next([Reply::Text(503, String::new())]);
        let house = house(db, &hook, BOT_AND_LEAD, "").await;
        house.asked().await;
        house.press(BO, "Approve").await;
        house.settle().await;
        house.slack.update_person(BO, |bo| bo.deleted = true);
        house.advance(minutes(1)).await;
        assert_eq!(hook.asked().len(), 2);
        assert!(!house.allows("ana", "123").await);
        house.press_in(CY, CY, "Approve").await;
        house.settle().await;
        assert!(house.allows("ana", "123").await);
        house.finish().await;
    }
}
