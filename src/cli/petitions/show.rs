//! `latchkey petitions show`.

use super::{
    Space,
    facts::{Facts, deed, on_one_line, time},
};
use crate::cli::table::line;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The petition, as `petitions list` shows it
    name: String,
    /// As JSON, as the API has it
    #[arg(long)]
    json: bool,
}

pub async fn run(args: Args, space: &Space) -> anyhow::Result<()> {
    let petition = space.petition(&args.name).await?;
    if args.json {
        line(&petition);
        return Ok(());
    }
    let facts = Facts(&petition);
    let mut lines = vec![
        ("petition", facts.name().to_owned()),
        ("phase", facts.phase().to_owned()),
        ("petitioner", facts.petitioner()),
        ("customer", facts.customer()),
    ];
    lines.extend(facts.role().map(|role| ("role", role.to_owned())));
    lines.push(("for", facts.length()));
    lines.extend(facts.until().map(|until| ("until", until)));
    lines.push(("reason", facts.reason().to_owned()));
    lines.extend(facts.asked().map(|asked| ("asked", asked.to_owned())));
    for (name, value) in lines {
        line(format_args!("{name:<11} {}", on_one_line(&value)));
    }
    line("");
    for event in facts.events() {
        line(format_args!("{}  {}", time(event["timestamp"].as_str()), deed(event)));
    }
    Ok(())
}
