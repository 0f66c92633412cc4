//! A connection's state in a sign and a few words.

use observer_core::{Bytes, Confidence, Config, Connection, End, Phase, Timestamp, VerdictKind};
use ratatui::style::Style;

use super::overview::counts_down;
use super::theme;
use crate::text::{safe, short};

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

/// What stands in the column TIMEOUT IN where no clock runs: at most 16 cells.
pub(super) fn outcome(connection: &Connection, now: Timestamp, config: &Config) -> String {
    match connection.phase() {
        // The clock does not run: either the server has nothing more to write, or room to write it.
        Phase::Stalled if connection.queued().is_some_and(|queued| queued > 0) => {
            "server can write".to_owned()
        }
        Phase::Stalled => "nothing queued".to_owned(),
        Phase::Lost => connection
            .abort()
            .map_or_else(String::new, |abort| format!("lost {} ago", short(now.since(abort.earliest)))),
        Phase::ServerClosed => match connection.fails_at() {
            Some(at) => format!("fails in {}", short(at.since(now))),
            None => "fails later".to_owned(),
        },
        Phase::Closed => ended(connection, now, config),
        Phase::Flowing | Phase::Warning | Phase::Critical => String::new(),
    }
}

/// Why a connection has ended, with a mark where other causes would fit as well.
fn ended(connection: &Connection, now: Timestamp, config: &Config) -> String {
    let (kind, confidence) = connection.verdict_kind(now, config);
    let cause = match kind {
        VerdictKind::NetWriteTimeout => "timed out",
        VerdictKind::IdleTimeout => "idle timeout",
        VerdictKind::Killed => "killed",
        VerdictKind::ServerCrashed => "server crashed",
        VerdictKind::ClientVanished => "client vanished",
        VerdictKind::Network => "network lost",
        VerdictKind::ClientClosed | VerdictKind::Recovered | VerdictKind::Open | VerdictKind::Unknown => {
            return match connection.ending().and_then(|ending| Some((ending.by?, ending.reset))) {
                Some((end, true)) => format!("reset by {end}"),
                Some((end, false)) => format!("closed by {end}"),
                None => "gone".to_owned(),
            };
        }
    };
    format!("{cause}{}", if confidence == Confidence::Possible { "?" } else { "" })
}

/// The time left on the clock, with a sign where it is the short end of a range.
pub(super) fn left(connection: &Connection, now: Timestamp) -> Option<String> {
    let clock = connection.clock()?;
    let about = if clock.abort().width().as_secs() >= 1 { "~" } else { "" };
    Some(format!("{about}{}", short(clock.left(now))))
}

/// Bytes that wait for the reader, on whichever end they are seen; the server's first.
pub(super) fn waiting(connection: &Connection) -> Option<u64> {
    connection.queued().or_else(|| connection.unread())
}

/// The process that reads: the one that opened the connection, or, of one that was open before, the one that has read it
/// while a window was closed.
pub(super) fn reader(connection: &Connection) -> Option<String> {
    process_at(connection, End::Client)
}

/// The process at the end nearest to the reader that is on this host: the one that opened or accepted the connection,
/// or, of one that was open before, the one that has read it while a window was closed.
pub(super) fn process(connection: &Connection) -> Option<String> {
    [End::Client, End::Server].into_iter().find_map(|end| process_at(connection, end))
}

fn process_at(connection: &Connection, end: End) -> Option<String> {
    let view = connection.end(end);
    let reader = || view.wire.as_ref()?.1.last_read.as_ref().map(|read| &read.process);
    let process = view.process.as_deref().or_else(reader)?;
    Some(format!("{} {}", safe(&process.comm), process.pid))
}

/// What the selected connection does, in one sentence.
pub(super) fn sentence(connection: &Connection, now: Timestamp) -> String {
    match connection.phase() {
        Phase::Flowing => "Nothing stands still.".to_owned(),
        Phase::Stalled | Phase::Warning | Phase::Critical => stalled(connection, now),
        Phase::Lost if connection.is_abort_seen() => {
            "The server has given up; its FIN is stuck behind unread data.".to_owned()
        }
        Phase::Lost => "The server has probably given up, with its FIN stuck behind unread data.".to_owned(),
        Phase::ServerClosed => match connection.unread().filter(|unread| *unread > 1) {
            Some(unread) => {
                format!("The server has closed; the client fails when {} are read.", Bytes(unread))
            }
            None => "The server has closed.".to_owned(),
        },
        Phase::Closed => "The connection has ended.".to_owned(),
    }
}

fn stalled(connection: &Connection, now: Timestamp) -> String {
    let Some(since) = connection.window_closed_since() else {
        return "The client reads too slowly: the server cannot write.".to_owned();
    };
    let waiting = match (connection.queued(), connection.unread()) {
        (Some(queued), _) if queued > 0 => format!(" with {} queued", Bytes(queued)),
        (_, Some(unread)) if unread > 0 => format!(" with {} unread", Bytes(unread)),
        _ => String::new(),
    };
    format!("The client has stopped reading: window 0 for {}{waiting}.", short(now.since(since)))
}
