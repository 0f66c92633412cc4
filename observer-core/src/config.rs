//! What the user can set about the judgement.

use std::time::Duration;

use crate::clock::Timeout;

/// Thresholds and limits of a [`Tracker`](crate::Tracker).
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The net_write_timeout that holds where the session's own is not known.
    pub net_write_timeout: Timeout,
    /// Share of the timeout from which on a stall is a warning, 0 to 1.
    pub warning_share: f64,
    /// Share of the timeout from which on a stall is critical, 0 to 1.
    pub critical_share: f64,
    /// A zero window younger than this is not called a stall unless a probe has shown that data waits behind
    /// it; zero windows of microseconds are normal in a healthy slow start.
    pub debounce: Duration,
    /// The most a server's kernel lets a send buffer grow to, in bytes: `tcp_wmem[2]` of the server. It matters where
    /// the server's socket cannot be seen: a wait ends when a third of the buffer is drained, so with a larger one
    /// a wait can have begun earlier.
    pub server_send_buffer: u32,
    /// How long a connection that has ended is kept.
    pub keep_ended: Duration,
    /// How many connections are kept at most; beyond it the longest-ended, then the longest-silent go first.
    pub max_connections: usize,
}

impl Config {
    /// The default of [`max_connections`](Self::max_connections), also for the maps of the kernel programs.
    pub const MAX_CONNECTIONS: u32 = 16_384;

    /// The default of [`server_send_buffer`](Self::server_send_buffer): Linux's (`tcp_init`, net/ipv4/tcp.c).
    pub const SERVER_SEND_BUFFER: u32 = 4 * 1024 * 1024;
}

impl Default for Config {
    fn default() -> Self {
        Self {
            net_write_timeout: Timeout::ASSUMED,
            warning_share: 0.5,
            critical_share: 0.8,
            debounce: Duration::from_millis(250),
            server_send_buffer: Self::SERVER_SEND_BUFFER,
            keep_ended: Duration::from_secs(60),
            max_connections: Self::MAX_CONNECTIONS as usize,
        }
    }
}
