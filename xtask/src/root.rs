//! Doing as root what needs root.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

/// Whether this is root.
fn is_root() -> anyhow::Result<bool> {
    // The owner of /proc/self is the effective user.
    Ok(fs::metadata("/proc/self").context("reading /proc/self")?.uid() == 0)
}

/// Lets cargo run as root what it has built: tests and benches, not the build.
pub(crate) fn run_as_root(cargo: &mut Command) -> anyhow::Result<()> {
    if !is_root()? {
        cargo.args(["--config", r#"target."cfg(unix)".runner = ["sudo", "--preserve-env"]"#]);
    }
    Ok(())
}

/// A command that runs `program` as root, by sudo where this is another user.
///
/// # Errors
///
/// When there is no way to do that; the message names `what_for`.
pub(crate) fn command(program: &str, what_for: &str) -> anyhow::Result<Command> {
    if is_root()? {
        return Ok(Command::new(program));
    }
    let sudo = Command::new("sudo").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if sudo.is_ok_and(|status| status.success()) {
        let mut command = Command::new("sudo");
        command.arg("--preserve-env").arg(program);
        return Ok(command);
    }
    bail!(
        "{what_for} needs root, and there is no sudo: run this as root, or only what needs neither with \
         `cargo xtask test --quick`"
    )
}
