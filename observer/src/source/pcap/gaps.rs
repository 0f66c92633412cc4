//! What an end has sent that the capture does not have.

use std::time::Duration;

use observer_core::{SeqNumber, Timestamp};

/// Holes of one direction that are kept until it is known what they are.
const MOST: usize = 8;

/// Packets may be captured out of order, when they pass several queues of a network card. After this time one that is
/// missing does not come any more.
const PATIENCE: Duration = Duration::from_millis(100);

/// Sequence numbers between packets that were seen.
#[derive(Clone, Copy, Debug)]
struct Hole {
    start: SeqNumber,
    end: SeqNumber,
    since: Timestamp,
}

/// The holes in what one end has sent.
///
/// A hole may be a packet that the network has lost: it is sent again. It is a gap in the capture if the other end
/// acknowledges what was not seen (Wireshark: "ACKed unseen segment").
#[derive(Debug, Default)]
pub(super) struct Gaps {
    holes: Vec<Hole>,
    /// Since when the other end has acknowledged more than was seen at all.
    ahead_since: Option<Timestamp>,
}

impl Gaps {
    /// A segment began at `end` where `start` was expected.
    pub(super) fn jumped(&mut self, at: Timestamp, start: SeqNumber, end: SeqNumber) {
        if self.holes.len() == MOST {
            self.holes.remove(0);
        }
        self.holes.push(Hole { start, end, since: at });
    }

    /// A segment with payload came from before the newest; whether it fills a hole, or more than one.
    pub(super) fn fill(&mut self, start: SeqNumber, end: SeqNumber) -> bool {
        let (mut filled, mut behind) = (false, None);
        for hole in &mut self.holes {
            if !end.is_after(hole.start) || !hole.end.is_after(start) {
                continue;
            }
            filled = true;
            if !start.is_after(hole.start) {
                hole.start = end;
            } else if !hole.end.is_after(end) {
                hole.end = start;
            } else {
                behind = Some(Hole { start: end, ..*hole });
                hole.end = start;
            }
        }
        self.holes.extend(behind.filter(|_| self.holes.len() < MOST));
        self.holes.retain(|hole| hole.end.is_after(hole.start));
        filled
    }

    /// The other end has acknowledged up to `ack` while `next` was to come next.
    pub(super) fn acknowledged(&mut self, at: Timestamp, next: SeqNumber, ack: SeqNumber) {
        if ack.is_after(next) {
            self.ahead_since.get_or_insert(at);
        } else {
            self.ahead_since = None;
        }
    }

    /// Counts the gaps there are by `now`, the other end having acknowledged up to `ack`. The second part is true when
    /// the last of them reaches up to `ack`: everything before that was sent, though nothing shows it.
    pub(super) fn settle(&mut self, now: Timestamp, ack: SeqNumber) -> (u64, bool) {
        let before = self.holes.len();
        self.holes.retain(|hole| hole.end.is_after(ack) || now.since(hole.since) < PATIENCE);
        let ahead = self.ahead_since.is_some_and(|since| now.since(since) >= PATIENCE);
        if ahead {
            self.ahead_since = None;
        }
        ((before - self.holes.len()) as u64 + u64::from(ahead), ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u32) -> SeqNumber = SeqNumber;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_micros(millis * 1000)
    }

    #[test]
    fn a_hole_that_was_acknowledged_is_a_gap() {
        let mut gaps = Gaps::default();
        gaps.jumped(at(0), S(100), S(200));
        assert_eq!(gaps.settle(at(500), S(100)), (0, false), "lost in the network perhaps");
        assert_eq!(gaps.settle(at(500), S(300)), (1, false));
        assert_eq!(gaps.settle(at(500), S(300)), (0, false), "counted once");
    }

    #[test]
    fn what_comes_late_fills_the_hole() {
        let mut gaps = Gaps::default();
        gaps.jumped(at(0), S(u32::MAX - 49), S(50));
        assert!(gaps.fill(S(u32::MAX - 9), S(10)), "from the middle");
        assert!(gaps.fill(S(u32::MAX - 49), S(u32::MAX - 9)));
        assert!(gaps.fill(S(10), S(60)));
        assert!(!gaps.fill(S(10), S(60)), "sent again");
        assert_eq!(gaps.settle(at(500), S(300)), (0, false));
    }

    #[test]
    fn what_is_sent_again_fills_all_holes_it_covers() {
        let mut gaps = Gaps::default();
        gaps.jumped(at(0), S(100), S(200));
        gaps.jumped(at(1), S(300), S(400));
        gaps.jumped(at(2), S(500), S(600));
        assert!(gaps.fill(S(100), S(550)));
        assert_eq!(gaps.settle(at(500), S(500)), (0, false));
        assert_eq!(gaps.settle(at(500), S(700)), (1, false), "the rest of the last one");
    }

    #[test]
    fn an_acknowledgement_may_be_captured_before_what_it_acknowledges() {
        let mut gaps = Gaps::default();
        gaps.acknowledged(at(0), S(100), S(200));
        gaps.acknowledged(at(1), S(200), S(200));
        assert_eq!(gaps.settle(at(500), S(200)), (0, false));
        gaps.acknowledged(at(600), S(200), S(300));
        assert_eq!(gaps.settle(at(650), S(300)), (0, false), "too early to tell");
        assert_eq!(gaps.settle(at(700), S(300)), (1, true));
    }
}
