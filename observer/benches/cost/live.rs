//! The observer as a user starts it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::ensure;
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::harness::process::Process;

/// A running `observer live --plain`; killed when dropped.
pub(crate) struct Live(Process);

impl Live {
    /// Starts it for `port`, in one cgroup or for the whole host, and waits until it watches.
    pub(crate) fn start(port: u16, cgroup: Option<&Path>) -> anyhow::Result<Self> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", env!("CARGO_BIN_EXE_observer"), "live", "--plain"]);
        command.arg("--port").arg(port.to_string());
        if let Some(cgroup) = cgroup {
            command.arg("--cgroup").arg(cgroup);
        }
        let process = Process::spawn("observer", &mut command)?;
        process.wait_stderr("readiness", |line| line.contains("watching").then_some(()))?;
        Ok(Self(process))
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> Pid {
        self.0.pid()
    }

    /// Its directory in /proc.
    pub(crate) fn proc(&self) -> PathBuf {
        Path::new("/proc").join(self.pid().to_string())
    }

    /// How many lines it has printed on standard output.
    pub(crate) fn lines(&self) -> usize {
        self.0.stdout.all().len()
    }

    /// Ends it as a service manager does.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        self.0.signal(Signal::SIGTERM)?;
        let status = self.0.wait()?;
        ensure!(status.success(), "observer ended with {status}: {:?}", self.0.stderr.all());
        Ok(())
    }
}
