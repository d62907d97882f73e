//! The commands. Exit status: 0 done, 1 failed, 2 wrong usage; `check` has 3 for "cannot tell".
//!
//! May import: everything. To add a command: a file here, a variant of [`Command`], its arm in [`run`].

mod access;
mod api;
mod audit;
mod check;
mod demo;
mod doctor;
mod env;
mod init;
mod migrate;
mod petitions;
mod serve;
mod signals;
mod slack;
mod sync;
mod table;
mod token;

use std::{ffi::OsString, process::ExitCode};

use clap::{Parser, Subcommand};

pub use self::env::Env;

/// Time-limited access to one customer's data, asked for and approved in Slack.
///
/// Try it with nothing configured: `latchkey demo`. Set it up: `latchkey init`.
/// Settings come from the environment and from latchkey.toml; the README lists them.
#[derive(Debug, Parser)]
#[command(name = "latchkey", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play the whole story on this machine, with nothing configured
    Demo(demo::Args),
    /// Write a commented latchkey.toml and say what to do next
    Init(init::Args),
    /// Serve Slack and the API, and do the work
    Serve(serve::ServeArgs),
    /// Do the work only, beside processes that serve
    Worker(serve::WorkerArgs),
    /// Bring the database up to date
    Migrate,
    /// Read the customers database once, now
    Sync,
    /// The Slack app
    #[command(subcommand)]
    Slack(slack::Command),
    /// Check every setting, token, scope and connection, and say how to mend each
    ///
    /// Changes nothing. Exit status: 0 nothing failed (there may be warnings), 1 something did.
    Doctor(doctor::Args),
    /// Ask a running server whether somebody may see a customer
    ///
    /// Exit status: 0 yes, 1 no, 3 when it cannot tell. Needs LATCHKEY_TOKEN with the scope `check`.
    Check(check::Args),
    /// Who holds what now (asks a running server)
    #[command(subcommand)]
    Access(access::Command),
    /// Ask for access and decide (asks a running server)
    ///
    /// Needs LATCHKEY_TOKEN with the scope `petition`, or `admin` for what is everybody's.
    #[command(subcommand)]
    Petitions(petitions::Command),
    /// API tokens (on the database directly)
    #[command(subcommand)]
    Token(token::Command),
    /// The record of everything that changed (on the database directly)
    #[command(subcommand)]
    Audit(audit::Command),
}

/// Runs the program. Everything it does is decided by the arguments and the environment that are passed in.
pub fn main(args: impl IntoIterator<Item = OsString>, vars: Vec<(String, String)>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing sensible can be done when even the terminal is gone.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("latchkey: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let env = Env::new(vars);
    let result = runtime.block_on(run(cli.command, &env));
    // What still runs was told to stop and had its time.
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("latchkey: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command, env: &Env) -> anyhow::Result<ExitCode> {
    let done = ExitCode::SUCCESS;
    match command {
        Command::Demo(args) => demo::run(args).await.map(|()| done),
        Command::Init(args) => init::run(args, env).map(|()| done),
        Command::Serve(args) => serve::serve(args, env).await.map(|()| done),
        Command::Worker(args) => serve::worker(args, env).await.map(|()| done),
        Command::Migrate => migrate::run(env).await.map(|()| done),
        Command::Sync => sync::run(env).await.map(|()| done),
        Command::Slack(command) => slack::run(command, env).map(|()| done),
        Command::Doctor(args) => Ok(doctor::run(args, env).await),
        Command::Check(args) => Ok(check::run(args, env).await),
        Command::Access(command) => access::run(command, env).await.map(|()| done),
        Command::Petitions(command) => petitions::run(command, env).await,
        Command::Token(command) => token::run(command, env).await.map(|()| done),
        Command::Audit(command) => audit::run(command, env).await.map(|()| done),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_tree_is_sound() {
        super::Cli::command().debug_assert();
    }
}
