//! Plays the story step by step. Each step is seen to happen where it would be seen, or the demo fails and names it.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures_util::FutureExt;
use serde_json::{Value, json};

use super::{
    stage::{ANA, BO, CHANNEL, Stage},
    workspace::{Message, Workspace},
};
use crate::{audit::StoredEntry, domain::id::PetitionName};

const COMMAND: &str = "customer 123 for 3s to debug BUG-482";
const PERSON: &str = "ana@acme.test";
const CUSTOMER: &str = "123";
/// The longest that any step may take to be seen.
const PATIENCE: Duration = Duration::from_secs(10);

/// Plays the story. With `once` it ends then; else it stays, with a page to try it all by hand, until `stop`.
/// `Err`: a step was not seen to happen; which.
pub async fn run(once: bool, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let stage = Stage::set().await.context("the stage could not be set")?;
    let teller = Teller { workspace: stage.workspace.clone(), started: Instant::now() };
    let told = play(&stage, &teller).await;
    if let Err(error) = &told {
        teller.say(&format!("FAILED: {error:#}"));
    }
    let violations = stage.workspace.violations();
    let told = told.and_then(|()| {
        if violations.is_empty() { Ok(()) } else { bail!("Slack would refuse: {}", violations.join("; ")) }
    });
    if once {
        stage.strike().await?;
        return told;
    }
    told?;
    show_panel(&stage);
    println!();
    println!("Now try it yourself: {}", stage.workspace.page_url());
    println!("You can be Ana, Bo or Cy there. Ctrl-C ends the demo and removes its data.");
    stop.await;
    stage.strike().await
}

/// Tells what was seen, on the terminal and on the page.
struct Teller {
    workspace: Workspace,
    started: Instant,
}

impl Teller {
    fn say(&self, line: &str) {
        println!("{:>6.2}s  {line}", self.started.elapsed().as_secs_f64());
        self.workspace.note(line.to_owned());
    }
}

async fn play(stage: &Stage, teller: &Teller) -> anyhow::Result<()> {
    let workspace = &stage.workspace;
    step("the bot becomes ready", async { ready(stage).await }).await?;
    teller.say(&format!("The bot listens on {}, Slack is {}", stage.bot, workspace.origin()));

    let said = step("Ana types the command", async {
        let answer = workspace.command(ANA, CHANNEL, "/access", COMMAND).await;
        if let Some(problem) = &answer.problem {
            bail!("{problem}");
        }
        Ok(answer.text())
    })
    .await?;
    teller.say(&format!("Ana types   /access {COMMAND}"));
    teller.say(&format!("Latchkey answers her: {}", said.lines().next().unwrap_or_default()));

    let card = step("Bo gets the card", async { message_with(workspace, BO, "Approve").await }).await?;
    teller.say("Bo gets a card with the buttons Approve and Deny");
    step("the channel shows the card", async { message_with(workspace, CHANNEL, "Approve").await }).await?;
    if check(stage).await?["allowed"] != json!(false) {
        bail!("the check must deny before anybody approved");
    }
    teller.say("check: production asks, and is told no");

    step("Bo presses Approve", async {
        let answer = workspace.press(BO, &card, "Approve").await;
        answer.problem.map_or(Ok(()), |problem| bail!("{problem}"))
    })
    .await?;
    teller.say("Bo presses Approve");
    let allowed = check(stage).await?;
    if allowed["allowed"] != json!(true) {
        bail!("the check must allow after the approval, and said {allowed}");
    }
    teller.say(&format!("check: allowed until {}", allowed["expires_at"].as_str().unwrap_or_default()));
    let petition = allowed["petition"].as_str().unwrap_or_default().to_owned();

    let grant = step("the grant is delivered", async { delivered(stage, "access/grant").await }).await?;
    teller.say(&format!("Production got a signed {grant} and applied it"));
    step("every copy of the card shows the outcome", async {
        without_button(workspace, BO, "Approve").await?;
        without_button(workspace, CHANNEL, "Approve").await
    })
    .await?;
    step("Ana is told", async { message_with(workspace, ANA, "I'm done").await }).await?;
    teller.say("Every card shows who approved and until when; Ana's message has I'm done");

    step("the time runs out and the check denies", async {
        workspace.wait_for("the end of the lease", PATIENCE, ended).await.map_err(anyhow::Error::msg)?;
        let denied = check(stage).await?;
        if denied["allowed"] != json!(false) {
            bail!("the check still allows: {denied}");
        }
        Ok(())
    })
    .await?;
    teller.say("The time runs out. check: denied");
    let revoke = step("the revoke is delivered", async { delivered(stage, "access/revoke").await }).await?;
    if stage.production.allows(PERSON, CUSTOMER) {
        bail!("production must not allow after the revoke");
    }
    teller.say(&format!("Production got a signed {revoke} and applied it"));

    let record = step("the record is complete and verifies", async { record(stage, &petition).await }).await?;
    teller.say(&format!("The record of petition {petition}, its chain of hashes verified:"));
    for entry in record {
        teller.say(&format!("   {:<20} by {:<14} via {}", entry.event, entry.actor, entry.via));
    }
    Ok(())
}

/// Names the step in the error.
async fn step<T>(name: &str, act: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    act.await.with_context(|| format!("step not seen: {name}"))
}

async fn ready(stage: &Stage) -> anyhow::Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        let ready = client()?.get(format!("{}/readyz", stage.bot)).send().await;
        if ready.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(());
        }
        if Instant::now() > until {
            bail!("/readyz does not say that it is");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn client() -> anyhow::Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?)
}

/// Asks as production would: over HTTP, with its token.
async fn check(stage: &Stage) -> anyhow::Result<Value> {
    let answer = client()?
        .get(format!("{}/v1/check", stage.bot))
        .query(&[("user", PERSON), ("customer", CUSTOMER)])
        .bearer_auth(&stage.check_token)
        .send()
        .await?
        .error_for_status()?;
    Ok(answer.json().await?)
}

async fn message_with(workspace: &Workspace, place: &str, button: &str) -> anyhow::Result<Message> {
    let what = format!("a message with the button {button}");
    workspace
        .wait_for(&what, PATIENCE, |w| {
            w.messages(place).into_iter().find(|message| message.buttons().iter().any(|found| found == button))
        })
        .await
        .map_err(anyhow::Error::msg)
}

async fn without_button(workspace: &Workspace, place: &str, button: &str) -> anyhow::Result<()> {
    let what = format!("messages without the button {button}");
    let gone =
        |w: &Workspace| w.messages(place).iter().all(|m| m.buttons().iter().all(|found| found != button)).then_some(());
    workspace.wait_for(&what, PATIENCE, gone).await.map_err(anyhow::Error::msg)
}

/// Nothing can be given back any more: the lease is over.
fn ended(workspace: &Workspace) -> Option<()> {
    let own = |message: &&Message| !message.is_reply();
    let done = |message: &Message| message.buttons().iter().any(|button| button == "I'm done");
    (!workspace.messages(ANA).iter().filter(own).any(done)).then_some(())
}

async fn delivered(stage: &Stage, kind: &str) -> anyhow::Result<String> {
    stage
        .production
        .wait_for(kind, PATIENCE, |production| {
            let found = production.applied().into_iter().find(|delivery| delivery.kind() == kind)?;
            Some(format!("{} for {} on customer {}", found.kind(), found.person(), found.customer()))
        })
        .await
        .map_err(anyhow::Error::msg)
}

/// What must be on record of the story, in this order.
const EXPECTED: [&str; 10] = [
    "petition.opened",
    "claim.made",
    "petition.granted",
    "lease.began",
    "access.began",
    "provisioner.applied",
    "petition.closed",
    "lease.ended",
    "access.ended",
    "provisioner.applied",
];

/// Reads the record of the petition back with its chain checked, once production's confirmation is in it.
async fn record(stage: &Stage, petition: &str) -> anyhow::Result<Vec<StoredEntry>> {
    let until = Instant::now() + PATIENCE;
    let name = PetitionName::new(petition);
    loop {
        stage.workflow.chain_record().await?;
        let mut entries = Vec::new();
        let (mut position, mut hash) = (0, String::new());
        loop {
            let page = stage.workflow.store().audit_page(position, &hash).await??;
            let Some(last) = page.last() else { break };
            (position, hash) = (last.position, last.hash.clone());
            entries.extend(page.into_iter().filter(|entry| entry.petition.as_deref() == Some(name.as_str())));
        }
        let words: Vec<&str> = entries.iter().map(|entry| entry.event.as_str()).collect();
        if words == EXPECTED {
            return Ok(entries);
        }
        if Instant::now() > until {
            bail!("the record should be {EXPECTED:?} and is {words:?}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The page's side panel: what production's own access control says now.
fn show_panel(stage: &Stage) {
    let production = stage.production.clone();
    stage.workspace.set_panel(std::sync::Arc::new(move || {
        let allowed = production.allowed();
        async move {
            let rows: Vec<Value> = allowed.into_iter().map(|(person, customer)| json!([person, customer])).collect();
            json!({
                "title": "Production lets in", "columns": ["who", "customer"], "rows": rows,
                "empty": "Nobody sees any customer's data.",
            })
        }
        .boxed()
    }));
}
