//! `cargo xtask demo`.

use std::os::unix::process::CommandExt as _;

use anyhow::Context as _;

use crate::places::cargo;

/// Builds observer, with the kernel programs as they are kept in the repository, and becomes `observer demo`.
pub(crate) fn run(options: &[String]) -> anyhow::Result<()> {
    // `exec`, here and in cargo itself, so that keys and signals reach the view.
    let error = cargo().args(["run", "--package", "observer", "--", "demo"]).args(options).exec();
    Err(error).context("starting cargo")
}
