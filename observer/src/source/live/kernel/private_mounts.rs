//! File systems that are mounted for nobody else to see, where the host has not mounted them.

use anyhow::Context as _;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

/// Makes a mount namespace for the calling thread. What is mounted in it is gone when the thread ends, and with it
/// everything but what was opened.
///
/// # Errors
///
/// Without `CAP_SYS_ADMIN`.
pub(super) fn enter() -> anyhow::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS).context("making a mount namespace (needs CAP_SYS_ADMIN)")?;
    let none: Option<&str> = None;
    // Else systemd's shared mounts would carry ours back to the host. What the host unmounts is to go here too.
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_SLAVE, none).context("making the mounts private")
}

/// Mounts a file system of the kernel's.
///
/// # Errors
///
/// When this kernel has no such file system, or there is no such directory.
pub(super) fn add(fs_type: &str, point: &str) -> anyhow::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let none: Option<&str> = None;
    mount(Some(fs_type), point, Some(fs_type), flags, none)
        .with_context(|| format!("mounting {fs_type} on {point}"))
}
