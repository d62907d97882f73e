//! The recorder behind `/metrics`, one for the process.

use std::sync::OnceLock;

use jiff::Timestamp;
use metrics::{describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::store::Backlog;

/// `None` when another recorder is in place, which only another library could have put there.
fn handle() -> Option<&'static PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
            let handle = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &buckets)
                .ok()?
                .install_recorder()
                .ok()?;
            describe();
            Some(handle)
        })
        .as_ref()
}

/// From now on everything is counted.
pub fn install() {
    handle();
}

/// Folds samples together. Without it they pile up until somebody scrapes; a few seconds apart is often enough.
pub async fn upkeep() {
    let mut every = tokio::time::interval(std::time::Duration::from_secs(5));
    loop {
        every.tick().await;
        if let Some(handle) = handle() {
            handle.run_upkeep();
        }
    }
}

pub fn render() -> String {
    handle().map(PrometheusHandle::render).unwrap_or_default()
}

fn describe() {
    describe_histogram!("latchkey_http_request_seconds", "Time to answer, by route, method and status");
    describe_counter!("latchkey_jobs_total", "Jobs run, by queue and result");
    describe_counter!("latchkey_deliveries_total", "Attempts to tell a provisioner, by provisioner, kind and result");
    describe_counter!("latchkey_slack_messages_total", "Attempts to show a message, by purpose and result");
    describe_counter!(
        "latchkey_petitions_unreached_total",
        "Petitions none of whose cards reached anybody, by who was asked next"
    );
    describe_counter!("latchkey_slack_homes_total", "Attempts to show a Home tab, by result");
    describe_counter!("latchkey_slack_unknown_payloads_total", "Slack payloads of a kind we do not know");
    describe_gauge!("latchkey_slack_socket_connections", "Connections of Socket Mode that are open");
    describe_counter!("latchkey_refused_requests_total", "Signed requests refused, by route and reason");
    describe_gauge!("latchkey_worker_up", "1 while the worker runs, 0 while it is being restarted");
    describe_gauge!("latchkey_leases_live", "Leases that give access now");
    describe_gauge!("latchkey_undelivered", "Streams that a provisioner has not confirmed yet, by kind");
    describe_gauge!("latchkey_remote_untold", "Petitions and claims that the remote space has not been told yet");
    describe_gauge!("latchkey_oldest_remote_untold_seconds", "Age of the oldest of them");
    describe_gauge!("latchkey_oldest_undelivered_revoke_seconds", "Age of the oldest revoke that nobody confirmed");
    describe_gauge!("latchkey_messages_unsent", "Messages that are waiting to be shown");
    describe_gauge!("latchkey_database_up", "1 when the database answered this scrape");
}

pub fn set_backlog(backlog: &Backlog, now: Timestamp) {
    gauge!("latchkey_database_up").set(1.0);
    gauge!("latchkey_leases_live").set(backlog.live_leases as f64);
    gauge!("latchkey_undelivered", "kind" => "grant").set(backlog.undelivered_grants as f64);
    gauge!("latchkey_undelivered", "kind" => "revoke").set(backlog.undelivered_revokes as f64);
    gauge!("latchkey_messages_unsent").set(backlog.unsent_messages as f64);
    let age = backlog.oldest_revoke.map_or(0.0, |since| now.duration_since(since).as_secs_f64());
    gauge!("latchkey_oldest_undelivered_revoke_seconds").set(age);
    gauge!("latchkey_remote_untold").set(backlog.untold as f64);
    let age = backlog.oldest_untold.map_or(0.0, |since| now.duration_since(since).as_secs_f64());
    gauge!("latchkey_oldest_remote_untold_seconds").set(age);
}
