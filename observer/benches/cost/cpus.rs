//! Which CPUs a thread, and what it starts, may run on.
//!
//! Where two ends run on the same CPU at one time and on two at another, their speed differs by more than anything
//! measured here. So each keeps to its own half of the CPUs.

use anyhow::Context as _;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The halves of the CPUs this program may run on; with one CPU, both are that one.
pub(crate) struct Halves {
    all: CpuSet,
    servers: CpuSet,
    clients: CpuSet,
}

impl Halves {
    /// Divides what this thread may use.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let all = sched_getaffinity(Pid::from_raw(0)).context("asking which CPUs there are")?;
        let cpus: Vec<usize> = (0..CpuSet::count()).filter(|&cpu| all.is_set(cpu).unwrap_or(false)).collect();
        let (first, second) = cpus.split_at(cpus.len() / 2);
        let first = if first.is_empty() { second } else { first };
        Ok(Self { all, servers: set(first)?, clients: set(second)? })
    }

    /// Does `work`, and what it starts goes on, on the servers' half.
    pub(crate) fn as_server<T>(&self, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        self.within(&self.servers, work)
    }

    /// Does `work` on the clients' half.
    pub(crate) fn as_client<T>(&self, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        self.within(&self.clients, work)
    }

    fn within<T>(&self, cpus: &CpuSet, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        keep_to(cpus)?;
        let done = work();
        keep_to(&self.all)?;
        done
    }
}

fn set(cpus: &[usize]) -> anyhow::Result<CpuSet> {
    let mut set = CpuSet::new();
    cpus.iter().try_for_each(|&cpu| set.set(cpu)).context("choosing CPUs")?;
    Ok(set)
}

fn keep_to(cpus: &CpuSet) -> anyhow::Result<()> {
    sched_setaffinity(Pid::from_raw(0), cpus).context("keeping to some CPUs")
}
