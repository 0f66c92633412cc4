//! All connections at one moment: their order and their counts.

use observer_core::{Connection, ConnectionId, Phase, Timestamp, Tracker};

use super::arrange::Arrangement;
use super::columns::Known;
use super::order::Sort;

/// The order of the list and the numbers of the header, worked out once per picture.
#[derive(Clone, Debug, Default)]
pub(super) struct Overview {
    /// The connections to be shown, in the order of the list: as a rule those with the least time left first.
    pub(super) order: Vec<ConnectionId>,
    /// Connections that have not ended.
    pub(super) open: usize,
    /// Of them, those whose client's window is closed.
    pub(super) zero_windows: usize,
    /// Of them, those past the warning share.
    pub(super) at_risk: usize,
    /// What can be known of them here.
    pub(super) known: Known,
}

impl Overview {
    /// Looks at all connections: all are counted, and those that are to be shown put in order.
    pub(super) fn of(tracker: &Tracker, arrangement: &Arrangement, now: Timestamp) -> Self {
        let mut overview = Self::default();
        let mut shown = arrangement.shown(tracker, now);
        let sort = arrangement.order.sort;
        let mut keyed: Vec<_> = tracker
            .connections()
            .inspect(|connection| overview.count(connection))
            .filter(|connection| shown(connection))
            .map(|connection| {
                let rank = if sort == Sort::Client { (0, 0) } else { rank(connection) };
                (sort.key(connection), rank, connection.flow().client, connection.id())
            })
            .collect();
        keyed.sort_unstable();
        overview.order = keyed.into_iter().map(|(.., id)| id).collect();
        if arrangement.order.reversed {
            overview.order.reverse();
        }
        overview
    }

    fn count(&mut self, connection: &Connection) {
        self.known.add(connection);
        if connection.phase() == Phase::Closed {
            return;
        }
        self.open += 1;
        self.zero_windows += usize::from(connection.window_closed_since().is_some());
        self.at_risk += usize::from(matches!(connection.phase(), Phase::Warning | Phase::Critical));
    }
}

/// Whether the server's clock is running on a connection that can still be saved.
pub(super) fn counts_down(connection: &Connection) -> bool {
    connection.clock().is_some()
        && matches!(connection.phase(), Phase::Stalled | Phase::Warning | Phase::Critical)
}

/// Whether anything about it is out of the ordinary.
pub(super) fn is_in_trouble(connection: &Connection) -> bool {
    counts_down(connection) || matches!(connection.phase(), Phase::Lost | Phase::ServerClosed)
}

/// What can still be saved comes first, by the time left; then what is lost and what follows from it; then what
/// only stands still; then all that is well; last what has ended. Among those that are well the order is that of
/// their addresses, which does not move.
fn rank(connection: &Connection) -> (u8, i64) {
    let newest_first = |at: Option<Timestamp>| at.unwrap_or_default().as_micros().saturating_neg();
    match connection.phase() {
        Phase::Stalled | Phase::Warning | Phase::Critical => match connection.abort() {
            Some(abort) => (0, abort.earliest.as_micros()),
            None => (3, connection.window_closed_since().unwrap_or_default().as_micros()),
        },
        Phase::Lost => (1, newest_first(connection.abort().map(|abort| abort.earliest))),
        Phase::ServerClosed => (2, newest_first(connection.ending().map(|ending| ending.at))),
        Phase::Flowing => (4, 0),
        Phase::Closed => (5, newest_first(connection.ending().map(|ending| ending.at))),
    }
}
