//! Ids are newtypes: a petition's name cannot be passed where a lease's id is meant.

use serde::{Deserialize, Serialize};

use super::clock::{Entropy, Timestamp};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }
            pub fn as_str(&self) -> &str {
                &self.0
            }
            pub fn into_string(self) -> String {
                self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// A petition's name as the API shows it: hexadecimal, one URL segment, sortable by time.
    PetitionName
);
text_id!(LeaseId);
text_id!(AccessId);
text_id!(ClaimId);
text_id!(MessageId);
text_id!(TokenId);
text_id!(
    /// The company's own id of a customer, exactly as its database has it; or a resource of another kind, as
    /// [`CustomerId::of_kind`] writes it, so that the two can never be taken for each other.
    CustomerId
);
text_id!(
    /// The `name` of a `[[provisioner]]`; leases remember it, so it must stay stable.
    ProvisionerName
);
text_id!(
    /// The `name` of a `[[decision]]`; what it is still to be asked remembers it.
    DecisionName
);
text_id!(
    /// The `name` of a `[[pull]]`; the resources that it brought remember it.
    PullName
);
text_id!(
    /// `U…` or `W…`, from a signed Slack payload.
    SlackUserId
);
text_id!(
    /// What a lease lets its holder do; one of `[access] roles`.
    Role
);

/// Between the kind and the id of a resource that is no customer; no plain id holds it.
const KIND_ENDS: char = '\u{1f}';

impl CustomerId {
    /// A resource of another kind than customers.
    pub fn of_kind(kind: &str, id: &str) -> Self {
        Self(format!("{kind}{KIND_ENDS}{id}"))
    }

    /// `None`: it is a customer.
    pub fn kind(&self) -> Option<&str> {
        self.0.split_once(KIND_ENDS).map(|(kind, _)| kind)
    }

    /// The id without the kind.
    pub fn bare(&self) -> &str {
        self.0.split_once(KIND_ENDS).map_or(&self.0, |(_, id)| id)
    }

    /// Whether a text can be the id of a customer or a resource: not empty, no control characters.
    pub fn is_plain(text: &str) -> bool {
        !text.is_empty() && !text.chars().any(char::is_control)
    }
}

/// Sixteen hexadecimal digits: 44 bits of milliseconds, 20 of randomness.
///
/// Short enough to type, sortable, and never reused: a clash is refused by the primary key.
pub fn petition_name(now: Timestamp, entropy: &dyn Entropy) -> PetitionName {
    let mut random = [0u8; 4];
    entropy.fill(&mut random);
    let millis = (now.as_millisecond() as u64) & ((1 << 44) - 1);
    let tail = u32::from_be_bytes(random) & ((1 << 20) - 1);
    PetitionName(format!("{:016x}", (millis << 20) | u64::from(tail)))
}

/// A prefixed UUIDv7-shaped text: `lse_0190…`. Sortable by time, 74 random bits.
fn prefixed(prefix: &str, now: Timestamp, entropy: &dyn Entropy) -> String {
    let mut random = [0u8; 10];
    entropy.fill(&mut random);
    let millis = now.as_millisecond() as u64;
    let id = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
    format!("{prefix}_{}", id.simple())
}

pub fn lease_id(now: Timestamp, entropy: &dyn Entropy) -> LeaseId {
    LeaseId(prefixed("lse", now, entropy))
}
pub fn access_id(now: Timestamp, entropy: &dyn Entropy) -> AccessId {
    AccessId(prefixed("acc", now, entropy))
}
pub fn claim_id(now: Timestamp, entropy: &dyn Entropy) -> ClaimId {
    ClaimId(prefixed("clm", now, entropy))
}
pub fn message_id(now: Timestamp, entropy: &dyn Entropy) -> MessageId {
    MessageId(prefixed("msg", now, entropy))
}
pub fn token_id(now: Timestamp, entropy: &dyn Entropy) -> TokenId {
    TokenId(prefixed("tok", now, entropy))
}
pub fn resource_name(now: Timestamp, entropy: &dyn Entropy) -> String {
    prefixed("res", now, entropy)
}
/// Marks one attempt at a piece of due work, so that only the attempt that is current may record its result.
pub fn attempt_id(now: Timestamp, entropy: &dyn Entropy) -> String {
    prefixed("try", now, entropy)
}
