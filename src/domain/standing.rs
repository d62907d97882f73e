//! How events from outside are weighed, so that order, number and delay do not matter.
//!
//! A standing is the strongest word heard so far on one subject. Three kinds of subject:
//! with `latchkey/version` the access itself, and the highest version wins; else the petition of the event, and a
//! revoke is final; with neither the access, and the later event wins, a revoke winning ties.

use super::clock::Timestamp;

/// The strongest word so far. `end` of a grant is the sender's, `None` for "until revoked"; what we allow of it is
/// bounded when the lease is made, and kept there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The version, or the event's time in microseconds.
    pub rank: i64,
    pub revoked: bool,
    pub end: Option<Timestamp>,
}

/// How two words on one subject compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weighing {
    /// Versions of one access: only a higher one counts; of the same version, a revoke.
    ByVersion,
    /// One petition: a revoke is final; of two grants the later event, then the later end.
    ByPetition,
    /// Bare events on one access: the later one; at the same time a revoke, then the later end.
    ByTime,
}

/// The end of a grant for comparing: "until revoked" is after every instant.
fn reach(standing: &Standing) -> Timestamp {
    standing.end.unwrap_or(Timestamp::MAX)
}

/// Whether `said` changes what `held` stands for. Saying the same twice never does.
pub fn outweighs(weighing: Weighing, said: &Standing, held: Option<&Standing>) -> bool {
    let Some(held) = held else { return true };
    let strength = |s: &Standing| match weighing {
        Weighing::ByPetition => (s.revoked, if s.revoked { 0 } else { s.rank }, s.revoked, reach(s)),
        Weighing::ByVersion | Weighing::ByTime => (false, s.rank, s.revoked, reach(s)),
    };
    let (said, held) = (strength(said), strength(held));
    if said.2 && held.2 && said.1 == held.1 {
        return false; // two revokes of one rank are the same word
    }
    said > held
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn word() -> impl Strategy<Value = Standing> {
        (0i64..4, any::<bool>(), prop::option::of(0i64..3)).prop_map(|(rank, revoked, end)| Standing {
            rank,
            revoked,
            end: if revoked { None } else { end.map(|s| Timestamp::from_second(s).unwrap()) },
        })
    }

    fn settle(weighing: Weighing, words: &[Standing]) -> Option<Standing> {
        words.iter().fold(
            None,
            |held, said| {
                if outweighs(weighing, said, held.as_ref()) { Some(said.clone()) } else { held }
            },
        )
    }

    proptest! {
        #[test]
        fn order_and_repetition_do_not_matter(
            words in prop::collection::vec(word(), 1..6),
            order in any::<prop::sample::Index>(),
            weighing in prop::sample::select(vec![Weighing::ByVersion, Weighing::ByPetition, Weighing::ByTime]),
        ) {
            let once = settle(weighing, &words);
            let mut other = words.clone();
            other.rotate_left(order.index(words.len()));
            other.reverse();
            other.extend(words.clone());
            let again = settle(weighing, &other);
            // Two revokes of one petition differ only in when they were heard.
            if weighing == Weighing::ByPetition && once.as_ref().is_some_and(|s| s.revoked) {
                prop_assert!(again.is_some_and(|s| s.revoked));
            } else {
                prop_assert_eq!(once, again);
            }
        }

        #[test]
        fn a_revoke_ends_its_petition_for_good(words in prop::collection::vec(word(), 1..6)) {
            let settled = settle(Weighing::ByPetition, &words).unwrap();
            prop_assert_eq!(settled.revoked, words.iter().any(|w| w.revoked));
        }
    }
}
