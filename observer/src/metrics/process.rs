//! What this process uses itself.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike as _};

/// This process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Process {
    /// Since the Unix epoch.
    pub(super) started: Duration,
}

impl Process {
    /// This process, which starts now.
    pub(super) fn starts() -> Self {
        Self { started: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() }
    }

    /// The CPU time of all its threads so far, in the kernel and out of it; `None` if the kernel does not tell.
    pub(super) fn cpu() -> Option<Duration> {
        let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
        let time = |value: TimeVal| u64::try_from(value.num_microseconds()).unwrap_or(0);
        Some(Duration::from_micros(time(usage.user_time()) + time(usage.system_time())))
    }

    /// The bytes of its memory that are in RAM (`VmRSS` in proc_pid_status(5)); `None` without `/proc`.
    pub(super) fn resident_bytes() -> Option<u64> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
    }

    /// How many files it has open; `None` without `/proc`.
    pub(super) fn open_files() -> Option<u64> {
        // The directory that is read is one of them.
        fs::read_dir("/proc/self/fd").ok()?.count().checked_sub(1)?.try_into().ok()
    }
}
