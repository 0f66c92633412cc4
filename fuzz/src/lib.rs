//! Fuzz targets of observer: whatever is read, it is neither believed blindly nor passed over in silence.
//!
//! What reads files is compiled from observer's own sources, without the rest of the program: to build everything that
//! the terminal view and the kernel's side draw on, instrumented, takes longer than the fuzzing.

#[path = "../../observer/src/counters.rs"]
mod counters;
mod judge;
mod reported;

#[path = "../../observer/src/directory.rs"]
mod directory;
#[path = "../../observer/src/log/mod.rs"]
pub mod log;
#[path = "../../observer/src/mysql/mod.rs"]
pub mod mysql;
#[path = "../../observer/src/progress.rs"]
pub mod progress;
#[path = "../../observer/src/report/mod.rs"]
pub mod report;
#[path = "../../observer/src/text/mod.rs"]
pub mod text;

/// What is recorded for years.
#[path = "../../observer/src/record"]
pub mod record {
    mod part;

    pub use part::{Part, parts};
}

/// Where events come from.
#[path = "../../observer/src/source"]
pub mod source {
    pub mod file;
    pub mod pcap;
    pub mod recording;
}

pub use judge::Judge;
pub use reported::reported;
