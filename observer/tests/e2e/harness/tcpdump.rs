//! A tcpdump that loses nothing.

use std::ffi::OsStr;

use anyhow::ensure;
use nix::sys::signal::Signal;

use super::lab::Side;
use super::process::Process;

/// A running tcpdump.
pub(crate) struct Tcpdump {
    process: Process,
}

impl Tcpdump {
    /// Starts on the device of `side`, and waits until it captures.
    pub(crate) fn start<A: AsRef<OsStr>>(
        side: &Side,
        arguments: impl IntoIterator<Item = A>,
    ) -> anyhow::Result<Self> {
        let mut command = side.command("tcpdump");
        command.args(["-i", &side.device, "-Z", "root"]).args(arguments);
        let process = Process::spawn("tcpdump", &mut command)?;
        process.wait_stderr("readiness", |line| line.contains("listening on").then_some(()))?;
        Ok(Self { process })
    }

    /// Waits for a line of which `told` makes something.
    pub(crate) fn wait<T>(&self, what: &str, told: impl Fn(&str) -> Option<T>) -> anyhow::Result<T> {
        self.process.wait_stdout(what, told)
    }

    /// Ends it, and gives the lines it wrote.
    pub(crate) fn stop(mut self) -> anyhow::Result<Vec<String>> {
        self.process.signal(Signal::SIGINT)?;
        self.process.wait()?;
        let summary = self.process.stderr.all();
        ensure!(
            summary.iter().any(|line| line.starts_with("0 packets dropped by kernel")),
            "tcpdump itself has lost packets: {summary:?}"
        );
        Ok(self.process.stdout.all())
    }
}
