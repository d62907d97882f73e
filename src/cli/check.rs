//! `latchkey check EMAIL CUSTOMER`.

use std::process::ExitCode;

use serde_json::Value;

use super::{
    Env,
    api::{Api, Reply},
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Who
    email: String,
    /// The customer's id
    customer: String,
    /// This role, or a stronger one
    #[arg(long)]
    role: Option<String>,
    /// The server's answer as it is
    #[arg(long)]
    json: bool,
}

/// 3 is for everything that is neither a yes nor a no.
pub async fn run(args: Args, env: &Env) -> ExitCode {
    let answer = ask(&args, env).await.and_then(|reply| match reply.body["allowed"] {
        Value::Bool(allowed) if reply.status.is_success() => Ok((allowed, reply.body)),
        _ => Err(anyhow::anyhow!(reply.message())),
    });
    match answer {
        Err(error) => {
            eprintln!("latchkey: cannot tell: {error:#}");
            ExitCode::from(3)
        }
        Ok((allowed, body)) => {
            if args.json {
                println!("{body}");
            } else if allowed {
                let until = body["expires_at"].as_str().unwrap_or_default();
                println!("yes: {} may see customer {} until {until}", args.email, args.customer);
            } else {
                println!("no: {} may not see customer {}", args.email, args.customer);
            }
            ExitCode::from(u8::from(!allowed))
        }
    }
}

async fn ask(args: &Args, env: &Env) -> anyhow::Result<Reply> {
    let mut query = vec![("user", args.email.as_str()), ("customer", args.customer.as_str())];
    query.extend(args.role.as_deref().map(|role| ("role", role)));
    Api::new(env)?.get(&["v1", "check"], &query).await
}
