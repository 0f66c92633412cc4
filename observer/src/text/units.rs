//! Sizes and times in few and steady cells.

use std::time::Duration;

/// Bytes in decimal units with three digits at most: `0 B`, `896 kB`, `3.1 MB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if count < 1000 {
        return format!("{count} B");
    }
    // In tenths, so that nothing is lost in a float.
    let (mut tenths, mut unit) = (u128::from(count) * 10 / 1000, 0);
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        (tenths, unit) = (tenths / 1000, unit + 1);
    }
    match tenths {
        ..100 => format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit]),
        _ => format!("{} {}", tenths / 10, UNITS[unit]),
    }
}

/// A time in at most seven cells: `41.2 s`, `125 s`, `31 min`, `5.0 h`, `12 d`. Cut, not rounded: a countdown does not
/// say more than there is.
pub fn seconds(time: Duration) -> String {
    match time.as_secs() {
        whole @ 0..100 => format!("{whole}.{} s", time.subsec_millis() / 100),
        whole @ 100..1000 => format!("{whole} s"),
        whole @ 1000..10_000 => format!("{} min", whole / 60),
        whole @ 10_000..360_000 => format!("{}.{} h", whole / 3600, whole % 3600 / 360),
        whole => format!("{} d", whole / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_three_digits_at_most() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (9_999, "9.9 kB"),
            (10_000, "10 kB"),
            (896_400, "896 kB"),
            (999_999, "999 kB"),
            (3_100_000, "3.1 MB"),
            (u64::MAX, "18 EB"),
        ];
        for (count, text) in cases {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn times_are_short() {
        let cases =
            [(0, "0.0 s"), (41_299, "41.2 s"), (99_999, "99.9 s"), (125_900, "125 s"), (1_860_000, "31 min")];
        for (millis, text) in cases {
            assert_eq!(seconds(Duration::from_millis(millis)), text);
        }
        assert_eq!(seconds(Duration::from_secs(18_000)), "5.0 h");
        assert!(seconds(Duration::from_secs(31_536_000)).len() <= 7);
    }
}
