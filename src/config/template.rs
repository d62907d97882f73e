//! What `latchkey init` writes.

/// A commented `latchkey.toml` that works as it stands, but for the people and the channel.
pub const TEMPLATE: &str = r#"# Latchkey: who may have access to a customer's data, and who approves it.
# `latchkey serve` says what is wrong with it, with line and column, and does not start until it is right.
# Any string may be "${NAME}": it is read from the environment at start.

[access]
default_duration = "4h"    # when none is asked for
max_duration = "24h"       # nobody gets longer
pending_for = "24h"        # an undecided petition closes itself
warn_before = "10m"        # the holder is warned before the end
min_reason = 5             # characters
self_approval = false      # nobody approves their own petition
# roles = ["readonly", "admin"]        # weakest first; without it, access has no role
# ticket = '[A-Z]+-[0-9]+'             # the reason must name a ticket
# ticket_url = "https://jira.example.com/browse/{ticket}"

[groups]                   # change these to people of yours, by the e-mail they have in Slack
leads = ["bo@acme.test", "cy@acme.test"]
# support = ["ana@acme.test"]

# The first rule that matches decides. Reviewers are e-mails, groups from above ("group:leads") or user groups of
# Slack ("slack:S0LEADS"). Every line of `require` must be met, each by other people.

# [[rule]]
# name = "enterprise"
# match = { plan = "enterprise" }      # labels of the customer: the columns of CUSTOMERS_QUERY after id and name
# petitioners = ["group:support"]      # who may ask; without it, every full member of the workspace
# max_duration = "8h"
# require = [ { reviewers = ["group:leads"], count = 2 } ]
# notify = ["C0ACCESS"]                # ids of channels for the card
# dm = false                           # no card to each reviewer besides

[[rule]]
name = "everyone else"
require = [ { reviewers = ["group:leads"] } ]
# notify = ["C0ACCESS"]

# Production can always ask Latchkey (`/v1/check`). A webhook is told of every access as it begins and ends.

# [[provisioner]]
# name = "production"                  # keep it: leases remember it
# kind = "webhook"
# url = "https://access.acme.test/webhooks/indent"
# secret = "${PROD_WEBHOOK_SECRET}"    # or a list, while you replace one
# match = { region = "eu" }
# headers = { x-team = "support" }
# timeout = "10s"
# dry_run = true                       # send nothing yet
"#;

#[cfg(test)]
mod tests {
    use super::TEMPLATE;
    use crate::config::file::load;

    fn env(name: &str) -> Option<String> {
        (name == "PROD_WEBHOOK_SECRET").then(|| "secret".to_owned())
    }

    #[test]
    fn the_template_loads() {
        let config = load(TEMPLATE, "latchkey.toml", &|_| None).unwrap();
        assert_eq!((config.policy.rules.len(), config.provisioners.len()), (1, 0));
        assert_eq!(config.policy.groups["leads"].len(), 2);
    }

    /// What is commented out must be right too.
    #[test]
    fn its_examples_load() {
        let is_example = |line: &str| {
            line.starts_with("# [[")
                || line.split('=').next().is_some_and(|key| {
                    let key = key.strip_prefix("# ").unwrap_or_default().trim_end();
                    line.contains('=') && !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
                })
        };
        let all: Vec<&str> =
            TEMPLATE.lines().map(|line| if is_example(line) { line.trim_start_matches("# ") } else { line }).collect();
        let config = load(&all.join("\n"), "latchkey.toml", &env).unwrap();
        assert_eq!((config.policy.rules.len(), config.provisioners.len()), (2, 1));
        assert_eq!(config.policy.access.roles.len(), 2);
        assert!(config.policy.access.ticket_url.is_some());
        assert!(config.provisioners[0].matches.is_some());
    }
}
