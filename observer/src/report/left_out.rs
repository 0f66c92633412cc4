//! The connections for whose accounts there was no room.

use std::collections::HashMap;

use observer_core::{ConnectionId, Tracker};

/// How many they are, and which.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    /// Those that the judgement may still know: whether something was found about them.
    known: HashMap<ConnectionId, bool>,
    /// All so far.
    pub(super) count: u64,
    /// Those of them about which something was found.
    pub(super) in_trouble: u64,
}

impl LeftOut {
    /// There is no room for this one.
    pub(super) fn add(&mut self, id: ConnectionId) {
        self.count += u64::from(self.known.insert(id, false).is_none());
    }

    /// Something was found about one, if it is one of them.
    pub(super) fn find(&mut self, id: ConnectionId) {
        if let Some(is_found) = self.known.get_mut(&id) {
            self.in_trouble += u64::from(!std::mem::replace(is_found, true));
        }
    }

    pub(super) fn contains(&self, id: ConnectionId) -> bool {
        self.known.contains_key(&id)
    }

    /// Of what the judgement has forgotten, nothing is heard again.
    pub(super) fn prune(&mut self, tracker: &Tracker) {
        self.known.retain(|id, _| tracker.connection(*id).is_some());
    }
}
