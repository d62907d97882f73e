//! After a lease began, moved or ended: bring its access in line, and owe each provisioner the news.

use jiff::Timestamp;
use serde_json::json;

use super::{Error, Workflow};
use crate::{
    audit::{AuditEntry, AuditEvent, Via},
    domain::{
        access::{Access, Change, last_live},
        event::{AccessEvent, EarlierEvent, Wanted},
        id::{self, PetitionName, Role},
        lease::{Holding, Lease},
        petition::ClaimKind,
    },
    store::Tx,
};

/// Who caused a change of access, for the record and for the event that provisioners get.
pub(super) struct Cause<'a> {
    pub actor: &'a str,
    pub reason: &'a str,
    pub via: Via,
}

impl Workflow {
    /// Finds or makes the access of a holding and holds it. Leases of it are read and changed only after this.
    pub(super) async fn hold_access(&self, tx: &mut Tx, holding: &Holding, now: Timestamp) -> Result<Access, Error> {
        let id = id::access_id(now, self.entropy.as_ref());
        Ok(tx.lock_access(holding, &id).await?)
    }

    /// Compares the held access with its leases as they are now. When its beginning, end or passing is news, the
    /// version grows, the provisioners are owed one event each, and the record gets an entry.
    pub(super) async fn follow_access(
        &self,
        tx: &mut Tx,
        access: &Access,
        now: Timestamp,
        cause: &Cause<'_>,
        entries: &mut Vec<AuditEntry>,
    ) -> Result<(), Error> {
        let leases = tx.active_leases(&access.id).await?;
        let Some(change) = access.follow(&leases, now) else { return Ok(()) };
        let version = access.version + 1;
        let (event, ends_at, wanted, lease) = match change {
            Change::Begins { until } => {
                (AuditEvent::AccessBegan, Some(until), Wanted::Grant, last_live(&leases, now).cloned())
            }
            Change::Moves { until } => {
                (AuditEvent::AccessMoved, Some(until), Wanted::Grant, last_live(&leases, now).cloned())
            }
            Change::Ends => (AuditEvent::AccessEnded, None, Wanted::Revoke, tx.last_ended_lease(&access.id).await?),
        };
        // Every change of an access has a lease behind it: the one that lives longest, or the one that ended last.
        let Some(lease) = lease else { return Ok(()) };
        tx.set_access(&access.id, version, ends_at).await?;
        tx.touch_home_of_access(&access.id, now);
        let mut news = self.access_event(tx, &lease, wanted, version, now, ends_at, cause).await?;
        if access.holding.customer.kind().is_some()
            && !matches!(change, Change::Begins { .. })
            && let Some(told) = tx.last_told(&access.id).await?
        {
            // What its labels name was given, so that is what moves and what is taken away.
            (news.customer_name, news.customer_labels) = (told.customer_name, told.customer_labels);
        }
        let told = match change {
            Change::Begins { .. } => {
                let labels = Some(&news.customer_labels);
                let customer = &access.holding.customer;
                let told = self.targets.iter().filter(|target| target.fits(customer, labels));
                told.map(|target| target.name.clone()).collect()
            }
            Change::Moves { .. } | Change::Ends => tx.told(&access.id).await?,
        };
        for provisioner in &told {
            tx.want(&access.id, provisioner, &news).await?;
        }
        let holding = &access.holding;
        entries.push(
            AuditEntry::new(now, event, cause.actor, cause.via)
                .petition(&lease.petition)
                .about(&holding.person, &holding.customer)
                .details(json!({
                    "access": access.id.as_str(), "version": version, "role": holding.role,
                    "ends_at": ends_at.map(|at| at.to_string()), "told": told, "reason": cause.reason,
                })),
        );
        Ok(())
    }

    #[allow(clippy::too_many_arguments)]
    async fn access_event(
        &self,
        tx: &mut Tx,
        lease: &Lease,
        wanted: Wanted,
        version: i64,
        now: Timestamp,
        ends_at: Option<Timestamp>,
        cause: &Cause<'_>,
    ) -> Result<AccessEvent, Error> {
        let customer = tx.customer_ever(lease.holding.customer.as_str()).await?;
        let (mut customer_name, mut customer_labels) = match customer {
            Some(customer) => (customer.name, customer.labels),
            None => (lease.holding.customer.bare().to_owned(), Default::default()),
        };
        let name = PetitionName::new(&lease.petition);
        let mut history = Vec::new();
        if let Some(petition) = tx.petition(&name).await? {
            if let Some(resource) = petition.resource {
                (customer_name, customer_labels) = (petition.customer_name, resource.labels);
            }
            history.push(EarlierEvent {
                event: "access/request".to_owned(),
                at: petition.opened_at,
                actor: petition.filed_by.to_string(),
                reason: petition.reason.clone(),
            });
            let approvals = tx.claims(&name).await?.into_iter().filter(|claim| claim.kind == ClaimKind::Approve);
            history.extend(approvals.map(|claim| EarlierEvent {
                event: "access/approve".to_owned(),
                at: claim.at,
                actor: claim.maker.email.to_string(),
                reason: claim.note,
            }));
        }
        Ok(AccessEvent {
            wanted,
            at: now,
            actor: cause.actor.to_owned(),
            reason: cause.reason.to_owned(),
            person: lease.holding.person.to_string(),
            customer: lease.holding.customer.to_string(),
            customer_name,
            customer_labels,
            role: lease.holding.role.as_ref().map(|role: &Role| role.to_string()),
            petition: lease.petition.clone(),
            // The end of an access that is over is the instant at which it ended.
            expires_at: ends_at.unwrap_or(now),
            length_secs: lease.expires_at.duration_since(lease.starts_at).as_secs(),
            version,
            history,
        })
    }
}
