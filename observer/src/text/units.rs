//! Times in steady cells, and names.

use std::time::Duration;

use observer_core::{Seconds, Severity};

/// A time in at most seven cells: `41.2 s`, `31 min`, `5 h`, `12 d`.
pub fn short(time: Duration) -> String {
    match time.as_secs() {
        0..1_000 => Seconds(time).to_string(),
        whole @ 1_000..36_000 => format!("{} min", whole / 60),
        whole @ 36_000..360_000 => format!("{} h", whole / 3_600),
        whole => format!("{} d", whole / 86_400),
    }
}

/// A severity, by its name in the log.
pub const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Notice => "notice",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
        Severity::Lost => "lost",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_stay_short() {
        let cases =
            [(0, "0.0 s"), (999, "999.0 s"), (1_860, "31 min"), (35_999, "599 min"), (40_000, "11 h")];
        for (seconds, text) in cases {
            assert_eq!(short(Duration::from_secs(seconds)), text);
        }
        for digits in 0..8 {
            assert!(short(Duration::from_secs(10_u64.pow(digits))).len() <= 7);
        }
    }
}
