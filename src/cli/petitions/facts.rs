//! What a petition of the API says, in words.

use jiff::Timestamp;
use serde_json::Value;

use crate::domain::length;

/// A petition as the API has it. Everything may be missing: the server may be newer than this program, or Indent's own.
pub struct Facts<'a>(pub &'a Value);

impl<'a> Facts<'a> {
    pub fn name(&self) -> &'a str {
        self.0["name"].as_str().unwrap_or("-")
    }

    /// `open`, `granted`, `revoked` or `closed`.
    pub fn phase(&self) -> &'a str {
        self.0["state"]["status"]["phase"].as_str().unwrap_or("-")
    }

    pub fn reason(&self) -> &'a str {
        self.0["reason"].as_str().unwrap_or_default()
    }

    pub fn petitioner(&self) -> String {
        person(&self.0["petitioners"][0])
    }

    pub fn asked_at(&self) -> String {
        time(self.0["meta"]["createTime"].as_str())
    }

    /// `123 (AcmeCorp)`
    pub fn customer(&self) -> String {
        let resource = &self.0["resources"][0];
        let (id, name) = (resource["id"].as_str().unwrap_or("-"), resource["displayName"].as_str().unwrap_or_default());
        if name.is_empty() || name == id { id.to_owned() } else { format!("{id} ({name})") }
    }

    pub fn role(&self) -> Option<&'a str> {
        self.0["resources"][0]["labels"]["role"].as_str()
    }

    /// How long it was asked for.
    pub fn length(&self) -> String {
        let label = self.0["meta"]["labels"]["indent.com/petition/duration"].as_str();
        label.or(self.0["defaultDuration"].as_str()).map_or_else(|| "-".to_owned(), shown_length)
    }

    pub fn events(&self) -> &'a [Value] {
        self.0["state"]["eventHistory"].as_array().map(Vec::as_slice).unwrap_or_default()
    }

    /// The end of the access, once there is one.
    pub fn until(&self) -> Option<String> {
        let grant = self.events().iter().rev().find(|event| event["event"] == "access/grant")?;
        Some(time(grant["meta"]["labels"]["indent.com/time/expires"].as_str()))
    }

    /// Who is asked to decide, where the server says so.
    pub fn asked(&self) -> Option<&'a str> {
        self.0["meta"]["labels"]["latchkey/reviewers"].as_str().filter(|text| !text.is_empty())
    }

    /// `granted: ana@acme.test may see 123 (AcmeCorp) as readonly until 2026-01-02 15:04:05 UTC`
    pub fn outcome(&self) -> String {
        let (who, which) = (self.petitioner(), self.customer());
        match self.phase() {
            "granted" => {
                let role = self.role().map(|role| format!(" as {role}")).unwrap_or_default();
                let until =
                    self.until().map_or_else(|| "until it is revoked".to_owned(), |until| format!("until {until}"));
                format!("granted: {who} may see {which}{role} {until}")
            }
            "open" => format!("open: {who} waits for access to {which}"),
            phase => {
                let why = self.0["meta"]["labels"]["latchkey/closed"].as_str().unwrap_or_default();
                let end = |event: &&Value| event["event"] == "access/deny" || event["event"] == "access/revoke";
                match (why, self.events().last().filter(end)) {
                    ("undecided", _) => format!("{phase}: nobody decided in time"),
                    ("withdrawn", _) => format!("{phase}: {who} took it back"),
                    ("refused", _) => {
                        let because = self.0["meta"]["labels"]["latchkey/note"].as_str().unwrap_or_default();
                        format!("{phase}: refused: {because}")
                    }
                    (_, Some(last)) => format!("{phase}: {}", deed(last)),
                    ("", None) => phase.to_owned(),
                    (why, None) => format!("{phase}: {why}"),
                }
            }
        }
    }
}

fn person(resource: &Value) -> String {
    let text = |field: &str| resource[field].as_str().filter(|text| !text.is_empty());
    text("email").or_else(|| text("displayName")).or_else(|| text("id")).unwrap_or("-").to_owned()
}

/// `bo@acme.test approved it for 2h (looks right)`
pub fn deed(event: &Value) -> String {
    let labels = &event["meta"]["labels"];
    let who = person(&event["actor"]);
    let is_grant = event["event"] == "access/grant";
    let length = labels["indent.com/time/duration"].as_str().or(labels["indent.com/petition/duration"].as_str());
    let length = length.map(|text| format!(" for {}", shown_length(text)));
    let length = length.unwrap_or_default();
    let what = match event["event"].as_str().unwrap_or_default() {
        "access/request" => format!("{who} asked{length}"),
        "access/approve" => format!("{who} approved it{length}"),
        "access/deny" => format!("{who} said no"),
        "access/grant" => match labels["indent.com/time/expires"].as_str() {
            Some(until) => format!("access until {}", time(Some(until))),
            None => format!("access{length}"),
        },
        "access/revoke" if matches!(&*who, "-" | "system") => "access ended".to_owned(),
        "access/revoke" => format!("access ended by {who}"),
        other => format!("{other} by {who}"),
    };
    // The reason of a grant is that of the petition, which was read before.
    let reason = if is_grant { &labels["latchkey/note"] } else { &event["reason"] };
    match reason.as_str().unwrap_or_default() {
        "" => what,
        reason => format!("{what}: {}", on_one_line(reason)),
    }
}

/// `2026-01-02 15:04:05 UTC`; what is no time is shown as it came.
pub fn time(text: Option<&str>) -> String {
    match text.map(|text| (text, text.parse::<Timestamp>())) {
        Some((_, Ok(at))) => at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Some((text, Err(_))) => text.to_owned(),
        None => "-".to_owned(),
    }
}

/// `3h0m0s` and `10800s` are 3h.
fn shown_length(text: &str) -> String {
    length::parse(text).map_or_else(|_| text.to_owned(), length::show)
}

/// What people wrote must not move the terminal's cursor or break the columns.
pub fn on_one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_petition_is_told_in_words() {
        let petition = json!({
            "name": "42", "reason": "debug BUG-482", "petitioners": [{ "kind": "user", "email": "ana@acme.test" }],
            "resources": [{ "kind": "customer", "id": "123", "displayName": "AcmeCorp", "labels": { "role": "readonly" } }],
            "meta": { "createTime": "2026-01-02T15:04:05.123456Z", "labels": { "indent.com/petition/duration": "4h0m0s" } },
            "state": { "status": { "phase": "granted" }, "eventHistory": [
                { "event": "access/request", "actor": { "email": "ana@acme.test" }, "reason": "debug\nBUG-482" },
                { "event": "access/approve", "actor": { "email": "bo@acme.test" },
                  "meta": { "labels": { "indent.com/time/duration": "1h30m0s" } } },
                { "event": "access/grant", "reason": "debug", "meta": { "labels": { "indent.com/time/expires": "2026-01-02T16:34:05Z" } } },
            ] },
        });
        let facts = Facts(&petition);
        assert_eq!((facts.length().as_str(), facts.asked_at().as_str()), ("4h", "2026-01-02 15:04:05 UTC"));
        assert_eq!(
            facts.outcome(),
            "granted: ana@acme.test may see 123 (AcmeCorp) as readonly until 2026-01-02 16:34:05 UTC"
        );
        let deeds: Vec<String> = facts.events().iter().map(deed).collect();
        assert_eq!(
            deeds,
            [
                "ana@acme.test asked: debug BUG-482",
                "bo@acme.test approved it for 1h 30m",
                "access until 2026-01-02 16:34:05 UTC",
            ]
        );
    }

    #[test]
    fn what_is_missing_is_a_dash() {
        let nothing = json!({ "state": { "status": { "phase": "closed" } } });
        let facts = Facts(&nothing);
        assert_eq!((facts.customer().as_str(), facts.length().as_str(), facts.until()), ("-", "-", None));
        assert_eq!(facts.outcome(), "closed");
        let undecided = json!({
            "petitioners": [{ "email": "ana@acme.test" }], "meta": { "labels": { "latchkey/closed": "undecided" } },
            "state": { "status": { "phase": "closed" }, "eventHistory": [{ "event": "access/request" }] },
        });
        assert_eq!(Facts(&undecided).outcome(), "closed: nobody decided in time");
        let denied = json!({
            "meta": { "labels": { "latchkey/closed": "denied" } },
            "state": { "status": { "phase": "closed" }, "eventHistory": [
                { "event": "access/request", "actor": { "email": "ana@acme.test" } },
                { "event": "access/deny", "actor": { "email": "bo@acme.test" }, "reason": "too broad" },
            ] },
        });
        assert_eq!(Facts(&denied).outcome(), "closed: bo@acme.test said no: too broad");
    }
}
