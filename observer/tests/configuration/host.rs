//! A host with a configuration of its own.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use clap::CommandFactory as _;
use observer::cli::{Cli, Command, RecordArgs};
use observer::config::{message, resolve, show};
use tempfile::TempDir;

/// A host with a configuration.
pub(super) struct Host {
    directory: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Host {
    pub(super) fn new(file: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let host = Self { directory, variables: Vec::new() };
        fs::write(host.file(), file).expect("a file");
        let file = host.file().display().to_string();
        host.with("OBSERVER_CONFIG", &file)
    }

    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    pub(super) fn file(&self) -> PathBuf {
        self.directory.path().join("observer.toml")
    }

    pub(super) fn variable(&self, name: &str) -> Option<OsString> {
        self.variables.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| value.into())
    }

    pub(super) fn read(&self, arguments: &[&str]) -> Result<Cli, clap::Error> {
        Cli::read(&line(arguments), &|name| self.variable(name))
    }

    pub(super) fn record(&self, arguments: &[&str]) -> RecordArgs {
        match self.read(&[&["record"], arguments].concat()).expect("it is right").command {
            Some(Command::Record(record)) => record,
            other => panic!("not record: {other:?}"),
        }
    }

    /// What is wrong, with the file as `FILE`.
    pub(super) fn wrong(&self, arguments: &[&str]) -> String {
        let error = self.read(arguments).expect_err("it is wrong");
        assert_eq!(error.exit_code(), 2);
        message(&error).replace(&self.file().display().to_string(), "FILE")
    }

    /// What holds, with the file as `FILE`.
    pub(super) fn shown(&self, arguments: &[&str]) -> String {
        let resolved =
            resolve(&Cli::command(), &line(arguments), &|name| self.variable(name)).expect("it is right");
        show(&resolved).replace(&self.file().display().to_string(), "FILE")
    }
}

/// A command line.
pub(super) fn line(arguments: &[&str]) -> Vec<OsString> {
    ["observer"].iter().chain(arguments).map(OsString::from).collect()
}

/// What is shown, without where it comes from.
pub(super) fn values(shown: &str) -> Vec<&str> {
    shown.lines().map(|line| line.split("  #").next().unwrap_or_default()).collect()
}
