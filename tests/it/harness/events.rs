//! Events as Indent, or another Latchkey, would send them.

use serde_json::{Value, json};

/// One event about ana@acme.test and the customer 123, to be changed where a test needs another.
#[derive(Clone, Debug)]
pub struct Event(pub Value);

impl Event {
    pub fn grant() -> Self {
        Self::new("access/grant")
    }
    pub fn revoke() -> Self {
        Self::new("access/revoke")
    }
    fn new(event: &str) -> Self {
        Self(json!({
            "event": event,
            "actor": { "kind": "user", "id": "lead@partner.test", "email": "lead@partner.test" },
            "resources": [
                { "kind": "user", "id": "ana@acme.test", "email": "ana@acme.test" },
                { "kind": "customer", "id": "123" },
            ],
        }))
    }

    pub fn person(self, name: &str) -> Self {
        let email = format!("{name}@acme.test");
        self.set("/resources/0/email", json!(email)).set("/resources/0/id", json!(email))
    }
    pub fn customer(self, id: &str) -> Self {
        self.set("/resources/1/id", json!(id))
    }
    pub fn at(mut self, time: impl ToString) -> Self {
        self.0["timestamp"] = json!(time.to_string());
        self
    }
    pub fn label(mut self, name: &str, value: impl ToString) -> Self {
        self.0["meta"]["labels"][name] = json!(value.to_string());
        self
    }
    pub fn until(self, end: impl ToString) -> Self {
        self.label("indent.com/time/expires", end)
    }
    pub fn petition(self, name: &str) -> Self {
        self.label("petition", name)
    }
    pub fn version(self, version: i64) -> Self {
        self.label("latchkey/version", version)
    }
    /// By its JSON pointer; the place must be there.
    pub fn set(mut self, pointer: &str, value: Value) -> Self {
        *self.0.pointer_mut(pointer).unwrap() = value;
        self
    }

    /// The body of a delivery of this event alone.
    pub fn body(&self) -> String {
        together(std::slice::from_ref(self))
    }
}

pub fn together(events: &[Event]) -> String {
    let events: Vec<&Value> = events.iter().map(|event| &event.0).collect();
    json!({ "events": events }).to_string()
}
