//! Indent's JSON as we write it: camelCase, empty fields left out, times RFC 3339 in UTC.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        customer::{Customer, Labels},
        id::{CustomerId, Role},
        length,
        person::Email,
        petition::{Claim, ClaimKind, CloseReason, Grant, Petition, PetitionState},
        resource::Resource as Given,
    },
    store::StoredResource,
    workflow::NOTE_LABEL,
};

#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    pub kind: String,
    pub id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub display_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub email: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alt_ids: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, String>)]
    pub labels: Labels,
}

#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub space: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, String>)]
    pub labels: Labels,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime)]
    pub create_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime)]
    pub update_time: Option<String>,
    /// When an undecided petition closes itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime)]
    pub expire_time: Option<String>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Event {
    pub event: String,
    #[schema(format = DateTime)]
    pub timestamp: String,
    pub actor: Resource,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The petitioner, then what was asked for.
    pub resources: Vec<Resource>,
    pub meta: Meta,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Petition, example = json!({
    "name": "05ccd8a7a31f4c00", "spaceName": "default", "reason": "debug BUG-482",
    "petitioners": [{ "kind": "user", "id": "ana@acme.test", "email": "ana@acme.test", "displayName": "Ana" }],
    "resources": [{ "kind": "customer", "id": "123", "displayName": "AcmeCorp",
        "labels": { "indent.com/block": "cus_123", "plan": "enterprise", "role": "readonly" } }],
    "defaultDuration": "14400s",
    "meta": { "name": "05ccd8a7a31f4c00", "space": "default", "createTime": "2026-01-02T15:04:05.123456Z",
        "labels": { "indent.com/petition/duration": "4h0m0s", "latchkey/reviewers": "1 of group:leads" } },
    "state": { "status": { "phase": "open" }, "eventHistory": [{
        "event": "access/request", "timestamp": "2026-01-02T15:04:05.123456Z", "reason": "debug BUG-482",
        "actor": { "kind": "user", "id": "ana@acme.test", "email": "ana@acme.test" }, "resources": [],
        "meta": { "name": "05ccd8a7a31f4c00-request" } }] },
}))]
pub struct PetitionOut {
    pub name: String,
    pub space_name: String,
    pub reason: String,
    pub petitioners: Vec<Resource>,
    pub resources: Vec<Resource>,
    pub default_duration: String,
    pub meta: Meta,
    pub state: State,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct State {
    pub status: Status,
    /// Oldest first.
    pub event_history: Vec<Event>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Status {
    /// `open`, `granted` or `closed`.
    pub phase: String,
}

/// The label that holds a resource's name.
pub const NAME_LABEL: &str = "indent.com/block";
/// On a closed petition: `denied`, `withdrawn`, `expired` …
const CLOSED_LABEL: &str = "latchkey/closed";
/// On an open petition: who is asked to decide, as `1 of group:leads`.
const REVIEWERS_LABEL: &str = "latchkey/reviewers";
/// The end of a grant.
const EXPIRES_LABEL: &str = "indent.com/time/expires";

fn person(email: &Email, name: &str) -> Resource {
    let display_name = if name == email.as_str() { String::new() } else { name.to_owned() };
    Resource {
        kind: "user".to_owned(),
        id: email.to_string(),
        email: email.to_string(),
        display_name,
        ..Resource::default()
    }
}

fn system() -> Resource {
    Resource { kind: "indent.v1.Bot".to_owned(), id: "system".to_owned(), ..Resource::default() }
}

/// One segment of a URL's path that leads back to the id.
pub fn customer_name(id: &str) -> String {
    let simple = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if id.len() <= 200 && id.chars().all(simple) { format!("cus_{id}") } else { format!("cusx_{}", hex::encode(id)) }
}

/// The id behind a customer's name; `None` for other names.
pub fn customer_id(name: &str) -> Option<String> {
    let id = match name.strip_prefix("cusx_") {
        Some(hex) => String::from_utf8(hex::decode(hex).ok()?).ok()?,
        None => name.strip_prefix("cus_")?.to_owned(),
    };
    (customer_name(&id) == name && CustomerId::is_plain(&id)).then_some(id)
}

pub fn customer(customer: Customer, kind: &str) -> Resource {
    let mut labels = customer.labels;
    labels.insert(NAME_LABEL.to_owned(), customer_name(customer.id.as_str()));
    Resource {
        kind: kind.to_owned(),
        id: customer.id.into_string(),
        display_name: customer.name,
        labels,
        ..Resource::default()
    }
}

pub fn other(stored: StoredResource) -> Resource {
    let mut resource = given(stored.resource);
    resource.labels.insert(NAME_LABEL.to_owned(), stored.name);
    resource
}

pub fn given(resource: Given) -> Resource {
    let Given { kind, id, display_name, email, alt_ids, labels } = resource;
    Resource { kind, id, display_name, email, alt_ids, labels }
}

/// A petition with all that is known of it, for one space.
pub struct Told<'a> {
    pub space: &'a str,
    pub customer_kind: &'a str,
    pub petition: &'a Petition,
    pub claims: &'a [Claim],
    /// The customer's labels today; `None` where it is no customer.
    pub labels: Option<&'a Labels>,
    /// Who decides it, in the words of the file.
    pub asked: String,
}

impl Told<'_> {
    /// The labels of the petition as everybody reads them, and as selectors match them.
    pub fn shown_labels(&self) -> Labels {
        let petition = self.petition;
        let mut labels = petition.labels.clone();
        // Ours to say, whatever the petition was filed with.
        labels.retain(|key, _| ![CLOSED_LABEL, REVIEWERS_LABEL, EXPIRES_LABEL].contains(&key.as_str()));
        labels.insert("indent.com/app/config/id".to_owned(), format!("space:{}", self.space));
        labels.insert("indent.com/petition/duration".to_owned(), length::go(petition.length));
        if let Some(Grant { until, .. }) = petition.state.granted() {
            labels.insert(EXPIRES_LABEL.to_owned(), until.to_string());
        }
        if petition.state == PetitionState::Open && !self.asked.is_empty() {
            labels.insert(REVIEWERS_LABEL.to_owned(), self.asked.clone());
        }
        if let PetitionState::Closed { why, .. } = &petition.state {
            labels.insert(CLOSED_LABEL.to_owned(), why.word().to_owned());
            match why {
                CloseReason::Replaced { by } => {
                    labels.insert("PetitionReplacedBy".to_owned(), by.to_string());
                }
                CloseReason::Refused { because } => {
                    labels.insert(NOTE_LABEL.to_owned(), because.clone());
                }
                CloseReason::Denied { .. }
                | CloseReason::Withdrawn
                | CloseReason::Dismissed { .. }
                | CloseReason::Undecided
                | CloseReason::Revoked { .. }
                | CloseReason::Expired
                | CloseReason::Done => {}
            }
        }
        labels
    }

    pub fn petition(&self) -> PetitionOut {
        let petition = self.petition;
        let labels = self.shown_labels();
        let (phase, updated) = match &petition.state {
            PetitionState::Open => ("open", self.claims.last().map_or(petition.opened_at, |claim| claim.at)),
            PetitionState::Granted { at, .. } => ("granted", *at),
            PetitionState::Closed { at, .. } => ("closed", *at),
        };
        PetitionOut {
            name: petition.name.to_string(),
            space_name: self.space.to_owned(),
            reason: petition.reason.clone(),
            petitioners: vec![self.petitioner()],
            resources: vec![self.resource()],
            default_duration: format!("{}s", petition.length.as_secs()),
            meta: Meta {
                name: petition.name.to_string(),
                space: self.space.to_owned(),
                labels,
                create_time: Some(petition.opened_at.to_string()),
                update_time: Some(updated.to_string()),
                expire_time: Some(petition.pending_until.to_string()),
            },
            state: State { status: Status { phase: phase.to_owned() }, event_history: self.history() },
        }
    }

    fn petitioner(&self) -> Resource {
        person(&self.petition.petitioner.email, &self.petition.petitioner.name)
    }

    fn resource(&self) -> Resource {
        let petition = self.petition;
        if let Some(resource) = &petition.resource {
            return given(resource.clone());
        }
        let id = petition.customer.as_str();
        // Who was refused learns nothing of it.
        if let PetitionState::Closed { why: CloseReason::Refused { .. }, .. } = &petition.state {
            return Resource { kind: self.customer_kind.to_owned(), id: id.to_owned(), ..Resource::default() };
        }
        let mut labels = self.labels.cloned().unwrap_or_default();
        labels.insert(NAME_LABEL.to_owned(), customer_name(id));
        if let Some(role) = &petition.role {
            labels.insert("role".to_owned(), role.to_string());
        }
        Resource {
            kind: self.customer_kind.to_owned(),
            id: id.to_owned(),
            display_name: petition.customer_name.clone(),
            labels,
            ..Resource::default()
        }
    }

    fn event(&self, event: &str, name: String, at: Timestamp, actor: Resource, reason: &str) -> Event {
        let petition = self.petition.name.to_string();
        let mut labels =
            Labels::from([("petition".to_owned(), petition.clone()), ("indent.com/petition".to_owned(), petition)]);
        labels.extend(self.petition.role.as_ref().map(|role: &Role| ("latchkey/role".to_owned(), role.to_string())));
        Event {
            event: event.to_owned(),
            timestamp: at.to_string(),
            actor,
            reason: reason.to_owned(),
            resources: vec![self.petitioner(), self.resource()],
            meta: Meta { name, space: self.space.to_owned(), labels, ..Meta::default() },
        }
    }

    pub fn claim(&self, claim: &Claim) -> Event {
        let word = match claim.kind {
            ClaimKind::Approve => "access/approve",
            ClaimKind::Deny => "access/deny",
            ClaimKind::Revoke => "access/revoke",
        };
        let actor = person(&claim.maker.email, &claim.maker.name);
        let mut event = self.event(word, claim.id.to_string(), claim.at, actor, &claim.note);
        event.meta.labels.extend(claim.labels.clone());
        event.meta.labels.extend(claim.length.map(|length| ("indent.com/time/duration".to_owned(), go(length))));
        event.meta.labels.extend(claim.delegate.as_ref().map(|bot| ("latchkey/delegate".to_owned(), bot.to_string())));
        event
    }

    /// The request, the claims, the grant, and the end of what was granted; in the order in which they happened.
    fn history(&self) -> Vec<Event> {
        let petition = self.petition;
        let named = |word: &str| format!("{}-{word}", petition.name);
        let filer = if petition.filed_by == petition.petitioner.email {
            self.petitioner()
        } else {
            person(&petition.filed_by, petition.filed_by.as_str())
        };
        let mut request = self.event("access/request", named("request"), petition.opened_at, filer, &petition.reason);
        request.meta.labels.insert("indent.com/petition/duration".to_owned(), length::go(petition.length));
        let mut history = vec![request];
        let is_end = |claim: &&Claim| claim.kind == ClaimKind::Revoke;
        history.extend(self.claims.iter().filter(|claim| !is_end(claim)).map(|claim| self.claim(claim)));
        let Some(Grant { at, by, until }) = petition.state.granted() else { return history };
        let approver = by.last().map_or_else(system, |email| {
            let maker = self.claims.iter().map(|claim| &claim.maker).find(|maker| maker.email == *email);
            person(email, maker.map_or(email.as_str(), |maker| &maker.name))
        });
        let mut grant = self.event("access/grant", named("grant"), at, approver, &petition.reason);
        let length = until.duration_since(at);
        grant.meta.labels.insert("indent.com/time/expires".to_owned(), until.to_string());
        grant.meta.labels.insert("indent.com/time/duration".to_owned(), length::go(length));
        if length < self.wanted() {
            let note = format!("approved for longer; the policy allows {}", length::show(length));
            grant.meta.labels.insert(NOTE_LABEL.to_owned(), note);
        }
        history.push(grant);
        let ends = self.claims.iter().filter(is_end).map(|claim| self.claim(claim));
        history.extend(ends);
        if let PetitionState::Closed { at, why, .. } = &petition.state
            && !history.iter().any(|event| event.event == "access/revoke")
        {
            let actor = match why {
                CloseReason::Revoked { by: Some(by), .. } => person(by, by.as_str()),
                CloseReason::Done => self.petitioner(),
                CloseReason::Revoked { by: None, .. }
                | CloseReason::Refused { .. }
                | CloseReason::Denied { .. }
                | CloseReason::Withdrawn
                | CloseReason::Dismissed { .. }
                | CloseReason::Undecided
                | CloseReason::Replaced { .. }
                | CloseReason::Expired => system(),
            };
            history.push(self.event("access/revoke", named("revoke"), *at, actor, why.word()));
        }
        history
    }

    /// What its approvals were for: the shortest of them counts.
    fn wanted(&self) -> SignedDuration {
        let approvals = self.claims.iter().filter(|claim| claim.kind == ClaimKind::Approve);
        approvals.map(|claim| claim.length.unwrap_or(self.petition.length)).min().unwrap_or(self.petition.length)
    }
}

/// Without end is less than nothing, as Indent writes it.
fn go(length: SignedDuration) -> String {
    if length >= length::LONGEST { "-1ns".to_owned() } else { length::go(length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_has_a_name_that_is_one_plain_segment_and_leads_back() {
        for id in ["123", "cust_1", "a/b", "naïve “x” %2F", "顧客", "..", &"9".repeat(300)] {
            let name = customer_name(id);
            assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)), "{name}");
            assert_eq!(customer_id(&name).as_deref(), Some(id));
        }
        for name in ["", "123", "res_1", "cus_a/b", "cusx_zz", "cusx_313233", "cusx_ff", "cusx_00", "cus_"] {
            assert_eq!(customer_id(name), None, "{name}");
        }
    }
}
