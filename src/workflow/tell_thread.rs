//! What happened goes on in the thread of the card, and what people write there is passed on.

use jiff::Timestamp;
use serde_json::json;

use super::{Actor, Error, Workflow, settle};
use crate::{
    audit::{AuditEntry, AuditEvent, Via},
    domain::{id::MessageId, petition::Petition},
    store::{Comment, Placed, Purpose, Threads, Told, Tx},
};

/// A reply that somebody wrote under one of our messages.
#[derive(Clone, Debug)]
pub struct Written {
    /// The message above.
    pub under: Placed,
    pub channel: String,
    pub ts: String,
    pub author: Actor,
    /// As Slack sent it.
    pub text: String,
}

impl Workflow {
    /// Owes each channel that shows the card one short reply about an event of a held petition.
    pub(super) async fn tell_thread(
        &self,
        tx: &mut Tx,
        petition: &Petition,
        told: &Told,
        now: Timestamp,
    ) -> Result<(), Error> {
        Ok(tx.insert_replies(&petition.name, told, Threads::Channels, None, now).await?)
    }

    /// Keeps a comment, records that it was made, and owes it to the other side: the petitioner's to the cards, a full
    /// member's to the petitioner. Told again, nothing happens; whoever is no full member talks to the channel alone.
    pub async fn comment(&self, written: &Written) -> Result<(), Error> {
        settle(|| self.try_comment(written)).await
    }

    async fn try_comment(&self, written: &Written) -> Result<(), Error> {
        let now = self.now();
        let Placed { message, petition: name, purpose } = &written.under;
        let author = &written.author;
        let mut tx = self.store.begin().await?;
        let Some(petition) = tx.lock_petition(name).await? else { return Ok(()) };
        let own = petition.petitioner.email == author.facts.email
            || (author.facts.slack.is_some() && petition.petitioner.slack == author.facts.slack);
        let except: Option<&MessageId> = Some(message);
        let to = match (purpose, own) {
            (_, true) => Threads::Cards,
            (Purpose::Card | Purpose::PreApproved, false) => Threads::Petitioner,
            // Nobody else can see the petitioner's message.
            (Purpose::Petitioner | Purpose::NewsDecided | Purpose::NewsWarning | Purpose::NewsEnded, false) => {
                return Ok(());
            }
        };
        if !author.facts.full_member {
            return Ok(());
        }
        let comment = Comment {
            channel: written.channel.clone(),
            ts: written.ts.clone(),
            petition: name.clone(),
            author: author.person(),
            text: written.text.clone(),
            at: now,
        };
        if !tx.insert_comment(&comment).await? {
            return Ok(());
        }
        let told = Told::Comment { channel: comment.channel.clone(), ts: comment.ts.clone() };
        tx.insert_replies(name, &told, to, except, now).await?;
        // That it was made, not what it said: nothing can be taken out of the record again.
        let entry = AuditEntry::new(now, AuditEvent::CommentMade, author.facts.email.as_str(), Via::Slack)
            .petition(name.as_str())
            .about(&petition.petitioner.email, &petition.customer)
            .details(json!({ "channel": comment.channel, "ts": comment.ts }));
        tx.commit(&[entry]).await?;
        Ok(())
    }
}
