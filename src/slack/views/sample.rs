//! Petitions to try messages on.

use jiff::{SignedDuration, Timestamp};

use crate::{
    domain::{
        event::{AccessEvent, Wanted},
        id::{AccessId, ClaimId, CustomerId, LeaseId, PetitionName, ProvisionerName, Role, SlackUserId},
        lease::{Holding, Lease},
        person::{Email, Person},
        petition::{Claim, ClaimKind, CloseReason, Petition, PetitionState},
    },
    store::Provisioning,
    workflow::Story,
};

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// When everything is looked at.
pub fn now() -> Timestamp {
    at("2026-11-23T14:00:00Z")
}

pub fn email(name: &str) -> Email {
    Email::parse(&format!("{name}@acme.test")).unwrap()
}

/// `Bo` with the id `U0BO`.
pub fn person(name: &str) -> Person {
    let slack = Some(SlackUserId::new(format!("U0{}", name.to_uppercase())));
    Person { email: email(&name.to_lowercase()), slack, name: name.to_owned() }
}

pub fn claim(maker: &str, kind: ClaimKind) -> Claim {
    Claim {
        id: ClaimId::new(format!("clm_{maker}")),
        petition: PetitionName::new("0190a1b2c3d4e5f6"),
        kind,
        maker: person(maker),
        delegate: None,
        note: String::new(),
        length: None,
        labels: Default::default(),
        at: at("2026-11-23T13:30:00Z"),
    }
}

pub fn granted() -> PetitionState {
    PetitionState::Granted { at: at("2026-11-23T13:30:00Z"), by: vec![email("bo")], until: at("2026-11-23T17:30:00Z") }
}

pub fn closed(why: CloseReason, was_granted: bool) -> PetitionState {
    let granted = was_granted.then(|| granted().granted()).flatten();
    PetitionState::Closed { at: at("2026-11-23T13:57:00Z"), why, granted }
}

pub fn denied(note: &str) -> CloseReason {
    CloseReason::Denied { by: email("cy"), note: note.to_owned() }
}

pub fn revoked(note: &str) -> CloseReason {
    CloseReason::Revoked { by: Some(email("cy")), note: note.to_owned() }
}

/// What a petition gives once it is granted.
pub fn lease(petition: &Petition) -> Lease {
    Lease {
        id: LeaseId::new("lse_1"),
        access: AccessId::new("acc_1"),
        petition: petition.name.to_string(),
        holding: Holding {
            person: petition.petitioner.email.clone(),
            customer: petition.customer.clone(),
            role: petition.role.clone(),
        },
        starts_at: at("2026-11-23T13:30:00Z"),
        expires_at: at("2026-11-23T17:30:00Z"),
        warn_at: None,
        ended: None,
    }
}

/// Ana asks for AcmeCorp; Bo has approved once there is anything to approve, Cy has closed it.
pub fn story(state: PetitionState) -> Story {
    let mut claims = Vec::new();
    let mut granted = false;
    if let PetitionState::Granted { .. } | PetitionState::Closed { granted: Some(_), .. } = state {
        claims.push(claim("Bo", ClaimKind::Approve));
        granted = true;
    }
    match &state {
        PetitionState::Closed { why: CloseReason::Denied { .. }, .. } => claims.push(claim("Cy", ClaimKind::Deny)),
        PetitionState::Closed { why: CloseReason::Revoked { .. }, .. } => claims.push(claim("Cy", ClaimKind::Revoke)),
        PetitionState::Open | PetitionState::Granted { .. } | PetitionState::Closed { .. } => {}
    }
    let petition = Petition {
        name: PetitionName::new("0190a1b2c3d4e5f6"),
        petitioner: person("Ana"),
        filed_by: email("ana"),
        customer: CustomerId::new("123"),
        customer_name: "AcmeCorp".to_owned(),
        role: Some(Role::new("readonly")),
        reason: "debug BUG-482".to_owned(),
        length: SignedDuration::from_hours(4),
        rule: Some("enterprise".to_owned()),
        labels: Default::default(),
        resource: None,
        opened_at: at("2026-11-23T13:00:00Z"),
        extends: None,
        pending_until: at("2026-11-24T13:00:00Z"),
        escalation: None,
        state,
        version: 1,
    };
    let lease = granted.then(|| lease(&petition));
    Story {
        petition,
        claims,
        lease,
        provisionings: Vec::new(),
        needed: 1,
        sensitive: false,
        asked: None,
        ticket: None,
        remote: None,
        extends: None,
        extension: None,
        unreached: false,
    }
}

/// Every state that a petition can be in.
pub fn states(note: &str) -> Vec<PetitionState> {
    vec![
        PetitionState::Open,
        granted(),
        closed(CloseReason::Refused { because: note.to_owned() }, false),
        closed(denied(note), false),
        closed(CloseReason::Withdrawn, false),
        closed(CloseReason::Dismissed { by: email("dan"), note: note.to_owned() }, false),
        closed(CloseReason::Undecided, false),
        closed(revoked(note), true),
        closed(CloseReason::Expired, true),
        closed(CloseReason::Done, true),
        closed(CloseReason::Replaced { by: PetitionName::new("0190a1b2c3d4e5f7") }, true),
    ]
}

/// Failing since three minutes, or done.
pub fn provisioning(name: &str, wanted: Wanted, done: bool, failing: bool) -> Provisioning {
    let wanted_at = at("2026-11-23T13:57:00Z");
    Provisioning {
        access: AccessId::new("acc_1"),
        provisioner: ProvisionerName::new(name),
        wanted,
        wanted_version: 2,
        wanted_at,
        event: AccessEvent {
            wanted,
            at: wanted_at,
            actor: "bo@acme.test".to_owned(),
            reason: String::new(),
            person: "ana@acme.test".to_owned(),
            customer: "123".to_owned(),
            customer_name: "AcmeCorp".to_owned(),
            customer_labels: Default::default(),
            role: None,
            petition: "0190a1b2c3d4e5f6".to_owned(),
            expires_at: at("2026-11-23T17:30:00Z"),
            length_secs: 14_400,
            version: 2,
            history: Vec::new(),
        },
        applied: done.then_some((wanted, 2)),
        next_at: (!done).then_some(wanted_at),
        attempts: 3,
        failing: failing.then(|| (wanted_at, "connection refused by 10.0.0.7".to_owned())),
    }
}
