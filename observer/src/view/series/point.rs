//! What was known at one moment.

use observer_core::Timestamp;

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

/// The smaller of what is known.
pub(super) fn smaller(one: Option<u32>, other: Option<u32>) -> Option<u32> {
    one.into_iter().chain(other).min()
}
