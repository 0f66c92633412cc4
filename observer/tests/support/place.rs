//! A directory with files, and the program run in it.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use observer_core::Event;
use tempfile::TempDir;

use super::recording::write_log;

/// Files, and the program run beside them.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn log(self, name: &str, events: &[Event]) -> Self {
        write_log(&self.path().join(name), "db1", events);
        self
    }

    pub(crate) fn file(self, name: &str, content: &[u8]) -> Self {
        std::fs::write(self.path().join(name), content).unwrap();
        self
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_observer"));
        command.current_dir(self.path()).args(args).stdin(Stdio::null());
        command
    }

    /// Runs it to its end: standard output, standard error and status.
    pub(crate) fn run(&self, args: &[&str]) -> (String, String, i32) {
        let Output { stdout, stderr, status } = self.command(args).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(stdout), text(stderr), status.code().unwrap())
    }

    /// Runs it to its end while nobody reads its standard output: standard error and status.
    pub(crate) fn run_unread(&self, args: &[&str]) -> (String, i32) {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let child = self.command(args).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        let Output { stderr, status, .. } = child.wait_with_output().unwrap();
        (String::from_utf8(stderr).unwrap(), status.code().unwrap())
    }

    /// What it reports.
    pub(crate) fn report(&self, args: &[&str]) -> String {
        let (stdout, stderr, status) = self.run(&[&["report"], args].concat());
        assert_eq!((stderr.as_str(), status), ("", 0));
        stdout
    }
}
