//! How much of what a server says is taken over, whatever it says.

use std::time::Duration;

/// A name: of a version, an account, a command, in characters.
pub(super) const NAME: usize = 128;

/// A sentence: what an account may not do, why there is no answer, in characters.
pub(super) const SENTENCE: usize = 256;

/// Statements longer than this are cut off, in characters.
pub(super) const STATEMENT: usize = 1_024;

/// The longest timeout that MySQL knows, a year
/// (<https://dev.mysql.com/doc/refman/en/server-system-variables.html#sysvar_wait_timeout>).
const LONGEST: Duration = Duration::from_hours(365 * 24);

/// The beginning of a text.
pub(super) fn cut(mut text: String, characters: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(characters) {
        text.truncate(end);
        text.shrink_to_fit();
    }
    text
}

/// A time in seconds.
pub(super) fn seconds(number: u64) -> Duration {
    Duration::from_secs(number).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_off() {
        assert_eq!(cut("añb".to_owned(), 3), "añb");
        assert_eq!(cut("añb".to_owned(), 2), "añ");
        assert_eq!(cut("x".repeat(1 << 20), NAME).capacity(), NAME);
        assert_eq!(
            (seconds(60), seconds(u64::MAX)),
            (Duration::from_mins(1), Duration::from_secs(31_536_000))
        );
    }
}
