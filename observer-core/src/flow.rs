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
