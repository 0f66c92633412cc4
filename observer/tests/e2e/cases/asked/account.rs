//! Who asks.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use anyhow::Context as _;
use tempfile::TempDir;

use crate::harness::lab::Lab;
use crate::harness::names::temporary_directory;
use crate::harness::observer::{Observer, Vantage};

/// An option file with the password of those who ask.
pub(super) struct Account {
    _place: TempDir,
    file: PathBuf,
}

impl Account {
    pub(super) fn new() -> anyhow::Result<Self> {
        let place = temporary_directory()?;
        let file = place.path().join("my.cnf");
        fs::write(&file, "[observer]\npassword=sesame\n").context("writing my.cnf")?;
        fs::set_permissions(&file, Permissions::from_mode(0o600)).context("closing my.cnf")?;
        Ok(Self { _place: place, file })
    }

    /// The doctor's lines on these servers.
    pub(super) fn doctor(&self, lab: &Lab, urls: &[&str]) -> anyhow::Result<Vec<String>> {
        let mut command = lab.client.command(env!("CARGO_BIN_EXE_observer"));
        command.arg("doctor").args(urls.iter().flat_map(|url| ["--mysql", url]));
        command.arg("--mysql-defaults-file").arg(&self.file);
        let output = command.output().context("running the doctor")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(text.lines().filter(|line| line.contains("  server ")).map(str::to_owned).collect())
    }

    /// Observes the client's host, and asks these servers.
    pub(super) fn observe(&self, lab: &Lab, urls: &[&str]) -> anyhow::Result<Observer> {
        self.observe_with(lab, urls, &[])
    }

    /// The same with more options.
    pub(super) fn observe_with(&self, lab: &Lab, urls: &[&str], more: &[&str]) -> anyhow::Result<Observer> {
        let (port, file) = (lab.port.to_string(), self.file.display().to_string());
        let mut options = vec!["--port", &port, "--mysql-defaults-file", &file];
        options.extend(more);
        for url in urls {
            options.extend(["--mysql", url]);
        }
        if urls.len() > 1 {
            // They do not tell it.
            options.extend(["--net-write-timeout", "8"]);
        }
        Observer::start(Vantage::Side(&lab.client), &options)
    }
}

/// The account `user` at `server`.
pub(super) fn url(user: &str, server: SocketAddr) -> String {
    format!("mysql://{user}@{server}")
}
