//! Human units.

use std::fmt;
use std::time::Duration;

/// A number of bytes: `0 B`, `896 kB`, `3.1 MB`. The units are powers of 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bytes) = *self;
        if bytes < 1_000 {
            return f.pad(&format!("{bytes} B"));
        }
        let kilobytes = bytes.saturating_add(500) / 1_000;
        if kilobytes < 1_000 {
            return f.pad(&format!("{kilobytes} kB"));
        }
        // In tenths of a unit, rounded.
        let (mut unit, mut tenths) = (100_000_u64, 0);
        for name in ["MB", "GB", "TB", "PB", "EB"] {
            tenths = bytes.saturating_add(unit / 2) / unit;
            if tenths < 10_000 {
                return f.pad(&format!("{}.{} {name}", tenths / 10, tenths % 10));
            }
            unit = unit.saturating_mul(1_000);
        }
        f.pad(&format!("{} EB", tenths / 10))
    }
}

/// A duration in seconds: `18.8 s`. Rounded to a tenth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seconds(pub Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = self.0.as_millis().saturating_add(50) / 100;
        f.pad(&format!("{}.{} s", tenths / 10, tenths % 10))
    }
}

/// A setting in seconds: `60 s`, and `2.5 s` only where it is not whole.
pub fn setting(duration: Duration) -> String {
    if duration.subsec_nanos() == 0 {
        format!("{} s", duration.as_secs())
    } else {
        Seconds(duration).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_take_the_unit_that_fits_after_rounding() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1 kB"),
            (896_400, "896 kB"),
            (999_499, "999 kB"),
            (999_500, "1.0 MB"),
            (3_149_999, "3.1 MB"),
            (999_949_999, "999.9 MB"),
            (999_950_000, "1.0 GB"),
            (u64::MAX, "18.4 EB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(Bytes(bytes).to_string(), text);
        }
        assert_eq!(format!("{:>8}", Bytes(64_000)), "   64 kB");
    }

    #[test]
    fn seconds_have_one_decimal() {
        assert_eq!(Seconds(Duration::from_millis(18_849)).to_string(), "18.8 s");
        assert_eq!(Seconds(Duration::from_millis(59_950)).to_string(), "60.0 s");
        assert_eq!(setting(Duration::from_secs(60)), "60 s");
        assert_eq!(setting(Duration::from_millis(2_500)), "2.5 s");
    }
}
