//! `latchkey token create|list|revoke`.

use anyhow::{Context, bail};
use serde_json::json;

use super::{
    Env,
    env::{open_store, world},
    table,
};
use crate::{
    app,
    domain::{id::TokenId, length, person::Email},
    http::{auth::Scope, token::TokenKey},
    store::Token,
    workflow::NewToken,
};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a token; prints the token alone
    Create(CreateArgs),
    /// All tokens, without their secrets
    List {
        /// As JSON, one array
        #[arg(long)]
        json: bool,
    },
    /// Make a token worthless, at once and for good
    Revoke {
        /// As `token list` shows it
        id: String,
    },
}

#[derive(Debug, clap::Args)]
pub struct CreateArgs {
    /// Whom the token speaks for
    #[arg(long)]
    email: String,
    /// What it may be used for; repeat it for more
    #[arg(long = "scope", required = true, value_parser = ["petition", "admin", "delegate", "check"])]
    scopes: Vec<String>,
    /// How long it lasts, like 30d or 12h
    #[arg(long, default_value = "365d")]
    expires_in: String,
    /// What it is for, to know it again in `token list`
    #[arg(long, default_value = "")]
    name: String,
}

pub async fn run(command: Command, env: &Env) -> anyhow::Result<()> {
    let settings = env.settings()?;
    let store = open_store(&settings, true).await?;
    let world = world();
    let result = match command {
        Command::Create(args) => {
            let key = TokenKey::new(app::secret(&settings, &store, world.entropy.as_ref()).await?);
            create(args, &key, &app::bare_workflow(store.clone(), &world)).await
        }
        Command::List { json } => {
            let tokens = store.tokens().await?;
            list(&tokens, json);
            Ok(())
        }
        Command::Revoke { id } => {
            let revoked = app::bare_workflow(store.clone(), &world).revoke_token(&TokenId::new(&id)).await?;
            if revoked {
                println!("{id} is revoked.")
            } else {
                bail!("there is no live token {id}; see `latchkey token list`")
            }
            Ok(())
        }
    };
    store.close().await;
    result
}

async fn create(args: CreateArgs, key: &TokenKey, workflow: &crate::workflow::Workflow) -> anyhow::Result<()> {
    let expires_in = Some(length::parse(&args.expires_in).context("--expires-in")?);
    let mut scopes: Vec<&str> =
        Scope::ALL.map(Scope::word).into_iter().filter(|word| args.scopes.iter().any(|s| s == word)).collect();
    scopes.dedup();
    let new = NewToken {
        email: Email::parse(&args.email).context("--email")?,
        scopes: scopes.join(" "),
        label: args.name,
        expires_in,
    };
    if !new.email.as_str().is_ascii() {
        bail!("--email: a token's e-mail must be plain ASCII, because the SDKs read it from the token");
    }
    let token = workflow.create_token(new).await?;
    println!("{}", key.sign(&token).context("the token could not be signed")?);
    Ok(())
}

fn state(token: &Token, now: jiff::Timestamp) -> &'static str {
    match (token.revoked_at, token.expires_at) {
        (Some(_), _) => "revoked",
        (None, Some(at)) if at <= now => "expired",
        (None, _) => "live",
    }
}

fn list(tokens: &[Token], as_json: bool) {
    let now = world().clock.now();
    if as_json {
        let tokens: Vec<_> = tokens
            .iter()
            .map(|token| {
                json!({
                    "id": token.id.as_str(), "email": token.email, "scopes": token.scopes.split(' ').collect::<Vec<_>>(),
                    "name": token.label, "state": state(token, now), "created_at": token.created_at.to_string(),
                    "expires_at": token.expires_at.map(|at| at.to_string()),
                    "revoked_at": token.revoked_at.map(|at| at.to_string()),
                })
            })
            .collect();
        table::line(json!(tokens));
        return;
    }
    let second = |at: jiff::Timestamp| at.strftime("%Y-%m-%d %H:%M UTC").to_string();
    let rows: Vec<Vec<String>> = tokens
        .iter()
        .map(|token| {
            vec![
                token.id.to_string(),
                token.email.to_string(),
                token.scopes.clone(),
                state(token, now).to_owned(),
                token.expires_at.map_or_else(|| "-".to_owned(), second),
                token.label.clone(),
            ]
        })
        .collect();
    table::print(&["ID", "EMAIL", "SCOPES", "STATE", "EXPIRES", "NAME"], &rows);
}
