//! The real program, as a user starts it.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use observer_core::FindingKind;
use tempfile::TempDir;

use super::lab::{Lab, Side};
use super::log::{Log, listed};
use super::names::temporary_directory;
use super::privilege::NOBODY;
use super::process::{Lines, PATIENCE, Process};

/// Where the observer stands.
#[derive(Clone, Copy)]
pub(crate) enum Vantage<'a> {
    /// On the host of all of them: it sees every network namespace.
    Host,
    /// On one side, as if the other were another machine: only this side's cgroup.
    Side(&'a Side),
    /// On one side, as another user.
    Unprivileged(&'a Side),
}

impl Vantage<'_> {
    /// The ends of connections that are seen from here.
    pub(crate) fn sees(self, lab: &Lab) -> &'static [observer_core::Vantage] {
        use observer_core::Vantage::{Client, Server};
        match self {
            Self::Host => &[Client, Server],
            Self::Side(side) | Self::Unprivileged(side) if std::ptr::eq(side, &raw const lab.client) => {
                &[Client]
            }
            Self::Side(_) | Self::Unprivileged(_) => &[Server],
        }
    }
}

/// The program, run on `side` by another user, who may write to `place`.
pub(crate) fn unprivileged(side: &Side, place: &Path) -> anyhow::Result<Command> {
    // Where the program was built, another user may not be able to read.
    let copy = place.join("observer");
    fs::copy(env!("CARGO_BIN_EXE_observer"), &copy).context("copying the program")?;
    fs::set_permissions(place, fs::Permissions::from_mode(0o777)).context("opening a directory to all")?;
    let mut command = side.command(NOBODY[0]);
    command.args(&NOBODY[1..]).arg(copy);
    Ok(command)
}

/// A running `observer live --plain --log`.
pub(crate) struct Observer {
    process: Process,
    place: TempDir,
}

impl Observer {
    /// Starts it with `options`, and waits until it watches.
    pub(crate) fn start(vantage: Vantage<'_>, options: &[&str]) -> anyhow::Result<Self> {
        let program = Path::new(env!("CARGO_BIN_EXE_observer"));
        let place = temporary_directory()?;
        let mut command = match vantage {
            Vantage::Host => {
                let mut command = Command::new("setpriv");
                command.args(["--pdeathsig", "KILL"]).arg(program);
                command
            }
            Vantage::Side(side) => side.command(program),
            Vantage::Unprivileged(side) => unprivileged(side, place.path())?,
        };
        command.args(["live", "--plain", "--log"]).arg(place.path().join("log")).args(options);
        if let Vantage::Side(side) = vantage {
            command.arg("--cgroup").arg(side.cgroup());
        }
        let process = Process::spawn("observer", &mut command)?;
        process.wait_stderr("readiness", |line| line.contains("watching").then_some(()))?;
        Ok(Self { process, place })
    }

    /// Starts it for the server of `lab`, and tells it that server's net_write_timeout.
    pub(crate) fn told(vantage: Vantage<'_>, lab: &Lab, timeout: Duration) -> anyhow::Result<Self> {
        let (port, timeout) = (lab.port.to_string(), timeout.as_secs().to_string());
        Self::start(vantage, &["--port", &port, "--net-write-timeout", &timeout])
    }

    /// Waits until the log has a finding of a kind about `client`.
    pub(crate) fn wait_finding(
        &self,
        what: &str,
        client: SocketAddr,
        kind: impl Fn(&FindingKind) -> bool,
    ) -> anyhow::Result<()> {
        self.wait_log(what, |log| log.finding(client, &kind).is_ok())
    }

    /// Waits until `done` is true of the log.
    pub(crate) fn wait_log(&self, what: &str, done: impl Fn(&Log) -> bool) -> anyhow::Result<()> {
        if !self.is_logged_within(PATIENCE, done)? {
            bail!("{what} did not come within {PATIENCE:?}; found: {}", listed(&self.log()?.findings));
        }
        Ok(())
    }

    /// Whether `done` is true of the log before `patience` ends. Somebody else writes it: there is nothing to be told by.
    pub(crate) fn is_logged_within(
        &self,
        patience: Duration,
        done: impl Fn(&Log) -> bool,
    ) -> anyhow::Result<bool> {
        let since = Instant::now();
        loop {
            if done(&self.log()?) {
                return Ok(true);
            }
            if since.elapsed() > patience {
                return Ok(false);
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Its process: what it was started by has become it.
    pub(crate) fn pid(&self) -> Pid {
        self.process.pid()
    }

    /// Sends a signal to the observer itself.
    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        self.process.signal(signal)
    }

    /// The lines on standard output, all of them once it has been stopped: a finding is in the log before it is told.
    pub(crate) fn lines(&self) -> Lines {
        self.process.stdout.clone()
    }

    /// Ends it as a service manager does, and gives what it has logged.
    pub(crate) fn stop(self) -> anyhow::Result<Log> {
        Ok(self.stop_and_keep()?.0)
    }

    /// The same; the file `log` is kept for as long as the directory that is given with it.
    pub(crate) fn stop_and_keep(mut self) -> anyhow::Result<(Log, TempDir)> {
        self.signal(Signal::SIGTERM)?;
        let status = self.process.wait()?;
        ensure!(status.success(), "observer ended with {status}: {:?}", self.process.stderr.all());
        Ok((self.log()?, self.place))
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> anyhow::Result<Log> {
        Log::read(&self.place.path().join("log"))
    }
}
