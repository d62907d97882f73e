//! `latchkey slack manifest`.

use std::io::Write;

use super::Env;
use crate::slack::manifest;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Print the manifest from which Slack makes the app, for PUBLIC_URL
    ///
    /// Paste it at https://api.slack.com/apps: Create New App, From a manifest.
    Manifest {
        #[arg(long, value_enum, default_value_t = Format::Yaml)]
        format: Format,
        /// For Socket Mode, which needs no PUBLIC_URL; so it is when SLACK_APP_TOKEN is set
        #[arg(long)]
        socket_mode: bool,
    },
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Format {
    Yaml,
    Json,
}

pub fn run(command: Command, env: &Env) -> anyhow::Result<()> {
    let Command::Manifest { format, socket_mode } = command;
    let settings = env.settings()?;
    let url = settings.public_url;
    let socket_mode = socket_mode || settings.slack.is_some_and(|slack| slack.app_token.is_some());
    if !socket_mode && !is_public(&url) {
        eprintln!(
            "latchkey: Slack cannot reach {url}; set PUBLIC_URL to the https address at which it can, or choose \
             --socket-mode"
        );
    }
    let text = match (format, socket_mode) {
        (Format::Yaml, false) => manifest::yaml(&url),
        (Format::Json, false) => manifest::json(&url),
        (Format::Yaml, true) => manifest::socket_yaml(),
        (Format::Json, true) => manifest::socket_json(),
    };
    // Whoever reads may have seen enough; that is no mistake.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(())
}

/// Whether Slack could call it: over https, and not on the machine itself.
pub(super) fn is_public(url: &url::Url) -> bool {
    url.scheme() == "https" && !is_loopback(url)
}

pub(super) fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback() || address.is_unspecified(),
        Some(url::Host::Ipv6(address)) => address.is_loopback() || address.is_unspecified(),
        None => false,
    }
}
