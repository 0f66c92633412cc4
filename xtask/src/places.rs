//! Where things are.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

/// Debian's compiler (package `rustc-web`), where rustup has none that fits.
pub(crate) const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// The repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Where the set-up keeps what it installs outside the system: `OBSERVER_CACHE`, or `observer` in
/// `XDG_CACHE_HOME` or `~/.cache`.
pub(crate) fn cache() -> anyhow::Result<PathBuf> {
    let directory = |variable| env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    directory("OBSERVER_CACHE")
        .or_else(|| Some(directory("XDG_CACHE_HOME")?.join("observer")))
        .or_else(|| Some(directory("HOME")?.join(".cache/observer")))
        .context("no place for the set-up: set OBSERVER_CACHE to a directory")
}

/// Where cargo builds.
pub(crate) fn target_directory() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from)
}

/// The cargo that runs this, in the repository.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(repository());
    cargo
}
