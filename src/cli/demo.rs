//! `latchkey demo`.

use super::signals::stop_token;
use crate::{config::LogFormat, demo};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// End after the story: status 0 if every step was seen to happen, else 1
    #[arg(long)]
    once: bool,
}

/// Nothing of the environment counts here but `RUST_LOG`'s absence: the demo is the same everywhere.
pub async fn run(args: Args) -> anyhow::Result<()> {
    super::Env::new(vec![("RUST_LOG".to_owned(), "error".to_owned())]).start_log(LogFormat::Text);
    let stop = stop_token()?;
    demo::run(args.once, async move { stop.cancelled().await }).await
}
