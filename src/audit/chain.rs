//! The hash that ties each entry of the record to all before it.

use sha2::{Digest, Sha256};

/// The hash of an entry at `position` whose predecessor has the hash `before` (empty for the first): SHA-256, hex, over
/// length-prefixed fields, so that no two different entries read the same.
pub fn link(before: &str, position: i64, fields: &[&str]) -> String {
    let mut hash = Sha256::new();
    let position = position.to_string();
    for field in [before, &position].into_iter().chain(fields.iter().copied()) {
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field.as_bytes());
    }
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::link;

    #[test]
    fn every_part_counts() {
        let base = link("", 1, &["a", "b"]);
        assert_eq!(base, link("", 1, &["a", "b"]));
        for other in [
            link("x", 1, &["a", "b"]),
            link("", 2, &["a", "b"]),
            link("", 1, &["ab", ""]),
            link("", 1, &["a"]),
            link("", 1, &["a", "c"]),
        ] {
            assert_ne!(base, other);
        }
    }
}
