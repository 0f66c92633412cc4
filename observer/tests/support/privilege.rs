//! Whether a test that needs privilege can run.

use std::io::Write as _;

use nix::unistd::geteuid;

/// Changes to a user without privilege. Who changes the user loses what `--pdeathsig` has set before.
pub(crate) const NOBODY: &[&str] =
    &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--pdeathsig=KILL", "--"];

/// Whether the test runs as root; where it does not, it is skipped by name and reason. Under CI it must.
pub(crate) fn is_root(test: &str, what_for: &str) -> bool {
    let root = geteuid().is_root();
    if !root {
        assert!(std::env::var_os("CI").is_none(), "{test} needs root, and nothing is skipped under CI");
        // Not by `eprintln`, which the test harness keeps to itself when a test passes.
        let line = format!("skipped: {test}: {what_for} needs root\n");
        std::io::stderr().write_all(line.as_bytes()).expect("standard error is open");
    }
    root
}
