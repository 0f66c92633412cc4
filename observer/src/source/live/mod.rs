//! The running host: kernel programs and socket diagnostics, merged into one stream of events.

pub mod diag;
mod observation_clock;

pub use observation_clock::ObservationClock;
