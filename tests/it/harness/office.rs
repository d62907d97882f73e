//! Ana, Bo, Cy and Dan of acme.test, the policy they live under, and the use cases over a real store and a clock that
//! the test sets.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use jiff::{SignedDuration, Timestamp};
use latchkey::{
    audit::{StoredEntry, Via},
    clock::ManualClock,
    domain::{
        clock::{Clock, Entropy},
        customer::{Customer, Labels},
        id::{CustomerId, PetitionName, ProvisionerName, Role, SlackUserId},
        lease::Holding,
        person::Email,
        petition::Petition,
    },
    policy::{Access, PersonFacts, Policy, Requirement, Rule, Who},
    store::Store,
    workflow::{Actor, Ask, Kinds, Opened, Repeat, Review, Reviewed, Subject, Target, Truth, Wish, Workflow},
};

use super::databases::TestDb;

/// When every test begins.
pub fn morning() -> Timestamp {
    "2026-03-02T09:00:00Z".parse().unwrap()
}

pub fn hours(n: i64) -> SignedDuration {
    SignedDuration::from_hours(n)
}

pub fn minutes(n: i64) -> SignedDuration {
    SignedDuration::from_mins(n)
}

pub fn seconds(n: i64) -> SignedDuration {
    SignedDuration::from_secs(n)
}

/// `ana` is ana@acme.test.
pub fn email(name: &str) -> Email {
    Email::parse(&format!("{name}@acme.test")).unwrap()
}

pub fn actor(name: &str) -> Actor {
    let facts = PersonFacts {
        email: email(name),
        slack: Some(SlackUserId::new(format!("U{}", name.to_uppercase()))),
        full_member: true,
        slack_groups: BTreeSet::new(),
    };
    Actor { facts, name: name.to_owned() }
}

pub fn holding(name: &str, customer: &str, role: Option<&str>) -> Holding {
    Holding { person: email(name), customer: CustomerId::new(customer), role: role.map(Role::new) }
}

pub fn customer(id: &str) -> Customer {
    Customer { id: CustomerId::new(id), name: format!("Customer {id}"), labels: Labels::new() }
}

/// Never the same twice in this process, and the same in every run of one test.
#[derive(Debug, Default)]
pub struct CountingEntropy;

impl Entropy for CountingEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let shared = bytes.len().min(number.len());
        let at = bytes.len() - shared;
        bytes[at..].copy_from_slice(&number[number.len() - shared..]);
    }
}

/// Bo, Cy and Dan are the leads; `needed` of them must approve.
pub fn policy(needed: usize) -> Policy {
    let rule = Rule {
        name: "everyone".to_owned(),
        matches: None,
        petitioners: None,
        for_others: Vec::new(),
        max_duration: None,
        require: vec![Requirement { reviewers: vec![Who::Group("leads".to_owned())], count: needed }],
        notify: vec!["C0ACCESS".to_owned()],
        dm: true,
        self_approval: None,
        extend_without_approval: None,
        escalate: None,
        sensitive: false,
    };
    Policy {
        access: Access {
            default_duration: hours(4),
            max_duration: hours(24),
            pending_for: hours(24),
            warn_before: minutes(10),
            min_reason: 5,
            self_approval: false,
            roles: Vec::new(),
            ticket: None,
            ticket_url: None,
        },
        groups: BTreeMap::from([("leads".to_owned(), ["bo", "cy", "dan"].map(email).into())]),
        rules: vec![rule],
    }
}

/// One store with the use cases over it. Everybody is told of everything through `production`.
#[derive(Clone)]
pub struct Office {
    pub store: Store,
    pub clock: ManualClock,
    pub workflow: Workflow,
}

impl Office {
    pub async fn new(db: &TestDb) -> Self {
        Self::with(db, policy(1)).await
    }

    pub async fn with(db: &TestDb, policy: Policy) -> Self {
        let store = db.store().await;
        let clock = ManualClock::starting_at(morning());
        let target = Target { name: Self::production(), kinds: Kinds::customers(), matches: Labels::new() };
        let workflow = Workflow::new(
            store.clone(),
            Arc::new(policy),
            Arc::new(clock.clone()),
            Arc::new(CountingEntropy),
            vec![target],
        );
        Self { store, clock, workflow }
    }

    pub fn production() -> ProvisionerName {
        ProvisionerName::new("production")
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What somebody types; the words differ from call to call, so that no two are taken for one.
    pub fn ask(&self, who: &str, customer_id: &str, length: SignedDuration) -> Ask {
        static ASKED: AtomicU64 = AtomicU64::new(480);
        let number = ASKED.fetch_add(1, Ordering::Relaxed);
        Ask {
            petitioner: actor(who),
            filed_by: email(who),
            for_other: None,
            subject: Subject::Customer(customer(customer_id)),
            role: None,
            length: Wish::For(length),
            until: None,
            reason: format!("debug BUG-{number}"),
            labels: Default::default(),
            repeat: Repeat::SameWords,
            slack_groups: BTreeMap::new(),
            signature: None,
            via: Via::Slack,
        }
    }

    pub async fn open(&self, who: &str, customer_id: &str, length: SignedDuration) -> Petition {
        match self.workflow.open_petition(&self.ask(who, customer_id, length)).await.unwrap() {
            Opened::Open(petition) => petition,
            other => panic!("not opened: {other:?}"),
        }
    }

    /// A reviewer's word, with the facts of all who could have approved before.
    pub fn review(&self, petition: &PetitionName, who: &str) -> Review {
        Review {
            petition: petition.clone(),
            maker: actor(who),
            delegate: None,
            note: String::new(),
            length: None,
            labels: Default::default(),
            known: ["bo", "cy", "dan"].map(|name| actor(name).facts).to_vec(),
            signature: None,
            via: Via::Slack,
        }
    }

    /// Opened and approved; its end.
    pub async fn grant(&self, who: &str, customer_id: &str, length: SignedDuration) -> (Petition, Timestamp) {
        let petition = self.open(who, customer_id, length).await;
        match self.workflow.approve(&self.review(&petition.name, "bo")).await.unwrap() {
            Reviewed::Granted { petition, until, .. } => (petition, until),
            other => panic!("not granted: {other:?}"),
        }
    }

    /// What production would be told at this instant.
    pub async fn may(&self, who: &str, customer_id: &str) -> bool {
        self.check(who, customer_id).await != Truth::Denied
    }

    pub async fn check(&self, who: &str, customer_id: &str) -> Truth {
        self.workflow.check(&email(who), customer_id, None, self.now()).await.unwrap()
    }

    /// Ends everything whose time is up, as the worker does.
    pub async fn expire(&self) {
        self.workflow.expire_leases().await.unwrap();
    }

    /// Every event of the record so far, oldest first.
    pub async fn record(&self) -> Vec<StoredEntry> {
        self.store.chain_audit().await.unwrap();
        let (mut all, mut before) = (Vec::new(), String::new());
        loop {
            let page = self.store.audit_page(all.len() as i64, &before).await.unwrap().unwrap();
            let Some(last) = page.last() else { return all };
            before.clone_from(&last.hash);
            all.extend(page);
        }
    }

    /// The words of the record about one petition.
    pub async fn record_of(&self, petition: &PetitionName) -> Vec<String> {
        let about = |entry: &StoredEntry| entry.petition.as_deref() == Some(petition.as_str());
        self.record().await.into_iter().filter(about).map(|entry| entry.event).collect()
    }
}
