//! Reads what was sent to Slack with the types of `slackblocks`, which take no block that Slack would refuse.
//!
//! `blocks FOLDER`: files as `tests/it/harness/sent.rs` leaves them. Prints what is wrong; fails if anything is.

use std::{env, fs, path::Path, process::ExitCode};

use serde_json::{Value, json};
use slackblocks::{HomeTabView, MessagePayload, ModalView, SelectOption, SelectOptionGroup, ValidationError};

fn main() -> ExitCode {
    let folder = env::args().nth(1).expect("the folder with the payloads");
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry of the folder").path()).collect();
    paths.sort();
    let mut faults = 0;
    for path in &paths {
        if let Err(fault) = check(path) {
            println!("{}: {fault}", path.display());
            faults += 1;
        }
    }
    println!("slackblocks: {} payloads, {faults} of them wrong", paths.len());
    if faults > 0 || paths.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn check(path: &Path) -> Result<(), String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let mut file: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let mut payload = file["payload"].take();
    let judged = match file["kind"].as_str() {
        Some("message") => {
            // The answer to a command or a click says by its address where it belongs.
            if payload["channel"].is_null() {
                payload["channel"] = json!("C0ACCESS");
            }
            MessagePayload::try_from(payload).map(|_| ())
        }
        Some("modal") => ModalView::try_from(payload).map(|_| ()),
        Some("home") => HomeTabView::try_from(payload).map(|_| ()),
        Some("options") => options(&payload),
        other => return Err(format!("no such kind: {other:?}")),
    };
    judged.map_err(|fault| fault.to_string())
}

fn options(answer: &Value) -> Result<(), ValidationError> {
    for option in answer["options"].as_array().into_iter().flatten() {
        SelectOption::try_from(option.clone())?;
    }
    for group in answer["option_groups"].as_array().into_iter().flatten() {
        SelectOptionGroup::try_from(group.clone())?;
    }
    Ok(())
}
