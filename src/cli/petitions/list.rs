//! `latchkey petitions list`.

use serde_json::Value;

use super::{
    Space,
    facts::{Facts, on_one_line},
};
use crate::cli::table;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only those whose labels match, like `team=support,tier in (1,2),!draft`
    #[arg(long)]
    selector: Option<String>,
    /// As JSON, one array, as the API has them
    #[arg(long)]
    json: bool,
}

pub async fn run(args: Args, space: &Space) -> anyhow::Result<()> {
    let mut petitions: Vec<Value> = Vec::new();
    let mut page = String::new();
    loop {
        let mut query = vec![("pageSize", "100")];
        query.extend(Some(("pageToken", page.as_str())).filter(|(_, page)| !page.is_empty()));
        query.extend(args.selector.as_deref().map(|selector| ("labelSelector", selector)));
        let body = space.of_space(space.api.get(&space.path(&[]), &query).await?)?;
        petitions.extend(body["petitions"].as_array().cloned().unwrap_or_default());
        match body["nextPageToken"].as_str() {
            // A server that repeats itself would keep us here for ever.
            Some(next) if !next.is_empty() && next != page => page = next.to_owned(),
            _ => break,
        }
    }
    if args.json {
        table::line(Value::Array(petitions));
        return Ok(());
    }
    if petitions.is_empty() {
        table::line("There are no petitions that you may see.");
        return Ok(());
    }
    let rows: Vec<Vec<String>> = petitions
        .iter()
        .map(|petition| {
            let facts = Facts(petition);
            vec![
                facts.name().to_owned(),
                facts.phase().to_owned(),
                facts.asked_at(),
                facts.petitioner(),
                on_one_line(&facts.customer()),
                facts.role().unwrap_or("-").to_owned(),
                facts.length(),
                on_one_line(facts.reason()),
            ]
        })
        .collect();
    table::print(&["NAME", "PHASE", "ASKED", "PETITIONER", "CUSTOMER", "ROLE", "FOR", "REASON"], &rows);
    Ok(())
}
