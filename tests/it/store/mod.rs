//! What the store promises, on both databases, races included.

mod bookkeeping;
mod customers;
mod decisions;
mod deliveries;
mod homes;
mod leases;
mod messages;
mod petitions;
mod record;
mod remote;
mod schema;

use jiff::Timestamp;
use latchkey::{
    domain::{
        clock::Entropy,
        customer::Labels,
        event::{AccessEvent, Wanted},
        id::{AccessId, CustomerId, LeaseId, PetitionName},
        lease::{Holding, Lease},
        person::Person,
        petition::{Petition, PetitionState},
    },
    store::{Origin, Store, Tx},
};

use crate::harness::office::{CountingEntropy, actor, email, holding, hours, morning};

fn person(name: &str) -> Person {
    actor(name).person()
}

/// A number that no other call gets, as text.
fn fresh() -> String {
    let mut bytes = [0; 8];
    CountingEntropy.fill(&mut bytes);
    u64::from_be_bytes(bytes).to_string()
}

/// Ana's open petition for customer 123.
fn petition(name: &str) -> Petition {
    Petition {
        name: PetitionName::new(name),
        petitioner: person("ana"),
        filed_by: email("ana"),
        customer: CustomerId::new("123"),
        customer_name: "AcmeCorp".to_owned(),
        role: None,
        reason: "debug BUG-482".to_owned(),
        length: hours(4),
        rule: Some("everyone".to_owned()),
        labels: Default::default(),
        resource: None,
        extends: None,
        opened_at: morning(),
        pending_until: morning() + hours(24),
        escalation: None,
        state: PetitionState::Open,
        version: 1,
    }
}

async fn commit(tx: Tx) {
    tx.commit(&[]).await.unwrap();
}

async fn insert_petition(store: &Store, petition: &Petition) {
    let mut tx = store.begin().await.unwrap();
    tx.insert_petition(petition, petition.name.as_str(), None).await.unwrap();
    commit(tx).await;
}

async fn access(store: &Store, holding: &Holding) -> AccessId {
    let mut tx = store.begin().await.unwrap();
    let access = tx.lock_access(holding, &AccessId::new(format!("acc_{}", fresh()))).await.unwrap();
    commit(tx).await;
    access.id
}

/// A lease of that access from the morning on.
fn lease(access: &AccessId, holding: &Holding, petition: &str, until: Timestamp) -> Lease {
    Lease {
        id: LeaseId::new(format!("lse_{}", fresh())),
        access: access.clone(),
        petition: petition.to_owned(),
        holding: holding.clone(),
        starts_at: morning(),
        expires_at: until,
        warn_at: None,
        ended: None,
    }
}

async fn insert_lease(store: &Store, lease: &Lease, origin: Origin) {
    let mut tx = store.begin().await.unwrap();
    tx.insert_lease(lease, origin).await.unwrap();
    commit(tx).await;
}

/// What Ana's access to 123 shall be.
fn event(wanted: Wanted, version: i64) -> AccessEvent {
    AccessEvent {
        wanted,
        at: morning(),
        actor: "bo@acme.test".to_owned(),
        reason: "debug BUG-482".to_owned(),
        person: "ana@acme.test".to_owned(),
        customer: "123".to_owned(),
        customer_name: "AcmeCorp".to_owned(),
        customer_labels: Labels::from([("plan".to_owned(), "enterprise".to_owned())]),
        role: Some("readonly".to_owned()),
        petition: "p1".to_owned(),
        expires_at: morning() + hours(4),
        length_secs: 4 * 3600,
        version,
        history: Vec::new(),
    }
}

fn anas() -> Holding {
    holding("ana", "123", None)
}
