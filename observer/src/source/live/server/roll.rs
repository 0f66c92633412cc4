//! Which connections the servers are asked about: what those who ask are told by the one who observes.

use std::sync::Arc;
use std::time::Duration;

use observer_core::{
    Connection, ConnectionId, End, Event, EventKind, Finding, Phase, SocketRef, SourceEvent, Timestamp,
    Tracker,
};
use tokio::sync::watch;

use crate::listener::Listener;

/// How often all connections are named.
const PERIOD: Duration = Duration::from_secs(10);

/// How often those that stand still are named at most: there may be many, and each of them begins to by itself.
const SHORTLY: Duration = Duration::from_millis(200);

/// A connection, as far as it matters for asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// The socket it is observed at.
    pub(super) socket: SocketRef,
    /// Its thread id, where its greeting was seen.
    pub(super) thread_id: Option<u32>,
    /// Whether its server is on this host.
    pub(super) is_server_here: bool,
    /// Whether it stands still, and the server is not known to have given up.
    pub(super) is_troubled: bool,
    /// When its server gives up at the latest.
    pub(super) due: Option<Timestamp>,
}

/// The connections there are.
#[derive(Clone, Debug, Default)]
pub(super) struct Roll {
    /// All that have not ended, as of some seconds ago.
    pub(super) all: Arc<Vec<Named>>,
    /// Those that stand still, as of now.
    pub(super) troubled: Arc<Vec<Named>>,
}

/// Names the connections there are to those who ask about them.
#[derive(Debug)]
pub struct Naming {
    roll: watch::Sender<Roll>,
    /// When all of them are named next.
    next: Timestamp,
    /// When any were named last, and whether something was found since.
    named_at: Timestamp,
    is_due: bool,
}

impl Naming {
    pub(super) fn new() -> (Self, watch::Receiver<Roll>) {
        let (roll, receiver) = watch::channel(Roll::default());
        let epoch = Timestamp::EPOCH;
        (Self { roll, next: epoch, named_at: epoch, is_due: false }, receiver)
    }

    /// Names them if that is due and was not done just now.
    fn name_shortly(&mut self, now: Timestamp, tracker: &Tracker) {
        if self.is_due && self.named_at + SHORTLY <= now {
            self.name(now, tracker);
        }
    }

    fn name(&mut self, now: Timestamp, tracker: &Tracker) {
        (self.named_at, self.is_due) = (now, false);
        let troubled: Arc<Vec<_>> =
            Arc::new(tracker.unsettled().filter_map(named).filter(|named| named.is_troubled).collect());
        let all = (now >= self.next).then(|| {
            self.next = now + PERIOD;
            Arc::new(tracker.connections().filter_map(named).collect())
        });
        self.roll.send_if_modified(|roll| {
            let is_new = all.is_some() || roll.troubled != troubled;
            roll.troubled = troubled;
            roll.all = all.unwrap_or_else(|| Arc::clone(&roll.all));
            is_new
        });
    }
}

fn named(connection: &Connection) -> Option<Named> {
    if connection.ending().is_some() || connection.phase() == Phase::Closed {
        return None;
    }
    let end = if connection.is_local(End::Client) { End::Client } else { End::Server };
    let cookie = connection.end(end).cookie.map(u64::from);
    Some(Named {
        socket: SocketRef { flow: connection.flow(), seen_at: end.into(), cookie },
        thread_id: connection.greeting().map(|greeting| greeting.thread_id),
        is_server_here: connection.is_local(End::Server),
        is_troubled: (Phase::Stalled..=Phase::Lost).contains(&connection.phase())
            && !connection.is_abort_seen(),
        due: connection.abort().map(|abort| abort.latest),
    })
}

impl Listener for Naming {
    fn event(&mut self, event: &Event, _about: Option<ConnectionId>, tracker: &Tracker) {
        if let EventKind::Source(SourceEvent::SocketsPolled { .. }) = event.kind {
            self.is_due = true;
        }
        self.name_shortly(event.at, tracker);
    }

    fn finding(&mut self, finding: &Finding, tracker: &Tracker) {
        self.is_due |= finding.connection.is_some();
        self.name_shortly(finding.at, tracker);
    }
}

#[cfg(test)]
mod tests {
    use observer_core::Config;

    use super::*;

    #[test]
    fn they_are_named_when_that_is_due_and_not_all_the_time() {
        let tracker = Tracker::new(Config::default());
        let (mut naming, roll) = Naming::new();
        let mut heard = |millis: i64, event: SourceEvent| {
            let event = Event { at: Timestamp::from_micros(millis * 1_000), kind: EventKind::Source(event) };
            naming.event(&event, None, &tracker);
            naming.named_at.as_micros() / 1_000
        };
        let polled = || SourceEvent::SocketsPolled { period: PERIOD };
        assert_eq!(heard(20_000, polled()), 20_000);
        assert_eq!(heard(20_100, polled()), 20_000, "it was done just now");
        assert_eq!(heard(20_200, SourceEvent::TimePassed), 20_200);
        assert_eq!(heard(20_900, SourceEvent::TimePassed), 20_200, "nothing is new");
        assert!(roll.has_changed().unwrap(), "all were named");
    }
}
