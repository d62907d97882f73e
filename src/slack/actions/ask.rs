//! The form of `/access`: opened by the command, the shortcut, Request access and Ask again; sending it asks for each
//! customer that it names.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{
    Mistakes, Press, Sent,
    review::{actor, unknown},
};
pub(super) use crate::slack::views::ask::{ASK_CALLBACK, CUSTOMERS};
use crate::{
    audit::Via,
    domain::{
        customer::{Customer, Labels},
        id::{Role, SlackUserId},
        length,
        petition::{CloseReason, Petition, PetitionState},
    },
    policy::{self, Refusal, Rule},
    slack::{
        Slack,
        directory::{Freshness, Stranger},
        inbound::View,
        text, typeahead,
        views::{
            Content, answer,
            ask::{Became, LENGTH, PERSON, Prefill, REASON, ROLE, UNTIL, ask_modal, summary},
        },
    },
    workflow::{Actor, Ask, Error, Opened, Repeat, Subject, Wish},
};

/// What became of a form that somebody wants.
pub(in crate::slack) enum Form {
    Open,
    Unopened,
    /// They can ask for nothing, and are told why.
    Refused(Box<Content>),
}

/// Opens the form, filled in as far as anything is known. Slack's trigger lives three seconds.
pub(in crate::slack) async fn open(
    slack: &Slack,
    user: &SlackUserId,
    team: Option<&str>,
    trigger: Option<&str>,
    prefill: &Prefill,
) -> Form {
    let Some(trigger) = trigger else { return Form::Unopened };
    let policy = slack.workflow.policy();
    let maker = match slack.directory.asker(user, team, &typeahead::groups_of(&policy.rules)).await {
        Ok(maker) if !maker.facts.full_member => {
            return Form::Refused(Box::new(answer::click_refused(&Refusal::NotAFullMember.to_string())));
        }
        Ok(maker) => Some(maker),
        Err(stranger @ (Stranger::NoEmail { .. } | Stranger::Unknown)) => {
            return Form::Refused(Box::new(answer::stranger(&stranger.to_string())));
        }
        // Slack may be back by the time it is filled in.
        Err(Stranger::SlackAway) => None,
    };
    let mut prefill = prefill.clone();
    prefill
        .customers
        .retain(|customer| maker.as_ref().is_some_and(|maker| slack.workflow.may_name(&maker.facts, customer)));
    let for_others = maker.is_some_and(|maker| policy::may_ask_for_others(policy, &maker.facts));
    let opened = slack.client.open_view(trigger, &ask_modal(&prefill, &policy.access, for_others)).await;
    if let Err(error) = &opened {
        tracing::warn!(%error, "the form could not be opened");
    }
    if opened.is_ok() { Form::Open } else { Form::Unopened }
}

/// The global shortcut, and Request access on a Home tab.
pub(super) async fn request(slack: &Slack, press: &Press<'_>) -> Result<Option<Content>, Error> {
    let access = &slack.workflow.policy().access;
    Ok(match open(slack, &press.user, press.team, press.trigger_id, &Prefill::default()).await {
        Form::Open => None,
        Form::Refused(why) => Some(*why),
        Form::Unopened => Some(answer::how_to_ask(access.default_duration, access.max_duration)),
    })
}

/// For the same once more. Only for whose petition it was; of others nothing is said.
pub(super) async fn again(slack: &Slack, press: &Press<'_>) -> Result<Option<Content>, Error> {
    let maker = actor(slack, press, &BTreeSet::new()).await?;
    let petition = slack.workflow.store().petition(&press.petition).await?;
    let own = petition.filter(|petition| petition.is_of(&maker.facts.email));
    let petition = own.ok_or_else(|| Error::NoSuchPetition(press.petition.clone()))?;
    let customer = slack.workflow.store().customer(petition.customer.as_str()).await?;
    let said = match customer {
        Some(_) => String::new(),
        None => "What you asked for then cannot be asked for any more. Choose a customer.".to_owned(),
    };
    let prefill = Prefill {
        said,
        customers: customer.into_iter().collect(),
        typed: String::new(),
        role: petition.role.as_ref().map(ToString::to_string),
        // What was left until a moment is nobody's usual length.
        length: petition.asked_until().is_none().then_some(petition.length),
        reason: petition.reason.clone(),
    };
    Ok(match open(slack, &press.user, press.team, press.trigger_id, &prefill).await {
        Form::Open => None,
        Form::Refused(why) => Some(*why),
        Form::Unopened => Some(answer::again(&petition)),
    })
}

/// Asks for what the form says: one petition for each customer.
pub(super) async fn submit(slack: &Slack, press: &Press<'_>, view: &View) -> Result<Sent, Error> {
    let workflow = &slack.workflow;
    // Sent again as it is, it answers as before: what it opened is found by customer, below.
    if workflow.store().answered(press.signature).await?.is_some() {
        return Err(Error::Replayed);
    }
    let wanted = match Wanted::read(view, workflow.now(), workflow.policy().access.default_duration) {
        Ok(wanted) => wanted,
        Err(mistakes) => return Ok(Sent::Mistakes(mistakes)),
    };
    let found = workflow.store().customers_named(&wanted.customers).await?;
    let mut customers = Vec::new();
    for id in &wanted.customers {
        match found.iter().find(|customer| customer.id.as_str() == *id) {
            Some(customer) => customers.push(customer.clone()),
            None => {
                let sentence = format!("{} cannot be asked for any more. Choose another.", text::plain(id, 80));
                return Ok(Sent::Mistakes(vec![(CUSTOMERS, sentence)]));
            }
        }
    }
    let people = match People::of(slack, press, &wanted, &customers).await? {
        Ok(people) => people,
        Err(mistakes) => return Ok(Sent::Mistakes(mistakes)),
    };
    let asks: Vec<Ask> = customers.iter().map(|customer| wanted.ask(&people, customer, press.signature)).collect();
    // What is incomplete leaves no petition, so nothing is opened before all of it is whole.
    for (ask, customer) in asks.iter().zip(&customers) {
        if let Some(refusal) = workflow.refusal_of(ask)
            && let Some(block) = incomplete(&refusal)
        {
            return Ok(Sent::Mistakes(vec![(block, about(customer, &customers, &refusal.to_string()))]));
        }
    }
    let mut rows = Vec::new();
    let mut refusals = Mistakes::new();
    let mut failed = None;
    for (ask, customer) in asks.iter().zip(&customers) {
        let became = match open_once(slack, ask).await {
            Ok(became) => became,
            Err(error) => {
                tracing::warn!(%error, "a petition of a form could not be stored");
                failed = Some(error);
                Became::Failed("Ask for it again in a moment.".to_owned())
            }
        };
        if let Became::Refused(because) = &became {
            let block = workflow.refusal_of(ask).map_or(CUSTOMERS, |refusal| block_of(&refusal));
            // The moment counts instead of the length.
            let block = if block == LENGTH && ask.until.is_some() { UNTIL } else { block };
            refusals.push((block, about(customer, &customers, because)));
        }
        rows.push((customer.clone(), became));
    }
    if refusals.len() == rows.len() {
        return Ok(Sent::Mistakes(joined(refusals)));
    }
    // With nothing asked for the form stays; else it is told what became of each.
    if let Some(error) = failed
        && !rows.iter().any(|(_, became)| matches!(became, Became::Asked(_)))
    {
        return Err(error);
    }
    let person = people.for_other.then_some(people.petitioner.name.as_str());
    Ok(match (rows.as_slice(), person) {
        // Their own message says the rest.
        ([(_, Became::Asked(_))], None) => Sent::Close,
        (rows, person) => Sent::Show(Box::new(summary(rows, person))),
    })
}

/// What the form says.
struct Wanted<'a> {
    customers: Vec<&'a str>,
    role: Option<Role>,
    length: SignedDuration,
    until: Option<Timestamp>,
    reason: &'a str,
    person: Option<SlackUserId>,
}

impl<'a> Wanted<'a> {
    fn read(view: &'a View, now: Timestamp, default: SignedDuration) -> Result<Self, Mistakes> {
        let mut mistakes = Mistakes::new();
        let mut customers = Vec::new();
        for id in view.all_chosen(CUSTOMERS, CUSTOMERS) {
            if !customers.contains(&id) {
                customers.push(id);
            }
        }
        if customers.is_empty() {
            mistakes.push((CUSTOMERS, "Choose a customer: type a part of the name, or the id.".to_owned()));
        }
        let until = view.input(UNTIL, UNTIL)["selected_date_time"].as_i64();
        let until = until.and_then(|seconds| Timestamp::from_second(seconds).ok());
        let length = match (until, view.chosen(LENGTH, LENGTH)) {
            (Some(moment), _) => Ok(SignedDuration::from_secs(moment.duration_since(now).as_secs())),
            (None, "") => Ok(default),
            (None, given) => length::parse(given).map_err(|why| (LENGTH, why.to_string())),
        };
        let length = match length {
            Ok(length) if length < SignedDuration::from_secs(1) => {
                mistakes.push((UNTIL, "That moment is over. Choose a later one.".to_owned()));
                default
            }
            Ok(length) => length,
            Err(mistake) => {
                mistakes.push(mistake);
                default
            }
        };
        let reason = view.typed(REASON, REASON).trim();
        // What nobody can see is no reason.
        if text::plain(reason, usize::MAX).is_empty() {
            mistakes.push((REASON, "Say in a few words what the access is for.".to_owned()));
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let role = Some(view.chosen(ROLE, ROLE)).filter(|role| !role.is_empty()).map(Role::new);
        let person = view.input(PERSON, PERSON)["selected_user"].as_str().filter(|id| !id.is_empty());
        Ok(Self { customers, role, length, until, reason, person: person.map(SlackUserId::new) })
    }

    fn ask(&self, people: &People, customer: &Customer, signature: &str) -> Ask {
        Ask {
            petitioner: people.petitioner.clone(),
            filed_by: people.maker.facts.email.clone(),
            for_other: people.for_other.then(|| people.maker.facts.clone()),
            subject: Subject::Customer(customer.clone()),
            role: self.role.clone(),
            length: Wish::For(self.length),
            until: self.until,
            reason: self.reason.to_owned(),
            labels: Labels::new(),
            repeat: Repeat::SameWords,
            slack_groups: people.slack_groups.clone(),
            // One form is several petitions, each opened once.
            signature: Some(format!("{signature}/{}", customer.id)),
            via: Via::Slack,
        }
    }
}

/// Who asks, for whom, and who is in the Slack user groups of the rules, today.
struct People {
    maker: Actor,
    petitioner: Actor,
    for_other: bool,
    slack_groups: BTreeMap<String, Option<BTreeSet<SlackUserId>>>,
}

impl People {
    /// `Err` inside: what is wrong with whom it is for.
    async fn of(
        slack: &Slack,
        press: &Press<'_>,
        wanted: &Wanted<'_>,
        customers: &[Customer],
    ) -> Result<Result<Self, Mistakes>, Error> {
        let policy = slack.workflow.policy();
        let rules: Vec<&Rule> =
            customers.iter().filter_map(|customer| policy::rule_for(policy, Some(&customer.labels))).collect();
        let groups: BTreeSet<String> = rules.iter().flat_map(|rule| rule.slack_groups()).collect();
        let other = wanted.person.as_ref().filter(|person| **person != press.user);
        // Only whoever asks for somebody else must be known to be in such a group.
        let own_groups = match other {
            Some(_) => rules.iter().flat_map(|rule| rule.slack_groups_for_others()).collect(),
            None => BTreeSet::new(),
        };
        let none = BTreeSet::new();
        let fresh = Freshness::AMinuteAgo;
        let other = async {
            match other {
                Some(person) => slack.directory.actor(person, None, &none, fresh).await.map(Some),
                None => Ok(None),
            }
        };
        let (maker, other, slack_groups) = tokio::join!(
            slack.directory.actor(&press.user, press.team, &own_groups, fresh),
            other,
            slack.directory.groups(&groups, fresh),
        );
        let maker = maker.map_err(unknown)?;
        let other = match other {
            Ok(other) => other,
            Err(away @ Stranger::SlackAway) => return Err(unknown(away)),
            Err(Stranger::NoEmail { .. } | Stranger::Unknown) => {
                let sentence = "Latchkey knows people by their e-mail address, and for this person Slack tells none. \
                                Choose somebody else, or have an address added to their profile.";
                return Ok(Err(vec![(PERSON, sentence.to_owned())]));
            }
        };
        // Two accounts with one e-mail are one person.
        let other = other.filter(|other| other.facts.email != maker.facts.email);
        let for_other = other.is_some();
        let petitioner = other.unwrap_or_else(|| maker.clone());
        Ok(Ok(Self { maker, petitioner, for_other, slack_groups }))
    }
}

/// Opens one petition; the same request again leads to what it led to.
async fn open_once(slack: &Slack, ask: &Ask) -> Result<Became, Error> {
    let opened = match slack.workflow.open_petition(ask).await {
        Err(Error::Replayed) => {
            let signature = ask.signature.as_deref().unwrap_or_default();
            let before = slack.workflow.store().answered(signature).await?.and_then(|answered| answered.petition);
            let Some(name) = before else { return Err(Error::Replayed) };
            let petition = slack.workflow.store().petition(&name).await?.ok_or(Error::NoSuchPetition(name))?;
            return Ok(became(petition));
        }
        opened => opened?,
    };
    Ok(match opened {
        Opened::Open(petition) | Opened::Same(petition) => became(petition),
        Opened::Refused(_, because) => Became::Refused(because),
    })
}

fn became(petition: Petition) -> Became {
    match &petition.state {
        PetitionState::Closed { why: CloseReason::Refused { because }, .. } => Became::Refused(because.clone()),
        PetitionState::Open | PetitionState::Granted { .. } | PetitionState::Closed { .. } => {
            Became::Asked(Box::new(petition))
        }
    }
}

/// The input whose content leaves no petition; `None`: the refusal is one to record.
fn incomplete(refusal: &Refusal) -> Option<&'static str> {
    match refusal {
        Refusal::ReasonTooShort { .. } | Refusal::TicketMissing { .. } | Refusal::UnknownRole { .. } => {
            Some(block_of(refusal))
        }
        Refusal::NoRule
        | Refusal::NotAPetitioner { .. }
        | Refusal::NotForOthers { .. }
        | Refusal::OtherNotAFullMember
        | Refusal::SlackAway { .. }
        | Refusal::TooLong { .. }
        | Refusal::TooLongToExtend { .. }
        | Refusal::NobodyCanApprove { .. }
        | Refusal::NotAFullMember => None,
    }
}

/// The input that a refusal is about.
fn block_of(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::ReasonTooShort { .. } | Refusal::TicketMissing { .. } => REASON,
        Refusal::UnknownRole { .. } => ROLE,
        Refusal::TooLong { .. } | Refusal::TooLongToExtend { .. } => LENGTH,
        // Where these are said, the form has that input.
        Refusal::NotForOthers { .. } | Refusal::OtherNotAFullMember => PERSON,
        Refusal::NoRule
        | Refusal::NotAPetitioner { .. }
        | Refusal::SlackAway { .. }
        | Refusal::NobodyCanApprove { .. }
        | Refusal::NotAFullMember => CUSTOMERS,
    }
}

/// Which of several customers a sentence is about.
fn about(customer: &Customer, all: &[Customer], sentence: &str) -> String {
    if all.len() == 1 { sentence.to_owned() } else { format!("{} ({}): {sentence}", customer.name, customer.id) }
}

/// One sentence a block: Slack shows no more.
fn joined(mistakes: Mistakes) -> Mistakes {
    let mut joined = Mistakes::new();
    for (block, sentence) in mistakes {
        match joined.iter_mut().find(|(known, _)| *known == block) {
            Some((_, sentences)) => {
                sentences.push(' ');
                sentences.push_str(&sentence);
            }
            None => joined.push((block, sentence)),
        }
    }
    joined
}
