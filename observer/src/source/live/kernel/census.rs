//! Which connections of the kernel's map have ended without a word: the record of their end was lost, or nothing tells
//! ends on this host. The socket diagnostics know who lives.

use std::collections::HashSet;

/// Compares the map with the sockets there are.
#[derive(Debug, Default)]
pub(super) struct Census {
    /// What was in the map before the sockets were counted.
    asked: HashSet<u64>,
    /// Those of an earlier count that were missed in it.
    missed: HashSet<u64>,
    /// Records lost when it was begun last.
    losses: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Idle,
    /// Sockets are being counted.
    Counts,
    /// They are to be counted a second time.
    Again,
}

impl Census {
    /// Whether one is to begin: after a loss, or always where `ends_are_told` is not so.
    pub(super) fn is_due(&self, losses: u64, ends_are_told: bool) -> bool {
        let wanted = self.state == State::Again || losses != self.losses || !ends_are_told;
        wanted && self.state != State::Counts
    }

    /// Begins, with what is in the map by now. The sockets are to be counted after that.
    pub(super) fn begin(&mut self, losses: u64, map: impl Iterator<Item = u64>) {
        (self.asked, self.losses, self.state) = (map.collect(), losses, State::Counts);
    }

    /// The sockets were counted. Gives those that are gone: the walk through the kernel's hash table can step over one
    /// when another of its bucket goes away, so that only who was missed twice is.
    pub(super) fn counted(&mut self, sockets: &HashSet<u64>) -> Vec<u64> {
        let missed: HashSet<u64> = self.asked.drain().filter(|cookie| !sockets.contains(cookie)).collect();
        let gone: Vec<u64> = missed.intersection(&self.missed).copied().collect();
        self.missed = missed.difference(&self.missed).copied().collect();
        self.state = if self.missed.is_empty() { State::Idle } else { State::Again };
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_missed_twice_is_gone() {
        let mut census = Census::default();
        assert!(!census.is_due(0, true));
        assert!(census.is_due(5, true), "records were lost");
        census.begin(5, [1, 2, 3].into_iter());
        assert!(!census.is_due(6, true), "it is under way");
        assert_eq!(census.counted(&[1].into()), [0; 0]);
        assert!(census.is_due(5, true), "2 and 3 may have been stepped over");
        census.begin(5, [1, 2, 3, 4].into_iter());
        assert_eq!(census.counted(&[1, 2].into()), [3]);
        // 4 was not missed before.
        census.begin(5, [1, 2, 4].into_iter());
        assert_eq!(census.counted(&[1, 2].into()), [4]);
        assert!(!census.is_due(5, true));
    }

    #[test]
    fn where_no_end_is_told_it_goes_on() {
        let mut census = Census::default();
        assert!(census.is_due(0, false));
        census.begin(0, [1].into_iter());
        assert_eq!(census.counted(&[1].into()), [0; 0]);
        assert!(census.is_due(0, false));
    }
}
