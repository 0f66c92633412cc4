//! The running host: kernel programs and socket diagnostics, merged into one stream of events.

mod observation_clock;

pub use observation_clock::ObservationClock;
