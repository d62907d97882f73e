//! `serve` and `worker`: they start, say what they do, and end when they are told to.

use latchkey::{
    clock::SystemClock,
    demo::production::Trouble,
    domain::{clock::Clock, signature::sign_v0},
};
use serde_json::Value;

use super::site::{BOT_TOKEN, LONG, Site, provisioner, until};
use crate::harness::{
    acts::FORM,
    databases::TestDb,
    events::Event,
    fixtures::{Door, Fixture},
    house::{ANA, BO, CY, PRODUCTION_SECRET, SLACK_SECRET, WEBHOOK_SECRET},
};

both_databases! {
    async fn the_whole_story_in_real_time(db: TestDb) {
        let site = Site::new(db).await;
        let (server, url) = site.serve().await;
        let token = site.token("check").await;
        assert!(!site.allows(&url, &token).await);
        site.granted("10s").await;
        assert!(site.allows(&url, &token).await);
        let told = site.applied(2).await;
        assert_eq!([told[0].kind(), told[1].kind()], ["access/grant", "access/revoke"]);
        assert!(!site.allows(&url, &token).await);
        assert!(!site.production.allows("ana@acme.test", "123"));
        assert_eq!(site.slack.violations(), Vec::<String>::new());
        server.stop().await;
        let verified = site.run(&["audit", "verify"]).await;
        assert_eq!(verified.code, Some(0), "{verified:?}");
    }

    /// The numbers an operator is promised, and that they mean what they say.
    async fn the_numbers_are_right(db: TestDb) {
        let site = Site::new(db).await;
        let (server, url) = site.serve().await;
        let value = async |name: &str| site.metric(&url, name).await.unwrap_or_else(|| panic!("no {name}"));
        assert_eq!(value("latchkey_database_up").await, 1.0);
        assert_eq!(value("latchkey_leases_live").await, 0.0);
        assert_eq!(value("latchkey_oldest_undelivered_revoke_seconds").await, 0.0);
        for lane in ["expire-leases", "grant:production", "revoke:production", "notify", "sync-customers", "tidy", "warn-holders"] {
            assert_eq!(value(&format!("latchkey_worker_up{{worker=\"{lane}\"}}")).await, 1.0, "{lane}");
        }
        site.granted("4h").await;
        site.applied(1).await;
        let delivered = "latchkey_deliveries_total{provisioner=\"production\",kind=\"grant\",result=\"applied\"}";
        until!("the grant is counted", site.metric(&url, delivered).await == Some(1.0));
        assert_eq!(value("latchkey_leases_live").await, 1.0);
        site.production.set_down(Some(Trouble::Status(503)));
        site.press(CY, "Revoke").await;
        let oldest = "latchkey_oldest_undelivered_revoke_seconds";
        until!("the revoke grows old", site.metric(&url, oldest).await.is_some_and(|age| age > 2.0));
        assert_eq!(value("latchkey_undelivered{kind=\"revoke\"}").await, 1.0);
        assert_eq!(value("latchkey_leases_live").await, 0.0);
        let failed = "latchkey_deliveries_total{provisioner=\"production\",kind=\"revoke\",result=\"failed\"}";
        until!("it is tried again", site.metric(&url, failed).await.is_some_and(|count| count >= 2.0));
        site.production.set_down(None);
        until!("it is delivered", site.metric(&url, oldest).await == Some(0.0));
        let text = site.http.get(format!("{url}/metrics")).send().await.unwrap();
        assert!(text.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));
        let text = text.text().await.unwrap();
        for name in ["latchkey_http_request_seconds_bucket", "latchkey_jobs_total", "latchkey_slack_messages_total", "latchkey_messages_unsent"] {
            assert!(text.contains(name), "no {name}");
        }
        assert!(!text.contains("acme.test"), "e-mails are nobody's metric");
        server.stop().await;
    }

    /// Slack adds kinds of payload without asking. Each of them is counted, and no other.
    async fn what_slack_sends_and_nobody_knows_is_counted(db: TestDb) {
        const ACTIONS: [&str; 8] = ["approve", "deny", "revoke", "done", "withdraw", "extend", "request", "ask-again"];
        let unknown = |door, value: &Value| match (door, value["type"].as_str()) {
            (Door::Commands, _) => usize::from(value["ssl_check"].is_null() && value["user_id"].is_null()),
            (Door::Interactions, Some("block_actions")) => {
                let ids = value["actions"].as_array().unwrap().iter().map(|action| action["action_id"].as_str().unwrap());
                ids.filter(|id| !ACTIONS.contains(id)).count()
            }
            (Door::Interactions, Some("view_submission")) => usize::from(value["view"]["callback_id"] == "of-a-later-version"),
            (Door::Interactions, Some("view_closed")) => 0,
            (Door::Events, Some("url_verification" | "app_rate_limited")) => 0,
            (Door::Events, Some("event_callback")) => {
                usize::from(!["app_home_opened", "message"].contains(&value["event"]["type"].as_str().unwrap_or_default()))
            }
            (Door::Interactions | Door::Events, _) => 1,
            (Door::Options, _) => unreachable!("whatever is looked for, nothing that is found is an answer"),
        };
        let site = Site::new(db).await;
        let (server, url) = site.serve().await;
        let counted = async || site.metric(&url, "latchkey_slack_unknown_payloads_total").await.unwrap_or_default();
        let mut expected = 0;
        for door in [Door::Commands, Door::Interactions, Door::Events] {
            for Fixture { name, value } in door.fixtures(&site.slack) {
                let answer = site.slack.send_raw(door.path(), FORM, door.body(&value)).await;
                assert_eq!(answer.status, 200, "{door:?} {name}");
                expected += unknown(door, &value);
                until!("it is counted, and only once", counted().await == expected as f64);
            }
        }
        assert!(expected > 50, "{expected}");
        server.stop().await;
    }

    /// What a receiver that hangs is owed is still owed after the end.
    async fn a_signal_ends_it_in_good_order(db: TestDb) {
        let site = Site::new(db).await;
        site.write(&provisioner("60s"));
        let (server, _) = site.serve().await;
        site.production.next([Trouble::Hang]);
        site.granted("4h").await;
        site.arrived(1).await;
        server.stop().await;
    }

    async fn web_and_worker_can_be_two_processes(db: TestDb) {
        let site = Site::new(db).await;
        let web = site.start(&["serve", "--no-worker"]);
        let url = web.url().await;
        site.ready(&url).await;
        site.slack.connect(&url);
        let answer = site.http.get(format!("{url}/readyz")).send().await.unwrap().json::<Value>().await.unwrap();
        assert_eq!(answer["workers"], serde_json::json!({}));
        let worker = site.start(&["worker"]);
        until!("customers are read", site.run(&["audit", "export"]).await.out.contains("customers.synced"));
        site.granted("4h").await;
        site.applied(1).await;
        site.press(ANA, "I'm done").await;
        site.applied(2).await;
        worker.stop().await;
        // Nobody works now: what is asked for is stored, and waits.
        site.types("customer 200 for 1h to debug BUG-483").await;
        let worker = site.start(&["worker"]);
        site.press(BO, "Approve").await;
        site.applied(3).await;
        worker.stop().await;
        web.stop().await;
    }

    /// Not even to whoever debugs.
    async fn the_log_keeps_secrets(db: TestDb) {
        let mut site = Site::new(db).await;
        site.set("RUST_LOG", "debug");
        site.set("LATCHKEY_SECRET", "0123456789-the-secret-that-signs-tokens");
        site.production.next([Trouble::Status(500), Trouble::Body(r#"{"error":"no"}"#)]);
        let (server, url) = site.serve().await;
        let token = site.token("check").await;
        site.granted("4h").await;
        site.applied(1).await;
        assert!(site.allows(&url, &token).await);
        site.press(ANA, "I'm done").await;
        site.applied(2).await;
        // A click that is refused is answered through the address in its payload.
        site.types("customer 200 for 1h to debug BUG-483").await;
        site.slack.wait_for("the card", LONG, |_| site.with_button("C0ACCESS", "Approve")).await.unwrap();
        let card = site.with_button("C0ACCESS", "Approve").unwrap();
        site.slack.press(ANA, &card, "Approve").await;
        site.slack.wait_for("the refusal", LONG, |slack| slack.ephemerals(ANA).last().cloned()).await.unwrap();
        let time = SystemClock.now().to_string();
        for secret in [WEBHOOK_SECRET, "wrong"] {
            let event = Event::grant().person("zoe").petition("p1").body();
            let signature = sign_v0(secret, &time, event.as_bytes());
            let request = site.http.post(format!("{url}/webhooks/indent")).header("x-indent-timestamp", &time);
            request.header("x-indent-signature", signature).body(event).send().await.unwrap();
        }
        let deliveries = site.applied(3).await;
        let log = server.log();
        assert!(log.lines().count() > 50, "this is not what `debug` looks like: {log}");
        let signature = deliveries[0].headers["x-indent-signature"].as_str();
        let mut secrets = vec![
            BOT_TOKEN, SLACK_SECRET, PRODUCTION_SECRET, WEBHOOK_SECRET, "the-secret-that-signs", &token, signature,
            "BUG-482", "BUG-483", "debug BUG", "/response/",
        ];
        secrets.extend(token.split('.'));
        for secret in secrets {
            let line = log.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "the log holds {secret}");
        }
        server.stop().await;
    }

    /// Colours are for terminals; a file of them is hard to search.
    async fn the_log_is_plain_text(db: TestDb) {
        let mut site = Site::new(db).await;
        site.set("LOG_FORMAT", "text");
        let server = site.start(&["serve"]);
        until!("it says that it runs", server.log().contains("latchkey runs"));
        assert!(!server.log().contains('\u{1b}'), "{:?}", server.log());
        server.stop().await;
    }
}
