//! Samples in their place among the records.
//!
//! A sample, of socket diagnostics or of the map, shows the sockets as they are. What the ring buffer still holds comes from
//! before: told first, the sample of a socket whose beginning waits there could pass for one of the connection that had
//! its addresses before it.

use std::mem;

use observer_core::{Event, Timestamp};

/// What waits until the records from before it are read.
#[derive(Debug, Default)]
pub(super) struct Held(Vec<Event>);

impl Held {
    /// Whether anything waits. As long as it does nothing is added, or a host with many records would never come to it.
    pub(super) fn waits(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether all of it happened before this.
    pub(super) fn are_before(&self, record: Timestamp) -> bool {
        self.0.iter().all(|held| held.at < record)
    }

    /// Lets all of it follow the records.
    pub(super) fn follow(&mut self, records: &mut Vec<Event>) {
        let held = mem::take(&mut self.0);
        // Of a host with many sockets this is large: it is not copied where there is nothing before it.
        if records.is_empty() {
            *records = held;
        } else {
            records.extend(held);
        }
    }

    /// All of it, oldest first.
    pub(super) fn events(&mut self) -> &mut Vec<Event> {
        &mut self.0
    }
}
