//! A capture file, as an administrator takes one.

use std::path::PathBuf;

use anyhow::ensure;
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::harness::lab::Side;
use crate::harness::names::temporary_directory;
use crate::harness::process::Process;

/// A running `tcpdump -w`.
pub(crate) struct Recording {
    process: Process,
    place: TempDir,
}

/// A capture that has ended. The file goes with it.
pub(crate) struct Recorded {
    place: TempDir,
}

impl Recording {
    /// Starts on the device of `side`, and waits until it captures.
    pub(crate) fn start(side: &Side, port: u16) -> anyhow::Result<Self> {
        let place = temporary_directory()?;
        let mut command = side.command("tcpdump");
        // Room for a burst: nothing is to be lost here.
        command.args(["-i", &side.device, "-Z", "root", "-B", "65536", "-w"]);
        command.arg(place.path().join("pcap")).arg(format!("tcp port {port}"));
        let process = Process::spawn("tcpdump", &mut command)?;
        process.wait_stderr("readiness", |line| line.contains("listening on").then_some(()))?;
        Ok(Self { process, place })
    }

    /// Ends it.
    pub(crate) fn stop(mut self) -> anyhow::Result<Recorded> {
        self.process.signal(Signal::SIGINT)?;
        self.process.wait()?;
        let summary = self.process.stderr.all();
        ensure!(
            summary.iter().any(|line| line.starts_with("0 packets dropped by kernel")),
            "tcpdump itself has lost packets: {summary:?}"
        );
        Ok(Recorded { place: self.place })
    }
}

impl Recorded {
    /// The file.
    pub(crate) fn path(&self) -> PathBuf {
        self.place.path().join("pcap")
    }
}
