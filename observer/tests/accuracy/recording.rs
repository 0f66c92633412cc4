//! A capture file, as an administrator takes one.

use std::ffi::OsString;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::harness::lab::Side;
use crate::harness::names::temporary_directory;
use crate::harness::tcpdump::Tcpdump;

/// A running `tcpdump -w`.
pub(crate) struct Recording {
    tcpdump: Tcpdump,
    file: Recorded,
}

/// A capture that has ended. The file goes with it.
pub(crate) struct Recorded {
    place: TempDir,
}

impl Recording {
    /// Starts on the device of `side`, and waits until it captures.
    pub(crate) fn start(side: &Side, port: u16) -> anyhow::Result<Self> {
        let file = Recorded { place: temporary_directory()? };
        let filter = format!("tcp port {port}");
        // Room for a burst: nothing is to be lost here.
        let arguments: [OsString; 5] =
            ["-B".into(), "65536".into(), "-w".into(), file.path().into(), filter.into()];
        Ok(Self { tcpdump: Tcpdump::start(side, arguments)?, file })
    }

    /// Ends it.
    pub(crate) fn stop(self) -> anyhow::Result<Recorded> {
        self.tcpdump.stop()?;
        Ok(self.file)
    }
}

impl Recorded {
    /// The file.
    pub(crate) fn path(&self) -> PathBuf {
        self.place.path().join("pcap")
    }
}
