//! Who talks to whom, and where it was seen.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// One of the two ends of a MySQL connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The application: the end whose port is not a MySQL port.
    Client,
    /// `mysqld` or `mariadbd`.
    Server,
}

impl End {
    /// The end opposite.
    #[must_use]
    pub const fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Server => "server",
        })
    }
}

/// Where an event was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vantage {
    /// At the client's socket.
    Client,
    /// At the server's socket.
    Server,
    /// Somewhere between them: a capture.
    Wire,
}

impl Vantage {
    /// The end at whose socket it was seen; `None` of a capture.
    pub(crate) const fn end(self) -> Option<End> {
        match self {
            Self::Client => Some(End::Client),
            Self::Server => Some(End::Server),
            Self::Wire => None,
        }
    }
}

impl From<End> for Vantage {
    fn from(end: End) -> Self {
        match end {
            End::Client => Self::Client,
            End::Server => Self::Server,
        }
    }
}

/// The two addresses of a connection, IPv4-mapped IPv6 addresses written as IPv4.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Flow {
    /// The client's address.
    pub client: SocketAddr,
    /// The server's address.
    pub server: SocketAddr,
}

impl Flow {
    /// The flow of a socket with these addresses, and which end that socket is; `None` when neither port is a
    /// MySQL port.
    ///
    /// When both are MySQL ports the lower one is the server's, for ports given to clients by the system are
    /// high ones; of two equal ports the one at the lower address. Both sockets of a connection give the same
    /// answer.
    pub fn of_socket(local: SocketAddr, remote: SocketAddr, mysql_ports: &[u16]) -> Option<(Self, End)> {
        let local = SocketAddr::new(local.ip().to_canonical(), local.port());
        let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
        let key = |address: SocketAddr| (address.port(), address.ip());
        let is_server = match (mysql_ports.contains(&local.port()), mysql_ports.contains(&remote.port())) {
            (true, false) => true,
            (false, true) => false,
            (true, true) => key(local) <= key(remote),
            (false, false) => return None,
        };
        Some(if is_server {
            (Self { client: remote, server: local }, End::Server)
        } else {
            (Self { client: local, server: remote }, End::Client)
        })
    }
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.client, self.server)
    }
}

/// The socket an event speaks of.
///
/// A connection within one host has two sockets with the same flow; they differ in vantage and cookie. The
/// cookie also tells a connection from an earlier one with the same addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SocketRef {
    /// The two addresses.
    #[serde(flatten)]
    pub flow: Flow,
    /// The end at which the event was seen.
    pub seen_at: Vantage,
    /// The kernel's socket cookie; `None` where the source has none (captures, some tracepoints).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookie: Option<u64>,
}

/// A connection's number within one [`Tracker`](crate::Tracker), never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConnectionId(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_end_with_the_mysql_port_is_the_server() {
        let (client, server) = (address("10.0.0.5:41234"), address("10.0.0.9:3306"));
        let flow = Flow { client, server };
        assert_eq!(Flow::of_socket(client, server, &[3306]), Some((flow, End::Client)));
        assert_eq!(Flow::of_socket(server, client, &[3306]), Some((flow, End::Server)));
        assert_eq!(Flow::of_socket(server, client, &[3307]), None);
    }

    #[test]
    fn of_two_mysql_ports_the_lower_is_the_servers_seen_from_both_ends() {
        let ports = [33060, 3306];
        let (client, server) = (address("10.0.0.5:33060"), address("10.0.0.9:3306"));
        let flow = Flow { client, server };
        assert_eq!(Flow::of_socket(client, server, &ports), Some((flow, End::Client)));
        assert_eq!(Flow::of_socket(server, client, &ports), Some((flow, End::Server)));
    }

    #[test]
    fn mapped_addresses_are_written_as_ipv4() {
        let (flow, end) =
            Flow::of_socket(address("[::ffff:10.0.0.9]:3306"), address("[::ffff:10.0.0.5]:41234"), &[3306])
                .unwrap();
        assert_eq!(end, End::Server);
        assert_eq!(flow, Flow { client: address("10.0.0.5:41234"), server: address("10.0.0.9:3306") });
    }
}
