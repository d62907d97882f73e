//! The environment as it was at the start, and what commands make of it.

use std::{collections::BTreeSet, io::IsTerminal, sync::Arc};

use anyhow::{Context, bail};

use crate::{
    app::{self, World},
    clock::{SystemClock, SystemEntropy},
    config::{Config, FileConfig, LogFormat, Settings, SettingsError, file},
    slack,
    store::Store,
};

/// Name and value of every variable.
pub struct Env(Vec<(String, String)>);

impl Env {
    pub fn new(vars: Vec<(String, String)>) -> Self {
        Self(vars)
    }

    /// Empty means not set.
    pub fn get(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.clone())
    }

    pub fn settings(&self) -> anyhow::Result<Settings> {
        Ok(Settings::from_env(self.0.iter().cloned())?)
    }

    /// The settings without these variables.
    pub fn settings_without(&self, left_out: &BTreeSet<String>) -> Result<Settings, SettingsError> {
        Settings::from_env(self.0.iter().filter(|(name, _)| !left_out.contains(name)).cloned())
    }

    pub fn file(&self, settings: &Settings) -> anyhow::Result<FileConfig> {
        let path = &settings.config_path;
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                bail!(
                    "there is no {}; write one with `latchkey init`, or say where it is with LATCHKEY_CONFIG",
                    path.display()
                )
            }
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        Ok(file::load(&text, &path.display().to_string(), &|name| self.get(name))?)
    }

    pub fn config(&self) -> anyhow::Result<Config> {
        let settings = self.settings()?;
        let file = self.file(&settings)?;
        Ok(Config { settings, file })
    }

    /// Log lines go to standard error; `RUST_LOG` chooses them.
    pub fn start_log(&self, format: LogFormat) {
        let filter = self.get("RUST_LOG").unwrap_or_else(|| "info,sqlx=warn,apalis=warn,apalis_core=warn".to_owned());
        let filter = tracing_subscriber::EnvFilter::builder().parse_lossy(filter);
        let log = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false);
        // A second start within one process keeps the first log.
        let _ = match format {
            LogFormat::Text => log.try_init(),
            LogFormat::Json => log.json().try_init(),
        };
    }
}

pub fn world() -> World {
    World { clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy), slack: slack::Limits::default() }
}

/// The database of the settings, open and up to date.
pub async fn open_store(settings: &Settings, migrate: bool) -> anyhow::Result<Store> {
    let store = Store::open(settings.database_url.expose(), app::CONNECTIONS)
        .await
        .with_context(|| format!("DATABASE_URL ({})", settings.database_url))?;
    if migrate {
        store.migrate().await?;
    } else {
        store.check_schema().await?;
    }
    Ok(store)
}
