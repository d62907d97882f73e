//! What comes over a connection and what goes back, as text: pure.

use serde_json::{Value, json};

/// One text of Slack's.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Frame {
    /// The connection works; so many there are for the app now, ours included.
    Hello {
        connections: u64,
    },
    Disconnect(Reason),
    Envelope(Envelope),
    /// Nothing that could be answered. What Slack calls it, or what is wrong with it.
    Unknown(String),
}

/// Why Slack ends a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// It is replaced in the ordinary course: at once, or in about ten seconds. Slack's word, for the log.
    Refresh(String),
    /// Somebody turned Socket Mode off.
    Disabled,
}

/// Something that wants to be acknowledged.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Envelope {
    pub id: String,
    pub kind: String,
    pub payload: Value,
    /// The acknowledgement may say something.
    pub takes_answer: bool,
    /// How often it was sent before; 0 the first time.
    pub retries: u64,
}

impl Frame {
    /// Never fails: what cannot be read is [`Frame::Unknown`].
    pub fn read(text: &str) -> Self {
        let Ok(mut frame) = serde_json::from_str::<Value>(text) else { return Self::Unknown("no JSON".to_owned()) };
        let word = |name: &str| frame[name].as_str().unwrap_or_default().to_owned();
        let (kind, id) = (word("type"), word("envelope_id"));
        match kind.as_str() {
            "hello" => Self::Hello { connections: frame["num_connections"].as_u64().unwrap_or_default() },
            "disconnect" => Self::Disconnect(match word("reason").as_str() {
                "link_disabled" => Reason::Disabled,
                // `warning`, `refresh_requested`, and what Slack invents next: the connection will end.
                other => Reason::Refresh(other.chars().take(40).collect()),
            }),
            _ if !id.is_empty() => Self::Envelope(Envelope {
                takes_answer: frame["accepts_response_payload"] == true,
                retries: frame["retry_attempt"].as_u64().unwrap_or_default(),
                payload: frame["payload"].take(),
                kind,
                id,
            }),
            _ => Self::Unknown(if kind.is_empty() { "text without a type".to_owned() } else { kind }),
        }
    }
}

impl Envelope {
    /// The key by which the same thing is known when it is delivered again. Each act of a person has a trigger of its
    /// own, which stays the same whatever envelope it comes in; a retry of Slack's may come in the same or in a new one.
    pub fn key(&self) -> String {
        let trigger = self.payload["trigger_id"].as_str().filter(|trigger| !trigger.is_empty());
        format!("socket:{}", trigger.unwrap_or(&self.id))
    }

    /// The acknowledgement, with what is to be said if the envelope takes it.
    pub fn acknowledged(&self, said: Option<Value>) -> String {
        let mut answer = json!({ "envelope_id": self.id });
        if let Some(said) = said.filter(|_| self.takes_answer) {
            answer["payload"] = said;
        }
        answer.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(more: Value) -> Envelope {
        let mut text = json!({
            "envelope_id": "e-1", "type": "interactive", "accepts_response_payload": true,
            "payload": { "type": "block_actions", "trigger_id": "1.2.abc" },
        });
        for (name, value) in more.as_object().unwrap() {
            text[name] = value.clone();
        }
        match Frame::read(&text.to_string()) {
            Frame::Envelope(envelope) => envelope,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_slack_documents_is_understood() {
        let hello =
            r#"{"type":"hello","num_connections":2,"connection_info":{"app_id":"A1"},"debug_info":{"host":"h"}}"#;
        assert_eq!(Frame::read(hello), Frame::Hello { connections: 2 });
        for (reason, expected) in [
            ("warning", Reason::Refresh("warning".to_owned())),
            ("refresh_requested", Reason::Refresh("refresh_requested".to_owned())),
            ("too_many_websockets", Reason::Refresh("too_many_websockets".to_owned())),
            ("link_disabled", Reason::Disabled),
        ] {
            let text = json!({ "type": "disconnect", "reason": reason, "debug_info": {} }).to_string();
            assert_eq!(Frame::read(&text), Frame::Disconnect(expected));
        }
        let event = envelope(json!({
            "type": "events_api", "accepts_response_payload": false, "retry_attempt": 2, "retry_reason": "timeout",
        }));
        assert_eq!((event.id.as_str(), event.kind.as_str(), event.retries), ("e-1", "events_api", 2));
        assert_eq!(event.payload["type"], "block_actions");
    }

    /// Malformed text ends nothing and panics nowhere.
    #[test]
    fn anything_else_is_unknown_or_an_envelope_to_acknowledge() {
        for text in ["", "{", "null", "7", "[]", "{}", r#"{"type":"goodbye"}"#, r#"{"envelope_id":7,"type":"x"}"#] {
            assert!(matches!(Frame::read(text), Frame::Unknown(_)), "{text}");
        }
        assert!(matches!(Frame::read(&"[".repeat(100_000)), Frame::Unknown(_)));
        for more in [
            json!({ "type": "brand_new" }),
            json!({ "type": null, "payload": null, "accepts_response_payload": null, "retry_attempt": "x" }),
            json!({ "payload": "text" }),
        ] {
            let envelope = envelope(more);
            assert!(envelope.acknowledged(None).contains("e-1"));
            assert!(envelope.key().starts_with("socket:"));
        }
    }

    #[test]
    fn the_acknowledgement_says_something_only_where_slack_takes_it() {
        let said = json!({ "response_action": "errors" });
        let read = |text: String| serde_json::from_str::<Value>(&text).unwrap();
        let with = envelope(json!({}));
        assert_eq!(read(with.acknowledged(Some(said.clone()))), json!({ "envelope_id": "e-1", "payload": said }));
        assert_eq!(read(with.acknowledged(None)), json!({ "envelope_id": "e-1" }));
        let without = envelope(json!({ "accepts_response_payload": false }));
        assert_eq!(read(without.acknowledged(Some(said))), json!({ "envelope_id": "e-1" }));
    }

    #[test]
    fn an_act_is_known_again_in_another_envelope() {
        let act = envelope(json!({}));
        assert_eq!(act.key(), envelope(json!({ "envelope_id": "e-2", "retry_attempt": 1 })).key());
        assert_ne!(act.key(), envelope(json!({ "payload": { "trigger_id": "1.3.abc" } })).key());
        let plain = |id: &str| envelope(json!({ "envelope_id": id, "payload": {} })).key();
        assert_eq!(plain("e-1"), plain("e-1"));
        assert_ne!(plain("e-1"), plain("e-2"));
    }
}
