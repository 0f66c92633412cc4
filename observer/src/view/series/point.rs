//! What was known at one moment, and the samples it is made of.

use observer_core::{SocketSample, Timestamp, WireSample};

/// What was known of a connection within one slot of time. Sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::view) struct Point {
    /// When this became known.
    pub(in crate::view) at: Timestamp,
    /// The window advertised last.
    pub(in crate::view) window: Option<u32>,
    /// The smallest window of the slot: a zero must not disappear in it.
    pub(in crate::view) smallest: Option<u32>,
    /// Sent by the server.
    pub(in crate::view) sent: u64,
    /// Acknowledged by the client.
    pub(in crate::view) acknowledged: u64,
}

impl Point {
    /// The window's right edge: so far the server may send.
    pub(in crate::view) fn edge(&self) -> Option<u64> {
        self.window.map(|window| self.acknowledged.saturating_add(window.into()))
    }
}

/// Whose counters a series is made of. They begin at different numbers, so one series has one origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// Only the window is known.
    Window,
    /// Socket diagnostics of the client's socket.
    ClientSocket,
    /// Socket diagnostics of the server's socket, which know the sender's side.
    ServerSocket,
    /// The kernel programs at the client's socket, which see every segment that arrives.
    ClientWire,
    /// The kernel programs at the server's socket, which see every segment that is sent.
    ServerWire,
}

/// The smaller of what is known.
pub(super) fn smaller(one: Option<u32>, other: Option<u32>) -> Option<u32> {
    one.into_iter().chain(other).min()
}

/// The counters of one sample.
#[derive(Clone, Copy)]
pub(super) struct Counters {
    pub(super) sent: u64,
    pub(super) acknowledged: u64,
    pub(super) window: Option<u32>,
}

pub(super) fn wire_counters(sample: &WireSample) -> Counters {
    Counters {
        sent: sample.server.sent,
        acknowledged: sample.client.acknowledged,
        window: sample.client.window,
    }
}

pub(super) fn server_counters(sample: &SocketSample) -> Counters {
    let in_flight = u64::from(sample.send_queue.saturating_sub(sample.not_sent));
    Counters {
        sent: sample.bytes_acked.saturating_add(in_flight),
        acknowledged: sample.bytes_acked,
        window: sample.send_window,
    }
}

pub(super) fn client_counters(sample: &SocketSample) -> Counters {
    Counters { sent: sample.bytes_received, acknowledged: sample.bytes_received, window: sample.recv_window }
}
