//! Which connections the servers are asked about: what those who ask are told by the one who observes.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use observer_core::{
    Connection, ConnectionId, End, Event, EventKind, Finding, Phase, SocketRef, SourceEvent, Timestamp,
    Tracker,
};
use tokio::sync::watch;

use crate::log;
use crate::output::{Output, WhenSourceEnds};

/// How often all connections are named.
const PERIOD: Duration = Duration::from_secs(10);

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

/// Names the connections that an output is shown to those who ask about them.
#[derive(Debug)]
pub struct Naming {
    roll: watch::Sender<Roll>,
    /// When all of them are named next.
    next: Timestamp,
}

impl Naming {
    pub(super) fn new() -> (Self, watch::Receiver<Roll>) {
        let (roll, receiver) = watch::channel(Roll::default());
        (Self { roll, next: Timestamp::EPOCH }, receiver)
    }

    fn name(&mut self, now: Timestamp, tracker: &Tracker) {
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

/// An output that names what it is shown to those who ask the servers, if anybody does.
#[derive(Debug)]
pub struct Attended<O> {
    output: O,
    naming: Option<Naming>,
}

impl<O> Attended<O> {
    /// This output; `naming` is [`LiveSource::naming`](super::super::LiveSource::naming).
    pub fn new(output: O, naming: Option<Naming>) -> Self {
        Self { output, naming }
    }
}

impl<O: Output> Output for Attended<O> {
    type Input = O::Input;

    fn event(&mut self, event: &Event, about: Option<ConnectionId>, tracker: &Tracker) {
        if let Some(naming) = &mut self.naming
            && let EventKind::Source(SourceEvent::SocketsPolled { .. }) = event.kind
        {
            naming.name(event.at, tracker);
        }
        self.output.event(event, about, tracker);
    }

    fn finding(&mut self, finding: &Finding, tracker: &Tracker) -> anyhow::Result<()> {
        if let Some(naming) = self.naming.as_mut().filter(|_| finding.connection.is_some()) {
            naming.name(finding.at, tracker);
        }
        self.output.finding(finding, tracker)
    }

    fn log_status(&mut self, status: &log::Status) {
        self.output.log_status(status);
    }

    fn input(&mut self, input: Self::Input, tracker: &Tracker, now: Timestamp) -> ControlFlow<()> {
        self.output.input(input, tracker, now)
    }

    fn next_draw(&self) -> Option<Timestamp> {
        self.output.next_draw()
    }

    fn draw(&mut self, tracker: &Tracker, now: Timestamp) -> anyhow::Result<()> {
        self.output.draw(tracker, now)
    }

    fn when_source_ends(&self) -> WhenSourceEnds {
        self.output.when_source_ends()
    }
}
