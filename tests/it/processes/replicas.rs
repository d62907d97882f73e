//! Several processes on one PostgreSQL share the work, and nothing is done twice.

use super::site::{Site, until};
use crate::harness::{
    databases::{Kind, TestDb, run},
    house::{BO, CHANNEL, CY},
};

/// SQLite is for one process that serves.
#[test]
fn three_servers_are_one() {
    run(Kind::Postgres, three);
}

async fn three(db: TestDb) {
    let mut site = Site::new(db).await;
    // An empty database, so that they meet over its migrations too.
    let empty = site.db.another().await;
    site.set("DATABASE_URL", &empty);
    let mut servers = Vec::new();
    for _ in 0..3 {
        servers.push(site.start(&["serve"]));
    }
    let mut urls = Vec::new();
    for server in &servers {
        let url = server.url().await;
        site.ready(&url).await;
        urls.push(url);
    }
    let count = |record: &str, word: &str| record.matches(&format!("\"{word}\"")).count();
    until!("customers are read", count(&site.run(&["audit", "export"]).await.out, "customers.synced") > 0);

    let token = site.token("check").await;
    for (n, url) in urls.iter().enumerate() {
        site.slack.connect(url);
        site.types(&format!("customer 123 for {}h to debug BUG-{n}", n + 1)).await;
        site.press(BO, "Approve").await;
        for url in &urls {
            assert!(site.allows(url, &token).await, "all of them know at once");
        }
        let told = site.applied(n + 1).await;
        assert_eq!(told[n].label("latchkey/version"), (n + 1).to_string());
        for place in [BO, CY, CHANNEL] {
            let is_decided = || {
                let decided = site
                    .slack
                    .messages(place)
                    .into_iter()
                    .filter(|m| !m.is_reply() && m.plain().contains("Approved by"))
                    .count();
                decided == n + 1 && site.with_button(place, "Approve").is_none()
            };
            until!("each card is there once, and decided", is_decided());
        }
    }
    assert_eq!(site.production.deliveries().len(), 3, "one delivery for each grant");
    for place in [BO, CY, CHANNEL] {
        let cards = site.slack.messages(place).into_iter();
        let cards = cards.filter(|m| !m.is_reply() && m.plain().contains("Approved by")).count();
        assert_eq!(cards, 3, "one card for each petition in {place}");
    }
    for (server, url) in servers.into_iter().zip(&urls) {
        // The others go on when one is told to stop.
        server.stop().await;
        if url != &urls[2] {
            assert!(site.allows(&urls[2], &token).await);
        }
    }
    let record = site.run(&["audit", "export"]).await.out;
    assert_eq!(count(&record, "customers.synced"), 1, "the schedule fired once: {record}");
    assert_eq!(count(&record, "access.began"), 1);
    assert_eq!(count(&record, "provisioner.applied"), 3);
    assert_eq!(site.run(&["audit", "verify"]).await.code, Some(0));
    assert_eq!(site.slack.violations(), Vec::<String>::new());
}
