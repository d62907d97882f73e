//! `latchkey audit export|verify`.

use std::io::{BufWriter, Write};

use anyhow::{Context, bail};

use super::{
    Env,
    env::{open_store, world},
};
use crate::{app, audit::StoredEntry, store::Store};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Every entry as a line of JSON, oldest first
    Export,
    /// Check that nothing in the record was altered, removed or slipped in
    Verify,
}

pub async fn run(command: Command, env: &Env) -> anyhow::Result<()> {
    let settings = env.settings()?;
    // Reading the record changes no schema.
    let store = open_store(&settings, false).await?;
    // What was committed a moment ago belongs into the chain too.
    app::bare_workflow(store.clone(), &world()).chain_record().await?;
    let result = match command {
        Command::Export => {
            let mut out = BufWriter::new(std::io::stdout().lock());
            let written = each(&store, |entry| writeln!(out, "{}", entry.export_line()).context("cannot write")).await;
            written.and_then(|_| out.flush().context("cannot write"))
        }
        Command::Verify => each(&store, |_| Ok(())).await.map(|(count, head)| {
            println!("{count} entries, unbroken. The last hash is {}", if head.is_empty() { "-" } else { &head });
        }),
    };
    store.close().await;
    result
}

/// Reads the whole record page by page, its chain checked; the number of entries and the last hash.
async fn each(store: &Store, mut take: impl FnMut(StoredEntry) -> anyhow::Result<()>) -> anyhow::Result<(i64, String)> {
    let (mut position, mut hash) = (0, String::new());
    loop {
        let page = store.audit_page(position, &hash).await?.context("the record does not hold together")?;
        let Some(last) = page.last() else { break };
        (position, hash) = (last.position, last.hash.clone());
        for entry in page {
            take(entry)?;
        }
    }
    let (end, _) = store.audit_head().await?;
    if position < end {
        bail!("the record does not hold together: entries {} to {end} are missing", position + 1);
    }
    Ok((position, hash))
}
