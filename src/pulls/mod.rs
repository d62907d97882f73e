//! PullUpdate out: endpoints that are asked which resources there are.
//!
//! A pull runs when its schedule is due and when somebody asks for it; either way it asks its endpoint once, and what
//! the answer says becomes the truth about everything that this pull has brought.
//!
//! May import: `domain`, `audit`, `webhooks`, `workflow`. The answer is read in `answer.rs`.

mod answer;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::SignedDuration;
use serde_json::json;

use crate::{
    audit::{SYSTEM, Via},
    domain::id::{self, PullName},
    webhooks::Caller,
    workflow::{PullError, Pulled, PullsAs, Put, Workflow},
};

/// How much of an answer is read.
const LONGEST_ANSWER: usize = 64 << 20;

/// One `[[pull]]`.
pub struct Pull {
    pub caller: Caller,
    /// Never empty.
    pub kinds: BTreeSet<String>,
    pub flags: BTreeMap<String, String>,
    pub every: SignedDuration,
}

/// All of them.
pub struct Pulls {
    pub all: BTreeMap<PullName, Pull>,
    /// The kind of customer resources.
    pub customer_kind: String,
    /// A run that lacks more than this of what it brought before changes nothing.
    pub max_removals_percent: f64,
}

/// What came of a run that somebody asked for.
#[derive(Clone, Debug, Default)]
pub struct OnDemand {
    /// Everything of the wanted kinds that was brought, changed or not.
    pub brought: Put,
    /// A sentence for each pull that failed.
    pub failures: Vec<String>,
}

impl Pulls {
    /// Runs one pull because its time has come.
    pub async fn on_schedule(&self, workflow: &Workflow, name: &PullName) -> Result<Pulled, PullError> {
        let Some(pull) = self.all.get(name) else { return Ok(Pulled::default()) };
        self.run(workflow, name, pull, &pull.flags, (SYSTEM, Via::Worker)).await.map(|(_, pulled)| pulled)
    }

    /// Runs every pull that brings one of these kinds, one after the other, to its end even if nobody waits for it any
    /// more. `flags` are handed on with its own. No pull at all is a failure too.
    pub async fn on_demand(
        self: &Arc<Self>,
        workflow: &Workflow,
        kinds: BTreeSet<String>,
        flags: BTreeMap<String, String>,
        by: String,
        via: Via,
    ) -> OnDemand {
        let (pulls, workflow) = (self.clone(), workflow.clone());
        let run = tokio::spawn(async move { pulls.run_all(&workflow, &kinds, &flags, (&by, via)).await });
        // It fails only by a panic, which is in the log.
        let broke =
            |_| OnDemand { failures: vec!["the pull broke; the log says why".to_owned()], ..OnDemand::default() };
        run.await.unwrap_or_else(broke)
    }

    async fn run_all(
        &self,
        workflow: &Workflow,
        kinds: &BTreeSet<String>,
        flags: &BTreeMap<String, String>,
        by: (&str, Via),
    ) -> OnDemand {
        let mut result = OnDemand::default();
        let mut any = false;
        for (name, pull) in self.all.iter().filter(|(_, pull)| !pull.kinds.is_disjoint(kinds)) {
            any = true;
            let mut all_flags = pull.flags.clone();
            all_flags.extend(flags.clone());
            match self.run(workflow, name, pull, &all_flags, by).await {
                Ok((put, _)) => {
                    if kinds.contains(&self.customer_kind) {
                        result.brought.customers.extend(put.customers);
                    }
                    result.brought.others.extend(put.others.into_iter().filter(|one| kinds.contains(&one.kind)));
                }
                Err(error) => {
                    tracing::warn!(pull = %name, %error, "a pull failed");
                    result.failures.push(match error {
                        // What is wrong with the database is for the log.
                        PullError::Workflow(_) => format!("pull `{name}`: it could not be stored; try again"),
                        error => format!("pull `{name}`: {error}"),
                    });
                }
            }
        }
        if !any {
            result.failures.push("no [[pull]] of latchkey.toml brings resources of these kinds".to_owned());
        }
        result
    }

    async fn run(
        &self,
        workflow: &Workflow,
        name: &PullName,
        pull: &Pull,
        flags: &BTreeMap<String, String>,
        (by, via): (&str, Via),
    ) -> Result<(Put, Pulled), PullError> {
        let longest = SignedDuration::try_from(pull.caller.timeout()).unwrap_or(SignedDuration::from_mins(10));
        let bring = async {
            let id = id::attempt_id(workflow.now(), workflow.entropy.as_ref());
            let body = json!({ "kinds": pull.kinds, "flags": flags }).to_string();
            let answer = pull.caller.send(&id, body, LONGEST_ANSWER, workflow.clock.as_ref()).await;
            let answer = answer.map_err(|why| PullError::Endpoint(why.0))?;
            answer::read(&answer, name, &pull.kinds, &self.customer_kind).map_err(|why| PullError::Endpoint(why.0))
        };
        let run = PullsAs { pull: name, by, via, max_removals_percent: self.max_removals_percent };
        let result = workflow.pull_resources(run, longest, bring).await;
        let word = if result.is_ok() { "done" } else { "failed" };
        metrics::counter!("latchkey_pulls_total", "pull" => name.to_string(), "result" => word).increment(1);
        result
    }
}
