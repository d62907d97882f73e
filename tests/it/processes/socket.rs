//! The real binary by Socket Mode: several servers at once, and a token that Slack refuses.

use latchkey::{demo::workspace::LinkFault, slack::manifest};
use serde_json::Value;

use super::site::{Site, until};
use crate::harness::{
    databases::{Kind, TestDb, run},
    house::{ANA, BO, CHANNEL, CY},
};

async fn site(db: TestDb) -> Site {
    let mut site = Site::new(db).await;
    site.slack.install(&serde_json::from_str::<Value>(&manifest::socket_json()).unwrap());
    site.set("SLACK_APP_TOKEN", &site.slack.app_token());
    site.set("SLACK_SIGNING_SECRET", "");
    site
}

/// SQLite is for one process that serves.
#[test]
fn two_servers_share_what_slack_sends() {
    run(Kind::Postgres, two);
}

async fn two(db: TestDb) {
    let site = site(db).await;
    let mut servers = Vec::new();
    for count in 1..=2 {
        let server = site.start(&["serve"]);
        let url = server.url().await;
        site.ready(&url).await;
        until!("it is connected", site.slack.links() == count);
        until!("it is counted", site.metric(&url, "latchkey_slack_socket_connections").await == Some(1.0));
        servers.push((server, url));
    }
    // One that only works takes nothing from Slack.
    let worker = site.start(&["worker"]);
    worker.url().await;
    let token = site.token("check").await;
    for n in 1..=4 {
        // Each envelope to one of them, then to both at the same time.
        if n > 2 {
            site.slack.link_fault(LinkFault::Everywhere);
        }
        site.types(&format!("customer 123 for {n}h to debug BUG-{n}")).await;
        if n > 2 {
            site.slack.link_fault(LinkFault::Everywhere);
        }
        site.press(BO, "Approve").await;
        site.applied(n).await;
        for (_, url) in &servers {
            assert!(site.allows(url, &token).await, "both know at once");
        }
        until!("the card is decided", site.with_button(BO, "Approve").is_none());
    }
    for place in [BO, CY, CHANNEL] {
        let cards = || {
            let cards = site.slack.messages(place).into_iter();
            cards.filter(|m| !m.is_reply() && m.plain().contains("Approved by")).count()
        };
        until!("each card is decided", cards() == 4 && site.with_button(place, "Approve").is_none());
        let all = site.slack.messages(place).into_iter().filter(|m| !m.is_reply() && m.plain().contains("AcmeCorp"));
        assert_eq!(all.count(), 4, "one card for each petition in {place}");
    }
    assert_eq!(site.slack.links(), 2);
    // The other one goes on when one is told to stop, and nobody notices.
    let mut servers = servers.into_iter();
    let (first, _) = servers.next().unwrap();
    first.stop().await;
    until!("one is left", site.slack.links() == 1);
    let listed = site.slack.command(ANA, CHANNEL, "/access", "list").await;
    assert_eq!(listed.problem, None);
    for (server, _) in servers {
        let log = server.log();
        assert!(!log.contains("ticket") && !log.contains("xapp-"), "a secret is in the log: {log}");
        server.stop().await;
    }
    worker.stop().await;
    let record = site.run(&["audit", "export"]).await.out;
    assert_eq!(record.matches("\"petition.opened\"").count(), 4, "{record}");
    assert_eq!(record.matches("\"provisioner.applied\"").count(), 4, "{record}");
    assert_eq!(site.slack.violations(), Vec::<String>::new());
}

#[test]
fn a_refused_token_is_told_with_its_remedy() {
    run(Kind::Sqlite, refused);
}

async fn refused(db: TestDb) {
    let mut site = site(db).await;
    site.set("SLACK_APP_TOKEN", "xapp-of-somebody-else");
    let server = site.start(&["serve"]);
    let url = server.url().await;
    until!("the log says what to do", server.log().contains("make a new app-level token"));
    site.ready(&url).await;
    let log = server.log();
    assert!(log.contains("SLACK_APP_TOKEN") && log.contains("invalid_auth"), "{log}");
    assert!(!log.contains("xapp-of"), "{log}");
    server.stop().await;

    // The manifest follows the setting.
    let shown = site.run(&["slack", "manifest", "--format", "json"]).await;
    let shown: Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!(shown["settings"]["socket_mode_enabled"], true);
    site.set("SLACK_APP_TOKEN", "");
    site.set("SLACK_SIGNING_SECRET", "s3cret");
    let asked = site.run(&["slack", "manifest", "--format", "json", "--socket-mode"]).await;
    assert_eq!(asked.err, "");
    assert_eq!(serde_json::from_str::<Value>(&asked.out).unwrap(), shown);
    let usual = site.run(&["slack", "manifest", "--format", "json"]).await;
    assert!(usual.out.contains("request_url") && usual.err.contains("--socket-mode"), "{usual:?}");
}
