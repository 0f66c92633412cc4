//! The distance between the kernel's clock and the wall clock.

use std::time::Duration;

use anyhow::Context as _;
use nix::time::{ClockId, clock_gettime};
use observer_core::Timestamp;

/// Turns the kernel's `CLOCK_MONOTONIC` (`bpf_ktime_get_ns`) into the observation clock.
///
/// The distance to the wall clock is taken once, so that the observation clock never steps when somebody sets
/// the wall clock. `CLOCK_MONOTONIC` is also the clock by which the kernel ends a server's `poll`.
#[derive(Clone, Copy, Debug)]
pub struct ObservationClock {
    /// Nanoseconds to add to `CLOCK_MONOTONIC`.
    offset: i64,
}

impl ObservationClock {
    /// Takes the distance now. Of several tries the one with the shortest gap between its readings is kept.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to tell the time.
    pub fn new() -> anyhow::Result<Self> {
        let mut best: Option<(i64, i64)> = None;
        for _ in 0..5 {
            let before = nanos(ClockId::CLOCK_MONOTONIC)?;
            let wall = nanos(ClockId::CLOCK_REALTIME)?;
            let after = nanos(ClockId::CLOCK_MONOTONIC)?;
            let gap = after - before;
            if best.is_none_or(|(smallest, _)| gap < smallest) {
                best = Some((gap, wall - (before + gap / 2)));
            }
        }
        let (_, offset) = best.context("reading the clocks")?;
        Ok(Self { offset })
    }

    /// The clock of a log that is being written, if it is the one of this host since its last start: so that it can be
    /// followed by the same clock. `offset` is that of its header, in seconds.
    pub fn of_log(self, offset: f64) -> Option<Self> {
        #[expect(clippy::cast_possible_truncation, reason = "saturates, and is far off then")]
        let offset = (offset * 1e9) as i64;
        // By so much somebody may have set the wall clock since.
        let same = Duration::from_nanos(offset.abs_diff(self.offset)) < Duration::from_secs(60);
        same.then_some(Self { offset })
    }

    /// A stamp of the kernel programs, in nanoseconds of `CLOCK_MONOTONIC`, on the observation clock.
    pub fn from_kernel(self, monotonic_nanos: u64) -> Timestamp {
        Timestamp::from_nanos(i64::try_from(monotonic_nanos).unwrap_or(i64::MAX).saturating_add(self.offset))
    }

    /// Now, on the observation clock.
    pub fn now(self) -> Timestamp {
        // Both clocks were readable in `new`; a clock cannot go away.
        let monotonic = nanos(ClockId::CLOCK_MONOTONIC).unwrap_or(0);
        Timestamp::from_nanos(monotonic.saturating_add(self.offset))
    }

    /// Nanoseconds to add to `CLOCK_MONOTONIC` to get the observation clock.
    pub fn offset_nanos(self) -> i64 {
        self.offset
    }
}

fn nanos(clock: ClockId) -> anyhow::Result<i64> {
    let time = clock_gettime(clock).with_context(|| format!("reading clock {clock}"))?;
    Ok(time.tv_sec() * 1_000_000_000 + time.tv_nsec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_beside_the_wall_clock() {
        let clock = ObservationClock::new().unwrap();
        let wall = Timestamp::from_nanos(nanos(ClockId::CLOCK_REALTIME).unwrap());
        let gap = clock.now().since(wall).max(wall.since(clock.now()));
        assert!(gap.as_secs() < 60, "the observation clock is {gap:?} off");
    }
}
