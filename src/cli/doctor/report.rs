//! What was found, and how it is shown.

use serde_json::json;

use crate::cli::table;

/// What a check is about; printed in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Group {
    Settings,
    File,
    Database,
    Slack,
    Channels,
    People,
    Customers,
    Webhooks,
    RemoteSpace,
}

impl Group {
    fn word(self) -> &'static str {
        match self {
            Self::Settings => "Settings",
            Self::File => "Policy file",
            Self::Database => "Database",
            Self::Slack => "Slack",
            Self::Channels => "Channels",
            Self::People => "People and rules",
            Self::Customers => "Customers database",
            Self::Webhooks => "Webhooks",
            Self::RemoteSpace => "Remote space",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    /// It works, or may work; somebody should know.
    Warning,
    Fail,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Fail => "fail",
        }
    }
}

/// One line of the report.
#[derive(Debug)]
pub(super) struct Check {
    pub group: Group,
    pub status: Status,
    what: String,
    /// What to do; always there unless it is fine.
    remedy: Option<String>,
}

pub(super) fn ok(group: Group, what: impl AsRef<str>) -> Check {
    Check { group, status: Status::Ok, what: one_line(what.as_ref()), remedy: None }
}

pub(super) fn warn(group: Group, what: impl AsRef<str>, remedy: impl AsRef<str>) -> Check {
    Check { status: Status::Warning, remedy: Some(one_line(remedy.as_ref())), ..ok(group, what) }
}

pub(super) fn fail(group: Group, what: impl AsRef<str>, remedy: impl AsRef<str>) -> Check {
    Check { status: Status::Fail, ..warn(group, what, remedy) }
}

/// Names of channels and what others answer are theirs to choose; a terminal obeys control characters.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Checks of one group stand together.
pub(super) fn print(checks: &[Check], as_json: bool) {
    if as_json {
        let checks = checks.iter().map(|check| {
            json!({
                "group": check.group.word(), "status": check.status.word(), "check": check.what, "remedy": check.remedy,
            })
        });
        return table::line(json!(checks.collect::<Vec<_>>()));
    }
    let mut group = None;
    for check in checks {
        if group != Some(check.group) {
            group = Some(check.group);
            table::line(check.group.word());
        }
        let remedy = check.remedy.as_ref().map(|remedy| format!("; {remedy}")).unwrap_or_default();
        table::line(format_args!("  {:<7}  {}{remedy}", check.status.word(), check.what));
    }
    let count = |status| checks.iter().filter(|check| check.status == status).count();
    let (fine, warnings, failed) = (count(Status::Ok), count(Status::Warning), count(Status::Fail));
    let plural = if warnings == 1 { "warning" } else { "warnings" };
    table::line(format_args!("\n{fine} ok, {warnings} {plural}, {failed} failed."));
}
