//! Every webhook of the file: asked what it is (Indent's GetInfo), which changes nothing there.

use futures_util::future::join_all;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{Check, Group, PATIENCE, fail, ok, warn};
use crate::{
    app::{self, World},
    cli::slack::is_loopback,
    config::{FileConfig, ProvisionerKind, WebhookConfig},
    domain::id,
    webhooks::{Answer, Caller},
};

const GROUP: Group = Group::Webhooks;
/// How much of an answer is read.
const LONGEST_ANSWER: usize = 64 * 1024;
/// In characters. Shorter ones can be guessed.
const SHORTEST_SECRET: usize = 16;
/// The code of gRPC for somebody who could not prove who they are, and for somebody who may not.
const REFUSED: [i64; 2] = [16, 7];

pub(super) async fn look(file: Option<&FileConfig>, world: &World) -> Vec<Check> {
    let Some(file) = file else { return Vec::new() };
    let provisioners = file.provisioners.iter().map(|one| match &one.kind {
        ProvisionerKind::Webhook(webhook) => (format!("the provisioner “{}”", one.name), webhook),
    });
    let decisions = file.decisions.iter().map(|one| (format!("the decision “{}”", one.name), &one.webhook));
    let pulls = file.pulls.iter().map(|one| (format!("the pull “{}”", one.name), &one.webhook));
    let all = provisioners.chain(decisions).chain(pulls);
    let asked = all.map(|(name, webhook)| async move {
        let mut checks = form(&name, webhook);
        checks.push(ask(&name, webhook, world).await);
        checks
    });
    join_all(asked).await.into_iter().flatten().collect()
}

/// What can be said without asking.
fn form(name: &str, webhook: &WebhookConfig) -> Vec<Check> {
    let mut checks = Vec::new();
    if webhook.url.scheme() != "https" && !is_loopback(&webhook.url) {
        let what = format!("{name} is called over http: whoever is on the way reads who may see which customer");
        checks.push(warn(GROUP, what, "use https"));
    }
    let length = |secret: &secrecy::SecretString| secret.expose_secret().chars().count();
    if let Some(shortest) = webhook.secrets.iter().map(length).min().filter(|length| *length < SHORTEST_SECRET) {
        let what = format!("a secret of {name} has {shortest} characters and could be guessed");
        checks.push(warn(GROUP, what, "make one with `openssl rand -hex 32`, here and at the receiver"));
    }
    checks
}

async fn ask(name: &str, webhook: &WebhookConfig, world: &World) -> Check {
    if webhook.dry_run {
        return warn(GROUP, format!("{name} is sent nothing"), "remove its dry_run when it is ready");
    }
    // Its path may hold a secret.
    let origin = webhook.url.origin().ascii_serialization();
    let caller = app::endpoint(webhook).and_then(|mut endpoint| {
        endpoint.timeout = endpoint.timeout.min(PATIENCE);
        Ok(Caller::new(endpoint)?)
    });
    let Ok(caller) = caller else {
        return fail(GROUP, format!("{name} cannot be called"), "install the system's root certificates");
    };
    let id = id::attempt_id(world.clock.now(), world.entropy.as_ref());
    let body = json!({ "info": true }).to_string();
    match caller.send(&id, body, LONGEST_ANSWER, world.clock.as_ref()).await {
        Ok(answer) => judge(name, &origin, &answer),
        Err(failure) => {
            let remedy = "check its url, that the receiver runs, and that it can be reached from here";
            fail(GROUP, format!("{name} at {origin}: {}", failure.0), remedy)
        }
    }
}

fn judge(name: &str, origin: &str, answer: &Answer) -> Check {
    let json: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    let code = json["status"]["code"].as_i64().unwrap_or_default();
    let status = answer.status.as_u16();
    if matches!(status, 401 | 403) || (answer.status.is_success() && REFUSED.contains(&code)) {
        let remedy = "give the receiver the same secret as `secret` has here, and check its clock";
        return fail(GROUP, format!("{name} at {origin} refuses our signature (it answered {status})"), remedy);
    }
    match status {
        300..=399 => {
            let remedy = "write the address to which it leads into url: Latchkey follows none";
            fail(GROUP, format!("{name} at {origin} answers with a redirect ({status})"), remedy)
        }
        404 | 405 | 410 => {
            let what = format!("{name}: nothing at {origin} takes a POST to the path of its url ({status})");
            fail(GROUP, what, "correct its url")
        }
        502..=504 => {
            fail(GROUP, format!("{name} at {origin} is down (it answered {status})"), "start it, or what is behind it")
        }
        _ => match answer.taken() {
            Ok(()) => ok(GROUP, format!("{name} at {origin} answers, and takes our signature")),
            Err(failure) => {
                let what = format!("{name} at {origin} can be reached, but not be asked what it is: {}", failure.0);
                warn(GROUP, what, "nothing, if it takes events; it is told of the next one")
            }
        },
    }
}
