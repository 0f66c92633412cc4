//! The program in surroundings of the test's making.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use observer::log::{Line, Reader};
use tempfile::TempDir;

use crate::support::process::{PATIENCE, Process};

/// Options with which the program needs no privilege and sees no connection of anybody.
pub(crate) const QUIET: &[&str] = &["live", "--plain", "--no-kernel", "--port", "1"];

/// The host and the user as they are.
pub(crate) const AS_THEY_ARE: &[&str] = &[];

/// Where a test has its files, and a program that every user can run.
pub(crate) struct Place {
    directory: TempDir,
}

impl Place {
    /// A directory that everybody may write to.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        // Into everybody's build directory another user cannot look.
        fs::copy(env!("CARGO_BIN_EXE_observer"), directory.path().join("observer")).unwrap();
        Self { directory }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The words that run the program in `surroundings`; it does not outlive who starts it.
    pub(crate) fn observer(&self, surroundings: &[impl AsRef<str>], options: &[&str]) -> Vec<String> {
        let program = self.path("observer");
        let mut words: Vec<String> = surroundings.iter().map(|word| word.as_ref().to_owned()).collect();
        words.extend(["setpriv", "--pdeathsig=KILL", "--", program.to_str().unwrap()].map(str::to_owned));
        words.extend(options.iter().map(|&option| option.to_owned()));
        words
    }
}

/// The words that run what follows in a mount namespace of its own, after `script` has changed what is mounted.
pub(crate) fn mounts_changed_by(script: &str) -> Vec<String> {
    let script = format!("set -e; {script}; exec \"$@\"");
    ["unshare", "--mount", "sh", "-c", &script, "sh"].map(str::to_owned).into()
}

/// A command of these words.
pub(crate) fn command(words: &[String]) -> Command {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command
}

/// Starts the program and waits until it watches.
pub(crate) fn start(words: &[String]) -> Process {
    let process = Process::spawn("observer", &mut command(words)).unwrap();
    said(&process, "observer: watching ");
    process
}

/// Waits for a line on standard error that has all of this in it.
pub(crate) fn said(process: &Process, part: &str) -> String {
    process.wait_stderr(part, |line| line.contains(part).then(|| line.to_owned())).unwrap()
}

/// Ends it as a service manager does; it must end well.
pub(crate) fn stop(mut process: Process) -> Vec<String> {
    process.signal(Signal::SIGTERM).unwrap();
    let status = process.wait().unwrap();
    assert_eq!(status.code(), Some(0), "{:?}", process.stderr.all());
    process.stderr.all()
}

/// The lines of a log that is whole.
pub(crate) fn whole_log(log: &[u8]) -> Vec<Line> {
    let lines: anyhow::Result<Vec<_>> = Reader::new(log).unwrap().collect();
    lines.unwrap_or_else(|error| panic!("{error:#}\n{}", String::from_utf8_lossy(log)))
}

/// Waits for something of which nothing tells when it happens: what a file holds, what the kernel frees.
pub(crate) fn eventually(what: &str, happened: impl Fn() -> bool) {
    let since = Instant::now();
    while !happened() {
        assert!(since.elapsed() < PATIENCE, "{what} did not come within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
