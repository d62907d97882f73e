//! `latchkey doctor`: looks at every setting, token, scope and connection, and says how to mend each.
//!
//! It changes nothing anywhere, prints no secret, and goes on where something is wrong: what a mistake names is left
//! out, and the rest is looked at. Everything over the network runs at once and is given up after a few seconds.
//!
//! To add a check: a function in the file of its group; a group: a file here, a variant of [`Group`], its line in
//! [`checks`].

mod customers;
mod database;
mod people;
mod remote;
mod report;
mod settings;
mod slack;
mod webhooks;

use std::{process::ExitCode, time::Duration};

use self::report::{Check, Group, Status, fail, ok, warn};
use super::{Env, env::world};

/// Whoever has not answered by then is away.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// One JSON list
    #[arg(long)]
    json: bool,
}

/// Exit status 0 when nothing failed; warnings are no failure.
pub async fn run(args: Args, env: &Env) -> ExitCode {
    let checks = checks(env).await;
    report::print(&checks, args.json);
    match checks.iter().any(|check| check.status == Status::Fail) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}

async fn checks(env: &Env) -> Vec<Check> {
    let told = settings::look(env);
    let mut checks = told.checks;
    // Without any reading of the environment there is nothing to look at.
    let Some(settings) = &told.settings else { return checks };
    let (file, wrong, world) = (told.file.as_ref(), &told.wrong, world());
    let (database, slack, customers, webhooks, remote) = tokio::join!(
        database::look(settings, wrong, &world),
        slack::look(settings, file, &world),
        customers::look(settings, file),
        webhooks::look(file, &world),
        remote::look(settings, &world),
    );
    checks.extend([database, slack, customers, webhooks, remote].into_iter().flatten());
    checks.sort_by_key(|check| check.group);
    checks
}
