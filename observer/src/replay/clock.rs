//! The time that is shown.

use std::time::Duration;

use observer_core::Timestamp;
use tokio::time::Instant;

use crate::view::Speed;

/// The slowest and the fastest.
const SPEEDS: (f64, f64) = (0.1, 1024.0);

/// A clock that runs as fast as one likes, from one moment to another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// It showed this…
    then: Timestamp,
    /// … at this moment.
    since: Instant,
    speed: f64,
    paused: bool,
    end: Timestamp,
}

impl Clock {
    pub(super) fn new(start: Timestamp, end: Timestamp, speed: Speed) -> Self {
        Self { then: start, since: Instant::now(), speed: speed.0, paused: false, end }
    }

    /// What it shows.
    pub(super) fn now(&self) -> Timestamp {
        if self.paused {
            return self.then;
        }
        let passed = Duration::try_from_secs_f64(self.since.elapsed().as_secs_f64() * self.speed);
        (self.then + passed.unwrap_or(Duration::MAX)).min(self.end)
    }

    pub(super) fn set(&mut self, now: Timestamp) {
        (self.then, self.since) = (now.min(self.end), Instant::now());
    }

    pub(super) fn speed(&self) -> Speed {
        Speed(self.speed)
    }

    /// Makes it run so many times faster.
    pub(super) fn hurry(&mut self, times: f64) {
        self.set(self.now());
        self.speed = (self.speed * times).clamp(SPEEDS.0, SPEEDS.1);
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused
    }

    /// Stops it or lets it go on.
    pub(super) fn pause(&mut self, paused: bool) {
        self.set(self.now());
        self.paused = paused;
    }

    /// How long until it shows `at`; `None` while it does not run towards it.
    pub(super) fn until(&self, at: Timestamp) -> Option<Duration> {
        if self.paused || at > self.end {
            return None;
        }
        Duration::try_from_secs_f64(at.since(self.now()).as_secs_f64() / self.speed).ok()
    }

    /// Whether it shows the last moment.
    pub(super) fn has_ended(&self) -> bool {
        self.now() >= self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn runs_stands_hurries_and_ends() {
        let at = |seconds| Timestamp::EPOCH + Duration::from_secs(seconds);
        let mut clock = Clock::new(at(100), at(200), Speed(1.0));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(clock.now(), at(110));
        clock.pause(true);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!((clock.now(), clock.until(at(120))), (at(110), None));
        clock.pause(false);
        clock.hurry(4.0);
        assert_eq!(clock.until(at(130)), Some(Duration::from_secs(5)));
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(clock.now(), at(130));
        tokio::time::advance(Duration::from_secs(500)).await;
        assert_eq!(clock.now(), at(200));
        assert!(clock.has_ended());
        clock.set(at(150));
        assert_eq!(clock.now(), at(150));
        clock.hurry(f64::INFINITY);
        assert_eq!(clock.speed(), Speed(SPEEDS.1));
    }
}
