//! ApplyUpdate to the company's own endpoint: what it is told of an access, and that it took it.

use std::{borrow::Cow, collections::BTreeMap};

use crate::{
    domain::{
        clock::Clock,
        event::{AccessEvent, Wanted},
        id::CustomerId,
        length,
    },
    webhooks::{Body, Caller, Endpoint, Event, Failure, Meta, Resource, labels_kept, person},
};

pub struct WebhookSettings {
    pub endpoint: Endpoint,
    /// Nothing is sent, and everything counts as applied.
    pub dry_run: bool,
    /// The kind of customer resources.
    pub customer_kind: String,
}

pub struct Webhook {
    caller: Caller,
    dry_run: bool,
    customer_kind: String,
}

/// How much of an answer is read; an answer that means anything is far shorter.
const LONGEST_ANSWER: usize = 64 * 1024;

impl Webhook {
    pub fn new(settings: WebhookSettings) -> Result<Self, reqwest::Error> {
        let WebhookSettings { endpoint, dry_run, customer_kind } = settings;
        Ok(Self { caller: Caller::new(endpoint)?, dry_run, customer_kind })
    }

    pub fn timeout(&self) -> std::time::Duration {
        self.caller.timeout()
    }

    pub async fn apply(&self, id: &str, event: &AccessEvent, clock: &dyn Clock) -> Result<(), Failure> {
        if self.dry_run {
            return Ok(());
        }
        let body = body(event, &self.customer_kind);
        self.caller.send(id, body, LONGEST_ANSWER, clock).await?.taken()
    }
}

/// The earlier events of the petition, then the one that is to be applied; resources are person and customer, in this
/// order, because receivers insist on it.
fn body(event: &AccessEvent, customer_kind: &str) -> String {
    let mut labels: BTreeMap<&str, &str> = labels_kept(&event.customer_labels).collect();
    if let Some(role) = &event.role {
        labels.insert("role", role);
    }
    let customer = CustomerId::new(&event.customer);
    let resources = vec![
        person(&event.person),
        Resource {
            kind: customer.kind().unwrap_or(customer_kind),
            id: Some(customer.bare()),
            display_name: Some(&event.customer_name),
            labels,
            ..Resource::default()
        },
    ];
    let mut meta: BTreeMap<&str, Cow<'_, str>> = BTreeMap::from([
        ("petition", event.petition.as_str().into()),
        ("indent.com/petition", event.petition.as_str().into()),
        ("indent.com/time/expires", event.expires_at.to_string().into()),
        ("indent.com/time/duration", length::go(jiff::SignedDuration::from_secs(event.length_secs)).into()),
        ("latchkey/version", event.version.to_string().into()),
    ]);
    if let Some(role) = &event.role {
        meta.insert("latchkey/role", role.as_str().into());
    }
    let mut events: Vec<Event<'_>> = event
        .history
        .iter()
        .map(|earlier| Event {
            event: &earlier.event,
            timestamp: earlier.at.to_string(),
            actor: person(&earlier.actor),
            reason: &earlier.reason,
            resources: resources.clone(),
            meta: None,
        })
        .collect();
    events.push(Event {
        event: match event.wanted {
            Wanted::Grant => "access/grant",
            Wanted::Revoke => "access/revoke",
        },
        timestamp: event.at.to_string(),
        actor: person(&event.actor),
        reason: &event.reason,
        resources,
        meta: Some(Meta { labels: meta }),
    });
    Body { events }.to_json()
}
