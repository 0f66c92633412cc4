//! Whether the server waits behind a closed window, and since when.
//!
//! This is the place of the write clock's model: [`Connection::server_wait`] answers from everything known of
//! the connection, as a range. Limitation: without the server's socket the wait is taken to begin when data
//! began to wait behind the window, so a reader that trickles, whose window opens without a third of the
//! server's send buffer having been drained, starts the clock anew here although its server's `poll` goes on.

use std::time::Duration;

use crate::config::Config;
use crate::connection::{Connection, Stall, Told};
use crate::sample::SocketSample;
use crate::time::{TimeRange, Timestamp};

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Nothing waits behind the window, as far as is known.
    None,
    /// It cannot be told yet.
    Undecided {
        /// When it is decided at the latest.
        until: Option<Timestamp>,
    },
    /// It has waited since some moment of this range.
    Since(TimeRange),
}

impl Connection {
    /// Whether the server waits for this client, judged at `at` while its window is closed.
    pub(super) fn server_wait(&self, stall: &Stall, at: Timestamp, config: &Config) -> Wait {
        let probed = stall.probes.count() > 0;
        let until = stall.closed.earliest + patience(config);
        let sample = self.server.socket.as_deref().filter(|(at, _)| *at >= stall.closed.earliest);
        match sample.filter(|_| !self.server.gone) {
            Some((_, sample)) if is_blocked(sample) => Wait::Since(self.began(stall.waiting_since())),
            Some(_) => Wait::None,
            None if self.window.told == Told::BySockets => match self.server_sample_due(config) {
                Some(until) if at < until => Wait::Undecided { until: Some(until) },
                // Without segments there are no probes to see. Rather an alarm too many than one too few.
                _ => Wait::Since(stall.closed),
            },
            None if !probed => Wait::Undecided { until: None },
            // A probe proves that the server's kernel has something unsent. Where the server's socket can be seen,
            // it will tell soon whether the rest fits into it; that is worth a little patience.
            None if self.server.is_alive() && at < until => Wait::Undecided { until: Some(until) },
            None => Wait::Since(self.began(stall.waiting_since())),
        }
    }

    /// Where both sockets are polled, the server's is read within the same poll as the client's, a moment before or
    /// after it.
    fn server_sample_due(&self, config: &Config) -> Option<Timestamp> {
        let polled = self.server.socket.is_some() && self.server.is_alive();
        let (at, _) = self.client.socket.as_deref().filter(|_| polled)?;
        Some(*at + patience(config))
    }

    /// When the wait began: when data began to wait behind the window, unless the server is known to have written
    /// after that, or not to have written for some time before.
    fn began(&self, waiting: TimeRange) -> TimeRange {
        match self.last_write {
            Some(write) if write.earliest > waiting.latest || write.latest < waiting.earliest => write,
            _ => waiting,
        }
    }
}

/// How long a probe waits for a sample of the server's socket.
fn patience(config: &Config) -> Duration {
    config.debounce.saturating_mul(3) / 2
}

/// Whether the server's write waits, by its own socket.
///
/// A socket is writable while its queue fills at most two thirds of its buffer (`__sk_stream_is_writeable`,
/// include/net/sock.h: free space of at least half the queue). A server that still has something to write fills
/// the rest at once; so a queue up to there means that it has written all it had.
fn is_blocked(sample: &SocketSample) -> bool {
    // Without socket memory in the diagnostics the queue alone has to do.
    let fits =
        sample.send_buffer > 0 && u64::from(sample.send_buffer_used) * 3 <= u64::from(sample.send_buffer) * 2;
    sample.send_queue > 0 && !fits
}

/// Everything the server has written into its socket, but for a constant: while it waits, this stands still.
pub(super) fn written(sample: &SocketSample) -> u64 {
    sample.bytes_acked.saturating_add(u64::from(sample.send_queue))
}
