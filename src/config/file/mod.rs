//! `latchkey.toml`: the policy, the provisioners, and the other webhooks.
//!
//! The file is read by hand rather than by derived structs, so that every mistake has its line and column, several are
//! reported at once, and each says how to mend it. No mistake repeats a value that came from the environment, and none
//! shows the line it stands in: that line may hold a secret.

mod access;
mod decisions;
mod provisioners;
mod pulls;
mod reader;
mod rules;
mod webhooks;
mod who;

use toml::de::DeTable;

use self::reader::{Reader, Section};
pub use self::{
    decisions::DecisionConfig,
    provisioners::{ProvisionerConfig, ProvisionerKind},
    pulls::PullConfig,
    webhooks::WebhookConfig,
};
use crate::policy::Policy;

/// The file, understood and checked.
#[derive(Clone, Debug)]
pub struct FileConfig {
    pub policy: Policy,
    /// Names differ.
    pub provisioners: Vec<ProvisionerConfig>,
    /// Names differ; a rule names each one's bot.
    pub decisions: Vec<DecisionConfig>,
    /// Names differ.
    pub pulls: Vec<PullConfig>,
}

/// Everything that is wrong with the file, in its order: one mistake per line, like
/// `latchkey.toml:19:5: unknown key “reason_min” in [access]; did you mean “min_reason”?`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// As it was given to [`load`].
    pub file_name: String,
    /// At least one.
    pub mistakes: Vec<Mistake>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl std::fmt::Display for FileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (n, Mistake { line, column, message }) in self.mistakes.iter().enumerate() {
            let separator = if n == 0 { "" } else { "\n" };
            write!(f, "{separator}{}:{line}:{column}: {message}", self.file_name)?;
        }
        Ok(())
    }
}

impl std::error::Error for FileError {}

const SECTIONS: &[&str] = &["access", "groups", "rule", "provisioner", "decision", "pull"];

/// A mistake in how the file is written breeds others in what follows, so only the first few are shown.
const MOST_SYNTAX_MISTAKES: usize = 5;

/// Reads the text of `latchkey.toml`. `env` gives the variables for `"${NAME}"`; an empty one counts as not set.
pub fn load(text: &str, file_name: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<FileConfig, FileError> {
    let mut reader = Reader::new(env);
    let (document, faults) = DeTable::parse_recoverable(text);
    for fault in faults.iter().take(MOST_SYNTAX_MISTAKES) {
        // Its `Display` would show the line, so only the message is taken.
        let at = fault.span().map_or(text.len(), |span| span.start);
        reader.mistake(at, format_args!("this is not TOML: {}", fault.message()));
    }
    let config = if faults.is_empty() { document_of(&mut reader, document.get_ref()) } else { None };
    match (config, reader.into_mistakes(text)) {
        (Some(config), mistakes) if mistakes.is_empty() => Ok(config),
        (_, mistakes) => Err(FileError { file_name: file_name.to_owned(), mistakes }),
    }
}

fn document_of(reader: &mut Reader<'_>, table: &DeTable<'_>) -> Option<FileConfig> {
    let top = Section { what: "the file".to_owned(), at: 0, table };
    reader.only(&top, SECTIONS, &[]);
    let before = reader.count();
    let access = access::access(reader, top.get("access"));
    let groups = who::groups(reader, top.get("groups"));
    let mut policy = Policy { access, groups, rules: Vec::new() };
    policy.rules = rules::rules(reader, &policy, top.get("rule"));
    let policy_is_whole = reader.count() == before;
    let provisioners = provisioners::provisioners(reader, top.get("provisioner"));
    let decisions = decisions::decisions(reader, policy_is_whole.then_some(&policy), top.get("decision"));
    let pulls = pulls::pulls(reader, top.get("pull"));
    Some(FileConfig { policy, provisioners, decisions, pulls })
}

#[cfg(test)]
mod tests;
