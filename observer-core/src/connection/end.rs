//! What is known at one end of a connection.

use std::num::NonZeroU64;

use crate::connection::{SocketReading, WireReading};
use crate::event::Process;
use crate::sample::TcpState;
use crate::time::Timestamp;

/// What is known at one end of a connection.
#[derive(Clone, Debug, Default)]
pub struct EndView {
    /// The socket cookie, once an event carried one; the kernel gives no socket the cookie 0.
    pub cookie: Option<NonZeroU64>,
    /// The process that opened or accepted the connection, where it was seen.
    pub process: Option<Box<Process>>,
    /// The newest counters of the kernel programs, with their time.
    pub wire: Option<Box<(Timestamp, WireReading)>>,
    /// The newest socket diagnostics, with their time.
    pub socket: Option<Box<(Timestamp, SocketReading)>>,
    /// The socket's state, where the socket itself was seen and not only its packets.
    pub state: Option<TcpState>,
    /// When its last change of state was told: diagnostics from before it say nothing of the state any more.
    pub(crate) state_since: Timestamp,
    /// Whether this end has sent its FIN.
    pub(crate) finished: bool,
    /// Whether the socket is gone from the kernel.
    pub(crate) gone: bool,
}

impl EndView {
    /// Whether this end is on this host.
    pub fn is_local(&self) -> bool {
        self.cookie.is_some() || self.state.is_some() || self.wire.is_some()
    }

    /// Whether this end is on this host and its socket not known to be gone.
    pub(crate) fn is_alive(&self) -> bool {
        self.is_local() && !self.gone
    }
}
