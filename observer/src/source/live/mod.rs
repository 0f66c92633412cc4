//! The running host: kernel programs and socket diagnostics, merged into one stream of events.

mod capabilities;
pub mod diag;
mod observation_clock;

pub use capabilities::{Capabilities, Capability};
pub use observation_clock::ObservationClock;
