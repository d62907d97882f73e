//! More of what people do in a house, of what Slack sends it, and of what a test asks about it.

use jiff::SignedDuration;
use latchkey::demo::workspace::{Answer, Message, View};
use serde_json::{Value, json};

use super::house::{CHANNEL, House, PATIENCE, Patience};

/// Slack's content type for commands and interactions.
pub const FORM: &str = "application/x-www-form-urlencoded";
pub const TEAM: &str = "T0ACME";

/// A request as Slack signed it once; whoever has a copy can send it again.
pub struct Signed {
    pub path: &'static str,
    pub time: String,
    pub signature: String,
    pub body: Vec<u8>,
}

/// A `latchkey.toml` with one rule for every customer; `access` and `rule` are lines of those sections.
pub fn file(leads: &[&str], access: &str, rule: &str) -> String {
    let leads: Vec<String> = leads.iter().map(|name| format!("\"{name}@acme.test\"")).collect();
    let notify = if rule.contains("notify") { "" } else { "notify = [\"C0ACCESS\"]" };
    format!(
        r#"
[access]
{access}

[groups]
leads = [{leads}]

[[rule]]
name = "everyone"
{notify}
{rule}

[[provisioner]]
name = "production"
kind = "webhook"
url = "${{PRODUCTION_URL}}"
secret = "${{PRODUCTION_SECRET}}"
"#,
        leads = leads.join(", ")
    )
}

/// Any one of the leads.
pub const ONE_LEAD: &str = r#"require = [{ reviewers = ["group:leads"] }]"#;
/// Two of the leads.
pub const TWO_LEADS: &str = r#"require = [{ reviewers = ["group:leads"], count = 2 }]"#;

/// The commands that an answer offers, without `/access`, each once.
pub fn commands_in(answer: &Answer) -> Vec<String> {
    let mut commands = Vec::new();
    for piece in answer.text().split(['`', '\n']) {
        if let Some(command) = piece.trim().strip_prefix("/access ")
            && !commands.iter().any(|known| known == command)
        {
            commands.push(command.to_owned());
        }
    }
    commands
}

/// The button with this text, as the message has it.
pub fn button(message: &Message, text: &str) -> Value {
    let mut elements = message.blocks.iter().flat_map(|block| block["elements"].as_array().into_iter().flatten());
    elements.rfind(|element| element["text"]["text"] == text).expect("the button is there").clone()
}

pub fn form(fields: &[(&str, &str)]) -> Vec<u8> {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish().into_bytes()
}

/// An interaction as Slack posts it.
pub fn payload(value: &Value) -> Vec<u8> {
    form(&[("payload", &value.to_string())])
}

/// A press of a button, with the least that Slack may send about it.
pub fn press(user: &str, action: &str, value: &Value) -> Value {
    json!({
        "type": "block_actions", "user": { "id": user, "team_id": TEAM }, "team": { "id": TEAM },
        "channel": { "id": CHANNEL }, "actions": [{ "type": "button", "action_id": action, "value": value }],
    })
}

impl House {
    /// Presses a button that somebody sees in a place; what only they are shown for it.
    pub async fn hears(&self, user: &str, place: &str, button: &str) -> String {
        let message = self.with_button(place, button).unwrap_or_else(|| panic!("{place} has no button {button}"));
        self.hears_on(user, &message, button).await
    }

    /// The same on a message as it was, which may show what is over by now.
    pub async fn hears_on(&self, user: &str, message: &Message, button: &str) -> String {
        let before = self.slack.ephemerals(user).len();
        let answer = self.slack.press(user, message, button).await;
        assert_eq!(answer.problem, None, "{}", answer.text());
        self.hears_more(user, before).await
    }

    /// The first thing that only they are shown after so many.
    pub async fn hears_more(&self, user: &str, before: usize) -> String {
        let shown = |slack: &latchkey::demo::workspace::Workspace| slack.ephemerals(user).get(before).cloned();
        self.slack.wait_for("something that only they see", PATIENCE, shown).await.unwrap().plain()
    }

    /// Presses Deny; the form that opens.
    pub async fn opens_deny(&self, user: &str) -> View {
        self.press_in(user, CHANNEL, "Deny").await;
        self.slack.wait_for("the form", PATIENCE, |slack| slack.view(user)).await.unwrap()
    }

    pub async fn denies(&self, user: &str, reason: &str) {
        let view = self.opens_deny(user).await;
        let answer = self.slack.submit(user, &view.id, &[("reason", reason)]).await;
        assert_eq!(answer.problem, None, "{}", answer.text());
        assert!(self.slack.view(user).is_none(), "the form stays open: {}", answer.text());
        self.settle().await;
    }

    /// How often a word stands in the record.
    pub async fn recorded(&self, word: &str) -> usize {
        self.record().await.iter().filter(|known| *known == word).count()
    }

    /// Nothing that a person could do stands in the record but these.
    pub async fn expect_record(&self, words: &[&str]) {
        let mut record = self.record().await;
        record.retain(|word| !["customers.synced", "token.created", "provisioner.applied"].contains(&word.as_str()));
        assert_eq!(record, words);
    }

    /// Stops, and starts again with another file.
    pub async fn restart_with(&mut self, file: &str) {
        self.settle().await;
        self.stop().await;
        self.file = file.to_owned();
        self.start().await;
        self.settle().await;
    }

    /// The next customer sync is over, and found something new.
    pub async fn synced(&self) {
        let before = self.recorded("customers.synced").await;
        self.advance(SignedDuration::from_mins(16)).await;
        let mut patience = Patience::new("the customers are synced");
        while self.recorded("customers.synced").await == before {
            patience.tick().await;
        }
    }

    /// The kinds of what production applied, in order.
    pub fn applied(&self) -> Vec<String> {
        self.production.applied().iter().map(|delivery| delivery.kind().to_owned()).collect()
    }

    /// Signs a body as Slack does at this instant, without sending it.
    pub fn signed(&self, path: &'static str, body: Vec<u8>) -> Signed {
        let (time, signature) = self.slack.sign(&body);
        Signed { path, time, signature, body }
    }

    /// Sends a signed request as it is; status and body of the answer.
    pub async fn send(&self, signed: &Signed) -> (u16, String) {
        let headers = [("x-slack-request-timestamp", &*signed.time), ("x-slack-signature", &*signed.signature)];
        self.send_with(signed.path, &headers, signed.body.clone()).await
    }

    pub async fn send_with(&self, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> (u16, String) {
        let request = self.http.post(format!("{}{path}", self.bot)).header("content-type", FORM).body(body);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Moves the clock on in small steps until something is seen.
    pub async fn advance_until<T>(&self, what: &'static str, look: impl Fn(&House) -> Option<T>) -> T {
        let mut patience = Patience::new(what);
        loop {
            self.settle().await;
            if let Some(found) = look(self) {
                return found;
            }
            self.clock.advance(SignedDuration::from_millis(500));
            patience.tick().await;
        }
    }
}
