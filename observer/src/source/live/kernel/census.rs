//! Which connections of the kernel's map have ended without a word: the record of their end was lost, nothing tells
//! ends on this host, or a packet came by after it. The socket diagnostics know who lives.

use std::collections::HashSet;
use std::time::Duration;

use observer_core::Timestamp;

/// So often all are counted where nothing asks for it: a packet that a CPU has found the socket of (`__inet_lookup_skb`)
/// may be looked at when the socket is gone and its entry taken out, and puts it in again.
const REGULARLY: Duration = Duration::from_secs(30);

/// Compares the map with the sockets there are.
#[derive(Debug)]
pub(super) struct Census {
    /// What was in the map before the sockets were counted.
    asked: HashSet<u64>,
    /// Those of an earlier count that were missed in it.
    missed: HashSet<u64>,
    /// When it was begun last.
    begun: Timestamp,
    /// Records lost then.
    losses: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    /// Sockets are being counted.
    Counts,
    /// They are to be counted a second time.
    Again,
}

impl Census {
    /// Before the first one, with nothing lost.
    pub(super) fn new(now: Timestamp) -> Self {
        let (asked, missed) = (HashSet::new(), HashSet::new());
        Self { asked, missed, begun: now, losses: 0, state: State::Idle }
    }

    /// Whether one is to begin: after a loss, after a while, or always where `ends_are_told` is not so.
    pub(super) fn is_due(&self, now: Timestamp, losses: u64, ends_are_told: bool) -> bool {
        let wanted = self.state == State::Again || losses != self.losses || !ends_are_told;
        (wanted || now.since(self.begun) >= REGULARLY) && self.state != State::Counts
    }

    /// Begins, with what is in the map by now. The sockets are to be counted after that.
    pub(super) fn begin(&mut self, now: Timestamp, losses: u64, map: impl Iterator<Item = u64>) {
        (self.asked, self.begun, self.losses, self.state) = (map.collect(), now, losses, State::Counts);
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

    const START: Timestamp = Timestamp::from_nanos(1_000_000_000);

    #[test]
    fn who_is_missed_twice_is_gone() {
        let mut census = Census::new(START);
        assert!(!census.is_due(START, 0, true));
        assert!(census.is_due(START, 5, true), "records were lost");
        census.begin(START, 5, [1, 2, 3].into_iter());
        assert!(!census.is_due(START, 6, true), "it is under way");
        assert_eq!(census.counted(&[1].into()), [0; 0]);
        assert!(census.is_due(START, 5, true), "2 and 3 may have been stepped over");
        census.begin(START, 5, [1, 2, 3, 4].into_iter());
        assert_eq!(census.counted(&[1, 2].into()), [3]);
        // 4 was not missed before.
        census.begin(START, 5, [1, 2, 4].into_iter());
        assert_eq!(census.counted(&[1, 2].into()), [4]);
        assert!(!census.is_due(START, 5, true));
    }

    #[test]
    fn where_no_end_is_told_it_goes_on() {
        let mut census = Census::new(START);
        assert!(census.is_due(START, 0, false));
        census.begin(START, 0, [1].into_iter());
        assert_eq!(census.counted(&[1].into()), [0; 0]);
        assert!(census.is_due(START, 0, false));
    }

    #[test]
    fn after_a_while_all_are_counted() {
        let mut census = Census::new(START);
        assert!(!census.is_due(START + REGULARLY / 2, 0, true));
        let later = START + REGULARLY;
        assert!(census.is_due(later, 0, true));
        census.begin(later, 0, [1].into_iter());
        assert!(!census.is_due(later + REGULARLY, 0, true), "it is under way");
        assert_eq!(census.counted(&[1].into()), [0; 0]);
        assert!(!census.is_due(later, 0, true));
        assert!(census.is_due(later + REGULARLY, 0, true));
    }
}
