//! Access: what somebody holds in effect, the union of their live leases of one customer and role.
//!
//! Provisioners are told accesses, not leases. This is where "union" is decided: whatever the order in which leases
//! begin and end, the access that follows depends only on which leases are live.

use super::{
    clock::Timestamp,
    id::{AccessId, LeaseId},
    lease::{Holding, Lease},
};

/// One access and how far it has come. `version` grows whenever it begins, its end moves, or it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    pub id: AccessId,
    pub holding: Holding,
    pub version: i64,
    /// The end of the access while it is live; `None` when nobody holds it.
    pub ends_at: Option<Timestamp>,
}

/// What changed for the outside world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was nobody's and is now held until then.
    Begins { until: Timestamp },
    /// It is still held, with another end.
    Moves { until: Timestamp },
    /// It is over.
    Ends,
}

impl Access {
    /// Compares what was last said of the access with its live leases. `None`: nothing to say.
    pub fn follow(&self, leases: &[Lease], now: Timestamp) -> Option<Change> {
        let until = last_live(leases, now).map(|lease| lease.expires_at);
        match (self.ends_at, until) {
            (None, Some(until)) => Some(Change::Begins { until }),
            (Some(was), Some(until)) if was != until => Some(Change::Moves { until }),
            (Some(_), None) => Some(Change::Ends),
            (Some(_), Some(_)) | (None, None) => None,
        }
    }
}

/// The live lease that ends last; among equals the one that began last, then the greater id, so that the answer does
/// not depend on the order of the list.
pub fn last_live(leases: &[Lease], now: Timestamp) -> Option<&Lease> {
    leases
        .iter()
        .filter(|lease| lease.is_live(now))
        .max_by_key(|lease| (lease.expires_at, lease.starts_at, &lease.id as &LeaseId))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{id::CustomerId, lease::EndCause, person::Email};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn holding() -> Holding {
        Holding { person: Email::parse("ana@acme.test").unwrap(), customer: CustomerId::new("123"), role: None }
    }

    fn lease(n: usize, starts: i64, expires: i64, ended: Option<i64>) -> Lease {
        Lease {
            id: LeaseId::new(format!("lse_{n}")),
            access: AccessId::new("acc"),
            petition: format!("p{n}"),
            holding: holding(),
            starts_at: at(starts),
            expires_at: at(expires),
            warn_at: None,
            ended: ended.map(|e| (at(e), EndCause::Done)),
        }
    }

    proptest! {
        /// I4: whatever begins and ends in whatever order, following the changes one by one leads to exactly the
        /// union of the live leases, a grant never goes to nobody and a revoke is never told while a lease lives.
        #[test]
        fn following_changes_reaches_the_union(
            steps in prop::collection::vec((0usize..6, 1i64..40, any::<bool>()), 1..60)
        ) {
            let mut leases: Vec<Lease> = Vec::new();
            let mut access = Access { id: AccessId::new("acc"), holding: holding(), version: 0, ends_at: None };
            for (tick, (n, length, end)) in steps.into_iter().enumerate() {
                let now = at(tick as i64);
                if end {
                    if let Some(lease) = leases.get_mut(n) {
                        lease.ended.get_or_insert((now, EndCause::Done));
                    }
                } else {
                    let id = leases.len();
                    leases.push(lease(id, tick as i64, tick as i64 + length, None));
                }
                let union = leases.iter().filter(|l| l.is_live(now)).map(|l| l.expires_at).max();
                let mut shuffled = leases.clone();
                shuffled.reverse();
                prop_assert_eq!(access.follow(&leases, now), access.follow(&shuffled, now));
                match access.follow(&leases, now) {
                    Some(Change::Begins { until }) => {
                        prop_assert!(access.ends_at.is_none());
                        access.ends_at = Some(until);
                    }
                    Some(Change::Moves { until }) => {
                        prop_assert!(access.ends_at.is_some());
                        access.ends_at = Some(until);
                    }
                    Some(Change::Ends) => {
                        prop_assert!(leases.iter().all(|l| !l.is_live(now)));
                        access.ends_at = None;
                    }
                    None => {}
                }
                prop_assert_eq!(access.ends_at, union);
                prop_assert_eq!(access.follow(&leases, now), None, "following twice says nothing new");
            }
        }
    }

    #[test]
    fn a_lease_gives_nothing_at_the_instant_of_its_end() {
        let lease = lease(1, 0, 10, None);
        assert!(lease.is_live(at(9)));
        assert!(!lease.is_live(at(10)));
    }
}
