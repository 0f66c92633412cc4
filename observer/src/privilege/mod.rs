//! What the observer is allowed to do, and giving up what it no longer needs. docs/PRIVILEGES.md has the table.

mod capabilities;

use anyhow::Context as _;

pub use capabilities::{Capabilities, Capability};
pub(crate) use capabilities::{keep, takes_any, with};

/// From here on no program that this thread, or one it starts, may run gets more permission than the thread has
/// (`PR_SET_NO_NEW_PRIVS`, prctl(2)), not even by being root's. The observer runs none.
///
/// # Errors
///
/// When the kernel refuses: a filter of system calls forbids it.
pub fn no_new_privileges() -> anyhow::Result<()> {
    rustix::thread::set_no_new_privs(true).context("giving up the chance of new privileges")
}
