//! The server's write clock: what runs out when a client stops reading.
//!
//! mysqld waits for its socket to become writable with `ppoll(POLLOUT, net_write_timeout)`, mariadbd with
//! `poll`. Each such wait gets the whole timeout; it begins when the send buffer is full and begins again when
//! the socket was writable in between (`vio_socket_io_wait` in vio/viosocket.cc). The clock is therefore
//! neither the age of the zero window nor a sum.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::{Timestamp, seconds};

/// The net_write_timeout in force on a connection, and how it is known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timeout {
    /// The timeout.
    #[serde(rename = "seconds", with = "seconds")]
    pub duration: Duration,
    /// How it is known.
    pub source: TimeoutSource,
}

impl Timeout {
    /// The servers' default, which holds when nothing better is known: 60 s (`NET_WRITE_TIMEOUT`,
    /// include/mysql_com.h).
    pub const ASSUMED: Self = Self { duration: Duration::from_secs(60), source: TimeoutSource::Assumed };
}

/// Where a [`Timeout`] comes from, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeoutSource {
    /// The session set it, seen on the wire or in the server's own wait.
    Session,
    /// The server told its value.
    Server,
    /// The user gave it.
    Flag,
    /// Nothing is known: the servers' default.
    Assumed,
}

/// When the server gives up: certain when both ends of the range are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbortRange {
    /// Not before.
    pub earliest: Timestamp,
    /// Not after, if the server is waiting at all.
    pub latest: Timestamp,
}

impl AbortRange {
    /// How wide the range is.
    pub fn width(&self) -> Duration {
        self.latest.since(self.earliest)
    }
}

/// A server's wait for its client, as far as it can be known from outside.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WriteClock {
    /// The earliest and the latest moment at which the present wait can have begun.
    pub started: AbortRange,
    /// The timeout that is running.
    pub timeout: Timeout,
}

impl WriteClock {
    /// A clock that is known to have started at one moment.
    pub fn started_at(started: Timestamp, timeout: Timeout) -> Self {
        Self { started: AbortRange { earliest: started, latest: started }, timeout }
    }

    /// When the server gives up.
    pub fn abort(&self) -> AbortRange {
        AbortRange {
            earliest: self.started.earliest + self.timeout.duration,
            latest: self.started.latest + self.timeout.duration,
        }
    }

    /// The share of the timeout that is used at `now`, by the earliest start; at most 1.
    pub fn used(&self, now: Timestamp) -> f64 {
        let timeout = self.timeout.duration.as_secs_f64();
        if timeout <= 0.0 {
            return 1.0;
        }
        (now.since(self.started.earliest).as_secs_f64() / timeout).min(1.0)
    }

    /// The time until the earliest abort, zero when it has passed.
    pub fn left(&self, now: Timestamp) -> Duration {
        self.abort().earliest.since(now)
    }
}
