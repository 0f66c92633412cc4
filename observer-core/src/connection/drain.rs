//! How a client reads what it still has after its server has given up.

use std::time::Duration;

use crate::sample::SocketSample;
use crate::time::Timestamp;

/// The time over which the rate is smoothed: an application reads in bursts of rows.
const SMOOTHING: f64 = 5.0;

/// A drain: the application reads on, though nothing new will come.
#[derive(Clone, Debug)]
pub(crate) struct Drain {
    at: Timestamp,
    /// Bytes read by the application since the connection opened.
    read: u64,
    /// Smoothed, in bytes a second, since it reads on: how long it stood still before says nothing of its pace.
    rate: Option<f64>,
    /// The seconds over which that was measured, without the sample in which it began to read.
    measured: f64,
    /// When nothing is left at this rate, once the server is known to have closed.
    pub(crate) fails_at: Option<Timestamp>,
}

impl Drain {
    pub(crate) fn new(at: Timestamp, sample: &SocketSample) -> Self {
        Self { at, read: read_bytes(sample), rate: None, measured: 0.0, fails_at: None }
    }

    /// Takes the next sample of the client's socket.
    pub(crate) fn sample(&mut self, at: Timestamp, sample: &SocketSample) {
        let elapsed = at.since(self.at).as_secs_f64();
        if elapsed <= 0.0 {
            return;
        }
        let read = read_bytes(sample);
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 52 bits")]
        let rate = read.saturating_sub(self.read) as f64 / elapsed;
        (self.at, self.read) = (at, read);
        match self.rate {
            None => self.rate = Some(rate).filter(|rate| *rate > 0.0),
            Some(smooth) => {
                let weight = elapsed / (elapsed + self.measured.min(SMOOTHING));
                self.rate = Some(smooth + (rate - smooth) * weight);
                self.measured += elapsed;
            }
        }
    }

    /// Bytes a second.
    pub(crate) fn rate(&self) -> Option<f64> {
        self.rate
    }

    /// When `unread` bytes are read, if there are as many at `at`.
    pub(crate) fn done_at(&self, at: Timestamp, unread: u32) -> Option<Timestamp> {
        let rate = self.rate.filter(|rate| *rate > 0.0)?;
        let left = Duration::try_from_secs_f64(f64::from(unread) / rate).ok()?;
        Some(at + left)
    }
}

fn read_bytes(sample: &SocketSample) -> u64 {
    sample.bytes_received.saturating_sub(u64::from(sample.recv_queue))
}
