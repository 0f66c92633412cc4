//! The kernel programs: loading and attaching them, and what they tell.
//!
//! ```text
//! census          which connections have ended without a word
//! deaths          whether a server that closed has died
//! held            samples, until the records from before them are read
//! load            the object into the kernel, each program by itself; doctor shows how that goes
//! log             what the programs log, for debugging them
//! milestones      when a reader had acknowledged how much
//! private_mounts  what the host has not mounted, for nobody else to see
//! reader          the task that does it all
//! reads           attaches what follows reads, while somebody stands still
//! records         bytes of the ring buffer to events
//! sampler         the map of connections to samples, at the observer's own pace
//! scope           keeps to one cgroup what knows no cgroups
//! statements      what clients wait for, when their connections stand still
//! surroundings    the places the programs are attached at
//! tracepoints     which fields their programs need, and what is lost without each
//! trouble         which connections are looked at more often
//! waits           attaches what follows a server's waits, while its client stands still
//! ```
//!
//! Everything is held by file descriptors of this process: when it ends, however it ends, the programs are gone.

mod census;
mod deaths;
mod held;
mod load;
mod log;
mod milestones;
mod private_mounts;
mod reader;
mod reads;
mod records;
mod sampler;
mod scope;
mod statements;
mod surroundings;
mod tracepoints;
mod trouble;
mod waits;

pub(super) use load::PART;
pub(crate) use load::WITHOUT_ALL;
pub use load::{Attempt, Kernel, KernelOptions, Step};
pub(super) use log::forward as forward_log;
pub(super) use reader::{Inputs, Others, read};
pub(super) use reads::Reads;
pub(super) use records::Decoder;
pub(crate) use tracepoints::all as tracepoints;
pub(super) use waits::Waits;
