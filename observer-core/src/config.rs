//! What the user can set about the judgement.

use std::net::SocketAddr;
use std::time::Duration;

use crate::clock::{Timeout, TimeoutSource};
use crate::session::ServerTimeout;

/// Thresholds and limits of a [`Tracker`](crate::Tracker).
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The net_write_timeout that holds where neither the session's own nor its server's is known.
    pub net_write_timeout: Timeout,
    /// The net_write_timeout of some servers, as the user gave it.
    pub server_timeouts: Vec<ServerTimeout>,
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

    /// The net_write_timeout that a session of this server begins with: what was given for this address, for this
    /// host, for all. Of two for the same the later one counts.
    pub fn net_write_timeout_of(&self, server: SocketAddr) -> Timeout {
        let given = self.server_timeouts.iter().filter(|given| given.server.includes(server));
        given.max_by_key(|given| given.server.names_one()).map_or(self.net_write_timeout, |given| Timeout {
            duration: given.duration,
            source: TimeoutSource::Flag,
        })
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            net_write_timeout: Timeout::ASSUMED,
            server_timeouts: Vec::new(),
            warning_share: 0.5,
            critical_share: 0.8,
            debounce: Duration::from_millis(250),
            server_send_buffer: Self::SERVER_SEND_BUFFER,
            keep_ended: Duration::from_secs(60),
            max_connections: Self::MAX_CONNECTIONS as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_address_counts_and_of_the_same_the_last() {
        let given = |server: &str, seconds| ServerTimeout {
            server: server.parse().unwrap(),
            duration: Duration::from_secs(seconds),
        };
        let server_timeouts =
            vec![given("10.0.0.1:3307", 7), given("10.0.0.1", 5), given("10.0.0.2", 3), given("10.0.0.2", 4)];
        let config = Config { server_timeouts, ..Config::default() };
        let seconds = |server: &str| {
            let timeout = config.net_write_timeout_of(server.parse().unwrap());
            (timeout.duration.as_secs(), timeout.source)
        };
        assert_eq!(seconds("10.0.0.1:3306"), (5, TimeoutSource::Flag));
        assert_eq!(seconds("10.0.0.1:3307"), (7, TimeoutSource::Flag));
        assert_eq!(seconds("10.0.0.2:3306"), (4, TimeoutSource::Flag));
        assert_eq!(seconds("10.0.0.3:3306"), (60, TimeoutSource::Assumed));
    }
}
