//! What the client has acknowledged over the last time, A(t): by it a server's wait is bounded from outside.
//!
//! A server that waits begins to write again when its client has acknowledged a certain number of bytes since the
//! wait began. So a wait that goes on began when no more than that number was missing of what is acknowledged now.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::sample::{DirectionSample, MILESTONE_STEP};
use crate::seq::SeqNumber;
use crate::time::{TimeRange, Timestamp};

/// Points kept at most. Where there are more, the one that says least goes: the bounds get wider, never wrong.
const CAPACITY: usize = 64;

/// Where the count of bytes begins: anywhere, with room for what is told of earlier times later.
const BEGINNING: u64 = 1 << 48;

/// A server may close this long after its deadline: its `poll` has some slack, and it rolls its statement back
/// first. Until then its socket acknowledges what comes in.
pub(crate) const GRACE: Duration = Duration::from_secs(1);

/// No segment has more payload than this (RFC 791, 3.1: total length).
const SEGMENT: u64 = 64 * 1024;

/// What does not fit into the window is held back for this long at least: `TCP_RTO_MIN` of 200 ms, and times may be early
/// by two ticks of a kernel with 100 a second.
const HELD_BACK: Duration = Duration::from_millis(180);

/// A(t) had this value from `first` to `last`; between two points it grew at moments that are not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Point {
    first: Timestamp,
    last: Timestamp,
    acked: u64,
}

/// The places where acknowledged bytes are counted, each from a beginning of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Count {
    /// Acknowledgement numbers of the client's segments.
    Ack(SeqNumber),
    /// `bytes_received` of the client's socket.
    Received(u64),
    /// `bytes_acked` of the server's socket.
    Acked(u64),
}

/// How much a server can have had in its send buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The server can write again when this much has been acknowledged since it filled its buffer.
    pub(crate) until_writable: u64,
    /// Its buffer holds no more than this.
    pub(crate) held: u64,
    /// How long a wait lasts before the server gives up.
    pub(crate) timeout: Duration,
    /// Whether it would have been seen that the server has given up, so that it has not.
    pub(crate) abort_shows: bool,
}

/// The curve, as far as it matters to the present wait.
#[derive(Clone, Debug)]
pub(crate) struct Curve {
    points: VecDeque<Point>,
    /// What each count said last, and where on the curve that was.
    counts: [Option<(u64, u64)>; 3],
    /// The server is known not to have waited at this moment.
    idle_at: Timestamp,
    /// Nothing is known of what was acknowledged before.
    known_since: Timestamp,
    /// What was acknowledged by then.
    known_from: u64,
}

impl Curve {
    /// Begins with the closing of the window: it closes with the last bytes that were acknowledged.
    pub(crate) fn new(closed: TimeRange) -> Self {
        let closing = Point { first: closed.latest, last: closed.latest, acked: BEGINNING };
        Self {
            points: VecDeque::from([closing]),
            counts: [None; 3],
            idle_at: Timestamp::EPOCH,
            known_since: closed.earliest,
            known_from: BEGINNING,
        }
    }

    /// A count has reached its value at `first`, and still has it at `last`.
    pub(crate) fn note(&mut self, first: Timestamp, last: Timestamp, count: Count) {
        // What was read before the newest bytes came, and is told after them, says nothing new.
        if last < self.last_advance() {
            return;
        }
        let acked = self.position(count);
        let Some(newest) = self.points.back_mut() else { return };
        if acked == newest.acked {
            newest.last = newest.last.max(last);
        } else if acked > newest.acked {
            let first = first.max(newest.last);
            self.make_room();
            self.points.push_back(Point { first, last: last.max(first), acked });
        }
    }

    /// The place of a count on the curve. What counts for the first time is taken to say what is known already.
    fn position(&mut self, count: Count) -> u64 {
        let newest = self.newest().acked;
        let (place, value) = match count {
            Count::Ack(ack) => (0, u64::from(ack.0)),
            Count::Received(bytes) => (1, bytes),
            Count::Acked(bytes) => (2, bytes),
        };
        let (known, acked) = self.counts[place].unwrap_or((value, newest));
        let advance = match count {
            // Across the wrap; an old segment does not count.
            Count::Ack(ack) => {
                let known = SeqNumber(u32::try_from(known).unwrap_or_default());
                if ack.is_after(known) { u64::from(ack.distance_from(known)) } else { 0 }
            }
            _ => value.saturating_sub(known),
        };
        let acked = acked.saturating_add(advance);
        if advance > 0 || self.counts[place].is_none() {
            self.counts[place] = Some((value, acked));
        }
        acked
    }

    /// What was acknowledged before, as the counters of the client's direction tell it: those read just now, which
    /// are noted already, or older ones of `at`. A server that read a command at `commanded_at` did not wait then.
    pub(crate) fn note_earlier(
        &mut self,
        at: Timestamp,
        sample: &DirectionSample,
        commanded_at: Option<Timestamp>,
    ) {
        let Some((ack, newest)) = self.counts[0] else { return };
        let ack = SeqNumber(u32::try_from(ack).unwrap_or_default());
        // Told out of order, it says nothing of earlier times.
        if sample.ack.is_after(ack) {
            return;
        }
        let now = newest.saturating_sub(ack.distance_from(sample.ack).into());
        self.insert(sample.last_ack_advance.unwrap_or(at).min(at), at, now);
        let milestones = &sample.milestones[sample.milestones.len().saturating_sub(4 * CAPACITY)..];
        for milestone in milestones {
            let before = sample.acknowledged.saturating_sub(milestone.acknowledged);
            self.insert(milestone.at, milestone.at, now.saturating_sub(before));
        }
        let (oldest, acknowledged) = match milestones.first() {
            Some(first) => (first.at, first.acknowledged),
            None => (at, sample.acknowledged),
        };
        // The first milestone is a step after the beginning: then this is all there is.
        let is_all = acknowledged < MILESTONE_STEP * 2;
        let (known_since, acknowledged) = match commanded_at.filter(|_| is_all) {
            Some(commanded_at) => (commanded_at.min(oldest), 0),
            None => (oldest, acknowledged),
        };
        if known_since < self.known_since {
            self.known_since = known_since;
            self.known_from = now.saturating_sub(sample.acknowledged.saturating_sub(acknowledged));
        }
    }

    /// A point of earlier times, where it fits between the others.
    fn insert(&mut self, first: Timestamp, last: Timestamp, acked: u64) {
        let place = self.points.partition_point(|point| point.acked < acked);
        let fits_below = place.checked_sub(1).is_none_or(|below| self.points[below].last <= first);
        let fits_above =
            self.points.get(place).is_some_and(|above| above.acked > acked && last <= above.first);
        if last >= self.idle_at && fits_below && fits_above {
            self.make_room();
            let place = self.points.partition_point(|point| point.acked < acked);
            self.points.insert(place, Point { first, last, acked });
        }
    }

    /// Makes room for one more: the ends stay, and of the others the one without which the gap is smallest goes.
    fn make_room(&mut self) {
        if self.points.len() < CAPACITY {
            return;
        }
        let gap = |place: &usize| self.points[place + 1].acked - self.points[place - 1].acked;
        if let Some(least) = (1..self.points.len() - 1).min_by_key(gap) {
            self.points.remove(least);
        }
    }

    /// The server was not waiting at this moment.
    pub(crate) fn not_waiting_at(&mut self, at: Timestamp) {
        self.idle_at = self.idle_at.max(at);
        while self.points.len() > 1 && self.points[0].last < self.idle_at {
            self.points.pop_front();
        }
    }

    /// The last moment at which the server is known not to have waited.
    pub(crate) fn idle_at(&self) -> Timestamp {
        self.idle_at
    }

    /// When the newest bytes were acknowledged.
    pub(crate) fn last_advance(&self) -> Timestamp {
        self.newest().first
    }

    /// When the newest bytes were acknowledged, but for those that their sender had held back: a kernel whose next
    /// segment does not fit into the window sends what fits when nothing else was sent for a retransmission timeout
    /// (`tcp_write_wakeup`, net/ipv4/tcp_output.c). The window was as good as closed until then.
    pub(crate) fn last_whole_advance(&self) -> Timestamp {
        let newest = self.newest();
        let before = self.points.iter().rev().nth(1).filter(|before| {
            newest.acked - before.acked < SEGMENT && newest.first.since(before.first) >= HELD_BACK
        });
        before.map_or(newest.first, |before| before.first)
    }

    /// Bytes acknowledged since `at`, at most.
    pub(crate) fn acknowledged_since(&self, at: Timestamp) -> u64 {
        let newest = self.newest().acked;
        let then = self.points.partition_point(|point| point.first <= at);
        let then = then.checked_sub(1).map_or(self.known_from, |place| self.points[place].acked);
        newest - then
    }

    /// Whether anything is known of what had been acknowledged by this time.
    pub(crate) fn is_known_at(&self, at: Timestamp) -> bool {
        self.known_since < at || self.idle_at >= at
    }

    /// When the server's present wait began, if it waits: with this many bytes acknowledged since.
    pub(crate) fn begun_with(&self, acknowledged: RangeInclusive<u64>, now: Timestamp) -> TimeRange {
        let newest = self.newest().acked;
        let begins = self.begins().find(|(_, acked)| newest - acked <= *acknowledged.end());
        let earliest = begins.map_or(self.last_advance(), |(at, _)| at);
        let latest = self.points.iter().rev().find(|point| newest - point.acked >= *acknowledged.start());
        self.range(earliest, latest.map_or(earliest, |point| point.first), now)
    }

    /// When the server's wait began, if it waits or has given up waiting: a wait that may still go on, or one that
    /// has lasted its time and ended in an abort.
    pub(crate) fn begun_within(&self, limits: &Limits, now: Timestamp) -> TimeRange {
        let earliest = self.begins().find(|begin| self.is_possible(*begin, limits, now));
        self.range(earliest.map_or(self.last_advance(), |(at, _)| at), self.last_advance(), now)
    }

    fn range(&self, earliest: Timestamp, latest: Timestamp, now: Timestamp) -> TimeRange {
        let latest = if self.is_open_ended() { now } else { latest };
        TimeRange { earliest, latest: latest.max(earliest) }
    }

    /// A server that did not wait when the last bytes were acknowledged can have begun at any time since.
    pub(crate) fn is_open_ended(&self) -> bool {
        self.idle_at > self.last_advance()
    }

    /// The earliest moments at which a wait can have begun, one for each stretch of the curve, with what was
    /// acknowledged by the end of that stretch.
    fn begins(&self) -> impl Iterator<Item = (Timestamp, u64)> {
        let first = self.points.iter().take(1).map(|point| (self.known_since, point.acked));
        let others = self.points.iter().zip(self.points.iter().skip(1));
        let others = others.map(|(before, after)| (before.last, after.acked));
        first.chain(others).map(|(at, acked)| (at.max(self.idle_at), acked))
    }

    /// Whether a wait can have begun at `begin` and not have ended in time.
    fn is_possible(&self, (begin, acked): (Timestamp, u64), limits: &Limits, now: Timestamp) -> bool {
        let end = begin + limits.timeout;
        let newest = self.newest().acked;
        if limits.abort_shows || end + GRACE >= now {
            return newest - acked <= limits.until_writable;
        }
        let after = self.points.partition_point(|point| point.first <= end);
        let Some(then) = after.checked_sub(1).map(|place| self.points[place]) else { return true };
        // What was acknowledged later was in the buffer at the abort.
        let next = self.points.get(after).filter(|_| then.last < end).unwrap_or(&then);
        then.acked.saturating_sub(acked) <= limits.until_writable && newest - next.acked <= limits.held
    }

    fn newest(&self) -> Point {
        // There always is one.
        self.points.back().copied().unwrap_or(Point {
            first: self.known_since,
            last: self.known_since,
            acked: BEGINNING,
        })
    }
}
