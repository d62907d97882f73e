//! `latchkey init`.

use std::{io::Write, path::PathBuf};

use anyhow::{Context, bail};

use super::Env;
use crate::config::template::TEMPLATE;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to write it [default: LATCHKEY_CONFIG, or latchkey.toml]
    path: Option<PathBuf>,
}

pub fn run(args: Args, env: &Env) -> anyhow::Result<()> {
    let path = args
        .path
        .or_else(|| env.get("LATCHKEY_CONFIG").map(PathBuf::from))
        .unwrap_or_else(|| PathBuf::from("latchkey.toml"));
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(&path);
    let mut file = match file {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            bail!("{} is there already and stays as it is", path.display())
        }
        other => other.with_context(|| format!("cannot write {}", path.display()))?,
    };
    file.write_all(TEMPLATE.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    println!("Wrote {}. Next:", path.display());
    println!("  1. Put your reviewers into [groups], and what they review into [[rule]].");
    println!("  2. Set CUSTOMERS_DATABASE_URL to the database that has your customers.");
    println!(
        "  3. Set PUBLIC_URL, create a Slack app from `latchkey slack manifest` (README: Slack in minutes), and set"
    );
    println!("     SLACK_BOT_TOKEN and SLACK_SIGNING_SECRET.");
    println!("  4. latchkey doctor says what is still missing; then: latchkey serve");
    Ok(())
}
