//! How much the server has sent and the client acknowledged, by whichever sample tells it.

use observer_core::{SocketEvent, SocketEventKind, SocketSample, Vantage, WireSample};

/// Whose counters they are, the best last. They begin at different numbers, so one curve has one origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// Only the window is known.
    Window,
    /// Socket diagnostics of the client's socket.
    ClientSocket,
    /// Socket diagnostics of the server's socket, which know the sender's side.
    ServerSocket,
    /// The kernel programs at the client's socket, which see every segment that arrives; or a capture.
    ClientWire,
    /// The kernel programs at the server's socket, which see every segment that is sent.
    ServerWire,
}

/// The counters of one sample, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counters {
    /// Sent by the server.
    pub(crate) sent: u64,
    /// Acknowledged by the client.
    pub(crate) acknowledged: u64,
    /// The window that the client advertised last, scaled.
    pub(crate) window: Option<u32>,
}

impl Counters {
    /// Those of an event, if it is a sample that has them.
    pub(crate) fn of(event: &SocketEvent) -> Option<(Origin, Self)> {
        Some(match (&event.kind, event.socket.seen_at) {
            (SocketEventKind::Wire(sample), Vantage::Server) => (Origin::ServerWire, Self::of_wire(sample)),
            (SocketEventKind::Wire(sample), Vantage::Client | Vantage::Wire) => {
                (Origin::ClientWire, Self::of_wire(sample))
            }
            (SocketEventKind::Socket(sample), Vantage::Server) => {
                (Origin::ServerSocket, Self::of_server(sample))
            }
            (SocketEventKind::Socket(sample), Vantage::Client) => {
                (Origin::ClientSocket, Self::of_client(sample))
            }
            _ => return None,
        })
    }

    const fn of_wire(sample: &WireSample) -> Self {
        Self {
            sent: sample.server.sent,
            acknowledged: sample.client.acknowledged,
            window: sample.client.window,
        }
    }

    fn of_server(sample: &SocketSample) -> Self {
        let in_flight = u64::from(sample.send_queue.saturating_sub(sample.not_sent));
        Self {
            sent: sample.bytes_acked.saturating_add(in_flight),
            acknowledged: sample.bytes_acked,
            window: sample.send_window,
        }
    }

    const fn of_client(sample: &SocketSample) -> Self {
        Self { sent: sample.bytes_received, acknowledged: sample.bytes_received, window: sample.recv_window }
    }
}
