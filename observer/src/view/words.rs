//! A connection's state in a sign and a few words.

use std::time::Duration;

use observer_core::{
    Bytes, Confidence, Config, Connection, End, Owner, Phase, Process, Timeout, TimeoutSource, Timestamp,
    VerdictKind, WriteClock,
};
use ratatui::style::Style;

use super::overview::counts_down;
use super::theme;
use crate::text::{fit, safe, short, shorten_middle, width};

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
        Phase::Lost => connection.clock().map_or_else(String::new, |clock| {
            let ago = short(now.since(clock.abort().earliest));
            if connection.is_abort_seen() {
                format!("lost {ago} ago")
            } else {
                // That it was dropped then is a guess.
                format!("due {}{ago} ago", assumed(clock.timeout))
            }
        }),
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

/// The sign of a time that holds only if net_write_timeout is what was assumed.
pub(super) const ASSUMED: &str = "~";

/// [`ASSUMED`] where that is so.
pub(super) fn assumed(timeout: Timeout) -> &'static str {
    if timeout.source == TimeoutSource::Assumed { ASSUMED } else { "" }
}

/// The time left on a clock: `18.5 s`, as a range `18–21 s`, under an assumption `~18–21 s`.
pub(super) fn left(clock: &WriteClock, now: Timestamp) -> String {
    let abort = clock.abort();
    let (earliest, latest) = (abort.earliest.since(now), abort.latest.since(now));
    format!("{}{}", assumed(clock.timeout), range(earliest, latest))
}

/// Two times as a range, of which nothing is cut off; one that is narrower than a second as the lesser.
pub(super) fn range(least: Duration, most: Duration) -> String {
    if most.saturating_sub(least) < Duration::from_secs(1) {
        return short(least);
    }
    let (unit, seconds) = match most.as_secs() {
        0..1_000 => ("s", 1),
        1_000..36_000 => ("min", 60),
        36_000..360_000 => ("h", 3_600),
        _ => ("d", 86_400),
    };
    let whole = most.as_secs() + u64::from(most.subsec_nanos() > 0);
    format!("{}–{} {unit}", least.as_secs() / seconds, whole.div_ceil(seconds))
}

/// The process that reads ([`EndView::holder`](observer_core::EndView::holder)).
pub(super) fn reader(connection: &Connection) -> Option<String> {
    process_at(connection, End::Client).map(named)
}

/// The process that writes.
pub(super) fn server(connection: &Connection) -> Option<String> {
    process_at(connection, End::Server).map(named)
}

/// The fewest cells in which a place still says something.
const PLACE: usize = 6;

/// The process at the end nearest to the reader that is on this host, and, where there is room, where it belongs to:
/// `python3 4711 etl.service`.
pub(super) fn process(connection: &Connection, cells: usize) -> String {
    let nearest = nearest_end(connection).and_then(|end| Some((end, process_at(connection, end)?)));
    let Some((end, process)) = nearest else { return String::new() };
    // The end of it is the number.
    let name = shorten_middle(&named(process), cells);
    let room = cells.saturating_sub(width(&name) + 1);
    match connection.end(end).holder_details().and_then(Owner::place) {
        Some(place) if room >= PLACE => format!("{name} {}", fit(&safe(place), room)),
        _ => name,
    }
}

/// The same, as it was told.
pub(super) fn nearest_process(connection: &Connection) -> Option<&Process> {
    process_at(connection, nearest_end(connection)?)
}

fn nearest_end(connection: &Connection) -> Option<End> {
    [End::Client, End::Server].into_iter().find(|end| process_at(connection, *end).is_some())
}

/// The process at one end, as it was told.
pub(super) fn process_at(connection: &Connection, end: End) -> Option<&Process> {
    connection.end(end).holder()
}

fn named(process: &Process) -> String {
    format!("{} {}", safe(&process.comm), process.pid)
}

/// What the selected connection does, in one sentence.
pub(super) fn sentence(connection: &Connection, now: Timestamp) -> String {
    match connection.phase() {
        Phase::Flowing => "Nothing stands still.".to_owned(),
        Phase::Stalled | Phase::Warning | Phase::Critical => stalled(connection, now),
        Phase::Lost if connection.is_abort_seen() => match connection.held_by_orphan() {
            Some(held) => format!("The server has given up; its FIN is stuck behind {}.", Bytes(held)),
            None => "The server has given up; its FIN is stuck behind unread data.".to_owned(),
        },
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
    let some = |count: Option<u64>| count.filter(|count| *count > 0).map(Bytes);
    let waiting = match (some(connection.queued()), some(connection.unread())) {
        (Some(queued), Some(unread)) => format!(" with {queued} queued and {unread} unread"),
        (Some(queued), None) => format!(" with {queued} queued"),
        (None, Some(unread)) => format!(" with {unread} unread"),
        (None, None) => String::new(),
    };
    format!("The client has stopped reading: window 0 for {}{waiting}.", short(now.since(since)))
}
