//! The observer as a user starts it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::harness::process::Process;

/// Names another program to be measured.
const PROGRAM: &str = "OBSERVER_PROGRAM";

/// A running `observer live --plain`; killed when dropped.
pub(crate) struct Live(Process);

impl Live {
    /// Starts it for `port`, in one cgroup or for the whole host, and waits until it watches.
    pub(crate) fn start(port: u16, cgroup: Option<&Path>) -> anyhow::Result<Self> {
        match cgroup {
            Some(cgroup) => Self::with(port, &["--cgroup".as_ref(), cgroup.as_os_str()]),
            None => Self::with(port, &[] as &[&str]),
        }
    }

    /// The same with these options.
    pub(crate) fn with(port: u16, options: &[impl AsRef<OsStr>]) -> anyhow::Result<Self> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program()).args(["live", "--plain"]);
        command.arg("--port").arg(port.to_string()).args(options);
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

    /// How many of its programs are attached: each is a link, to a tracepoint before 5.15 a perf event.
    pub(crate) fn attached(&self) -> anyhow::Result<usize> {
        let links = fs::read_dir(self.proc().join("fd")).context("reading its open files")?;
        let links = links.flatten().filter_map(|link| fs::read_link(link.path()).ok());
        let attached = ["anon_inode:bpf_link", "anon_inode:[perf_event]"];
        Ok(links.filter(|link| link.to_str().is_some_and(|link| attached.contains(&link))).count())
    }

    /// How many lines it has printed on standard output.
    pub(crate) fn lines(&self) -> usize {
        self.said().len()
    }

    /// These lines.
    pub(crate) fn said(&self) -> Vec<String> {
        self.0.stdout.all()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        self.0.signal(signal)
    }

    /// Ends it as a service manager does.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        self.0.signal(Signal::SIGTERM)?;
        let status = self.0.wait()?;
        ensure!(status.success(), "observer ended with {status}: {:?}", self.0.stderr.all());
        Ok(())
    }
}

/// The program that is measured: the one that was built with the bench, or the one that somebody names.
fn program() -> OsString {
    std::env::var_os(PROGRAM).unwrap_or_else(|| env!("CARGO_BIN_EXE_observer").into())
}
