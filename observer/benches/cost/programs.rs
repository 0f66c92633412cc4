//! Kernel programs and the kernel's own statistics of their run time.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::Context as _;
use aya::programs::{CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, ProgramInfo, loaded_programs};
use aya::sys::{Stats, enable_stats};
use aya::{Ebpf, include_bytes_aligned};
use serde::Serialize;

/// Programs that do nothing.
static NOOP: &[u8] = include_bytes_aligned!("../../../observer-ebpf/prebuilt/noop.o");

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

/// The programs that do nothing, attached while this lives.
pub(crate) struct Noop(Ebpf);

impl Noop {
    /// Loads them and attaches them to `cgroup`.
    pub(crate) fn attach(cgroup: &Path) -> anyhow::Result<Self> {
        let mut object = Ebpf::load(NOOP).context("loading the programs that do nothing")?;
        let file = File::open(cgroup).with_context(|| format!("opening {}", cgroup.display()))?;
        for direction in Direction::ALL {
            let program = program(&mut object, direction)?;
            program.load().context("loading a program that does nothing")?;
            let kind = match direction {
                Direction::Egress => CgroupSkbAttachType::Egress,
                Direction::Ingress => CgroupSkbAttachType::Ingress,
            };
            program
                .attach(&file, kind, CgroupAttachMode::Single)
                .with_context(|| format!("attaching to {}", cgroup.display()))?;
        }
        Ok(Self(object))
    }

    /// The program of a direction.
    pub(crate) fn id(&mut self, direction: Direction) -> anyhow::Result<Id> {
        Ok(program(&mut self.0, direction)?.info().context("asking for a program's id")?.id())
    }
}

fn program(object: &mut Ebpf, direction: Direction) -> anyhow::Result<&mut CgroupSkb> {
    let name = format!("noop_{}", direction.name());
    let program = object.program_mut(&name).with_context(|| format!("finding {name} in the object"))?;
    Ok(program.try_into()?)
}

/// The programs that a process has loaded, by name; the kernel keeps 15 bytes of it.
pub(crate) fn of_process(proc: &Path) -> anyhow::Result<HashMap<String, Id>> {
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

/// Runs of a program and the time they took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Runs {
    nanos: u128,
    count: u64,
}

impl Runs {
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
