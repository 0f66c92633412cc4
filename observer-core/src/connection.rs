//! One connection and what is known of it.

use crate::clock::{AbortRange, Timeout, WriteClock};
use crate::event::Process;
use crate::flow::{ConnectionId, End, Flow};
use crate::sample::{SocketSample, WireSample};
use crate::time::Timestamp;

/// Where a connection stands. The order is that of severity while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Nothing stands still.
    Flowing,
    /// The window is closed. Whether that is dangerous says [`Connection::clock`]: without a clock nothing is
    /// queued behind the window, and no timeout runs.
    Stalled,
    /// The first share of the timeout is used.
    Warning,
    /// The second share of the timeout is used.
    Critical,
    /// The deadline has passed: the server has closed, but its FIN is stuck behind the data.
    Lost,
    /// The server's FIN or RST was seen; the client may still be reading what it had received.
    ServerClosed,
    /// The connection is gone.
    Closed,
}

/// How a connection ended, as far as it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// When the first FIN or RST was seen, or the socket disappeared.
    pub at: Timestamp,
    /// Who sent it; `None` when the socket disappeared without a word.
    pub by: Option<End>,
    /// Whether it was an RST.
    pub reset: bool,
}

/// What is known at one end of a connection.
#[derive(Clone, Debug, Default)]
pub struct EndView {
    /// The socket cookie, once an event carried one.
    pub cookie: Option<u64>,
    /// The process that opened or accepted the connection, where it was seen.
    pub process: Option<Process>,
    /// The newest counters of the kernel programs, with their time.
    pub wire: Option<Box<(Timestamp, WireSample)>>,
    /// The newest socket diagnostics, with their time.
    pub socket: Option<Box<(Timestamp, SocketSample)>>,
}

/// One MySQL connection, seen at its client's end, at its server's end, or at both.
///
/// All of it is read-only to the outside; only the [`Tracker`](crate::Tracker) changes it.
#[derive(Clone, Debug)]
pub struct Connection {
    pub(crate) id: ConnectionId,
    pub(crate) flow: Flow,
    pub(crate) opened_at: Option<Timestamp>,
    pub(crate) phase: Phase,
    pub(crate) timeout: Timeout,
    pub(crate) client: EndView,
    pub(crate) server: EndView,
    pub(crate) closed_since: Option<Timestamp>,
    pub(crate) window: Option<u32>,
    pub(crate) largest_window: u32,
    pub(crate) zero_windows: u32,
    pub(crate) probes: u32,
    pub(crate) probe_acks: u32,
    pub(crate) clock: Option<WriteClock>,
    pub(crate) ending: Option<Ending>,
    pub(crate) last_progress: Option<Timestamp>,
    pub(crate) fails_at: Option<Timestamp>,
}

impl Connection {
    /// Its number within the tracker.
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// Its two addresses.
    pub fn flow(&self) -> Flow {
        self.flow
    }

    /// When it was opened; `None` when it existed before the observation began.
    pub fn opened_at(&self) -> Option<Timestamp> {
        self.opened_at
    }

    /// Where it stands.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The net_write_timeout in force, and how that is known.
    pub fn timeout(&self) -> Timeout {
        self.timeout
    }

    /// What is known at `end`.
    pub fn end(&self, end: End) -> &EndView {
        match end {
            End::Client => &self.client,
            End::Server => &self.server,
        }
    }

    /// Whether `end` is on this host.
    pub fn is_local(&self, end: End) -> bool {
        let view = self.end(end);
        view.cookie.is_some() || view.socket.is_some() || view.wire.is_some()
    }

    /// The window the client advertised last, scaled, in bytes.
    pub fn window(&self) -> Option<u32> {
        self.window
    }

    /// The largest window the client has advertised, scaled, in bytes.
    pub fn largest_window(&self) -> u32 {
        self.largest_window
    }

    /// When the client's window closed, while it is closed.
    pub fn window_closed_since(&self) -> Option<Timestamp> {
        self.closed_since
    }

    /// How often the client's window has closed.
    pub fn zero_windows(&self) -> u32 {
        self.zero_windows
    }

    /// Probes of the present zero window, and how many of them were answered with window zero.
    pub fn probes(&self) -> (u32, u32) {
        (self.probes, self.probe_acks)
    }

    /// The server's write clock, while it runs or has run out.
    pub fn clock(&self) -> Option<&WriteClock> {
        self.clock.as_ref()
    }

    /// When the server gives up or gave up.
    pub fn abort(&self) -> Option<AbortRange> {
        self.clock.as_ref().map(WriteClock::abort)
    }

    /// How it ended, once it has.
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// When the client last acknowledged new data.
    pub fn last_progress(&self) -> Option<Timestamp> {
        self.last_progress
    }

    /// Bytes received and not read by the application, where the client's end is on this host.
    pub fn unread(&self) -> Option<u64> {
        self.client.socket.as_ref().map(|sample| u64::from(sample.1.recv_queue))
    }

    /// Bytes that wait at the server, where the server's end is on this host.
    pub fn queued(&self) -> Option<u64> {
        self.server.socket.as_ref().map(|sample| u64::from(sample.1.send_queue))
    }

    /// After the server has closed: when the application will notice at its present rate, where that is known.
    pub fn fails_at(&self) -> Option<Timestamp> {
        self.fails_at
    }
}
