//! What is kept of the newest samples of a socket: of each as much as is asked for later. With many connections these
//! are most of the memory.

use std::time::Duration;

use crate::sample::{DirectionSample, LastRead, SocketSample, TimerKind, WireSample};
use crate::time::Timestamp;

/// What is kept of a [`WireSample`].
#[derive(Clone, Debug)]
pub struct WireReading {
    /// What the client has sent.
    pub client: DirectionSample,
    /// When the application last read from this socket, and which process it was.
    pub last_read: Option<Box<LastRead>>,
}

impl From<&WireSample> for WireReading {
    fn from(sample: &WireSample) -> Self {
        Self { client: sample.client.clone(), last_read: sample.last_read.clone().map(Box::new) }
    }
}

/// What is kept of a [`SocketSample`], by the same names and in the same units.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each field is the sample's")]
pub struct SocketReading {
    pub recv_queue: u32,
    pub send_queue: u32,
    pub timer: TimerKind,
    pub timer_retries: u8,
    pub send_buffer: u32,
    pub send_buffer_used: u32,
    pub last_data_received: Duration,
    pub last_data_sent: Duration,
    pub bytes_acked: u64,
    pub bytes_received: u64,
    pub not_sent: u32,
    pub notsent_lowat: Option<u32>,
}

/// They count like the size of a [`Connection`](crate::Connection).
const _: () = assert!(size_of::<(Timestamp, WireReading)>() <= 120);
const _: () = assert!(size_of::<(Timestamp, SocketReading)>() <= 88);

impl From<&SocketSample> for SocketReading {
    fn from(sample: &SocketSample) -> Self {
        Self {
            recv_queue: sample.recv_queue,
            send_queue: sample.send_queue,
            timer: sample.timer,
            timer_retries: sample.timer_retries,
            send_buffer: sample.send_buffer,
            send_buffer_used: sample.send_buffer_used,
            last_data_received: sample.last_data_received,
            last_data_sent: sample.last_data_sent,
            bytes_acked: sample.bytes_acked,
            bytes_received: sample.bytes_received,
            not_sent: sample.not_sent,
            notsent_lowat: sample.notsent_lowat,
        }
    }
}

impl SocketReading {
    /// Everything the application has written into the socket, but for a constant: while it waits, this stands still.
    pub(crate) fn written(&self) -> u64 {
        self.bytes_acked.saturating_add(u64::from(self.send_queue))
    }

    /// What of it was sent.
    pub(crate) fn sent(&self) -> u64 {
        self.written().saturating_sub(u64::from(self.not_sent))
    }

    /// Whether the reader has neither received nor read anything since `earlier`.
    pub(crate) fn stands_still_since(&self, earlier: &Self) -> bool {
        (self.bytes_received, self.recv_queue) == (earlier.bytes_received, earlier.recv_queue)
    }
}
