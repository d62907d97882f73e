//! Shows one message of the outbox: draws it from the truth as it is now, and posts or updates it.

use std::{collections::BTreeSet, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::time::timeout;

use super::{
    Slack,
    client::{Advice, POST, SlackError},
    directory::{Freshness, Stranger},
    lookup::{self, Place},
    views::{
        Content,
        card::{self, Beside, Reader},
        news, petitioner, words,
    },
};
use crate::{
    domain::{
        backoff,
        id::SlackUserId,
        person::Email,
        petition::{ClaimKind, Petition, PetitionState},
    },
    policy::{PersonFacts, Rule},
    store::{Dest, Message, Purpose, Sent, Trace},
    workflow::Story,
};

/// The longest wait between two attempts at one message.
const CAP: SignedDuration = SignedDuration::from_mins(2);
/// Somebody has to mend something at Slack; they will be told by the log, the metrics and the missing message.
const MENDING: SignedDuration = SignedDuration::from_mins(5);
/// A card waits no longer for what it could do without.
const SIDE_LINE: Duration = Duration::from_secs(2);
/// News wait this often for the petitioner's message under which they belong, then go without it.
const PATIENCE: i64 = 4;

/// One attempt. Never fails: what came of it is what is recorded.
pub async fn show(slack: &Slack, message: &Message) -> Sent {
    match attempt(slack, message).await {
        Ok(sent) => sent,
        Err(trouble) => after_trouble(slack, trouble, message.attempts, trace(message.tried)),
    }
}

/// What an attempt that posted nothing leaves behind: what the earlier ones did.
pub(super) fn trace(tried: Option<Timestamp>) -> Trace {
    if tried.is_some() { Trace::MayStand } else { Trace::Nothing }
}

/// What an attempt that failed asks for; `before` is what it found.
pub(super) fn after_trouble(slack: &Slack, trouble: Trouble, attempts: i64, before: Trace) -> Sent {
    let now = slack.workflow.now();
    let trace = match &trouble {
        Trouble::Slack(error) if error.is_of_place() => Trace::Unreachable,
        Trouble::Slack(error) if error.method() == POST => match error.advice() {
            Advice::Retry => Trace::MayStand,
            Advice::RetryAfter(_) | Advice::RetrySlowly | Advice::Never => Trace::Nothing,
        },
        Trouble::Slack(_) | Trouble::Workflow(_) => before,
    };
    let later = |at, error: String| Sent::Later { at, error, trace };
    let again = || backoff::next_at(now, attempts, CAP, slack.workflow.entropy.as_ref());
    match trouble {
        Trouble::Slack(error) => match error.advice() {
            Advice::RetryAfter(wait) => {
                let wait = SignedDuration::try_from(wait).unwrap_or(CAP);
                later(now.saturating_add(wait).unwrap_or(Timestamp::MAX), error.to_string())
            }
            Advice::Retry => later(again(), error.to_string()),
            Advice::RetrySlowly => later(now.saturating_add(MENDING).unwrap_or(Timestamp::MAX), error.to_string()),
            Advice::Never => Sent::Never { error: error.to_string() },
        },
        Trouble::Workflow(error) => later(again(), error.to_string()),
    }
}

pub fn try_later(slack: &Slack, message: &Message, why: &str, trace: Trace) -> Sent {
    let at = backoff::next_at(slack.workflow.now(), message.attempts, CAP, slack.workflow.entropy.as_ref());
    Sent::Later { at, error: why.to_owned(), trace }
}

pub(super) enum Trouble {
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
    let found = match (&message.posted, message.tried) {
        (None, Some(since)) => find(slack, message, since).await?,
        (Some(_), _) | (None, None) => None,
    };
    let stands = message.posted.as_ref().or(found.as_ref());
    let content = match message.purpose {
        Purpose::Card => card::card(&story, &beside(slack, message, &story).await?, now),
        Purpose::Petitioner => petitioner::petitioner_message(&story, now),
        Purpose::NewsDecided => news::decided(&story),
        Purpose::NewsWarning if stands.is_some() => news::warned(&story, now),
        Purpose::NewsWarning => news::warning(&story),
        Purpose::NewsEnded => news::ended(&story),
        Purpose::PreApproved => news::pre_approved(&story),
    };
    if let Some((channel, ts)) = stands {
        slack.client.update(channel, ts, &content).await?;
        return Ok(Sent::Shown { posted: found });
    }
    match message.purpose {
        // Decided before anybody was shown the card: nobody needs it any more.
        Purpose::Card if story.petition.state != PetitionState::Open => Ok(Sent::Shown { posted: None }),
        // News of their own come after these, where they are news to anybody.
        Purpose::NewsDecided if matches!(&story.petition.state, PetitionState::Closed { granted: Some(_), .. }) => {
            Ok(Sent::Shown { posted: None })
        }
        Purpose::NewsWarning if !words::is_live(&story, now) => Ok(Sent::Shown { posted: None }),
        Purpose::Card | Purpose::Petitioner | Purpose::PreApproved => post(slack, message, &story, &content).await,
        Purpose::NewsDecided | Purpose::NewsWarning | Purpose::NewsEnded => reply(slack, message, &content).await,
    }
}

/// What the card of an open petition shows beside its story. What Slack does not say now is left out.
async fn beside(slack: &Slack, message: &Message, story: &Story) -> Result<Beside, Trouble> {
    let petition = &story.petition;
    // What goes to a group is no card yet.
    if petition.state != PetitionState::Open || matches!(message.dest, Dest::Group(_)) {
        return Ok(Beside::default());
    }
    let brief = slack.workflow.brief(story).await?;
    let title = match &petition.petitioner.slack {
        Some(user) => timeout(SIDE_LINE, slack.directory.title(user)).await.ok().flatten(),
        None => None,
    };
    Ok(Beside { brief, title, reader: reader(slack, &message.dest, story).await? })
}

/// Whose copy of the card it is.
async fn reader(slack: &Slack, dest: &Dest, story: &Story) -> Result<Reader, Trouble> {
    let facts = match dest {
        Dest::Channel(_) | Dest::Group(_) => return Ok(Reader::Everybody),
        // Asked by name, or in a group of the file: the e-mail is all that there is to know.
        Dest::Email(email) => Email::parse(email).ok().map(|email| PersonFacts {
            email,
            slack: None,
            full_member: true,
            slack_groups: BTreeSet::new(),
        }),
        Dest::User(id) => {
            let groups = slack.workflow.rule_of(&story.petition).await?.map(Rule::slack_groups).unwrap_or_default();
            let id = SlackUserId::new(id);
            let asked = slack.directory.actor(&id, None, &groups, Freshness::AMinuteAgo);
            let actor = timeout(SIDE_LINE, asked).await;
            actor.ok().and_then(Result::ok).map(|actor| actor.facts)
        }
    };
    let Some(facts) = facts else { return Ok(Reader::One { why: None, approved: false }) };
    let approved =
        story.claims.iter().any(|claim| claim.kind == ClaimKind::Approve && claim.maker.email == facts.email);
    Ok(Reader::One { why: slack.workflow.why_asked(&story.petition, &facts).await?, approved })
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
        Dest::Email(email) => match member(slack, email).await? {
            Some(user) => user.into_string(),
            None => {
                let error = format!("no active full member of the workspace has the e-mail {email}");
                return Ok(Sent::Never { error });
            }
        },
        Dest::Group(id) => return expand(slack, id, &story.petition).await,
    };
    let posted = slack.client.post(&channel, None, content, Some(message.id.as_str())).await?;
    Ok(Sent::Shown { posted: Some(posted) })
}

async fn member(slack: &Slack, email: &str) -> Result<Option<SlackUserId>, Trouble> {
    match Email::parse(email) {
        Ok(email) => Ok(slack.directory.member_by_email(&email).await?),
        Err(_) => Ok(None),
    }
}

/// Where an earlier attempt has posted it, if it has.
async fn find(slack: &Slack, message: &Message, since: Timestamp) -> Result<Option<(String, String)>, Trouble> {
    let stamp = message.id.as_str();
    let member = match &message.dest {
        Dest::Email(email) => member(slack, email).await?,
        Dest::Channel(_) | Dest::User(_) | Dest::Group(_) => None,
    };
    let place = match (&message.dest, &member) {
        (Dest::Channel(id), _) => Place::Channel(id),
        (Dest::User(id), _) => Place::Person(id),
        (Dest::Email(_), Some(user)) => Place::Person(user.as_str()),
        // Nobody is there, or many, who have messages of their own.
        (Dest::Email(_), None) | (Dest::Group(_), _) => return Ok(None),
    };
    match message.purpose {
        Purpose::Card | Purpose::Petitioner | Purpose::PreApproved => {
            Ok(lookup::find(slack, place, stamp, since).await?)
        }
        Purpose::NewsDecided | Purpose::NewsWarning | Purpose::NewsEnded => {
            if let Some((channel, ts)) = above(slack, message).await? {
                let thread = Place::Thread { channel: &channel, ts: &ts };
                if let Some(found) = lookup::find(slack, thread, stamp, since).await? {
                    return Ok(Some(found));
                }
            }
            // Without what they belong under they are posted alone.
            if message.attempts > PATIENCE { Ok(lookup::find(slack, place, stamp, since).await?) } else { Ok(None) }
        }
    }
}

/// The petitioner's message, under which news belong, once it stands.
async fn above(slack: &Slack, message: &Message) -> Result<Option<(String, String)>, Trouble> {
    let store = slack.workflow.store();
    Ok(store.posted_message(&message.petition, Purpose::Petitioner, &message.dest).await?)
}

/// One card for each member of a user group; who of them may review is looked up when their card is posted.
async fn expand(slack: &Slack, group: &str, petition: &Petition) -> Result<Sent, Trouble> {
    let members: Vec<SlackUserId> = slack.directory.members(group).await?.into_iter().collect();
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
    let email = &actor.facts.email;
    let by_email = slack.workflow.store().has_card(&petition.name, &Dest::Email(email.to_string())).await?;
    let asks = *email == petition.petitioner.email
        || *email == petition.filed_by
        || actor.facts.slack == petition.petitioner.slack;
    Ok(actor.facts.full_member && !by_email && (policy.self_approval(rule) || !asks))
}

/// News go under the petitioner's message, which must be there first.
async fn reply(slack: &Slack, message: &Message, content: &Content) -> Result<Sent, Trouble> {
    let Dest::User(user) = &message.dest else {
        return Ok(Sent::Never { error: "news go to people".to_owned() });
    };
    let stamp = Some(message.id.as_str());
    let posted = match above(slack, message).await? {
        Some((channel, ts)) => slack.client.post(&channel, Some(&ts), content, stamp).await?,
        None if message.attempts <= PATIENCE => {
            let why = "the petitioner's message is not posted yet";
            return Ok(try_later(slack, message, why, trace(message.tried)));
        }
        None => slack.client.post(user, None, content, stamp).await?,
    };
    Ok(Sent::Shown { posted: Some(posted) })
}
