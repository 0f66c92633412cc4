//! The connections that are looked at more often: those with a closed window.

use std::collections::HashMap;
use std::time::Duration;

use observer_core::Timestamp;

/// Where data waits behind a closed window, a probe passes at least every two minutes (`TCP_RTO_MAX`, include/net/tcp.h).
/// When nothing has passed for longer, nothing waits, or the socket is gone and its end was not told.
const QUIET: Duration = Duration::from_secs(150);

/// A client that has kept its window closed for so long may have stopped reading. One that reads on, only more slowly than its
/// server writes, closes it a thousand times a second, and for less.
pub(super) const STILL: Duration = Duration::from_millis(100);

/// Somebody stands still for so long after that was found last: who trickles opens its window now and then.
const LINGER: Duration = Duration::from_secs(2);

/// What is known of a connection when it is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// Whether a window is closed.
    pub(super) is_closed: bool,
    /// How often its windows have closed.
    pub(super) closings: u32,
    /// Whether a segment has passed since the last look.
    pub(super) has_moved: bool,
}

/// Connections, by cookie, whose window was closed when they were looked at last, or had closed since the time before.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    known: HashMap<u64, Known>,
    /// When a window was found that had been closed for [`STILL`].
    still_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// How often it had closed by then.
    closings: u32,
    /// When it was seen to have moved last.
    moved_at: Timestamp,
    /// When it was found closed first, and how often it had closed by then, if it still is since.
    closed: Option<(Timestamp, u32)>,
}

impl Known {
    /// Since when it is closed, if it is.
    fn closed(self, at: Timestamp, look: Look) -> Option<(Timestamp, u32)> {
        let before = self.closed.filter(|(_, closings)| *closings == look.closings);
        look.is_closed.then(|| before.unwrap_or((at, look.closings)))
    }
}

impl Trouble {
    /// Whether there is any.
    pub(super) fn is_any(&self) -> bool {
        !self.known.is_empty()
    }

    /// Whether any of them stands still, or has within the last moments.
    pub(super) fn stands_still(&self, now: Timestamp) -> bool {
        self.is_any() && self.still_at.is_some_and(|at| now.since(at) < LINGER)
    }

    /// All of them.
    pub(super) fn cookies(&self) -> Vec<u64> {
        self.known.keys().copied().collect()
    }

    /// A window of this one has closed at `at`.
    pub(super) fn begins(&mut self, cookie: u64, at: Timestamp) {
        let known = self.known.entry(cookie).or_default();
        known.moved_at = known.moved_at.max(at);
    }

    /// This one was looked at.
    pub(super) fn look(&mut self, cookie: u64, at: Timestamp, look: Look) {
        let Look { is_closed, closings, has_moved } = look;
        let known = self.known.get(&cookie).copied();
        let has_closed_again = known.is_some_and(|known| known.closings != closings);
        let moved_at = if has_moved { at } else { known.map_or(Timestamp::EPOCH, |known| known.moved_at) };
        if !(is_closed || has_closed_again) || at.since(moved_at) > QUIET {
            self.known.remove(&cookie);
            return;
        }
        let closed = known.unwrap_or_default().closed(at, look);
        self.known.insert(cookie, Known { closings, moved_at, closed });
        self.note_standstill(at, closed);
    }

    /// This one was looked at only for whether it stands still: what has changed is for the next [`look`](Self::look).
    pub(super) fn look_for_standstill(&mut self, cookie: u64, at: Timestamp, look: Look) {
        let Some(known) = self.known.get_mut(&cookie) else { return };
        known.closed = known.closed(at, look);
        let closed = known.closed;
        self.note_standstill(at, closed);
    }

    fn note_standstill(&mut self, at: Timestamp, closed: Option<(Timestamp, u32)>) {
        if closed.is_some_and(|(closed_at, _)| at.since(closed_at) >= STILL) {
            self.still_at = Some(at);
        }
    }

    /// This one has ended.
    pub(super) fn ends(&mut self, cookie: u64) {
        self.known.remove(&cookie);
    }

    /// Forgets those that are no longer there.
    pub(super) fn retain(&mut self, is_there: impl Fn(u64) -> bool) {
        self.known.retain(|cookie, _| is_there(*cookie));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_micros(1_714_831_380_000_000);

    fn look(trouble: &mut Trouble, seconds: u64, is_closed: bool, closings: u32, has_moved: bool) -> bool {
        trouble.look(7, START + Duration::from_secs(seconds), Look { is_closed, closings, has_moved });
        trouble.is_any()
    }

    #[test]
    fn a_closed_window_is_trouble_and_one_that_closed_in_between_once_more() {
        let mut trouble = Trouble::default();
        assert!(!look(&mut trouble, 0, false, 3, true), "it has closed before, and is open");
        assert!(look(&mut trouble, 1, true, 4, true));
        assert!(look(&mut trouble, 2, false, 5, true), "it has closed and opened again");
        assert!(!look(&mut trouble, 3, false, 5, true));
        trouble.begins(7, START + Duration::from_secs(4));
        assert_eq!(trouble.cookies(), [7]);
        trouble.retain(|_| false);
        assert!(!trouble.is_any());
    }

    #[test]
    fn who_opens_its_window_again_and_again_does_not_stand_still() {
        let mut trouble = Trouble::default();
        let mut at = START;
        trouble.begins(7, at);
        let mut stands_still = |millis, is_closed, closings| {
            at = at + Duration::from_millis(millis);
            trouble.look_for_standstill(7, at, Look { is_closed, closings, has_moved: true });
            assert!(trouble.is_any(), "what has changed is not told yet");
            trouble.stands_still(at)
        };
        for closings in 1..50 {
            assert!(!stands_still(100, true, 100 * closings), "it has opened in between");
        }
        assert!(!stands_still(99, true, 4900));
        assert!(stands_still(1, true, 4900));
        assert!(stands_still(1000, true, 4901), "it may trickle");
        assert!(stands_still(900, false, 4902));
        assert!(!stands_still(100, true, 4903));
        assert!(stands_still(100, true, 4903));
        assert!(look(&mut trouble, 10, false, 4904, true), "it has closed again");
        assert!(!look(&mut trouble, 11, false, 4904, true), "its window is open");
        assert!(!trouble.stands_still(START));
    }

    #[test]
    fn a_socket_whose_end_was_not_told_does_not_stay_in_trouble() {
        let mut trouble = Trouble::default();
        trouble.begins(7, START);
        assert!(look(&mut trouble, 0, true, 1, true));
        assert!(look(&mut trouble, 120, true, 1, true), "probed");
        assert!(look(&mut trouble, 240, true, 1, false));
        assert!(!look(&mut trouble, 271, true, 1, false), "nothing has passed for 151 s");
        assert!(!look(&mut trouble, 272, true, 1, false));
        assert!(look(&mut trouble, 300, true, 1, true), "it lives after all");
    }
}
