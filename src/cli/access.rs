//! `latchkey access list`.

use anyhow::bail;
use serde_json::Value;

use super::{Env, api::Api, table};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Live leases, those that are over but not closed everywhere, and how far each provisioner is
    ///
    /// Needs LATCHKEY_TOKEN with the scope `admin`.
    List(ListArgs),
}

#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Only this person's
    #[arg(long)]
    user: Option<String>,
    /// Only on this customer
    #[arg(long)]
    customer: Option<String>,
    /// As JSON, one array
    #[arg(long)]
    json: bool,
}

pub async fn run(command: Command, env: &Env) -> anyhow::Result<()> {
    let Command::List(args) = command;
    let api = Api::new(env)?;
    let space = env.get("INDENT_SPACE").unwrap_or_else(|| "default".to_owned());
    let mut leases: Vec<Value> = Vec::new();
    let mut page = String::new();
    loop {
        let mut query = vec![("pageToken", page.as_str())];
        query.extend(args.user.as_deref().map(|user| ("user", user)));
        query.extend(args.customer.as_deref().map(|customer| ("customer", customer)));
        let reply = api.get(&["v1", "spaces", &space, "access"], &query).await?;
        if !reply.status.is_success() {
            bail!(reply.message());
        }
        leases.extend(reply.body["leases"].as_array().cloned().unwrap_or_default());
        match reply.body["nextPageToken"].as_str() {
            Some(next) => page = next.to_owned(),
            None => break,
        }
    }
    if args.json {
        table::line(Value::Array(leases));
        return Ok(());
    }
    if leases.is_empty() {
        table::line("Nobody holds access.");
        return Ok(());
    }
    let text = |lease: &Value, field: &str| lease[field].as_str().unwrap_or("-").to_owned();
    let rows: Vec<Vec<String>> = leases
        .iter()
        .map(|lease| {
            let mut row: Vec<String> =
                ["user", "customer", "role", "expires_at", "petition"].map(|field| text(lease, field)).to_vec();
            if let Some(ended) = lease["ended_at"].as_str() {
                row[3] = format!("over since {ended}");
            }
            row.push(progress(lease));
            row
        })
        .collect();
    table::print(&["USER", "CUSTOMER", "ROLE", "UNTIL", "PETITION", "PROVISIONERS"], &rows);
    Ok(())
}

/// `production: applied; warehouse: failing since …, 4 attempts: cannot connect`
fn progress(lease: &Value) -> String {
    let provisioners = lease["provisioners"].as_array().map(Vec::as_slice).unwrap_or_default();
    let said = provisioners.iter().map(|one| {
        let (name, state) = (one["name"].as_str().unwrap_or("?"), one["state"].as_str().unwrap_or("?"));
        match one["failing_since"].as_str() {
            None => format!("{name}: {state}"),
            Some(since) => {
                let attempts = one["attempts"].as_i64().unwrap_or_default();
                let error = one["last_error"].as_str().unwrap_or_default();
                format!("{name}: failing since {since}, {attempts} attempts: {error}")
            }
        }
    });
    let said: Vec<String> = said.collect();
    if said.is_empty() { "-".to_owned() } else { said.join("; ") }
}
