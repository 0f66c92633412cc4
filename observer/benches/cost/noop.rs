//! Kernel programs that do nothing.

use std::fs::File;
use std::path::Path;

use anyhow::Context as _;
use aya::programs::{CgroupAttachMode, CgroupSkb, CgroupSkbAttachType};
use aya::{Ebpf, include_bytes_aligned};

use crate::programs::{Direction, Id};

/// Programs that do nothing.
static NOOP: &[u8] = include_bytes_aligned!("../../../observer-ebpf/prebuilt/noop.o");

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
