//! `latchkey migrate`.

use super::{Env, env::open_store};

pub async fn run(env: &Env) -> anyhow::Result<()> {
    let settings = env.settings()?;
    let store = open_store(&settings, true).await?;
    println!("The database is up to date ({}).", settings.database_url);
    store.close().await;
    Ok(())
}
