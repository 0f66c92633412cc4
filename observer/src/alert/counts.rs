//! What became of all alerts, for the metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// How somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By a command.
    Command,
    /// By a webhook.
    Url,
}

/// What became of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It arrived.
    Delivered,
    /// It did not, whatever was tried.
    Failed,
    /// There was no room for it in the queue.
    Dropped,
}

impl Way {
    const ALL: [Self; 2] = [Self::Command, Self::Url];

    /// As a label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Url => "url",
        }
    }
}

impl Outcome {
    const ALL: [Self; 3] = [Self::Delivered, Self::Failed, Self::Dropped];

    /// As a label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }
}

/// How many alerts became what. It may be read while it is counted.
#[derive(Debug, Default)]
pub struct Counts {
    became: [[AtomicU64; Outcome::ALL.len()]; Way::ALL.len()],
    held_back: AtomicU64,
}

impl Counts {
    /// One became this.
    pub fn count(&self, way: Way, outcome: Outcome) {
        self.became[way as usize][outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// One was held back.
    pub fn hold_back(&self) {
        self.held_back.fetch_add(1, Ordering::Relaxed);
    }

    /// How many became this.
    pub fn of(&self, way: Way, outcome: Outcome) -> u64 {
        self.became[way as usize][outcome as usize].load(Ordering::Relaxed)
    }

    /// How many were held back.
    pub fn held_back(&self) -> u64 {
        self.held_back.load(Ordering::Relaxed)
    }

    /// All that became anything.
    pub fn all(&self) -> impl Iterator<Item = (Way, Outcome, u64)> {
        let pairs = Way::ALL.into_iter().flat_map(|way| Outcome::ALL.map(|outcome| (way, outcome)));
        pairs.map(|(way, outcome)| (way, outcome, self.of(way, outcome)))
    }
}
