//! What is known of one stall: from the closing of the client's window until it opens, or to the end.

use crate::clock::{AbortRange, WriteClock};
use crate::flow::Vantage;

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

/// One stall.
#[derive(Clone, Debug)]
pub(crate) struct Stall {
    /// When the window closed.
    pub(crate) closed: AbortRange,
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
    /// Their answers with window zero.
    pub(crate) probe_acks: Seen,
    /// After the loss: the client's progress when it was first looked at again.
    pub(crate) progress_at_loss: Option<Progress>,
}

/// How far the client has come, by whatever tells it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Progress {
    /// The payload acknowledged, as the kernel programs count.
    Acknowledged(u64),
    /// The payload received, as the client's socket counts.
    Received(u64),
}

impl Progress {
    /// The bytes since `earlier`, if both count the same.
    pub(crate) fn since(self, earlier: Self) -> Option<u64> {
        match (self, earlier) {
            (Self::Acknowledged(now), Self::Acknowledged(then))
            | (Self::Received(now), Self::Received(then)) => Some(now.saturating_sub(then)),
            _ => None,
        }
    }
}

impl Stall {
    pub(crate) fn new(closed: AbortRange) -> Self {
        Self {
            closed,
            settled: false,
            clock: None,
            announced: false,
            abort_seen: false,
            probes: Seen::default(),
            probe_acks: Seen::default(),
            progress_at_loss: None,
        }
    }
}
