//! The Slack app: its tokens, its scopes, its signing secret, and the clock that signatures need.

use secrecy::ExposeSecret;

use super::{Check, Group, PATIENCE, fail, ok, people, warn};
use crate::{
    app::World,
    config::{FileConfig, Settings, SlackSettings},
    slack::{
        client::{AuthTest, SlackClient, SlackError},
        scopes::SCOPES,
        socket,
    },
};

const GROUP: Group = Group::Slack;
/// Seconds. Ours may be the one that is right; from 300 on, every request of Slack's is refused.
const CLOCK_TOLERANCE: i64 = 60;

pub(super) async fn look(settings: &Settings, file: Option<&FileConfig>, world: &World) -> Vec<Check> {
    let Some(slack) = &settings.slack else {
        let remedy = "make the app from `latchkey slack manifest`, and set SLACK_BOT_TOKEN and SLACK_SIGNING_SECRET";
        return vec![warn(GROUP, "Slack is off", remedy)];
    };
    let mut checks = signing_secrets(slack);
    checks.extend(app_token(slack).await);
    let Ok(client) = SlackClient::new(&slack.api_url, slack.bot_token.clone(), PATIENCE) else {
        checks.push(fail(GROUP, "the Slack client cannot be set up", "install the system's root certificates"));
        return checks;
    };
    let now = world.clock.now();
    match client.auth_test().await {
        Err(error) => checks.push(trouble(GROUP, "SLACK_BOT_TOKEN could not be tried", &error)),
        Ok(test) => {
            checks.push(token(&test));
            checks.extend(scopes(&test));
            checks.extend(test.at.map(|theirs| clock(theirs.as_second() - now.as_second())));
            if let Some(file) = file {
                checks.extend(people::look(&client, file, &test).await);
            }
        }
    }
    checks
}

/// Asks for a connection and makes none: what is meant for those who serve goes to them.
async fn app_token(slack: &SlackSettings) -> Option<Check> {
    let token = slack.app_token.clone()?;
    let Ok(client) = SlackClient::new(&slack.api_url, token, PATIENCE) else {
        return Some(fail(GROUP, "the Slack client cannot be set up", "install the system's root certificates"));
    };
    Some(match client.open_connection().await {
        Ok(ticket) if ticket.seems_off => warn(
            GROUP,
            "SLACK_APP_TOKEN works, but Slack says that Socket Mode is not turned on, and will then send nothing",
            "turn it on in your Slack app: Settings, Socket Mode",
        ),
        Ok(_) => ok(GROUP, "SLACK_APP_TOKEN opens connections of Socket Mode"),
        Err(error) => {
            let what = "SLACK_APP_TOKEN could not be tried";
            match socket::remedy(&error) {
                Some(remedy) => fail(GROUP, format!("{what}: {error}"), remedy),
                None => trouble(GROUP, what, &error),
            }
        }
    })
}

/// Slack's are 32 hexadecimal digits. Whether it is the right one shows when Slack first calls.
fn signing_secrets(slack: &SlackSettings) -> Vec<Check> {
    if slack.signing_secrets.is_empty() {
        return vec![ok(
            GROUP,
            "Slack is reached by Socket Mode alone; without SLACK_SIGNING_SECRET no request is believed",
        )];
    }
    let right = |secret: &str| secret.len() == 32 && secret.bytes().all(|b| b.is_ascii_hexdigit());
    let count = slack.signing_secrets.len();
    let wrong = slack.signing_secrets.iter().enumerate().filter(|(_, secret)| !right(secret.expose_secret()));
    let mut checks: Vec<Check> = wrong
        .map(|(at, _)| {
            let which = if count == 1 { String::new() } else { format!(" (number {} of {count})", at + 1) };
            let what = format!("SLACK_SIGNING_SECRET{which} is not 32 hexadecimal digits, as Slack's are");
            fail(GROUP, what, "copy it from your Slack app: Basic Information, App Credentials, Signing Secret")
        })
        .collect();
    if checks.is_empty() {
        checks.push(ok(GROUP, "SLACK_SIGNING_SECRET has the form of one"));
    }
    checks
}

fn token(test: &AuthTest) -> Check {
    let team = test.team.as_deref().unwrap_or(&test.team_id);
    if test.bot_id.is_none() {
        let what = format!("SLACK_BOT_TOKEN is the token of a person in {team}, not of a bot");
        return fail(GROUP, what, "use the Bot User OAuth Token (xoxb-…): OAuth & Permissions in your Slack app");
    }
    let user = test.user.as_deref().unwrap_or("the bot");
    ok(GROUP, format!("SLACK_BOT_TOKEN is @{user}'s, in the workspace {team} ({})", test.team_id))
}

fn scopes(test: &AuthTest) -> Vec<Check> {
    let Some(has) = &test.scopes else {
        let what = "Slack does not say which scopes the token has";
        return vec![warn(GROUP, what, "compare them with `latchkey slack manifest`")];
    };
    let missing: Vec<Check> = SCOPES
        .iter()
        .filter(|scope| !has.contains(scope.name))
        .map(|scope| {
            let what = format!("the scope {} is missing ({})", scope.name, scope.why);
            let remedy = "add it under OAuth & Permissions, Bot Token Scopes, and install the app again";
            if scope.vital { fail(GROUP, what, remedy) } else { warn(GROUP, what, remedy) }
        })
        .collect();
    if missing.is_empty() { vec![ok(GROUP, "the token has every scope that is needed")] } else { missing }
}

fn clock(ahead: i64) -> Check {
    if ahead.abs() <= CLOCK_TOLERANCE {
        return ok(GROUP, "the clock of this machine agrees with Slack's");
    }
    let side = if ahead > 0 { "behind" } else { "ahead of" };
    let what = format!("the clock of this machine is {} s {side} Slack's", ahead.abs());
    warn(GROUP, what, "set it by NTP: from 300 s on, every request from Slack is refused")
}

/// Slack said no, or nothing.
pub(super) fn trouble(group: Group, what: &str, error: &SlackError) -> Check {
    let said = format!("{what}: {error}");
    match error {
        SlackError::RateLimited { .. } => warn(group, said, "run `latchkey doctor` again then"),
        SlackError::NoAnswer { .. } | SlackError::BadAnswer { .. } => {
            fail(group, said, "check that this machine reaches Slack (or SLACK_API_URL), and status.slack.com")
        }
        SlackError::Api { code, detail, .. } => match code.as_str() {
            "invalid_auth" | "not_authed" | "account_inactive" | "token_revoked" | "token_expired" => fail(
                group,
                said,
                "install the app again and copy the Bot User OAuth Token (OAuth & Permissions) into SLACK_BOT_TOKEN",
            ),
            "not_allowed_token_type" => fail(group, said, "SLACK_BOT_TOKEN must be a bot's token (xoxb-…)"),
            // The scope itself has its own line.
            "missing_scope" => warn(
                group,
                format!("{said} ({detail})"),
                "add the scope under OAuth & Permissions, Bot Token Scopes, and install the app again",
            ),
            "plan_upgrade_required" => {
                fail(group, said, "this workspace has no user groups; list the people by e-mail instead")
            }
            "service_unavailable" | "request_timeout" | "internal_error" | "fatal_error" | "team_added_to_org" => {
                warn(group, said, "that is Slack's; run `latchkey doctor` again")
            }
            _ => fail(group, said, "ask an administrator of the workspace whether the app may be used there"),
        },
    }
}
