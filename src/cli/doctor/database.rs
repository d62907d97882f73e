//! Our own database: there, up to date, with a secret; and what the outbox in it could not send.

use std::{collections::BTreeSet, path::Path};

use jiff::{SignedDuration, Timestamp};

use super::{Check, Group, PATIENCE, fail, ok, warn};
use crate::{
    app::World,
    config::{DatabaseUrl, Settings},
    domain::id::PetitionName,
    store::{self, MessageFault, Store},
};

const GROUP: Group = Group::Database;
/// Older trouble is history.
const RECENT: SignedDuration = SignedDuration::from_hours(7 * 24);

pub(super) async fn look(settings: &Settings, wrong: &BTreeSet<String>, world: &World) -> Vec<Check> {
    if wrong.contains("DATABASE_URL") {
        // Looking at the default instead would only confuse.
        return Vec::new();
    }
    let url = &settings.database_url;
    if let DatabaseUrl::Sqlite(text) = url
        && !Path::new(sqlite_path(text)).exists()
    {
        let what = format!("there is no database yet ({url})");
        return vec![warn(GROUP, what, "the first `latchkey serve` makes it, and so does `latchkey migrate`")];
    }
    let opened = tokio::time::timeout(PATIENCE, Store::look(url.expose())).await;
    let store = match opened {
        Ok(Ok(store)) => store,
        Ok(Err(error)) => {
            let remedy = match url {
                DatabaseUrl::Sqlite(_) => "check DATABASE_URL, and that whoever runs this may read that file",
                DatabaseUrl::Postgres(_) => {
                    "check DATABASE_URL, that the server runs, and that it lets us in from here"
                }
            };
            return vec![fail(GROUP, format!("{url}: {error}"), remedy)];
        }
        Err(_) => return vec![silent(url)],
    };
    let checks = tokio::time::timeout(PATIENCE, inside(settings, &store, world)).await;
    store.close().await;
    checks.unwrap_or_else(|_| vec![silent(url)])
}

fn silent(url: &DatabaseUrl) -> Check {
    let what = format!("{url} did not answer within {} s", PATIENCE.as_secs());
    fail(GROUP, what, "check that the server runs and can be reached from here, and that nothing locks it")
}

/// As SQLite reads it.
fn sqlite_path(url: &str) -> &str {
    let rest = url.strip_prefix("sqlite:").unwrap_or(url);
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    rest.split('?').next().unwrap_or(rest)
}

async fn inside(settings: &Settings, store: &Store, world: &World) -> Vec<Check> {
    let url = &settings.database_url;
    match store::migrations_missing(store).await {
        Ok(missing) if missing.is_empty() => {}
        Ok(missing) => {
            let what = format!("{url} is reachable, but its schema lacks {}", missing.join(", "));
            return vec![fail(GROUP, what, "run `latchkey migrate`; `serve` and `worker` do it at their start, too")];
        }
        Err(error) => {
            let what = format!("{url} is reachable, but cannot be read: {error}");
            return vec![fail(GROUP, what, "let the user in DATABASE_URL read and write its tables")];
        }
    }
    let mut checks = vec![ok(GROUP, format!("{url} is reachable and up to date"))];
    checks.push(match (&settings.secret, store.setting("token_secret").await) {
        (Some(_), _) => ok(GROUP, "API tokens are signed with LATCHKEY_SECRET"),
        (None, Ok(Some(_))) => ok(GROUP, "API tokens are signed with the secret that the database keeps"),
        (None, Ok(None)) => ok(GROUP, "the secret that signs API tokens is made at the first start"),
        (None, Err(error)) => {
            let remedy = "let the user in DATABASE_URL read its tables";
            fail(GROUP, format!("the secret that signs API tokens cannot be read: {error}"), remedy)
        }
    });
    let since = world.clock.now().checked_sub(RECENT).unwrap_or(Timestamp::MIN);
    match store.message_faults(since).await {
        Ok(faults) => checks.extend(faults.iter().map(unsent)),
        Err(error) => {
            let remedy = "let the user in DATABASE_URL read its tables";
            checks.push(fail(GROUP, format!("the messages that were not sent cannot be read: {error}"), remedy));
        }
    }
    match store.unreached(world.clock.now()).await {
        Ok(petitions) => checks.extend(petitions.iter().map(|(name, why)| unreached(name, why.as_deref()))),
        Err(error) => {
            let remedy = "let the user in DATABASE_URL read its tables";
            checks.push(fail(GROUP, format!("the petitions that reach nobody cannot be read: {error}"), remedy));
        }
    }
    // Slack tells no app whether its Home tab is switched on, but it refuses to show one that is not.
    match store.home_faults(world.clock.now()).await {
        Ok(faults) => checks.extend(faults.iter().map(|(error, homes)| unshown(error, *homes))),
        Err(error) => {
            let remedy = "let the user in DATABASE_URL read its tables";
            checks.push(fail(GROUP, format!("the Home tabs that were not shown cannot be read: {error}"), remedy));
        }
    }
    checks
}

/// A petition that waits for people who do not hear of it.
fn unreached(name: &PetitionName, why: Option<&str>) -> Check {
    let why = why.unwrap_or("nobody who was to get a card may decide it");
    let remedy = "name reviewers in latchkey.toml who are full members in Slack, or a channel that the app is in; then ask again";
    fail(Group::Slack, format!("nobody can be asked about the open petition {name}: {why}"), remedy)
}

/// Home tabs that Slack does not take.
fn unshown(error: &str, homes: i64) -> Check {
    let remedy = if error.contains("not_enabled") {
        "switch the Home tab on in the Slack app (App Home), as the manifest has it"
    } else {
        "see the log; it is shown as soon as the reason is gone and its reader opens it"
    };
    let count = if homes == 1 { "1 Home tab is".to_owned() } else { format!("{homes} Home tabs are") };
    warn(Group::Slack, format!("{count} not shown: {error}"), remedy)
}

/// Messages that Slack does not take.
fn unsent(fault: &MessageFault) -> Check {
    let MessageFault { dest, error, messages, waiting } = fault;
    let fate = match *waiting {
        0 => "given up".to_owned(),
        all if all == *messages => "tried again and again".to_owned(),
        some => format!("{some} of them tried again"),
    };
    let count = if *messages == 1 { "1 message".to_owned() } else { format!("{messages} messages") };
    let code = |word: &str| error.contains(word);
    let remedy = if code("channel_not_found") {
        "correct its id in latchkey.toml; if it is private, type `/invite @latchkey` in it"
    } else if code("not_in_channel") {
        "type `/invite @latchkey` in it"
    } else if code("is_archived") {
        "unarchive the channel, or name another in latchkey.toml"
    } else if code("restricted_action") {
        "let the app post there (the posting permissions of the channel), or name another in latchkey.toml"
    } else if code("messages_tab_disabled") {
        "switch the Messages tab on in the Slack app (App Home), as the manifest has it"
    } else if code("no active full member") {
        "correct the e-mail in latchkey.toml, or have them made a full member in Slack"
    } else if code("missing_scope") || code("invalid_auth") || code("token_revoked") || code("account_inactive") {
        "see what is said of Slack"
    } else {
        "see the log; what is tried again is sent as soon as the reason is gone"
    };
    warn(Group::Slack, format!("{count} to {dest} not sent in the last 7 days, {fate}: {error}"), remedy)
}
