//! Shows one message of the outbox: draws it from the truth as it is now, and posts or updates it.

use jiff::{SignedDuration, Timestamp};

use super::{
    Slack,
    client::{Advice, SlackError},
    directory::{Freshness, Stranger},
    views::{Content, card, news, petitioner},
};
use crate::{
    domain::{
        backoff,
        id::SlackUserId,
        person::Email,
        petition::{Petition, PetitionState},
    },
    policy,
    store::{Dest, Message, Purpose, Sent},
    workflow::{Story, petition_facts},
};

/// The longest wait between two attempts at one message.
const CAP: SignedDuration = SignedDuration::from_mins(2);
/// Somebody has to mend something at Slack; they will be told by the log, the metrics and the missing message.
const MENDING: SignedDuration = SignedDuration::from_mins(5);
/// News wait this often for the petitioner's message under which they belong, then go without it.
const PATIENCE: i64 = 4;

/// One attempt. Never fails: what came of it is what is recorded.
pub async fn show(slack: &Slack, message: &Message) -> Sent {
    match attempt(slack, message).await {
        Ok(sent) => sent,
        Err(Trouble::Slack(error)) => match error.advice() {
            Advice::RetryAfter(wait) => {
                let wait = SignedDuration::try_from(wait).unwrap_or(CAP);
                let at = slack.workflow.now().saturating_add(wait).unwrap_or(Timestamp::MAX);
                Sent::Later { at, error: error.to_string() }
            }
            Advice::Retry => try_later(slack, message, &error.to_string()),
            Advice::RetrySlowly => {
                let at = slack.workflow.now().saturating_add(MENDING).unwrap_or(Timestamp::MAX);
                Sent::Later { at, error: error.to_string() }
            }
            Advice::Never => Sent::Never { error: error.to_string() },
        },
        Err(Trouble::Workflow(error)) => try_later(slack, message, &error.to_string()),
    }
}

pub fn try_later(slack: &Slack, message: &Message, why: &str) -> Sent {
    let at = backoff::next_at(slack.workflow.now(), message.attempts, CAP, slack.workflow.entropy.as_ref());
    Sent::Later { at, error: why.to_owned() }
}

enum Trouble {
    Slack(SlackError),
    Workflow(crate::workflow::Error),
}

impl From<SlackError> for Trouble {
    fn from(error: SlackError) -> Self {
        Self::Slack(error)
    }
}
impl From<crate::workflow::Error> for Trouble {
    fn from(error: crate::workflow::Error) -> Self {
        Self::Workflow(error)
    }
}
impl From<crate::store::StoreError> for Trouble {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Workflow(error.into())
    }
}

async fn attempt(slack: &Slack, message: &Message) -> Result<Sent, Trouble> {
    let story = slack.workflow.story(&message.petition).await?;
    let now = slack.workflow.now();
    let content = match message.purpose {
        Purpose::Card => card::card(&story, now),
        Purpose::Petitioner => petitioner::petitioner_message(&story, now),
        Purpose::NewsDecided => news::decided(&story),
        Purpose::NewsWarning => news::warning(&story),
        Purpose::NewsEnded => news::ended(&story),
    };
    if let Some((channel, ts)) = &message.posted {
        slack.client.update(channel, ts, &content).await?;
        return Ok(Sent::Shown { posted: None });
    }
    match message.purpose {
        // Decided before anybody was shown the card: nobody needs it any more.
        Purpose::Card if story.petition.state != PetitionState::Open => Ok(Sent::Shown { posted: None }),
        Purpose::Card | Purpose::Petitioner => post(slack, message, &story, &content).await,
        Purpose::NewsDecided | Purpose::NewsWarning | Purpose::NewsEnded => reply(slack, message, &content).await,
    }
}

async fn post(slack: &Slack, message: &Message, story: &Story, content: &Content) -> Result<Sent, Trouble> {
    let channel = match &message.dest {
        Dest::Channel(id) => id.clone(),
        Dest::User(id) => {
            let user = SlackUserId::new(id);
            if message.purpose == Purpose::Card && !wants_card(slack, &user, &story.petition).await? {
                return Ok(Sent::Shown { posted: None });
            }
            id.clone()
        }
        Dest::Email(email) => {
            let member = match Email::parse(email) {
                Ok(email) => slack.directory.member_by_email(&email).await?,
                Err(_) => None,
            };
            match member {
                Some(user) => user.into_string(),
                None => {
                    let error = format!("no active full member of the workspace has the e-mail {email}");
                    return Ok(Sent::Never { error });
                }
            }
        }
        Dest::Group(id) => return expand(slack, id, &story.petition).await,
    };
    let posted = slack.client.post(&channel, None, content).await?;
    Ok(Sent::Shown { posted: Some(posted) })
}

/// One card for each member of a user group; who of them may review is looked up when their card is posted.
async fn expand(slack: &Slack, group: &str, petition: &Petition) -> Result<Sent, Trouble> {
    let members: Vec<SlackUserId> = slack.client.group_members(group).await?.into_iter().collect();
    slack.workflow.add_cards(&petition.name, &members).await?;
    Ok(Sent::Shown { posted: None })
}

/// Whether a member of a user group gets a card: an active full member, whose own petition it is not, and who has no
/// card by e-mail already.
async fn wants_card(slack: &Slack, user: &SlackUserId, petition: &Petition) -> Result<bool, Trouble> {
    let actor = match slack.directory.actor(user, None, &Default::default(), Freshness::AMinuteAgo).await {
        Ok(actor) => actor,
        Err(away @ Stranger::SlackAway) => return Err(crate::workflow::Error::Unavailable(away.to_string()).into()),
        Err(Stranger::NoEmail { .. } | Stranger::Unknown) => return Ok(false),
    };
    let Some(rule) = slack.workflow.rule_of(petition).await? else { return Ok(false) };
    let policy = slack.workflow.policy();
    let by_email = policy::reviewers_of(policy, rule, &petition_facts(petition, None)).emails;
    let email = &actor.facts.email;
    let asks = *email == petition.petitioner.email
        || *email == petition.filed_by
        || actor.facts.slack == petition.petitioner.slack;
    Ok(actor.facts.full_member && !by_email.contains(email) && (policy.self_approval(rule) || !asks))
}

/// News go under the petitioner's message, which must be there first.
async fn reply(slack: &Slack, message: &Message, content: &Content) -> Result<Sent, Trouble> {
    let Dest::User(user) = &message.dest else {
        return Ok(Sent::Never { error: "news go to people".to_owned() });
    };
    let store = slack.workflow.store();
    let above = store.posted_message(&message.petition, Purpose::Petitioner, &message.dest).await?;
    let posted = match above {
        Some((channel, ts)) => slack.client.post(&channel, Some(&ts), content).await?,
        None if message.attempts <= PATIENCE => {
            return Ok(try_later(slack, message, "the petitioner's message is not posted yet"));
        }
        None => slack.client.post(user, None, content).await?,
    };
    Ok(Sent::Shown { posted: Some(posted) })
}
