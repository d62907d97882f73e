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
# for_others = ["group:leads"]         # who may ask, in Slack, for a colleague; without it, nobody
# max_duration = "8h"
# require = [ { reviewers = ["group:leads", "oncall@acme.test"], count = 2 } ]
# notify = ["C0ACCESS"]                # ids of channels for the card
# dm = false                           # no card to each reviewer besides
# sensitive = true                     # whoever approves is asked once more whether they mean it
# extend_without_approval = "1h"       # the end may move by this much before a reviewer is asked again
# escalate = { after = "30m", to = ["dan@acme.test"] }  # asked too when nobody decides, and may decide then

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
# kinds = ["customer"]                 # what it is told about; customers if it does not say
# match = { region = "eu" }
# headers = { x-team = "support" }
# timeout = "10s"
# dry_run = true                       # send nothing yet

# A bot that approves or denies, where a rule names it as a reviewer. It is asked when a petition opens.

# [[decision]]
# name = "on-call bot"
# bot = "oncall@acme.test"             # the reviewer that it speaks as
# url = "https://bots.acme.test/on-call"
# secret = "${BOT_SECRET}"

# Customers, and other resources, that an endpoint knows. What it does not bring any more cannot be asked for any more.

# [[pull]]
# name = "crm"
# url = "https://crm.acme.test/webhooks/indent"
# secret = "${CRM_SECRET}"
# kinds = ["customer"]
# every = "15m"
"#;

#[cfg(test)]
mod tests {
    use super::TEMPLATE;
    use crate::config::file::load;

    fn env(name: &str) -> Option<String> {
        ["PROD_WEBHOOK_SECRET", "BOT_SECRET", "CRM_SECRET"].contains(&name).then(|| "secret".to_owned())
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
        assert_eq!((config.decisions.len(), config.pulls.len()), (1, 1));
        assert_eq!(config.policy.access.roles.len(), 2);
        assert!(config.policy.access.ticket_url.is_some());
        assert!(config.provisioners[0].matches.is_some());
    }
}
