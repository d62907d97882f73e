//! When to try again. Stored with the row, never slept.

use jiff::{SignedDuration, Timestamp};

use super::clock::Entropy;

/// One second, doubled with each attempt up to `cap`, less up to a quarter, so that many do not come back together.
pub fn next_at(now: Timestamp, attempts: i64, cap: SignedDuration, entropy: &dyn Entropy) -> Timestamp {
    let doubled = SignedDuration::from_secs(1 << attempts.clamp(1, 20).saturating_sub(1));
    let longest = doubled.min(cap).as_millis() as i64;
    let mut random = [0u8; 2];
    entropy.fill(&mut random);
    let less = longest / 4 * i64::from(u16::from_be_bytes(random)) / i64::from(u16::MAX);
    now.saturating_add(SignedDuration::from_millis(longest - less)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Same(u8);
    impl Entropy for Same {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn waits_grow_to_their_cap_and_spread_by_a_quarter() {
        let (now, cap) = (Timestamp::UNIX_EPOCH, SignedDuration::from_mins(1));
        let wait = |attempts, entropy| next_at(now, attempts, cap, &Same(entropy)).as_millisecond();
        assert_eq!([1, 2, 3, 6, 7, 100].map(|n| wait(n, 0)), [1_000, 2_000, 4_000, 32_000, 60_000, 60_000]);
        assert_eq!(wait(100, 255), 45_000);
        assert!(wait(i64::MAX, 0) == 60_000 && wait(0, 0) == 1_000);
    }
}
