//! A release: what the packages are made of, and what is said of it in all of them.

use std::env;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;

use super::contents::Contents;
use super::target::Target;
use crate::places::repository;

/// A release for one machine.
pub(super) struct Release {
    /// What is in it.
    pub(super) contents: Contents,
    /// The machine.
    pub(super) target: &'static Target,
    /// Its number, as `observer --version` prints it.
    pub(super) version: String,
    /// The time that everything in the packages has, in seconds since 1970.
    pub(super) epoch: u64,
}

impl Release {
    /// That of the program at `program`, which was built for `target`.
    pub(super) fn of(program: &Path, target: &'static Target) -> anyhow::Result<Self> {
        let contents = Contents::gather(program, target)?;
        Ok(Self { contents, target, version: env!("CARGO_PKG_VERSION").to_owned(), epoch: source_date()? })
    }

    /// The time that everything in the packages has.
    pub(super) fn time(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.epoch)
    }
}

/// The time of the last commit, in seconds since 1970, or `SOURCE_DATE_EPOCH` (reproducible-builds.org).
fn source_date() -> anyhow::Result<u64> {
    let seconds = if let Ok(given) = env::var("SOURCE_DATE_EPOCH") {
        given
    } else {
        let output = Command::new("git")
            .args(["log", "--max-count=1", "--format=%ct"])
            .current_dir(repository())
            .output()
            .context("starting git")?;
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    seconds.trim().parse().context("no time of the last commit: set SOURCE_DATE_EPOCH to seconds since 1970")
}
