//! The one sentence that matters most now.

use crate::clock::WriteClock;
use crate::connection::{Connection, Phase};
use crate::finding::Severity;
use crate::flow::ConnectionId;
use crate::text::sentence::{NOT_ON_THE_WIRE, countdown, lost};
use crate::text::units::{Bytes, Seconds};
use crate::time::Timestamp;
use crate::tracker::Tracker;

/// What matters most at some moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headline {
    /// How much it matters; `None` when all is calm.
    pub severity: Option<Severity>,
    /// The connection it speaks of, if it is about one above all.
    pub connection: Option<ConnectionId>,
    /// The sentence. It holds no control characters.
    pub text: String,
}

/// What matters most of all connections of `tracker` at `now`: the clients that can still be saved, the one with
/// the least time first; then those that are lost; then those that stand still in no danger.
pub fn headline(tracker: &Tracker, now: Timestamp) -> Headline {
    let at_risk =
        most_urgent(tracker, |connection| connection.phase() < Phase::Lost && connection.clock().is_some());
    let lost = most_urgent(tracker, |connection| connection.phase() == Phase::Lost);
    let closing = most_urgent(tracker, |connection| connection.told_server_closed);
    if let Some((count, first, clock)) = with_clock(at_risk) {
        let severity = match first.phase() {
            Phase::Critical => Severity::Critical,
            Phase::Warning => Severity::Warning,
            _ => Severity::Notice,
        };
        about(severity, first, at_risk_text(count, first, clock, now))
    } else if let Some((count, first, clock)) = with_clock(lost) {
        let mut lost = tracker.unsettled().filter(|connection| connection.phase() == Phase::Lost);
        let seen = lost.all(Connection::is_abort_seen);
        about(Severity::Lost, first, lost_text(count, first, clock, seen, now))
    } else if let Some((count, first)) = closing {
        about(Severity::Lost, first, closing_text(count, first, now))
    } else {
        Headline { severity: None, connection: None, text: calm_text(tracker) }
    }
}

fn about(severity: Severity, connection: &Connection, text: String) -> Headline {
    Headline { severity: Some(severity), connection: Some(connection.id()), text }
}

/// How many connections are like this, and the one whose server gives up, or gave up, first.
fn most_urgent(tracker: &Tracker, is_meant: impl Fn(&Connection) -> bool) -> Option<(usize, &Connection)> {
    let meant = || tracker.unsettled().filter(|connection| is_meant(connection));
    let abort = |connection: &&Connection| (connection.abort().map(|abort| abort.earliest), connection.id());
    Some((meant().count(), meant().min_by_key(abort)?))
}

/// Without a clock nobody waits, and nothing was lost.
fn with_clock(found: Option<(usize, &Connection)>) -> Option<(usize, &Connection, &WriteClock)> {
    found.and_then(|(count, first)| Some((count, first, first.clock()?)))
}

fn at_risk_text(count: usize, first: &Connection, clock: &WriteClock, now: Timestamp) -> String {
    let countdown = countdown(clock, now);
    if count > 1 {
        format!("{count} clients have stopped reading; the first is dropped {countdown}.")
    } else {
        let reads = match first.window_closed_since() {
            Some(_) => "has stopped reading",
            None => "reads again, but too little so far",
        };
        format!("{} {reads}. {} drops it {countdown}.", first.flow().client, first.server_program())
    }
}

/// What is said of several has to hold for each: only what was `seen` of all is a fact.
fn lost_text(count: usize, first: &Connection, clock: &WriteClock, seen: bool, now: Timestamp) -> String {
    let whom = if count > 1 { format!("{count} clients") } else { first.flow().client.to_string() };
    let held = first.held_by_orphan().filter(|_| count == 1);
    let held = held.map_or_else(String::new, |held| format!("; its socket still holds {}", Bytes(held)));
    format!("{}{held}{NOT_ON_THE_WIRE}.", lost(first.server_program(), &whom, clock, seen, now))
}

fn closing_text(count: usize, first: &Connection, now: Timestamp) -> String {
    if count > 1 {
        return format!("The server has closed {count} connections whose clients have not read everything.");
    }
    let client = first.flow().client;
    match (first.unread().filter(|unread| *unread > 1), first.fails_at()) {
        (Some(unread), Some(fails_at)) => format!(
            "The server has closed the connection to {client}; it fails in about {}, when {} are read.",
            Seconds(fails_at.since(now)),
            Bytes(unread)
        ),
        (Some(unread), None) => {
            format!("The server has closed the connection to {client} with {} unread.", Bytes(unread))
        }
        (None, _) => format!("The server has closed the connection to {client}."),
    }
}

fn calm_text(tracker: &Tracker) -> String {
    let harmless = tracker.unsettled().filter(|connection| connection.phase() == Phase::Stalled).count();
    let open = tracker.connections().filter(|connection| connection.phase() != Phase::Closed).count();
    let connections = match open {
        0 => return "No connections.".to_owned(),
        1 => "1 connection".to_owned(),
        open => format!("{open} connections"),
    };
    match harmless {
        0 => format!("{connections}, none in trouble."),
        1 => format!("{connections}, none in trouble; 1 has a zero window, but no timeout runs."),
        count => format!("{connections}, none in trouble; {count} have a zero window, but no timeout runs."),
    }
}
