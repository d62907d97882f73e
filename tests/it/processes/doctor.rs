//! `latchkey doctor` by the real binary, on a healthy site and on one that lacks one thing after the other.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use latchkey::{clock::SystemClock, demo::workspace::Fault, domain::clock::Clock, slack::scopes::SCOPES};
use serde_json::Value;

use super::site::{BOT_TOKEN, Done, LONG, Site, provisioner, until};
use crate::harness::{
    databases::{Kind, TestDb, run},
    house::{ANA, BO, CHANNEL, CY, FILE, PRODUCTION_SECRET, SLACK_SECRET, file_with},
};

const SIGNING_SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A site where nothing is wrong.
async fn healthy(db: TestDb) -> Site {
    let mut site = Site::new(db).await;
    site.set("SLACK_SIGNING_SECRET", SIGNING_SECRET);
    site.set("PUBLIC_URL", "https://latchkey.example.com");
    assert_eq!(site.run(&["migrate"]).await.code, Some(0));
    site
}

/// What `doctor` found: the exit status, and each line as `status: what; remedy`.
async fn found(site: &Site) -> (Option<i32>, Vec<String>) {
    let done = site.run(&["doctor", "--json"]).await;
    assert_eq!(done.err, "", "{done:?}");
    let checks: Vec<Value> = serde_json::from_str(&done.out).unwrap();
    let text = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
    for check in &checks {
        let fine = text(check, "status") == "ok";
        assert_eq!(fine, check["remedy"].is_null(), "what is not fine has a remedy: {check}");
        assert!(!text(check, "group").is_empty() && !text(check, "check").is_empty(), "{check}");
    }
    let line = |check| format!("{}: {}; {}", text(check, "status"), text(check, "check"), text(check, "remedy"));
    let lines: Vec<String> = checks.iter().map(line).collect();
    for secret in [BOT_TOKEN, SIGNING_SECRET, SLACK_SECRET, PRODUCTION_SECRET, "s3cret"] {
        assert!(!done.out.contains(secret), "a secret is printed: {}", done.out);
    }
    (done.code, lines)
}

fn wrong(lines: &[String]) -> Vec<&String> {
    lines.iter().filter(|line| !line.starts_with("ok: ")).collect()
}

/// Exactly these are wrong, in their order, each with all of its words; the exit status says whether one failed.
async fn finds(site: &Site, expected: &[&[&str]]) {
    let (code, lines) = found(site).await;
    let wrong = wrong(&lines);
    assert_eq!(wrong.len(), expected.len(), "{expected:?}: {wrong:#?}");
    for (line, words) in wrong.iter().zip(expected) {
        assert!(line.starts_with(words[0]), "{words:?}: {line}");
        for word in *words {
            assert!(line.contains(word), "“{word}” is missing: {line}");
        }
    }
    let failed = wrong.iter().any(|line| line.starts_with("fail: "));
    assert_eq!(code, Some(i32::from(failed)), "{wrong:?}");
}

fn everything_in(folder: &Path) -> BTreeSet<std::ffi::OsString> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
}

fn everybody_is_there(site: &Site) {
    site.slack.add_channel(CHANNEL, "access", &[ANA, BO, CY], true);
    for id in [ANA, BO, CY] {
        site.slack.update_person(id, |person| {
            person.deleted = false;
            person.is_restricted = false;
        });
    }
}

both_databases! {
    async fn a_healthy_installation_passes_and_nothing_changes(db: TestDb) {
        let site = healthy(db).await;
        let folder = site.db.url.strip_prefix("sqlite://").map(|path| Path::new(path).parent().unwrap().to_owned());
        let files = || folder.as_deref().map(everything_in);
        let before = files();
        finds(&site, &[]).await;
        assert_eq!(files(), before, "no file is left beside the database");
        let done: Done = site.run(&["doctor"]).await;
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{done:?}");
        for said in ["Settings\n", "\n  ok       the bot is in #access (C0ACCESS)\n", "6 customers, with the columns id, name, plan",
            "SLACK_BOT_TOKEN is @latchkey's", "“production” at http://127.0.0.1:", "takes our signature", " 0 warnings, 0 failed."] {
            assert!(done.out.contains(said), "“{said}” is missing: {}", done.out);
        }
        assert!(site.production.deliveries().is_empty(), "production is told nothing");
        assert!(site.slack.messages(CHANNEL).is_empty() && site.slack.violations().is_empty(), "{:?}", site.slack.violations());
        let reads = ["auth.test", "conversations.info", "users.lookupByEmail", "users.info", "usergroups.users.list"];
        let calls = site.slack.calls();
        assert!(calls.iter().all(|call| reads.contains(&call.method.as_str())), "{calls:?}");
    }

    async fn the_database_is_looked_at_and_left_alone(db: TestDb) {
        let mut site = healthy(db).await;
        site.set("DATABASE_URL", "sqlite://not-yet.db");
        finds(&site, &[&["warning: ", "no database yet", "latchkey migrate"]]).await;
        assert!(!site.path("not-yet.db").exists());
        let empty = site.db.another().await;
        site.set("DATABASE_URL", &empty);
        for _ in 0..2 {
            finds(&site, &[&["fail: ", "lacks 0001_latchkey", "latchkey migrate"]]).await;
        }
        site.set("DATABASE_URL", "postgres://nobody:s3cret@127.0.0.1:1/none");
        finds(&site, &[&["fail: ", "postgres://127.0.0.1:1/none", "DATABASE_URL"]]).await;
        site.set("DATABASE_URL", "mysql://x");
        finds(&site, &[&["fail: ", "DATABASE_URL", "write sqlite://"]]).await;
        assert!(!site.path("latchkey.db").exists());
    }

    async fn the_customers_are_read_and_counted(db: TestDb) {
        let mut site = healthy(db).await;
        site.set("CUSTOMERS_QUERY", "select id, name from nothing");
        finds(&site, &[&["fail: ", "CUSTOMERS_QUERY", "Correct it"]]).await;
        site.set("CUSTOMERS_QUERY", "select id, name from customers where id < 0");
        finds(&site, &[&["warning: ", "no row (id, name)"]]).await;
        site.set("CUSTOMERS_QUERY", "");
        site.set("CUSTOMERS_DATABASE_URL", "sqlite://no-such-file.db");
        finds(&site, &[&["fail: ", "cannot open the customers database", "CUSTOMERS_DATABASE_URL"]]).await;
        assert!(!site.path("no-such-file.db").exists());
        site.set("CUSTOMERS_DATABASE_URL", "");
        finds(&site, &[&["warning: ", "no customers are read", "[[pull]]"]]).await;
    }

    async fn what_slack_did_not_take_is_shown(db: TestDb) {
        let mut site = healthy(db).await;
        site.set("SLACK_SIGNING_SECRET", SLACK_SECRET);
        let (server, _) = site.serve().await;
        site.slack.add_channel(CHANNEL, "access", &[ANA, BO, CY], false);
        site.slack.update_person(CY, |person| person.deleted = true);
        site.types("customer 123 for 4h to debug BUG-482").await;
        site.slack.wait_for("the channel is tried", LONG, |slack| {
            slack.calls().iter().any(|call| call.answered["error"] == "not_in_channel").then_some(())
        }).await.unwrap();
        let shown = async || {
            let (_, lines) = found(&site).await;
            let find = |words: &[&str]| lines.iter().any(|line| words.iter().all(|word| line.contains(word)));
            find(&["warning: ", "1 message to channel:C0ACCESS", "tried again", "not_in_channel", "/invite @latchkey"])
                && find(&["warning: ", "email:cy@acme.test", "given up", "no active full member", "latchkey.toml"])
        };
        until!("both are shown", shown().await);
        // The last reviewer leaves too.
        site.slack.update_person(BO, |person| person.deleted = true);
        site.types("customer 124 for 4h to debug BUG-483").await;
        let unreached = async || {
            let (code, lines) = found(&site).await;
            let found = lines.iter().any(|line| line.contains("fail: ") && line.contains("nobody can be asked"));
            found && code == Some(1)
        };
        until!("the petition that reaches nobody is shown", unreached().await);
        server.stop().await;
    }

    async fn a_remote_space_is_asked_whether_it_takes_the_token(db: TestDb) {
        let mut site = healthy(db).await;
        let (server, url) = site.serve().await;
        let token = site.token("admin").await;
        site.set("INDENT_API_URL", &format!("{url}/v1"));
        site.set("INDENT_API_TOKEN", &token);
        let (code, lines) = found(&site).await;
        assert_eq!((code, wrong(&lines)), (Some(0), Vec::new()));
        assert!(lines.iter().any(|line| line.contains("takes INDENT_API_TOKEN")), "{lines:?}");
        for (name, value, says) in [
            ("INDENT_API_TOKEN", "a.b.c", "401"),
            ("INDENT_SPACE", "elsewhere", "404"),
            ("INDENT_API_URL", "http://127.0.0.1:1/v1", "cannot connect"),
        ] {
            let before = site.set(name, value);
            finds(&site, &[&["fail: ", says, "INDENT_SPACE"]]).await;
            site.set(name, &before.unwrap_or_default());
        }
        server.stop().await;
    }
}

/// On one database, for what has to do with none.
fn once<F: Future<Output = ()> + Send + 'static>(body: fn(TestDb) -> F) {
    run(Kind::Sqlite, body);
}

#[test]
fn all_mistakes_are_told_and_the_rest_is_looked_at() {
    once(|db| async move {
        let mut site = healthy(db).await;
        for (name, value) in
            [("LISTEN", "3000"), ("LATCHKEY_FOO", "1"), ("LATCHKEY_SECRET", "s3cret"), ("LOG_FORMAT", "xml")]
        {
            site.set(name, value);
        }
        site.write_file("[access]\nmax_duration = 24\nmin_reasons = 5\n");
        let (code, lines) = found(&site).await;
        assert_eq!(code, Some(1));
        for words in [
            &["LISTEN", "write it like 127.0.0.1:3000"][..],
            &["LATCHKEY_FOO", "no such setting"],
            &["LATCHKEY_SECRET", "openssl"],
            &["LOG_FORMAT", "write text or json"],
            &["latchkey.toml:2:16", "unit"],
            &["latchkey.toml:3:1", "min_reason"],
        ] {
            let told = |line: &&String| line.starts_with("fail: ") && words.iter().all(|word| line.contains(word));
            assert_eq!(lines.iter().filter(told).count(), 1, "{words:?}: {lines:#?}");
        }
        for fine in ["up to date", "every scope", "6 customers"] {
            assert!(lines.iter().any(|line| line.starts_with("ok: ") && line.contains(fine)), "{fine}: {lines:#?}");
        }
        // What hangs on a wrong setting is told once.
        for name in ["LISTEN", "LATCHKEY_FOO", "LATCHKEY_SECRET", "LOG_FORMAT"] {
            site.set(name, "");
        }
        site.write(&provisioner("1s"));
        site.set("SLACK_BOT_TOKEN", "xapp-1");
        finds(&site, &[&["fail: ", "SLACK_BOT_TOKEN", "xoxb-"], &["warning: ", "Slack is off", "slack manifest"]])
            .await;
        site.set("SLACK_BOT_TOKEN", BOT_TOKEN);
        std::fs::remove_file(site.path("latchkey.toml")).unwrap();
        finds(&site, &[&["fail: ", "latchkey.toml", "latchkey init"]]).await;
    });
}

#[test]
fn the_slack_app_is_looked_at() {
    once(|db| async move {
        let mut site = healthy(db).await;
        for (name, value, expected) in [
            (
                "SLACK_BOT_TOKEN",
                "xoxb-of-somebody-else",
                &[&["fail: ", "invalid_auth", "install the app again"][..]][..],
            ),
            ("SLACK_API_URL", "http://127.0.0.1:1/api", &[&["fail: ", "did not answer auth.test", "SLACK_API_URL"]]),
            (
                "SLACK_SIGNING_SECRET",
                "s3cret",
                &[&["fail: ", "SLACK_SIGNING_SECRET", "32 hexadecimal", "Basic Information"]],
            ),
            ("PUBLIC_URL", "http://127.0.0.1:3000", &[&["warning: ", "PUBLIC_URL", "cannot reach"]]),
            ("PUBLIC_URL", "http://latchkey.example.com", &[&["warning: ", "PUBLIC_URL", "https"]]),
            ("SLACK_SIGNING_SECRET", &format!("{SIGNING_SECRET},s3cret"), &[&["fail: ", "number 2 of 2"]]),
        ] {
            let before = site.set(name, value);
            finds(&site, expected).await;
            site.set(name, &before.unwrap_or_default());
        }
        let all: Vec<&str> = SCOPES.iter().map(|scope| scope.name).collect();
        for scope in SCOPES {
            let rest: Vec<&str> = all.iter().copied().filter(|name| *name != scope.name).collect();
            site.slack.set_scopes(&rest);
            let (code, lines) = found(&site).await;
            let status = if scope.vital { "fail: " } else { "warning: " };
            let told = |line: &&String| {
                line.starts_with(status) && line.contains(&format!("the scope {} is missing", scope.name))
            };
            assert_eq!(lines.iter().filter(told).count(), 1, "{}: {lines:#?}", scope.name);
            assert_eq!(code, Some(i32::from(scope.vital)), "{}: {lines:#?}", scope.name);
        }
        // However many people cannot be looked up for one reason, that is one line.
        site.slack.set_scopes(&all);
        site.slack.fault(Some("users.lookupByEmail"), 9, Fault::ApiError("missing_scope".to_owned()));
        finds(&site, &[&["warning: ", "2 of the people", "missing_scope", "install the app again"]]).await;
        site.slack.clear_faults();
        for (seconds, side) in [(90, "90 s behind"), (-400, "400 s ahead of")] {
            site.slack.set_now(Arc::new(move || SystemClock.now().as_second() + seconds));
            let (code, lines) = found(&site).await;
            // A second may pass between the two clocks.
            let near = side.split(' ').skip(1).collect::<Vec<_>>().join(" ");
            let wrong = wrong(&lines);
            assert!(wrong.len() == 1 && wrong[0].contains(&near) && wrong[0].contains("NTP"), "{side}: {wrong:?}");
            assert_eq!(code, Some(0));
        }
        site.slack.set_now(Arc::new(|| SystemClock.now().as_second()));
        site.slack.fault(Some("auth.test"), 1, Fault::RateLimited { retry_after: 7 });
        finds(&site, &[&["warning: ", "no sooner than in 7 s", "again"]]).await;
        assert!(site.slack.violations().is_empty(), "{:?}", site.slack.violations());
    });
}

/// It asks for a connection and makes none, so that nothing is taken from those who serve.
#[test]
fn socket_mode_is_looked_at() {
    once(|db| async move {
        let mut site = healthy(db).await;
        let socket: Value = serde_json::from_str(&latchkey::slack::manifest::socket_json()).unwrap();
        site.slack.install(&socket);
        site.set("SLACK_APP_TOKEN", &site.slack.app_token());
        // What only HTTP needs does not matter.
        site.set("PUBLIC_URL", "");
        site.set("SLACK_SIGNING_SECRET", "");
        finds(&site, &[]).await;
        let (_, lines) = found(&site).await;
        for fine in ["SLACK_APP_TOKEN opens connections", "Slack need not reach it", "by Socket Mode alone"] {
            assert!(lines.iter().any(|line| line.starts_with("ok: ") && line.contains(fine)), "{fine}: {lines:#?}");
        }
        site.slack.disconnect("link_disabled");
        finds(&site, &[&["warning: ", "Socket Mode is not turned on", "Settings, Socket Mode"]]).await;
        site.slack.enable_socket_mode();
        for (code, remedy) in [
            ("invalid_auth", "new app-level token"),
            ("not_allowed_token_type", "xapp-"),
            ("missing_scope", "connections:write"),
            ("forbidden_team", "administrator"),
        ] {
            site.slack.fault(Some("apps.connections.open"), 1, Fault::ApiError(code.to_owned()));
            finds(&site, &[&["fail: ", "SLACK_APP_TOKEN", code, remedy]]).await;
        }
        site.set("SLACK_APP_TOKEN", BOT_TOKEN);
        finds(&site, &[&["fail: ", "SLACK_APP_TOKEN", "xapp-"], &["warning: ", "Slack is off"]]).await;
        assert_eq!((site.slack.links(), site.slack.envelopes().len()), (0, 0));
        assert!(site.slack.violations().is_empty(), "{:?}", site.slack.violations());
    });
}

#[test]
fn channels_people_and_rules_are_looked_up() {
    once(|db| async move {
        let site = healthy(db).await;
        site.slack.add_channel(CHANNEL, "access", &[ANA], false);
        finds(&site, &[&["fail: ", "the bot is not in #access (C0ACCESS)", "/invite @latchkey` in #access"]]).await;
        site.slack.archive_channel(CHANNEL);
        finds(&site, &[&["fail: ", "#access (C0ACCESS)", "archived"]]).await;
        everybody_is_there(&site);
        site.write_file(&FILE.replace("C0ACCESS", "C0NOWHERE"));
        finds(&site, &[&["fail: ", "C0NOWHERE", "“enterprise”", "/invite @latchkey"]]).await;
        site.write_file(FILE);

        site.slack.update_person(BO, |person| person.is_restricted = true);
        finds(&site, &[&["fail: ", "bo@acme.test", "group:leads", "guest"]]).await;
        site.slack.update_person(BO, |person| person.deleted = true);
        finds(&site, &[&["fail: ", "bo@acme.test", "nobody active"]]).await;
        site.slack.update_person(CY, |person| person.is_restricted = true);
        finds(
            &site,
            &[
                &["fail: ", "bo@acme.test", "nobody active"],
                &["fail: ", "cy@acme.test", "guest"],
                &["fail: ", "rule “enterprise”", "1 of group:leads", "1 too few"],
                &["fail: ", "rule “everyone else”", "add reviewers"],
            ],
        )
        .await;
        everybody_is_there(&site);

        let two = "require = [{ reviewers = [\"slack:S0LEADS\", \"bo@acme.test\"], count = 2 }]";
        site.write_file(&FILE.replacen("require = [{ reviewers = [\"group:leads\"] }]", two, 1));
        finds(
            &site,
            &[
                &["fail: ", "slack:S0LEADS", "does not exist", "Copy group ID"],
                &["fail: ", "rule “enterprise”", "1 too few"],
            ],
        )
        .await;
        site.slack.set_usergroup("S0LEADS", "leads", &[]);
        finds(&site, &[&["fail: ", "slack:S0LEADS", "no members"], &["fail: ", "rule “enterprise”"]]).await;
        // Whoever is named both ways is one person.
        site.slack.set_usergroup("S0LEADS", "leads", &[BO]);
        finds(&site, &[&["fail: ", "rule “enterprise”", "1 too few"]]).await;
        site.slack.set_usergroup("S0LEADS", "leads", &[BO, CY]);
        finds(&site, &[]).await;
        site.slack.update_person(CY, |person| person.is_restricted = true);
        site.slack.set_usergroup("S0LEADS", "leads", &[CY]);
        let (code, lines) = found(&site).await;
        assert!(lines.iter().any(|line| line.contains("nobody in slack:S0LEADS")), "{lines:#?}");
        assert_eq!(code, Some(1));
        everybody_is_there(&site);

        let asks = "name = \"enterprise\"\npetitioners = [\"zoe@acme.test\"]";
        site.write_file(&FILE.replace("name = \"enterprise\"", asks));
        finds(
            &site,
            &[
                &["fail: ", "zoe@acme.test", "a petitioner", "nobody active"],
                &["warning: ", "petitioners", "“enterprise”"],
            ],
        )
        .await;
        assert!(site.slack.violations().is_empty(), "{:?}", site.slack.violations());
    });
}

#[test]
fn webhooks_are_asked_what_they_are() {
    once(|db| async move {
        let mut site = healthy(db).await;
        let url = site.production.url().to_owned();
        let origin = url.trim_end_matches("/webhooks/indent").to_owned();
        site.set("PRODUCTION_SECRET", "of-somebody-else-entirely");
        finds(&site, &[&["fail: ", "“production”", "refuses our signature", "same secret"]]).await;
        site.set("PRODUCTION_SECRET", "short");
        finds(&site, &[&["warning: ", "5 characters", "openssl"], &["fail: ", "refuses our signature"]]).await;
        site.set("PRODUCTION_SECRET", PRODUCTION_SECRET);
        site.set("PRODUCTION_URL", "http://127.0.0.1:1/webhooks/indent");
        finds(&site, &[&["fail: ", "cannot connect", "check its url"]]).await;
        site.set("PRODUCTION_URL", &format!("{origin}/elsewhere"));
        finds(&site, &[&["fail: ", "404", "correct its url"]]).await;
        // Slack's Web API is something that answers, and knows nothing of it.
        site.set("PRODUCTION_URL", &format!("{}/files.upload", site.slack.api_url()));
        finds(&site, &[&["warning: ", "not be asked what it is", "takes events"]]).await;
        site.set("PRODUCTION_URL", "http://access.acme.test/s3cret");
        site.write_file(&file_with(&format!("{}dry_run = true\n", provisioner("1s"))));
        finds(&site, &[&["warning: ", "over http", "use https"], &["warning: ", "is sent nothing", "dry_run"]]).await;

        // Decisions and pulls are asked too.
        site.set("PRODUCTION_URL", &url);
        let others = "[[decision]]\nname = \"night bot\"\nbot = \"night@acme.test\"\nurl = \"http://127.0.0.1:1/d\"\n\
                      secret = \"${PRODUCTION_SECRET}\"\n[[pull]]\nname = \"crm\"\nurl = \"http://127.0.0.1:1/p\"\n\
                      secret = \"${PRODUCTION_SECRET}\"\n";
        let file = file_with(&format!("{}{others}", provisioner("1s")));
        site.write_file(&file.replacen("\"group:leads\"]", "\"group:leads\", \"night@acme.test\"]", 1));
        finds(&site, &[&["fail: ", "the decision “night bot”"], &["fail: ", "the pull “crm”"]]).await;
        assert!(site.production.deliveries().is_empty());
    });
}

#[test]
fn the_manifest_is_printed_for_public_url() {
    once(|db| async move {
        let site = healthy(db).await;
        let done = site.run(&["slack", "manifest", "--format", "json"]).await;
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{done:?}");
        let manifest: Value = serde_json::from_str(&done.out).unwrap();
        let url = &manifest["features"]["slash_commands"][0]["url"];
        assert_eq!(url, "https://latchkey.example.com/slack/commands");
        let yaml = site.run(&["slack", "manifest"]).await;
        assert_eq!((yaml.code, yaml.err.as_str()), (Some(0), ""));
        assert!(yaml.out.contains(&format!("url: {}\n", url.as_str().unwrap())), "{}", yaml.out);
        // It is printed all the same: somebody may want to see it first.
        let local = site.run_with(&[("PUBLIC_URL", "")], &["slack", "manifest"]).await;
        assert!(local.code == Some(0) && local.err.contains("PUBLIC_URL") && local.out.contains("slash_commands"));
        for words in
            [&["slack"][..], &["slack", "manifest", "--format", "xml"], &["doctor", "--fast"], &["doctor", "all"]]
        {
            assert_eq!(site.run(words).await.code, Some(2), "{words:?}");
        }
    });
}
