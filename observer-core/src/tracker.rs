//! All connections, and the rules that turn events into findings.

use std::collections::{HashMap, VecDeque};

use crate::config::Config;
use crate::connection::Connection;
use crate::event::{Event, LossPoint};
use crate::finding::Finding;
use crate::flow::ConnectionId;
use crate::time::Timestamp;

/// The judgement: a state machine without clock and I/O.
///
/// The order of use: [`handle_event`](Self::handle_event) for each event,
/// [`handle_timeout`](Self::handle_timeout) when [`poll_timeout`](Self::poll_timeout) is due, and
/// [`poll`](Self::poll) after either until it gives `None`.
#[derive(Debug)]
pub struct Tracker {
    config: Config,
    connections: HashMap<ConnectionId, Connection>,
    findings: VecDeque<Finding>,
    events_lost: u64,
}

/// Inputs.
impl Tracker {
    /// A tracker that knows nothing yet.
    pub fn new(config: Config) -> Self {
        Self { config, connections: HashMap::new(), findings: VecDeque::new(), events_lost: 0 }
    }

    /// Takes one event. Events may come a little out of order; what is older than the present state is used as
    /// far as it still says something.
    pub fn handle_event(&mut self, _event: &Event) {}

    /// Lets time pass: everything that falls due up to `now` happens, each at its own moment.
    pub fn handle_timeout(&mut self, _now: Timestamp) {}
}

/// Outputs.
impl Tracker {
    /// When [`handle_timeout`](Self::handle_timeout) wants to be called next.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        None
    }

    /// The next finding, oldest first.
    pub fn poll(&mut self) -> Option<Finding> {
        self.findings.pop_front()
    }
}

/// Getters.
impl Tracker {
    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// One connection.
    pub fn connection(&self, id: ConnectionId) -> Option<&Connection> {
        self.connections.get(&id)
    }

    /// All connections, those that have ended lately included, in no particular order.
    pub fn connections(&self) -> impl Iterator<Item = &Connection> {
        self.connections.values()
    }

    /// How many observations were lost altogether.
    pub fn events_lost(&self) -> u64 {
        self.events_lost
    }

    /// Observations lost at one place.
    pub fn events_lost_by(&self, _place: LossPoint) -> u64 {
        0
    }
}
