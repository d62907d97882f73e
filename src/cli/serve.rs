//! `latchkey serve` and `latchkey worker`.

use anyhow::Context;
use tokio::net::TcpListener;

use super::{
    Env,
    env::{open_store, world},
    signals::stop_token,
};
use crate::{
    app::{App, Role},
    config::Config,
};

#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    /// Serve only; `latchkey worker` does the work elsewhere
    #[arg(long)]
    no_worker: bool,
    /// Refuse a database that is not up to date, instead of bringing it up to date
    #[arg(long)]
    no_migrate: bool,
}

#[derive(Debug, clap::Args)]
pub struct WorkerArgs {
    /// Refuse a database that is not up to date, instead of bringing it up to date
    #[arg(long)]
    no_migrate: bool,
}

pub async fn serve(args: ServeArgs, env: &Env) -> anyhow::Result<()> {
    let config = start(env)?;
    let listen = config.settings.listen;
    let listener = TcpListener::bind(listen).await.with_context(|| format!("LISTEN: cannot listen on {listen}"))?;
    let role = if args.no_worker { Role::Web } else { Role::Both };
    run(config, Some(listener), role, args.no_migrate).await
}

pub async fn worker(args: WorkerArgs, env: &Env) -> anyhow::Result<()> {
    let config = start(env)?;
    run(config, None, Role::Worker, args.no_migrate).await
}

fn start(env: &Env) -> anyhow::Result<Config> {
    let config = env.config()?;
    env.start_log(config.settings.log_format);
    Ok(config)
}

async fn run(config: Config, listener: Option<TcpListener>, role: Role, no_migrate: bool) -> anyhow::Result<()> {
    let stop = stop_token()?;
    let settings = &config.settings;
    let store = open_store(settings, !no_migrate).await?;
    let app = App::build(&config, store.clone(), world()).await?;
    let address = listener.as_ref().and_then(|listener| listener.local_addr().ok());
    let address = address.map_or_else(|| "nowhere".to_owned(), |address| address.to_string());
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"), listen = address, public_url = %settings.public_url,
        database = %settings.database_url, rules = config.file.policy.rules.len(),
        provisioners = config.file.provisioners.len(), role = ?role, "latchkey runs"
    );
    if settings.slack.is_none() {
        tracing::warn!(
            "Slack is off: set SLACK_BOT_TOKEN, and SLACK_SIGNING_SECRET or SLACK_APP_TOKEN, to switch it on"
        );
    }
    if settings.customers.is_none() {
        tracing::warn!("no customers are read: set CUSTOMERS_DATABASE_URL");
    }
    if let Some(remote) = &settings.remote {
        tracing::info!(url = %remote.url, space = settings.space, "petitions are decided by a remote space");
    }
    if settings.webhook_secrets.is_empty() {
        tracing::info!("/webhooks/indent is off: set INDENT_WEBHOOK_SECRET to switch it on");
    }
    app.run(listener, role, stop).await?;
    tracing::info!("stopped");
    Ok(())
}
