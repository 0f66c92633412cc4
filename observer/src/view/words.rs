//! A connection's state in a sign and a few words.

use observer_core::{Connection, End, Phase, Timestamp};
use ratatui::style::Style;

use super::overview::counts_down;
use super::theme;
use crate::text::{bytes, seconds};

/// The sign of a connection and its style. The sign alone tells the cases apart, without colour.
pub(super) fn sign(connection: &Connection) -> (&'static str, Style) {
    match connection.phase() {
        Phase::Flowing => (" ", Style::new()),
        Phase::Stalled if counts_down(connection) => ("●", theme::STALLED),
        Phase::Stalled => ("·", theme::DIM),
        Phase::Warning => ("▲", theme::WARNING),
        Phase::Critical => ("▲", theme::CRITICAL),
        Phase::Lost | Phase::ServerClosed => ("■", theme::CRITICAL),
        Phase::Closed => ("×", theme::DIM),
    }
}

/// What stands in the column STATE: at most 11 cells.
pub(super) fn state(connection: &Connection) -> &'static str {
    match connection.phase() {
        Phase::Closed => "closed",
        Phase::Lost => "lost",
        Phase::ServerClosed if connection.ending().is_some_and(|ending| ending.reset) => "server RST",
        Phase::ServerClosed => "server FIN",
        _ if connection.window_closed_since().is_some() => "zero window",
        // Less than an eighth of the largest window: it will close soon at this rate.
        _ if connection.window().is_some_and(|window| window < connection.largest_window() / 8) => "closing",
        _ => "open",
    }
}

/// What stands in the column TIMEOUT IN where no clock runs: at most 16 cells.
pub(super) fn outcome(connection: &Connection, now: Timestamp) -> String {
    match connection.phase() {
        Phase::Stalled => "nothing queued".to_owned(),
        Phase::Lost => connection
            .abort()
            .map_or_else(String::new, |abort| format!("lost {} ago", seconds(now.since(abort.earliest)))),
        Phase::ServerClosed => match connection.fails_at() {
            Some(at) => format!("fails in {}", seconds(at.since(now))),
            None => "fails later".to_owned(),
        },
        Phase::Closed => match connection.ending() {
            Some(ending) => {
                let how = if ending.reset { "reset" } else { "closed" };
                ending.by.map_or_else(|| "gone".to_owned(), |end| format!("{how} by {end}"))
            }
            None => "gone".to_owned(),
        },
        Phase::Flowing | Phase::Warning | Phase::Critical => String::new(),
    }
}

/// The time left on the clock, with a sign where it is the short end of a range.
pub(super) fn left(connection: &Connection, now: Timestamp) -> Option<String> {
    let clock = connection.clock()?;
    let about = if clock.abort().width().as_secs() >= 1 { "~" } else { "" };
    Some(format!("{about}{}", seconds(clock.left(now))))
}

/// Bytes that wait for the reader, on whichever end they are seen; the server's first.
pub(super) fn waiting(connection: &Connection) -> Option<u64> {
    connection.queued().or_else(|| connection.unread())
}

/// The process at the end nearest to the reader that is on this host.
pub(super) fn process(connection: &Connection) -> Option<String> {
    [End::Client, End::Server]
        .into_iter()
        .find_map(|end| connection.end(end).process.as_ref())
        .map(|process| format!("{} {}", crate::text::safe(&process.comm), process.pid))
}

/// What the selected connection does, in one sentence.
pub(super) fn sentence(connection: &Connection, now: Timestamp) -> String {
    let since = connection.window_closed_since().map(|since| seconds(now.since(since)));
    let waiting = waiting(connection).filter(|&count| count > 0).map(bytes);
    match (connection.phase(), since) {
        (Phase::Stalled | Phase::Warning | Phase::Critical, Some(since)) => match waiting {
            Some(waiting) => {
                format!("The client has stopped reading: window 0 for {since} with {waiting} waiting.")
            }
            None => format!("The client has stopped reading: window 0 for {since}."),
        },
        (Phase::Stalled | Phase::Warning | Phase::Critical, None) => {
            "The client reads too slowly: the server's write clock runs.".to_owned()
        }
        (Phase::Lost, _) => {
            "The server has given up and closed; its FIN is stuck behind the data the client does not read."
                .to_owned()
        }
        (Phase::ServerClosed, _) => {
            "The server has closed; the client will fail when it has read what it has.".to_owned()
        }
        (Phase::Flowing, _) => "Nothing stands still.".to_owned(),
        (Phase::Closed, _) => "The connection has ended.".to_owned(),
    }
}
