//! The kernel programs of a process, and the kernel's own statistics of their runs.

use std::collections::HashMap;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::Context as _;
use aya::programs::{ProgramInfo, loaded_programs};
use aya::sys::{Stats, enable_stats};
use serde::Serialize;

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Direction {
    /// Sent by a socket.
    Egress,
    /// Received for a socket.
    Ingress,
}

impl Direction {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Egress, Self::Ingress];

    /// The kernel's word for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Egress => "egress",
            Self::Ingress => "ingress",
        }
    }
}

/// Id of a loaded program.
pub(crate) type Id = u32;

/// The programs that a process has loaded, by name; the kernel keeps 15 bytes of it.
fn of_process(proc: &Path) -> anyhow::Result<HashMap<String, Id>> {
    let files = proc.join("fdinfo");
    let mut ids = Vec::new();
    for file in fs::read_dir(&files).with_context(|| format!("reading {}", files.display()))? {
        // A file may have been closed meanwhile.
        let info = fs::read_to_string(file?.path()).unwrap_or_default();
        let id = info.lines().find_map(|line| line.strip_prefix("prog_id:"));
        ids.extend(id.and_then(|id| id.trim().parse::<Id>().ok()));
    }
    let mut programs = HashMap::new();
    for program in loaded_programs() {
        let program = program.context("listing the loaded programs")?;
        if ids.contains(&program.id()) {
            programs.insert(String::from_utf8_lossy(program.name()).into_owned(), program.id());
        }
    }
    Ok(programs)
}

/// The program of a process that looks at packets of this direction.
pub(crate) fn of_direction(proc: &Path, direction: Direction) -> anyhow::Result<Id> {
    let (name, loaded) = (format!("observer_{}", direction.name()), of_process(proc)?);
    let found = loaded.iter().find(|(known, _)| name.starts_with(known.as_str()));
    let (_, &id) = found.with_context(|| format!("observer has not loaded {name}: {loaded:?}"))?;
    Ok(id)
}

/// Runs of a program and the time they took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Runs {
    nanos: u128,
    count: u64,
}

impl Runs {
    /// How often it ran between two readings.
    pub(crate) fn times(before: Self, after: Self) -> u64 {
        after.count - before.count
    }

    /// Nanoseconds of one run between two readings; `None` if there was none.
    pub(crate) fn nanos_each(before: Self, after: Self) -> Option<f64> {
        let count = after.count - before.count;
        #[expect(clippy::cast_precision_loss, reason = "both are far below 2^52")]
        (count > 0).then(|| (after.nanos - before.nanos) as f64 / count as f64)
    }
}

/// Makes the kernel measure every program, which takes time itself, until the file is closed (`BPF_ENABLE_STATS`).
pub(crate) fn enable_run_time() -> anyhow::Result<OwnedFd> {
    enable_stats(Stats::RunTime).context("asking the kernel to measure its programs")
}

/// Reads the statistics of all programs.
pub(crate) fn runs() -> HashMap<Id, Runs> {
    // A program of somebody else may go away between its listing and its opening.
    let programs = loaded_programs().flatten();
    let runs =
        |program: &ProgramInfo| Runs { nanos: program.run_time().as_nanos(), count: program.run_count() };
    programs.map(|program| (program.id(), runs(&program))).collect()
}
