//! Small words of the verdict's sentences.

use std::fmt;

use crate::clock::{TimeoutSource, WriteClock};
use crate::text::setting;
use crate::time::Timestamp;

/// A moment of a day in UTC: `14:03:11.204 UTC`.
pub(super) struct TimeOfDay(pub(super) Timestamp);

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_micros().div_euclid(1_000).rem_euclid(86_400_000);
        let (seconds, millis) = (millis / 1_000, millis % 1_000);
        let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
        write!(f, "{hours:02}:{minutes:02}:{:02}.{millis:03} UTC", seconds % 60)
    }
}

/// A timeout with how it is known: `8 s, set by the session`.
pub(super) fn timeout_and_source(clock: &WriteClock) -> String {
    let source = match clock.timeout.source {
        TimeoutSource::Wait => "as the server's own wait shows",
        TimeoutSource::Session => "as the session has it",
        TimeoutSource::Server => "as the server told",
        TimeoutSource::Flag => "as given to observer",
        TimeoutSource::Assumed => "assumed",
    };
    format!("{}, {source}", setting(clock.timeout.duration))
}

/// `1 probe`, `7 probes`.
pub(super) fn counted(count: impl Into<u64>, noun: &str) -> String {
    match count.into() {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_is_taken_from_utc() {
        assert_eq!(TimeOfDay(Timestamp::from_micros(1_714_831_421_204_007)).to_string(), "14:03:41.204 UTC");
        assert_eq!(TimeOfDay(Timestamp::from_micros(-1)).to_string(), "23:59:59.999 UTC");
    }
}
