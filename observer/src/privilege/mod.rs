//! What the observer is allowed to do, and giving up what it no longer needs. docs/PRIVILEGES.md has the table.

mod capabilities;
mod sandbox;

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::{AccessFlags, faccessat};

pub use capabilities::{Capabilities, Capability};
pub(crate) use capabilities::{keep, takes_any, with};
pub use sandbox::{Uses, confine};

/// From here on no program that this thread, or one it starts, may run gets more permission than the thread has
/// (`PR_SET_NO_NEW_PRIVS`, prctl(2)), not even by being root's. It runs itself, to talk to a
/// server, and an alert's command.
///
/// # Errors
///
/// When the kernel refuses: a filter of system calls forbids it.
pub fn no_new_privileges() -> anyhow::Result<()> {
    rustix::thread::set_no_new_privs(true).context("giving up the chance of new privileges")
}

/// What it takes to make a file in `directory`.
///
/// # Errors
///
/// When it cannot be tried.
pub(crate) fn writing_to(directory: &Path) -> anyhow::Result<Capabilities> {
    let takes = takes_any(|| may(directory, AccessFlags::W_OK | AccessFlags::X_OK))?;
    Ok(Capabilities::of(takes.then_some(Capability::DacOverride).as_slice()))
}

/// What it takes to read the files in `directory`.
///
/// # Errors
///
/// When it cannot be tried.
fn reading_in(directory: &Path) -> anyhow::Result<Capabilities> {
    let files = || {
        fs::read_dir(directory)
            .is_ok_and(|files| files.flatten().all(|file| may(&file.path(), AccessFlags::R_OK)))
    };
    let takes = takes_any(files)?;
    Ok(Capabilities::of(takes.then_some(Capability::DacReadSearch).as_slice()))
}

/// By the capabilities in effect; access(2) goes by those that are permitted.
fn may(path: &Path, access: AccessFlags) -> bool {
    faccessat(AT_FDCWD, path, access, AtFlags::AT_EACCESS).is_ok()
}
