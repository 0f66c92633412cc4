//! The one time line of all events.

use std::fmt;
use std::num::NonZeroU64;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A moment on the observation clock, in whole microseconds since the Unix epoch.
///
/// The observation clock never steps: a live source takes the kernel's `CLOCK_MONOTONIC` and adds the distance
/// to the wall clock once, when it starts. A capture uses the stamps of its packets. The resolution is that of
/// the event log, so that what is replayed from a log is exactly what was judged live.
///
/// A connection has many moments that it may not know: `Option<Timestamp>` takes no more room than a `Timestamp`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(
    /// Microseconds from the beginning of representable time, so that none of them is zero.
    NonZeroU64,
);

/// The epoch, by that count.
const EPOCH: u64 = 1 << 63;

const _: () = assert!(size_of::<Option<Timestamp>>() == size_of::<u64>());

impl Timestamp {
    /// The Unix epoch.
    pub const EPOCH: Self = Self::from_micros(0);

    /// From microseconds since the Unix epoch. The first of all that are representable, `i64::MIN`, is taken for the second.
    pub const fn from_micros(micros: i64) -> Self {
        match NonZeroU64::new(EPOCH.wrapping_add_signed(micros)) {
            Some(count) => Self(count),
            None => Self(NonZeroU64::MIN),
        }
    }

    /// From nanoseconds since the Unix epoch; what is finer than a microsecond is cut off.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self::from_micros(nanos.div_euclid(1_000))
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_micros(self) -> i64 {
        self.0.get().wrapping_sub(EPOCH).cast_signed()
    }

    /// The time from `earlier` to `self`, zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.get().saturating_sub(earlier.0.get()))
    }
}

impl Default for Timestamp {
    fn default() -> Self {
        Self::EPOCH
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    /// Saturates at the end of representable time.
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    /// Saturates at the beginning of representable time.
    fn sub(self, duration: Duration) -> Self {
        let count = self.0.get().saturating_sub(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
        Self(NonZeroU64::new(count).unwrap_or(NonZeroU64::MIN))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with microseconds: `2024-05-04T14:03:41.204000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.as_micros()) {
            Ok(time) => write!(f, "{time:.6}"),
            // Beyond the years RFC 3339 can name; only a corrupt source gets here.
            Err(_) => write!(f, "{} us since the epoch", self.as_micros()),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let time: jiff::Timestamp = text.parse().map_err(de::Error::custom)?;
        Ok(Self::from_micros(time.as_microsecond()))
    }
}

/// When something happens or happened: certain when both ends of the range are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeRange {
    /// Not before.
    pub earliest: Timestamp,
    /// Not after.
    pub latest: Timestamp,
}

impl TimeRange {
    /// A moment that is known.
    pub(crate) fn at(moment: Timestamp) -> Self {
        Self { earliest: moment, latest: moment }
    }

    /// How wide the range is.
    pub fn width(&self) -> Duration {
        self.latest.since(self.earliest)
    }
}

/// Durations in serialised forms: seconds as a number, as the event log and the report promise.
pub(crate) mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(duration.as_secs_f64())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        read(f64::deserialize(deserializer)?)
    }

    /// Of the longest durations the number is rounded up to one that no duration has: they are the longest of all.
    fn read<E: de::Error>(seconds: f64) -> Result<Duration, E> {
        if seconds >= Duration::MAX.as_secs_f64() {
            return Ok(Duration::MAX);
        }
        Duration::try_from_secs_f64(seconds).map_err(E::custom)
    }

    /// The same for a duration that may be unknown.
    pub(crate) mod option {
        use std::time::Duration;

        use serde::{Deserialize, Deserializer, Serializer};

        #[expect(clippy::ref_option, reason = "the signature that serde's `with` asks for")]
        pub(crate) fn serialize<S: Serializer>(
            duration: &Option<Duration>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            match duration {
                Some(duration) => serializer.serialize_some(&duration.as_secs_f64()),
                None => serializer.serialize_none(),
            }
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Duration>, D::Error> {
            Option::<f64>::deserialize(deserializer)?.map(super::read).transpose()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_rfc_3339_with_microseconds_and_reads_it_back() {
        let time = Timestamp::from_micros(1_714_831_421_204_007);
        assert_eq!(time.to_string(), "2024-05-04T14:03:41.204007Z");
        let text = serde_json::to_string(&time).unwrap();
        assert_eq!(serde_json::from_str::<Timestamp>(&text).unwrap(), time);
    }

    #[test]
    fn every_duration_can_be_read_that_was_written() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Both(#[serde(with = "seconds")] Duration, #[serde(with = "seconds::option")] Option<Duration>);
        for duration in [Duration::ZERO, Duration::from_millis(1_500), Duration::MAX] {
            let both = Both(duration, Some(duration));
            let text = serde_json::to_string(&both).unwrap();
            assert_eq!(serde_json::from_str::<Both>(&text).unwrap(), both, "{text}");
        }
        assert!(serde_json::from_str::<Both>("[-1.0, null]").is_err());
    }

    #[test]
    fn arithmetic_saturates() {
        let time = Timestamp::from_micros(5);
        assert_eq!(time.since(Timestamp::from_micros(9)), Duration::ZERO);
        assert_eq!(Timestamp::from_micros(i64::MAX) + Duration::MAX, Timestamp::from_micros(i64::MAX));
        assert_eq!(Timestamp::from_nanos(-1), Timestamp::from_micros(-1));
    }
}
