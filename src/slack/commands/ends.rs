//! Ends accesses that somebody typed a word for: one petition after the other, and the same request only once.
//!
//! A request that ends several petitions notes each under a signature of its own, the first under the request's: so a
//! replay finds what the first did, answers like it, and changes nothing. What was answered without an act is noted too.

use crate::{
    audit::Via,
    domain::{customer::Labels, petition::Petition},
    slack::{
        Slack,
        views::{
            Content,
            word::{self, Rest},
        },
    },
    store::Answered,
    workflow::{Actor, Error, Live, Review, Reviewed},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Their own.
    Done,
    /// Somebody else's, by a reviewer.
    Revoke,
}

/// What a command comes to.
pub enum Plan {
    Say(Content),
    /// All of these are one person's, of one customer.
    Act {
        maker: Box<Actor>,
        note: String,
        live: Vec<Live>,
    },
}

/// What the same request led to before.
enum Before {
    Never,
    Said,
    Acted(Content),
}

pub(super) async fn run(slack: &Slack, signature: &str, end: End, plan: Plan) -> Result<Content, Error> {
    match (before(slack, signature, end).await?, plan) {
        (Before::Acted(content), _) | (Before::Said, Plan::Say(content)) => Ok(content),
        (Before::Said, Plan::Act { .. }) => Ok(word::nothing_changed()),
        (Before::Never, Plan::Say(content)) => {
            slack.workflow.note_refused(signature).await?;
            Ok(content)
        }
        (Before::Never, Plan::Act { maker, note, live }) => {
            match carry_out(slack, signature, end, &maker, &note, &live).await {
                // The same request came twice at once, and the other was first.
                Err(Error::Replayed) => match before(slack, signature, end).await? {
                    Before::Acted(content) => Ok(content),
                    Before::Never | Before::Said => Ok(word::nothing_changed()),
                },
                Err(error) => {
                    if !matches!(error, Error::Store(_)) {
                        slack.workflow.note_refused(signature).await?;
                    }
                    Err(error)
                }
                Ok(content) => Ok(content),
            }
        }
    }
}

async fn carry_out(
    slack: &Slack,
    signature: &str,
    end: End,
    maker: &Actor,
    note: &str,
    live: &[Live],
) -> Result<Content, Error> {
    let mut ended: Vec<Petition> = Vec::new();
    let mut rest = Rest::default();
    let mut late = false;
    for held in live {
        let Some(petition) = &held.petition else {
            rest.foreign += 1;
            continue;
        };
        let review = Review {
            petition: petition.name.clone(),
            maker: maker.clone(),
            delegate: None,
            note: note.to_owned(),
            labels: Labels::new(),
            length: None,
            known: Vec::new(),
            signature: Some(nth(signature, ended.len())),
            via: Via::Slack,
        };
        match act(slack, end, &review).await {
            Ok(petition) => ended.push(petition),
            Err(Error::Replayed) => return Err(Error::Replayed),
            // Somebody else was faster, or its time is up: it is over all the same.
            Err(Error::WrongState(_)) => late = true,
            Err(error) if ended.is_empty() => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "one of several petitions could not be ended");
                rest.failed += 1;
            }
        }
    }
    if !ended.is_empty() {
        return Ok(said(end, &ended, rest));
    }
    slack.workflow.note_refused(signature).await?;
    Ok(if late { word::over_already() } else { word::only_foreign() })
}

async fn act(slack: &Slack, end: End, review: &Review) -> Result<Petition, Error> {
    match end {
        End::Done => slack.workflow.give_back(review).await,
        End::Revoke => match slack.workflow.revoke(review).await? {
            Reviewed::Closed(petition) | Reviewed::Counted(petition) | Reviewed::Granted { petition, .. } => {
                Ok(petition)
            }
        },
    }
}

fn said(end: End, ended: &[Petition], rest: Rest) -> Content {
    match end {
        End::Done => word::gave_back(ended, rest),
        End::Revoke => word::revoked(ended, rest),
    }
}

async fn before(slack: &Slack, signature: &str, end: End) -> Result<Before, Error> {
    let store = slack.workflow.store();
    let mut ended: Vec<Petition> = Vec::new();
    while let Some(Answered { petition }) = store.answered(&nth(signature, ended.len())).await? {
        let Some(name) = petition else { return Ok(Before::Said) };
        let Some(petition) = store.petition(&name).await? else { break };
        ended.push(petition);
    }
    let Some(first) = ended.first() else { return Ok(Before::Never) };
    let live = slack.workflow.live_of(&first.petitioner.email, 0).await?;
    let foreign = |held: &&Live| held.petition.is_none() && held.lease.holding.customer == first.customer;
    let rest = Rest { foreign: live.iter().filter(foreign).count(), failed: 0 };
    Ok(Before::Acted(said(end, &ended, rest)))
}

/// Under which the n-th petition of a request is noted; no signature of Slack's holds a slash.
fn nth(signature: &str, n: usize) -> String {
    if n == 0 { signature.to_owned() } else { format!("{signature}/{n}") }
}
