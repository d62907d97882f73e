//! When a reviewer is reminded of what waits for them: seldom, in their working hours, and at any hour of what is urgent.

use jiff::{SignedDuration, Timestamp, civil::Weekday, tz::TimeZone};

/// Nobody is reminded of a petition sooner than this after its card.
pub const AFTER: SignedDuration = SignedDuration::from_hours(1);
/// Between two reminders of one reviewer.
pub const BETWEEN: SignedDuration = SignedDuration::from_hours(4);
/// A petition that closes itself sooner than this is no reason any more: it would be too late.
const TOO_LATE: SignedDuration = SignedDuration::from_mins(15);
/// Working hours: Monday to Friday from the first to before the second, on the reviewer's own clock.
const FROM: i8 = 9;
const TO: i8 = 18;

/// One petition that waits for a reviewer.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    /// When its card reached them.
    pub asked: Timestamp,
    pub closes: Timestamp,
    pub urgent: bool,
}

/// The next instant at which a reviewer should be reminded, now or later; `None` while nothing gives a reason.
pub fn due(waiting: &[Waiting], reminded: Option<Timestamp>, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    let rested = reminded.map(|at| later(at, BETWEEN));
    let due = waiting.iter().filter_map(|petition| {
        let at = later(petition.asked, AFTER).max(now);
        let at = rested.map_or(at, |rested| rested.max(at));
        let at = if petition.urgent { at } else { working(at, zone) };
        (later(at, TOO_LATE) < petition.closes).then_some(at)
    });
    due.min()
}

/// The first instant from `at` on that is within working hours.
fn working(at: Timestamp, zone: &TimeZone) -> Timestamp {
    let local = zone.to_datetime(at);
    let weekend = |day: Weekday| matches!(day, Weekday::Saturday | Weekday::Sunday);
    if !weekend(local.weekday()) && (FROM..TO).contains(&local.hour()) {
        return at;
    }
    let mut day = local.date();
    if local.hour() >= FROM || weekend(local.weekday()) {
        day = day.tomorrow().unwrap_or(day);
    }
    while weekend(day.weekday()) {
        match day.tomorrow() {
            Ok(next) => day = next,
            Err(_) => return Timestamp::MAX,
        }
    }
    zone.to_timestamp(day.at(FROM, 0, 0, 0)).unwrap_or(Timestamp::MAX)
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn waits(asked: &str, urgent: bool) -> Waiting {
        Waiting { asked: at(asked), closes: later(at(asked), SignedDuration::from_hours(96)), urgent }
    }

    #[test]
    fn working_hours_are_the_reviewers() {
        let utc = TimeZone::UTC;
        let east = TimeZone::fixed(jiff::tz::offset(9));
        // 2026-11-24 is a Tuesday.
        for (zone, from, to) in [
            (&utc, "2026-11-24T09:00:00Z", "2026-11-24T09:00:00Z"),
            (&utc, "2026-11-24T17:59:59Z", "2026-11-24T17:59:59Z"),
            (&utc, "2026-11-24T18:00:00Z", "2026-11-25T09:00:00Z"),
            (&utc, "2026-11-24T03:00:00Z", "2026-11-24T09:00:00Z"),
            (&utc, "2026-11-27T20:00:00Z", "2026-11-30T09:00:00Z"),
            (&utc, "2026-11-28T03:00:00Z", "2026-11-30T09:00:00Z"),
            (&utc, "2026-11-29T12:00:00Z", "2026-11-30T09:00:00Z"),
            (&east, "2026-11-24T12:00:00Z", "2026-11-25T00:00:00Z"),
            (&east, "2026-11-24T01:00:00Z", "2026-11-24T01:00:00Z"),
        ] {
            assert_eq!(working(at(from), zone), at(to), "{from}");
        }
    }

    #[test]
    fn reminders_are_seldom_and_not_too_late() {
        let (utc, now) = (TimeZone::UTC, at("2026-11-24T10:00:00Z"));
        let fresh = waits("2026-11-24T10:00:00Z", false);
        assert_eq!(due(&[], None, &utc, now), None);
        assert_eq!(due(&[fresh], None, &utc, now), Some(at("2026-11-24T11:00:00Z")));
        assert_eq!(due(&[fresh], Some(now), &utc, now), Some(at("2026-11-24T14:00:00Z")));
        let old = waits("2026-11-24T08:00:00Z", false);
        assert_eq!(due(&[old, fresh], None, &utc, now), Some(now));
        let closing = Waiting { closes: at("2026-11-24T11:10:00Z"), ..fresh };
        assert_eq!(due(&[closing], None, &utc, now), None);
        let evening = at("2026-11-24T20:00:00Z");
        assert_eq!(due(&[old], None, &utc, evening), Some(at("2026-11-25T09:00:00Z")));
        let urgent = Waiting { urgent: true, ..old };
        assert_eq!(due(&[old, urgent], None, &utc, evening), Some(evening));
    }
}
