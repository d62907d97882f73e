//! `latchkey petitions approve|deny|revoke`: claims on a petition. Whether they count is the server's to say.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{
    Space,
    facts::{Facts, on_one_line},
    typed_length,
};
use crate::domain::length;

#[derive(Debug, clap::Args)]
pub struct ApproveArgs {
    /// The petition, as `petitions list` shows it
    name: String,
    /// For how long, like 2h or 90m; without it as long as was asked for
    #[arg(long = "for", value_name = "TIME", value_parser = typed_length)]
    length: Option<SignedDuration>,
    /// A word to go with it
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct DenyArgs {
    /// The petition, as `petitions list` shows it
    name: String,
    /// Why not
    #[arg(long)]
    reason: String,
}

#[derive(Debug, clap::Args)]
pub struct RevokeArgs {
    /// The petition, as `petitions list` shows it
    name: String,
    /// Why now
    #[arg(long)]
    reason: Option<String>,
}

pub async fn approve(args: ApproveArgs, space: &Space) -> anyhow::Result<()> {
    let after = claim(space, &args.name, "access/approve", args.reason, args.length).await?;
    let facts = Facts(&after);
    match facts.phase() {
        "open" => println!("{} is approved by you, and needs more approvals.", facts.name()),
        _ => {
            // Where it was approved for longer than the policy allows.
            let grant = facts.events().iter().rev().find(|event| event["event"] == "access/grant");
            let note = grant.and_then(|grant| grant["meta"]["labels"]["latchkey/note"].as_str());
            let note = note.map(|note| format!(" ({note})")).unwrap_or_default();
            println!("{} is {}{}.", facts.name(), on_one_line(&facts.outcome()), on_one_line(&note));
        }
    }
    Ok(())
}

pub async fn deny(args: DenyArgs, space: &Space) -> anyhow::Result<()> {
    let after = claim(space, &args.name, "access/deny", Some(args.reason), None).await?;
    println!("{} is {}.", args.name, on_one_line(&Facts(&after).outcome()));
    Ok(())
}

pub async fn revoke(args: RevokeArgs, space: &Space) -> anyhow::Result<()> {
    let after = claim(space, &args.name, "access/revoke", args.reason, None).await?;
    println!("{} is {}.", args.name, on_one_line(&Facts(&after).outcome()));
    Ok(())
}

/// Makes a claim; the petition as it stands after it.
async fn claim(
    space: &Space,
    name: &str,
    event: &str,
    reason: Option<String>,
    length: Option<SignedDuration>,
) -> anyhow::Result<Value> {
    let before = space.petition(name).await?;
    // Indent's own space wants to see what the claim is about; a Latchkey takes it from the petition.
    let mut claim = json!({ "event": event, "resources": before["resources"] });
    if let Some(reason) = reason {
        claim["reason"] = json!(reason);
    }
    if let Some(length) = length {
        claim["meta"] = json!({ "labels": { "indent.com/time/duration": length::go(length) } });
    }
    space.api.post(&space.path(&[name, "claims"]), &json!({ "claim": claim })).await?.success()?;
    space.petition(name).await
}
