//! `latchkey petitions create`, and waiting for the decision.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{
    Space,
    facts::{Facts, on_one_line},
    typed_length,
};
use crate::{
    cli::{Env, table},
    domain::length,
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The customer's id
    #[arg(long)]
    customer: String,
    /// In this role; without it the weakest
    #[arg(long)]
    role: Option<String>,
    /// For how long, like 4h or 90m; without it the policy's default
    #[arg(long = "for", value_name = "TIME", value_parser = typed_length)]
    length: Option<SignedDuration>,
    /// Why, for those who decide
    #[arg(long)]
    reason: String,
    /// For somebody else (needs a token with the scope `admin`)
    #[arg(long, value_name = "E-MAIL")]
    user: Option<String>,
    /// Wait until it is decided, or so long
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, value_parser = typed_length)]
    wait: Option<Option<SignedDuration>>,
}

/// The longest that one question to the server waits.
const ONE_WAIT: Duration = Duration::from_secs(30);
/// A server that restarts is back within this; after it waiting ends.
const AWAY: Duration = Duration::from_secs(120);
/// Before asking again a server that failed, or that answered without waiting.
const PAUSE: Duration = Duration::from_secs(1);

pub async fn run(args: Args, space: &Space, env: &Env) -> anyhow::Result<ExitCode> {
    let kind = env.get("CUSTOMER_KIND").unwrap_or_else(|| "customer".to_owned());
    let body = json!({ "petition": petition(&args, &kind, space.api.token()) });
    let mut petition = space.of_space(space.api.post(&space.path(&[]), &body).await?)?;
    let name = petition["name"].as_str().context("the server did not say what the petition is called")?.to_owned();
    // Whoever waits for the decision elsewhere needs the name now.
    table::line(&name);
    if let Some(longest) = args.wait {
        petition = decided(space, petition, &name, longest.map(SignedDuration::unsigned_abs)).await?;
    }
    let facts = Facts(&petition);
    let outcome = on_one_line(&facts.outcome());
    match (facts.phase(), args.wait) {
        ("granted", _) => eprintln!("{outcome}"),
        ("open", None) => {}
        ("open", Some(_)) => {
            eprintln!("not decided in time; it stays open: latchkey petitions show {name}");
            return Ok(ExitCode::FAILURE);
        }
        _ => {
            eprintln!("{outcome}");
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn petition(args: &Args, kind: &str, token: &str) -> Value {
    let mut resource = json!({ "kind": kind, "id": args.customer });
    if let Some(role) = &args.role {
        resource["labels"] = json!({ "role": role });
    }
    let mut petition = json!({ "reason": args.reason, "resources": [resource] });
    if let Some(who) = args.user.clone().or_else(|| subject(token)) {
        petition["petitioners"] = json!([{ "kind": "user", "email": who }]);
    }
    if let Some(length) = args.length {
        petition["meta"] = json!({ "labels": { "indent.com/petition/duration": length::go(length) } });
    }
    petition
}

/// Whom the token speaks for, as Indent's own SDKs find out. The server believes only the signature.
fn subject(token: &str) -> Option<String> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?.trim_end_matches('=')).ok()?;
    let payload: Value = serde_json::from_slice(&payload).ok()?;
    payload["sub"].as_str().map(str::to_owned)
}

/// Asks until the petition is no longer open, or `longest` is over. A server that is away for a moment does not end it.
async fn decided(space: &Space, mut petition: Value, name: &str, longest: Option<Duration>) -> anyhow::Result<Value> {
    let started = Instant::now();
    let progress = Progress::new(&petition);
    let mut away_since: Option<Instant> = None;
    let mut trouble = String::new();
    while Facts(&petition).phase() == "open" {
        let left = longest.map_or(ONE_WAIT, |longest| longest.saturating_sub(started.elapsed()).min(ONE_WAIT));
        if left.is_zero() {
            // With the server away, nobody here knows whether somebody decided.
            anyhow::ensure!(trouble.is_empty(), "cannot tell whether {name} was decided: {trouble}");
            break;
        }
        let asked = Instant::now();
        trouble = match space.api.get_waiting(&space.path(&[name]), left).await {
            Ok(reply) if reply.is_passing() => reply.message(),
            Ok(reply) => {
                petition = reply.success()?;
                progress.waiting(&petition);
                away_since = None;
                String::new()
            }
            Err(error) => error.to_string(),
        };
        if !trouble.is_empty() {
            let since = *away_since.get_or_insert(asked);
            anyhow::ensure!(since.elapsed() < AWAY, "gave up waiting for {name}: {trouble}");
            progress.trouble(&trouble);
        }
        // Without this, a server that does not wait would be asked without end.
        let rest = PAUSE.min(left).saturating_sub(asked.elapsed());
        if Facts(&petition).phase() == "open" && !rest.is_zero() {
            tokio::time::sleep(rest).await;
        }
    }
    Ok(petition)
}

/// Who is asked and how long it has waited; nothing without a terminal.
struct Progress(ProgressBar);

impl Progress {
    fn new(petition: &Value) -> Self {
        let bar = ProgressBar::new_spinner();
        bar.set_style(
            ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        let progress = Self(bar);
        progress.waiting(petition);
        progress.0.enable_steady_tick(Duration::from_millis(120));
        progress
    }

    fn waiting(&self, petition: &Value) {
        let who = Facts(petition).asked().unwrap_or("the reviewers");
        self.0.set_message(format!("waiting for {}", on_one_line(who)));
    }

    fn trouble(&self, what: &str) {
        self.0.set_message(format!("{}; trying again", on_one_line(what)));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
