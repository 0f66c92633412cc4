//! The server's write clock: what runs out when a client stops reading.
//!
//! mysqld waits for its socket to become writable with `ppoll(POLLOUT, net_write_timeout)`, mariadbd with
//! `poll`. Each such wait gets the whole timeout; it begins when the send buffer is full and begins again when
//! the socket was writable in between (`vio_socket_io_wait` in vio/viosocket.cc). The clock is therefore
//! neither the age of the zero window nor a sum.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::{TimeRange, Timestamp, seconds};

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
    /// The server's own wait shows it.
    Wait,
    /// The session set it, seen on the wire.
    Session,
    /// The server told its value.
    Server,
    /// The user gave it.
    Flag,
    /// Nothing is known: the servers' default.
    Assumed,
}

/// A server's wait for its client, as far as it can be known from outside.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WriteClock {
    /// The earliest and the latest moment at which the present wait can have begun.
    pub started: TimeRange,
    /// The timeout that is running.
    pub timeout: Timeout,
}

impl WriteClock {
    /// A clock that is known to have started at one moment.
    pub fn started_at(started: Timestamp, timeout: Timeout) -> Self {
        Self { started: TimeRange::at(started), timeout }
    }

    /// When the server gives up.
    pub fn abort(&self) -> TimeRange {
        TimeRange {
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
        let share = (now.since(self.started.earliest).as_secs_f64() / timeout).min(1.0);
        // A number of so few places is the same again when it was written and read.
        (share * 1e6).round() / 1e6
    }

    /// The time until the earliest abort, zero when it has passed.
    pub fn left(&self, now: Timestamp) -> Duration {
        self.abort().earliest.since(now)
    }

    /// When this share of the timeout is used, by the earliest start. A share is 0 to 1.
    pub(crate) fn used_at(&self, share: f64) -> Timestamp {
        let share = if share.is_nan() { 1.0 } else { share.clamp(0.0, 1.0) };
        let used = Duration::try_from_secs_f64(self.timeout.duration.as_secs_f64() * share);
        // Rounded up, the longest durations are longer than any.
        self.started.earliest + used.unwrap_or(Duration::MAX)
    }
}

/// How much of its timeout a wait that is over has used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Used {
    /// That wait.
    pub(crate) clock: WriteClock,
    /// The share, 0 to 1; at most that where the clock's start is a range.
    pub(crate) share: f64,
}

impl Used {
    /// A wait that was over at `until`.
    pub(crate) fn by(clock: WriteClock, until: Timestamp) -> Self {
        Self { clock, share: clock.used(until) }
    }

    /// The one of two that came closer to its end.
    pub(crate) fn most(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        one.into_iter().chain(other).max_by(|one, other| one.share.total_cmp(&other.share))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(earliest: i64, latest: i64) -> WriteClock {
        let range =
            TimeRange { earliest: Timestamp::from_micros(earliest), latest: Timestamp::from_micros(latest) };
        WriteClock { started: range, timeout: Timeout::ASSUMED }
    }

    #[test]
    fn shares_out_of_range_do_no_harm() {
        let clock = clock(0, 0);
        assert_eq!(clock.used_at(0.5), Timestamp::from_micros(30_000_000));
        for share in [f64::NAN, f64::INFINITY, 7.0] {
            assert_eq!(clock.used_at(share), clock.abort().earliest);
        }
        assert_eq!(clock.used_at(-1.0), Timestamp::EPOCH);
        let timeout = Timeout { duration: Duration::MAX, ..Timeout::ASSUMED };
        assert_eq!(WriteClock { timeout, ..clock }.used_at(1.0), Timestamp::from_micros(i64::MAX));
    }
}
