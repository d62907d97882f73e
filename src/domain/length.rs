//! Lengths of time as people type and read them.

use jiff::{SignedDuration, Span, SpanRelativeTo};

/// What [`parse`] could not make a length of.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadLength {
    #[error("“{0}” is not a length of time; write it like 4h, 90m, 1h30m or 2 days")]
    NotUnderstood(String),
    #[error("the shortest length is one second")]
    TooShort,
    #[error("“{0}” is longer than anybody can have")]
    TooLong(String),
}

/// No length above this is understood at all; what a rule allows is far below.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 366 * 10);

/// Reads `4h`, `4 hours`, `90m`, `1h30m`, `1.5h`, `2 days`, `1 week`, `30s`. A day is 24 hours.
///
/// Whole seconds, at least one. Months and years are not understood: they have no fixed length.
pub fn parse(text: &str) -> Result<SignedDuration, BadLength> {
    let text = text.trim();
    let fault = || BadLength::NotUnderstood(text.chars().take(60).collect());
    // The parser of the library also takes ISO 8601 (`PT4H`) and signs; nobody means those here.
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(fault());
    }
    let span: Span = match text.parse() {
        Ok(span) => span,
        Err(_) if is_digits_and_unit(text) => return Err(BadLength::TooLong(text.chars().take(60).collect())),
        Err(_) => return Err(fault()),
    };
    if span.get_months() != 0 || span.get_years() != 0 {
        return Err(fault());
    }
    let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| fault())?;
    let length = SignedDuration::from_secs(length.as_secs());
    if length < SignedDuration::from_secs(1) {
        return Err(BadLength::TooShort);
    }
    if length > LONGEST {
        return Err(BadLength::TooLong(text.chars().take(60).collect()));
    }
    Ok(length)
}

/// `99999999999999h` overflows the library's fields, but a person who typed it gave a length.
fn is_digits_and_unit(text: &str) -> bool {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit()).trim();
    matches!(unit, "s" | "m" | "h" | "d" | "w" | "seconds" | "minutes" | "hours" | "days" | "weeks")
}

/// `4h`, `1h 30m`, `2 days`, `45s`: the shortest form that says the same.
pub fn show(length: SignedDuration) -> String {
    let total = length.as_secs().max(0);
    let (days, hours, minutes, seconds) = (total / 86_400, total % 86_400 / 3_600, total % 3_600 / 60, total % 60);
    if total >= 2 * 86_400 && total % 86_400 == 0 {
        return format!("{days} days");
    }
    let hours = hours + days * 24;
    let mut parts = Vec::new();
    for (n, unit) in [(hours, 'h'), (minutes, 'm'), (seconds, 's')] {
        if n != 0 {
            parts.push(format!("{n}{unit}"));
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

/// As Go prints a duration, which is what Indent's labels hold: `4h0m0s`, `1m30s`, `5s`.
pub fn go(length: SignedDuration) -> String {
    let total = length.as_secs().max(0);
    let (hours, minutes, seconds) = (total / 3_600, total % 3_600 / 60, total % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// As Go prints and reads it: `3h0m0s`, `0.5h0m0s`, `-1ns`, `0`. The time library reads fractions in the last unit
/// only, so each part is read by itself.
pub fn from_go(text: &str) -> Option<SignedDuration> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if rest.starts_with(['-', '+']) {
        return None;
    }
    if rest == "0" {
        return Some(SignedDuration::ZERO);
    }
    let mut sum = (!rest.is_empty()).then_some(SignedDuration::ZERO)?;
    while !rest.is_empty() {
        let unit = rest.find(|c: char| c.is_ascii_alphabetic() || c == 'µ')?;
        let end = rest[unit..].find(|c: char| c.is_ascii_digit() || c == '.').map_or(rest.len(), |end| unit + end);
        sum = sum.checked_add(rest[..end].parse().ok()?)?;
        rest = &rest[end..];
    }
    Some(if negative { -sum } else { sum })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type_is_understood() {
        for (text, secs) in [
            ("4h", 14_400),
            ("4 hours", 14_400),
            ("90m", 5_400),
            ("1h30m", 5_400),
            ("1h 30m", 5_400),
            ("1.5h", 5_400),
            ("2 days", 172_800),
            ("2d", 172_800),
            ("1 week", 604_800),
            ("45 min", 2_700),
            ("30s", 30),
            ("1 hr", 3_600),
            ("10 secs", 10),
        ] {
            assert_eq!(parse(text), Ok(SignedDuration::from_secs(secs)), "{text}");
        }
    }

    #[test]
    fn what_is_no_length_is_refused() {
        for text in ["", "4", "h", "-4h", "PT4H", "4 bananas", "1 month", "2 years", "for 4h"] {
            assert!(matches!(parse(text), Err(BadLength::NotUnderstood(_))), "{text:?} {:?}", parse(text));
        }
        assert_eq!(parse("0h"), Err(BadLength::TooShort));
        assert!(matches!(parse("99999999999999999999h"), Err(BadLength::TooLong(_))));
        assert!(matches!(parse("900000h"), Err(BadLength::TooLong(_))));
    }

    #[test]
    fn lengths_read_back() {
        for (secs, short, label) in [
            (14_400, "4h", "4h0m0s"),
            (5_400, "1h 30m", "1h30m0s"),
            (90, "1m 30s", "1m30s"),
            (2, "2s", "2s"),
            (172_800, "2 days", "48h0m0s"),
            (86_400, "24h", "24h0m0s"),
        ] {
            let length = SignedDuration::from_secs(secs);
            assert_eq!(show(length), short);
            assert_eq!(go(length), label);
        }
    }

    #[test]
    fn go_durations_of_indent_are_understood() {
        for (text, secs) in
            [("0", 0), ("1.5h", 5_400), ("3h0m0s", 10_800), ("15m0s", 900), ("0.5h0m0s", 1_800), ("0s", 0), ("5s", 5)]
        {
            assert_eq!(from_go(text), Some(SignedDuration::from_secs(secs)), "{text}");
        }
        assert!(from_go("-1ns").is_some_and(|length| length.is_negative()));
        for text in ["soon", "", "-", "3", "h", "3h0", "1x", "--1s", "-+1s", "1h-1m"] {
            assert_eq!(from_go(text), None, "{text}");
        }
    }
}
