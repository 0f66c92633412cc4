//! How fast a server fills its send buffer, where that cannot be seen: a wait begins when it is full.

use std::time::Duration;

use crate::connection::{Connection, Stall, Told};
use crate::time::TimeRange;

/// Data that took longer than this came slowly, if the time counts that the server took to begin.
const SLOW: Duration = Duration::from_millis(300);

/// Data of an answer that took longer than this from its first byte on came slowly, if it came steadily. Its longest
/// pause does not count: a busy host makes one, and goes on as fast as before.
const SLOW_ANSWER: Duration = Duration::from_millis(75);

/// The kernel programs keep when an answer began in units of 2²⁰ ns, cut off: it may seem to come before what it answers.
const ANSWER_UNIT: Duration = Duration::from_nanos(2 << 20);

/// A server that is not slow fills its buffer in this time.
const MOMENT: Duration = Duration::from_millis(100);

impl Connection {
    /// The first time that the window closes, what is left of it at last is less than a segment, and comes late. That those
    /// few bytes made room in the send buffer is hardly possible.
    pub(super) fn without_held_back(&self, begun: TimeRange, stall: &Stall) -> TimeRange {
        let is_first = self.is_first_closing(stall) && self.window.told == Told::BySegments;
        if !is_first || stall.curve.is_open_ended() {
            return begun;
        }
        TimeRange { latest: begun.latest.min(stall.curve.last_whole_advance()).max(begun.earliest), ..begun }
    }

    /// Whether the window has not been closed before.
    fn is_first_closing(&self, stall: &Stall) -> bool {
        !stall.reopened && self.window.closings <= 1
    }

    /// How long the server may have gone on after the window had closed, to fill its buffer. One that produces faster
    /// than its client reads has filled it before; that shows by a window that had closed before.
    pub(super) fn time_to_fill(&self, stall: &Stall, begun: TimeRange, buffer: u64) -> Duration {
        if !self.is_first_closing(stall) {
            return Duration::ZERO;
        }
        let answer = stall.answer.filter(|answer| answer.began + ANSWER_UNIT > begun.earliest);
        let (came, taken, is_slow) = if let Some(answer) = answer {
            let taken = begun.latest.since(answer.began).saturating_sub(answer.pause);
            (answer.bytes, taken, taken >= SLOW_ANSWER.max(answer.pause))
        } else {
            let taken = begun.width();
            (stall.curve.acknowledged_since(begun.earliest), taken, taken >= SLOW)
        };
        if came == 0 {
            return Duration::ZERO;
        }
        #[expect(clippy::cast_precision_loss, reason = "a guess needs no more than 52 bits")]
        let share = buffer as f64 / came as f64;
        let most = if is_slow { Duration::MAX } else { MOMENT };
        Duration::try_from_secs_f64(taken.as_secs_f64() * share).map_or(most, |time| time.min(most))
    }
}
