//! Everything that was sent to Slack, kept for the validators that are not ours: `tests/blocks.sh` reads the folder.

use std::{fs::OpenOptions, io::Write, path::Path};

use latchkey::demo::workspace::{Call, Workspace};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Keeps, when it is dropped, each message and view that the workspace saw: one file for all that differ in nothing but
/// words with a digit in them (names, times, numbers).
pub struct Sent(pub Workspace);

impl Drop for Sent {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("slack-payloads");
        std::fs::create_dir_all(&folder).unwrap();
        let called = self.0.calls().into_iter().filter_map(called);
        let answered = self.0.answers().into_iter().filter_map(|(path, said)| answered(&path, said));
        for (kind, by, payload) in called.chain(answered) {
            let alike = Sha256::digest(format!("{by} {}", without_names(&payload.to_string())));
            let file = folder.join(format!("{kind}-{}.json", hex::encode(&alike[..8])));
            // Whoever comes first keeps it.
            if let Ok(mut file) = OpenOptions::new().write(true).create_new(true).open(file) {
                write!(file, "{}", json!({ "kind": kind, "by": by, "payload": payload })).unwrap();
            }
        }
    }
}

type Kept = (&'static str, String, Value);

fn called(Call { method, mut args, .. }: Call) -> Option<Kept> {
    match method.as_str() {
        "chat.postMessage" | "chat.update" | "chat.postEphemeral" | "response_url" => Some(("message", method, args)),
        method if method.starts_with("views.") => view(args["view"].take(), method),
        _ => None,
    }
}

fn answered(path: &str, mut said: Value) -> Option<Kept> {
    if path == "/slack/commands" {
        Some(("message", path.to_owned(), said))
    } else if said.get("options").is_some() || said.get("option_groups").is_some() {
        Some(("options", path.to_owned(), said))
    } else if said.get("view").is_some() {
        view(said["view"].take(), path)
    } else {
        None
    }
}

fn view(view: Value, by: &str) -> Option<Kept> {
    let view = view.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or(view);
    Some((if view["type"] == "home" { "home" } else { "modal" }, by.to_owned(), view))
}

/// The same text with `#` for every word that has a digit.
fn without_names(text: &str) -> String {
    let mut out = String::new();
    for word in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_') {
        match word.char_indices().last() {
            Some((end, _)) if word.chars().any(|c| c.is_ascii_digit()) => out.extend(["#", &word[end..]]),
            _ => out.push_str(word),
        }
    }
    out
}
