//! The environment and `latchkey.toml`: all their mistakes, and what can be read in spite of them.

use std::collections::BTreeSet;

use super::{Check, Group, fail, ok, warn};
use crate::{
    cli::{Env, slack::is_loopback},
    config::{FileConfig, Settings, file},
};

/// What we were told.
pub(super) struct Told {
    /// Without the variables that are wrong.
    pub settings: Option<Settings>,
    /// The names of those.
    pub wrong: BTreeSet<String>,
    /// `None`: it is not there, or something in it is wrong.
    pub file: Option<FileConfig>,
    pub checks: Vec<Check>,
}

pub(super) fn look(env: &Env) -> Told {
    let mut checks = Vec::new();
    let mut wrong = BTreeSet::new();
    let mut settings = None;
    // Each round leaves out what the last one named. One mistake may uncover another that is only its consequence, so
    // those of the first round are shown.
    while settings.is_none() {
        match env.settings_without(&wrong) {
            Ok(read) => settings = Some(read),
            Err(error) => {
                if wrong.is_empty() {
                    checks.extend(error.mistakes.iter().map(|mistake| mistaken(Group::Settings, mistake)));
                }
                let before = wrong.len();
                wrong.extend(error.mistakes.iter().filter_map(|mistake| Some(mistake.split_once(':')?.0.to_owned())));
                if wrong.len() == before {
                    break;
                }
            }
        }
    }
    if wrong.is_empty() {
        checks.push(ok(Group::Settings, "the environment has no unknown and no wrong setting"));
    }
    let file = settings.as_ref().and_then(|settings| policy(env, settings, &mut checks));
    if let Some(settings) = &settings {
        checks.extend(public_url(settings));
    }
    Told { settings, wrong, file, checks }
}

/// A mistake says what is wrong, and behind a semicolon what would be right.
fn mistaken(group: Group, mistake: &str) -> Check {
    let (what, remedy) = mistake.split_once("; ").unwrap_or((mistake, "correct it, or unset it"));
    fail(group, what, remedy)
}

fn policy(env: &Env, settings: &Settings, checks: &mut Vec<Check>) -> Option<FileConfig> {
    let path = &settings.config_path;
    let shown = path.display().to_string();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            let (what, remedy) = match error.kind() {
                std::io::ErrorKind::NotFound => (
                    format!("there is no {shown}"),
                    "write one with `latchkey init`, or say where it is with LATCHKEY_CONFIG",
                ),
                _ => (format!("cannot read {shown}: {error}"), "let the user that runs Latchkey read it"),
            };
            checks.push(fail(Group::File, what, remedy));
            return None;
        }
    };
    match file::load(&text, &shown, &|name| env.get(name)) {
        Ok(file) => {
            let (rules, provisioners) = (file.policy.rules.len(), file.provisioners.len());
            let (decisions, pulls) = (file.decisions.len(), file.pulls.len());
            checks.push(ok(
                Group::File,
                format!(
                    "{shown} is right: rules: {rules}, provisioners: {provisioners}, decisions: {decisions}, pulls: {pulls}"
                ),
            ));
            Some(file)
        }
        Err(error) => {
            for mistake in &error.mistakes {
                let place = format!("{shown}:{}:{}", mistake.line, mistake.column);
                let (what, remedy) =
                    mistake.message.split_once("; ").unwrap_or((&mistake.message, "correct that line"));
                checks.push(fail(Group::File, format!("{place}: {what}"), remedy));
            }
            checks.push(warn(
                Group::File,
                "channels, people, rules and webhooks were not looked at",
                "mend the file and run `latchkey doctor` again",
            ));
            None
        }
    }
}

/// Slack calls us there, except by Socket Mode.
fn public_url(settings: &Settings) -> Option<Check> {
    let url = &settings.public_url;
    if settings.slack.as_ref()?.app_token.is_some() {
        return Some(ok(Group::Settings, format!("PUBLIC_URL is {url}, and by Socket Mode Slack need not reach it")));
    }
    let remedy = "set it to the https address at which Slack reaches this server, like https://latchkey.example.com";
    Some(if is_loopback(url) {
        warn(Group::Settings, format!("PUBLIC_URL is {url}, which Slack cannot reach"), remedy)
    } else if url.scheme() != "https" {
        warn(Group::Settings, format!("PUBLIC_URL is {url}, and Slack calls https only"), remedy)
    } else {
        ok(Group::Settings, format!("PUBLIC_URL is {url}"))
    })
}
