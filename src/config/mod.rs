//! What operators decide: settings from the environment, the policy and the provisioners from `latchkey.toml`.
//!
//! Everything is checked here, at start, so that no other room meets a wrong value: mistakes are collected and shown
//! together, each with its place and its remedy, and never with the value of a secret. Nothing here reads the
//! environment or a file by itself; both come as arguments.
//!
//! May import: `crate::domain`, `crate::policy`. No room imports this one but `app` and `cli`, which hand each room
//! what it needs.
//! To add a setting: a row in [`env::VARIABLES`], a field in [`env::Settings`] and its line in `from_env`. To add a key
//! of the file: the list of known keys of its section in `file/`, and the struct that it fills.

pub mod env;
pub mod file;
mod nearest;
pub mod template;

pub use self::{
    env::{CustomersSettings, DatabaseUrl, LogFormat, RemoteSettings, Settings, SettingsError, SlackSettings},
    file::{DecisionConfig, FileConfig, FileError, ProvisionerConfig, ProvisionerKind, PullConfig, WebhookConfig},
};

/// All that a running Latchkey was told.
#[derive(Clone, Debug)]
pub struct Config {
    pub settings: Settings,
    pub file: FileConfig,
}
