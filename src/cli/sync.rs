//! `latchkey sync`: one customer sync, with a progress line on a terminal.

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};

use super::{
    Env,
    env::{open_store, world},
};
use crate::app;

pub async fn run(env: &Env) -> anyhow::Result<()> {
    let config = env.config()?;
    let source = app::customers_of(&config.settings)
        .context("there is no customers database: set CUSTOMERS_DATABASE_URL (and CUSTOMERS_QUERY)")?;
    let store = open_store(&config.settings, true).await?;
    let workflow = app::workflow(&config, store.clone(), &world());
    // How many rows there are is known when they were read, so there is no end to draw. Hidden without a terminal.
    let bar = ProgressBar::new_spinner();
    bar.set_style(
        ProgressStyle::with_template("{spinner} {pos} customers read, {per_sec}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    let synced = source.sync(&workflow, |read| bar.set_position(read)).await;
    bar.finish_and_clear();
    store.close().await;
    let synced = synced?;
    println!("{} customers read: {} changed, {} vanished.", synced.read, synced.changed, synced.vanished);
    Ok(())
}
