//! What little SQL the server understands.

use std::time::Duration;

/// Rows of a SELECT without LIMIT, as many as the story's table has.
const ALL_ROWS: u64 = 400_000;

/// Longest SLEEP per row; a query that produces rows more slowly than that is of no use here.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);

/// A statement, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Statement {
    Select(Select),
    SetNetWriteTimeout(Duration),
    /// Answered with OK.
    Other,
}

/// `SELECT … [SLEEP(seconds)] … [LIMIT rows]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Select {
    /// Rows of the result.
    pub(super) rows: u64,
    /// What each row takes to be made.
    pub(super) sleep: Duration,
}

/// Reads one statement.
pub(super) fn parse(text: &str) -> Statement {
    let text = text.to_ascii_lowercase();
    if text.trim_start().starts_with("select") {
        let rows = number_after(&text, "limit").map_or(ALL_ROWS, whole);
        let sleep = number_after(&text, "sleep(").unwrap_or(0.0);
        let sleep = Duration::try_from_secs_f64(sleep).unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP);
        return Statement::Select(Select { rows, sleep });
    }
    if text.trim_start().starts_with("set")
        && let Some(seconds) = number_after(&text, "net_write_timeout")
    {
        // The servers raise 0 to 1, and wait without end above INT_MAX / 1000.
        return Statement::SetNetWriteTimeout(Duration::from_secs(whole(seconds).clamp(1, 2_147_483)));
    }
    Statement::Other
}

/// The number that follows `word`, over blanks and an equals sign.
fn number_after(text: &str, word: &str) -> Option<f64> {
    let (_, rest) = text.split_once(word)?;
    let rest = rest.trim_start_matches([' ', ':', '=']);
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    rest[..end].parse().ok()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and the parser lets no sign pass"
)]
fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(rows: u64, millis: u64) -> Statement {
        Statement::Select(Select { rows, sleep: Duration::from_millis(millis) })
    }

    #[test]
    fn reads_what_the_actors_say() {
        let seconds = |seconds| Statement::SetNetWriteTimeout(Duration::from_secs(seconds));
        for (text, statement) in [
            ("SELECT id, payload FROM readings", select(400_000, 0)),
            ("select id from readings limit 12", select(12, 0)),
            (" SELECT id, SLEEP(0.002) FROM readings LIMIT 3;", select(3, 2)),
            ("select sleep(1e99) limit 99999999999999999999999", select(u64::MAX, 1_000)),
            ("SET SESSION net_write_timeout=600", seconds(600)),
            ("set @@session.net_write_timeout := 0", seconds(1)),
            ("SET NAMES utf8mb4", Statement::Other),
            ("SET net_write_timeout = DEFAULT", Statement::Other),
            ("", Statement::Other),
        ] {
            assert_eq!(parse(text), statement, "{text}");
        }
    }
}
