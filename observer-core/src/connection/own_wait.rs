//! The server's own wait until it can write, where its system calls are followed.

use std::time::Duration;

use crate::time::{TimeRange, Timestamp};

/// A server's `ppoll` or `poll` for one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnWait {
    /// When it was told.
    pub(crate) told_at: Timestamp,
    /// When it began, where that is known.
    pub(crate) since: Option<TimeRange>,
    /// Its timeout.
    pub(crate) timeout: Duration,
    /// When its time was up.
    pub(crate) timed_out: Option<Timestamp>,
}
