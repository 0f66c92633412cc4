//! What is known of one stall: from the closing of the client's window until it opens, or to the end.

use std::time::Duration;

use crate::clock::WriteClock;
use crate::connection::Told;
use crate::flow::Vantage;
use crate::time::{TimeRange, Timestamp};

/// A thing counted at each vantage by itself: what was seen at both ends happened once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen([u32; 3]);

impl Seen {
    pub(crate) fn note(&mut self, seen_at: Vantage) {
        let count = &mut self.0[match seen_at {
            Vantage::Client => 0,
            Vantage::Server => 1,
            Vantage::Wire => 2,
        }];
        *count = count.saturating_add(1);
    }

    pub(crate) fn count(&self) -> u32 {
        self.0.into_iter().max().unwrap_or(0)
    }
}

/// The first probe comes at least this long after data began to wait.
const FAST_PROBE: Duration = Duration::from_millis(200);

/// And at most this long after it.
const SLOW_PROBE: Duration = Duration::from_secs(1);

/// One stall.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own; they come true in any order")]
pub(crate) struct Stall {
    /// When the window closed.
    pub(crate) closed: TimeRange,
    /// Whether the closing itself was seen, and not found out later.
    pub(crate) closing_seen: bool,
    /// Whether it has been closed for long enough not to be a transient.
    pub(crate) settled: bool,
    /// The server's wait, while there is reason to believe in one.
    pub(crate) clock: Option<WriteClock>,
    /// Whether it was told that the client is at risk.
    pub(crate) announced: bool,
    /// Whether the server's socket or its RST has shown that it gave up.
    pub(crate) abort_seen: bool,
    /// Zero-window probes.
    pub(crate) probes: Seen,
    /// The first of them.
    pub(crate) first_probe: Option<Timestamp>,
    /// Their answers with window zero.
    pub(crate) probe_acks: Seen,
    /// How far both ends had come when the server was lost; until then, how far they have come.
    pub(crate) progress: Option<Progress>,
}

/// How far both ends have come, as counted in one place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    /// Where it was counted.
    pub(crate) seen_at: Vantage,
    /// By what.
    pub(crate) told: Told,
    /// The server's payload that the client has received.
    pub(crate) received: u64,
    /// The client's payload that the server has acknowledged.
    pub(crate) acknowledged: u64,
}

impl Progress {
    /// What was added since `earlier`, if both were counted in the same place.
    pub(crate) fn since(self, earlier: Self) -> Option<Self> {
        ((self.seen_at, self.told) == (earlier.seen_at, earlier.told)).then(|| Self {
            received: self.received.saturating_sub(earlier.received),
            acknowledged: self.acknowledged.saturating_sub(earlier.acknowledged),
            ..self
        })
    }
}

impl Stall {
    /// The closing was seen at this moment.
    pub(crate) fn seen_to_begin(at: Timestamp) -> Self {
        Self { closing_seen: true, ..Self::new(TimeRange::at(at)) }
    }

    /// The window was found closed, since some moment of this range.
    pub(crate) fn new(closed: TimeRange) -> Self {
        Self {
            closed,
            closing_seen: false,
            settled: false,
            clock: None,
            announced: false,
            abort_seen: false,
            probes: Seen::default(),
            first_probe: None,
            probe_acks: Seen::default(),
            progress: None,
        }
    }

    /// A zero-window probe, seen or answered.
    pub(crate) fn probed(&mut self, at: Timestamp, seen_at: Vantage) {
        self.probes.note(seen_at);
        self.first_probe = Some(self.first_probe.map_or(at, |known| known.min(at)));
    }

    /// When data began to wait behind the window, as far as segments tell: when it closed, unless the first probe
    /// came so late that nothing had waited until shortly before it.
    ///
    /// The first probe comes one retransmission timeout after data began to wait (`tcp_check_probe_timer`,
    /// include/net/tcp.h): 200 ms or more (`TCP_RTO_MIN`), and rarely more than a second.
    pub(crate) fn waiting_since(&self) -> TimeRange {
        match self.first_probe {
            Some(probe) if self.closing_seen && probe > self.closed.latest + SLOW_PROBE => {
                TimeRange { earliest: probe - SLOW_PROBE, latest: probe - FAST_PROBE }
            }
            _ => self.closed,
        }
    }
}
