//! `latchkey petitions list|show|create|approve|deny|revoke`: what can be done in Slack, over the API of a running
//! server, as the person whom `LATCHKEY_TOKEN` speaks for.

mod create;
mod facts;
mod list;
mod review;
mod show;

use std::process::ExitCode;

use anyhow::bail;
use reqwest::StatusCode;
use serde_json::Value;

use super::{
    Env,
    api::{Api, Reply},
};
use crate::domain::length::{self, BadLength};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Petitions that you may see, newest first
    List(list::Args),
    /// One petition and everything that happened to it
    Show(show::Args),
    /// Ask for access to a customer; prints the petition's name
    ///
    /// With --wait: exit status 0 when access is granted, 1 when it is not.
    Create(create::Args),
    /// Let somebody have the access they ask for
    Approve(review::ApproveArgs),
    /// Refuse it, or take back a petition of your own
    Deny(review::DenyArgs),
    /// End access before its time
    Revoke(review::RevokeArgs),
}

pub async fn run(command: Command, env: &Env) -> anyhow::Result<ExitCode> {
    let space = Space::new(env)?;
    let done = ExitCode::SUCCESS;
    match command {
        Command::List(args) => list::run(args, &space).await.map(|()| done),
        Command::Show(args) => show::run(args, &space).await.map(|()| done),
        Command::Create(args) => create::run(args, &space, env).await,
        Command::Approve(args) => review::approve(args, &space).await.map(|()| done),
        Command::Deny(args) => review::deny(args, &space).await.map(|()| done),
        Command::Revoke(args) => review::revoke(args, &space).await.map(|()| done),
    }
}

/// The petitions of one space of a server.
struct Space {
    api: Api,
    name: String,
}

impl Space {
    fn new(env: &Env) -> anyhow::Result<Self> {
        let name = env.get("INDENT_SPACE").unwrap_or_else(|| "default".to_owned());
        Ok(Self { api: Api::new(env)?, name })
    }

    /// `/v1/spaces/{space}/petitions/…`
    fn path<'a>(&'a self, below: &[&'a str]) -> Vec<&'a str> {
        [&["v1", "spaces", &self.name, "petitions"], below].concat()
    }

    async fn petition(&self, name: &str) -> anyhow::Result<Value> {
        let reply = self.api.get(&self.path(&[name]), &[]).await?;
        if reply.status == StatusCode::NOT_FOUND && reply.body.is_object() {
            bail!("there is no petition `{name}` in the space `{}` that you may see", self.name);
        }
        reply.success()
    }

    /// What was asked of the space as a whole, which may be another's.
    fn of_space(&self, reply: Reply) -> anyhow::Result<Value> {
        if reply.status == StatusCode::NOT_FOUND && reply.body.is_object() {
            bail!("the server has no space `{}`; INDENT_SPACE says which one is meant", self.name);
        }
        reply.success()
    }
}

/// As people type lengths in Slack.
fn typed_length(text: &str) -> Result<jiff::SignedDuration, BadLength> {
    length::parse(text)
}
