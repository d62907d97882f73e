//! Reading what is so: for messages, for lists, and for the check.

use jiff::Timestamp;

use super::{Error, Workflow, petition_facts};
use crate::{
    domain::{
        customer::Labels,
        id::{CustomerId, PetitionName, Role},
        lease::Lease,
        person::Email,
        petition::{Claim, CloseReason, Petition, PetitionState},
    },
    policy::{self, Reviewers},
    store::{Held, Provisioning, RemoteTruth},
};

/// Everything that a message about a petition shows.
#[derive(Clone, Debug)]
pub struct Story {
    pub petition: Petition,
    pub claims: Vec<Claim>,
    pub lease: Option<Lease>,
    pub provisionings: Vec<Provisioning>,
    /// Approvals that the rule demands in all, as the file says today.
    pub needed: usize,
    /// Its rule has whoever approves asked once more whether they mean it.
    pub sensitive: bool,
    /// Who is asked to decide it while it is open, by today's rule; `None`: nobody of ours is, or it is decided.
    pub asked: Option<Reviewers>,
    /// The ticket in the reason and its address, where the file says what a ticket looks like and where it is.
    pub ticket: Option<(String, String)>,
    /// Where a remote space decides: how far it has heard of the petition.
    pub remote: Option<Remote>,
    /// The petition whose end it moves.
    pub extends: Option<Petition>,
    /// What moves its own end: the extension that waits, or the petition that has taken its place.
    pub extension: Option<Petition>,
    /// It is open, and no card of it reaches anybody as things are.
    pub unreached: bool,
}

/// A petition's way to the space that decides it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    pub space: String,
    pub truth: RemoteTruth,
}

/// The answer to "may this person see this customer, now?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Truth {
    Allowed(Held),
    Denied,
}

impl Workflow {
    pub async fn story(&self, name: &PetitionName) -> Result<Story, Error> {
        let petition = self.store.petition(name).await?.ok_or_else(|| Error::NoSuchPetition(name.clone()))?;
        let claims = self.store.claims(name).await?;
        let lease = self.store.lease_of(name).await?;
        let provisionings = match &lease {
            Some(lease) => self.store.provisionings(&lease.access).await?,
            None => Vec::new(),
        };
        let rule = self.rule_of(&petition).await?;
        let needed = rule.map_or(0, |rule| rule.require.iter().map(|line| line.count).sum());
        let sensitive = rule.is_some_and(|rule| rule.sensitive);
        let asked = rule.filter(|_| petition.state == PetitionState::Open && self.remote.is_none());
        let asked = asked.map(|rule| policy::reviewers_of(&self.policy, rule, &petition_facts(&petition, None)));
        let ticket = self.ticket_in(&petition.reason);
        let space = self.remote_space().unwrap_or("remote").to_owned();
        let remote = self.store.remote_truth(name).await?.map(|truth| Remote { space, truth });
        let extends = match &petition.extends {
            Some(extends) => self.store.petition(&extends.of).await?,
            None => None,
        };
        let extension = match &petition.state {
            PetitionState::Granted { .. } => self.store.open_extension(name, self.now()).await?,
            PetitionState::Closed { why: CloseReason::Replaced { by }, .. } => self.store.petition(by).await?,
            PetitionState::Open | PetitionState::Closed { .. } => None,
        };
        let unreached = match &petition.state {
            PetitionState::Open => self.remote.is_none() && self.store.is_unreached(name).await?,
            PetitionState::Granted { .. } | PetitionState::Closed { .. } => false,
        };
        Ok(Story {
            petition,
            claims,
            lease,
            provisionings,
            needed,
            sensitive,
            asked,
            ticket,
            remote,
            extends,
            extension,
            unreached,
        })
    }

    fn ticket_in(&self, reason: &str) -> Option<(String, String)> {
        let access = &self.policy.access;
        let ticket = access.ticket.as_ref()?.find(reason)?.as_str().to_owned();
        // The pattern is the operator's, what it found is the petitioner's: it must not reach out of its place.
        let escaped: String = url::form_urlencoded::byte_serialize(ticket.as_bytes()).collect();
        let address = access.ticket_url.as_ref()?.replace("{ticket}", &escaped);
        Some((ticket, address))
    }

    /// The labels of a petition's customer today; `None` where it is for something else.
    pub async fn customer_labels(&self, petition: &Petition) -> Result<Option<Labels>, Error> {
        let customer = self.store.customer_ever(petition.customer.as_str()).await?;
        Ok(customer.map(|customer| customer.labels))
    }

    /// The rule that decides about a petition today, as the customer's labels and the file are now.
    pub async fn rule_of(&self, petition: &Petition) -> Result<Option<&policy::Rule>, Error> {
        Ok(policy::rule_for(&self.policy, self.customer_labels(petition).await?.as_ref()))
    }

    /// Whether somebody may see a customer at this instant. Asked with a role, the same or a stronger one counts;
    /// asked without, any. A role that the file does not know is held by nobody who was not granted just that.
    pub async fn check(
        &self,
        person: &Email,
        customer: &str,
        role: Option<&str>,
        now: Timestamp,
    ) -> Result<Truth, Error> {
        // What is no customer is nobody's to see here, whatever was approved.
        if !CustomerId::is_plain(customer) {
            return Ok(Truth::Denied);
        }
        let held = self.store.held(person, customer, now).await?;
        let roles = &self.policy.access.roles;
        let rank = |name: &str| roles.iter().position(|role| role.as_str() == name);
        let enough = |held: &Held| match (role, held.role.as_ref().map(Role::as_str)) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(wanted), Some(has)) => {
                wanted == has || rank(wanted).zip(rank(has)).is_some_and(|(wanted, has)| has >= wanted)
            }
        };
        let best = held
            .into_iter()
            .filter(enough)
            .max_by(|a, b| (a.expires_at, &a.petition).cmp(&(b.expires_at, &b.petition)));
        Ok(best.map_or(Truth::Denied, Truth::Allowed))
    }
}
