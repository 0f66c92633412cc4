//! Loads the object and attaches its programs, each by itself: what one kernel refuses is done without.

use std::fs::File;
use std::path::PathBuf;

use anyhow::Context as _;
use aya::programs::{CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, TracePoint};
use aya::{Ebpf, EbpfLoader};
use bytemuck::Zeroable as _;
use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};
use observer_common::{Config, MAX_PORTS, name};

use super::private_mounts;
use super::tracepoints::{self, Tracepoint};
use crate::source::live::cgroup::Cgroup;
use crate::source::live::degradation::Degradation;
use crate::source::live::tracefs::{Tracefs, USUAL_PLACE};

/// The kernel programs, built by `cargo xtask ebpf`.
static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("OBSERVER_EBPF_OBJECT"));

/// Where cgroup v2 is mounted for ourselves where the host has it nowhere.
const CGROUP_PLACE: &str = "/sys/fs/cgroup";

/// What is lost without any of it.
pub(crate) const WITHOUT_ALL: &str =
    "windows, probes, FIN and RST the moment they pass; socket polling goes on";

/// How the programs are loaded.
#[derive(Clone, Debug)]
pub struct KernelOptions {
    /// The MySQL ports, at most [`MAX_PORTS`].
    pub ports: Vec<u16>,
    /// The cgroup to attach to; `None` finds the root.
    pub cgroup: Option<PathBuf>,
    /// Connections the kernel keeps at most; beyond it the one longest without a segment goes.
    pub max_connections: u32,
    /// Size of the ring buffer in bytes; rounded up to a power of two of pages.
    pub ring_bytes: u32,
    /// Whether the beginning of every connection's last command is kept.
    pub keep_commands: bool,
    /// Whether the programs log what they do.
    pub log: bool,
}

impl KernelOptions {
    /// Whether they can be followed at all.
    ///
    /// # Errors
    ///
    /// No port or too many, a cgroup that is none.
    pub fn check(&self) -> anyhow::Result<()> {
        ports(&self.ports)?;
        if let Some(cgroup) = &self.cgroup {
            Cgroup::at(cgroup)?;
        }
        Ok(())
    }
}

/// The loaded programs. They are gone when this is dropped, and when the process ends.
#[derive(Debug)]
pub struct Kernel {
    /// Owns programs, links and maps.
    pub(super) ebpf: Ebpf,
    /// Entries the map of connections has room for.
    pub(super) capacity: usize,
    /// Whether a connection's end is told, so that a missing one must have been dropped by the LRU.
    pub(super) ends_are_told: bool,
    /// Whether only a part of the host is observed.
    pub(super) one_cgroup: bool,
    /// What is done without.
    pub degraded: Vec<Degradation>,
}

impl Kernel {
    /// Loads the programs and attaches them.
    ///
    /// # Errors
    ///
    /// When none can be loaded: without privilege, without BPF, without cgroup v2, or with more ports than
    /// [`MAX_PORTS`].
    pub fn load(options: &KernelOptions) -> Result<Self, Degradation> {
        // What is mounted for ourselves is seen by one thread only, which does all that needs it.
        std::thread::scope(|scope| scope.spawn(|| load(options)).join())
            .unwrap_or_else(|_| Err(anyhow::anyhow!("the loader panicked")))
            .map_err(|error| Degradation::new("kernel programs", &error, WITHOUT_ALL))
    }
}

fn load(options: &KernelOptions) -> anyhow::Result<Kernel> {
    let mut degraded = Vec::new();
    let surroundings = Surroundings::find(options, &mut degraded)?;
    let mut config = Config::zeroed();
    config.ports = ports(&options.ports)?;
    config.keep_commands = u16::from(options.keep_commands);
    let mut traced = Vec::new();
    if let Some(tracefs) = &surroundings.tracefs {
        for tracepoint in &tracepoints::ALL {
            match tracepoint.locate(tracefs, &mut config) {
                Ok(()) => traced.push(tracepoint),
                Err(error) => degraded.push(without(tracepoint, &error)),
            }
        }
    }
    let capacity = capacity(options.max_connections);
    let mut ebpf = create(options, capacity, &config)?;
    attach_to_cgroup(&mut ebpf, &surroundings.cgroup)?;
    let mut ends_are_told = false;
    for tracepoint in traced {
        match attach_to_tracepoint(&mut ebpf, tracepoint) {
            Ok(()) => ends_are_told |= tracepoint.event == "tcp_destroy_sock",
            Err(error) => degraded.push(without(tracepoint, &error)),
        }
    }
    let capacity = usize::try_from(capacity).context("more connections than memory")?;
    Ok(Kernel { ebpf, capacity, ends_are_told, one_cgroup: options.cgroup.is_some(), degraded })
}

/// Entries that an LRU map needs to keep this many: each CPU may hold back 128 free ones for itself
/// (`LOCAL_FREE_TARGET` in kernel/bpf/bpf_lru_list.c).
fn capacity(max_connections: u32) -> u32 {
    let cpus = aya::util::nr_cpus().ok().and_then(|cpus| u32::try_from(cpus).ok()).unwrap_or(1);
    max_connections.max(1).saturating_add(cpus.saturating_mul(128))
}

/// The places the programs are attached at.
struct Surroundings {
    cgroup: Cgroup,
    tracefs: Option<Tracefs>,
}

impl Surroundings {
    /// Finds them, or mounts them for this thread.
    fn find(options: &KernelOptions, degraded: &mut Vec<Degradation>) -> anyhow::Result<Self> {
        let mut cgroup = options.cgroup.as_deref().map(Cgroup::at).transpose()?;
        if cgroup.is_none() {
            cgroup = Cgroup::find()?;
        }
        let mut tracefs = Tracefs::find()?;
        if cgroup.is_none() || tracefs.is_none() {
            let entered = private_mounts::enter();
            if cgroup.is_none() {
                entered.as_ref().map_err(|error| anyhow::anyhow!("cgroup v2 is not mounted: {error:#}"))?;
                private_mounts::add("cgroup2", CGROUP_PLACE).context("cgroup v2 is not mounted")?;
                cgroup = Some(Cgroup { path: CGROUP_PLACE.into(), whole_host: true });
            }
            if tracefs.is_none() {
                match entered.and_then(|()| private_mounts::add("tracefs", USUAL_PLACE)) {
                    Ok(()) => tracefs = Some(Tracefs::usual()),
                    Err(error) => degraded.push(Degradation::new(
                        "tracepoints",
                        &error.context("tracefs is not mounted"),
                        "which process opens, reads and closes a connection, and the silent end of an orphan",
                    )),
                }
            }
        }
        let cgroup = cgroup.context("cgroup v2 is not mounted")?;
        if options.cgroup.is_none() && !cgroup.whole_host {
            degraded.push(Degradation {
                part: "root of cgroup v2".to_owned(),
                because: format!("only a part of it is mounted, on {}", cgroup.path.display()),
                without: "connections of processes outside that part; --cgroup names another mount"
                    .to_owned(),
            });
        }
        Ok(Self { cgroup, tracefs })
    }
}

/// The ports in the form the programs read them: ended by a zero, the lower first, as of two MySQL ports the lower
/// is the server's.
fn ports(ports: &[u16]) -> anyhow::Result<[u16; MAX_PORTS]> {
    let mut sorted: Vec<u16> = ports.iter().copied().filter(|&port| port != 0).collect();
    sorted.sort_unstable();
    sorted.dedup();
    anyhow::ensure!(!sorted.is_empty(), "no port to observe");
    anyhow::ensure!(
        sorted.len() <= MAX_PORTS,
        "{} ports given, at most {MAX_PORTS} can be observed",
        sorted.len()
    );
    let mut slots = [0; MAX_PORTS];
    slots[..sorted.len()].copy_from_slice(&sorted);
    Ok(slots)
}

/// Creates the maps, and the programs as far as the verifier has not seen them.
fn create(options: &KernelOptions, capacity: u32, config: &Config) -> anyhow::Result<Ebpf> {
    // Kernels before 5.11 count maps against this limit. Others do not care, and neither do we if it is refused:
    // what follows will tell.
    let _ = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY);
    let log_level: u8 = if options.log { aya_log::Level::Debug as u8 } else { 0 };
    let mut loader = EbpfLoader::new();
    loader
        .btf(None)
        .override_global(name::CONFIG, bytemuck::bytes_of(config), true)
        .override_global(aya_log::LEVEL, &log_level, true)
        .map_max_entries(name::RECORDS, options.ring_bytes)
        .map_max_entries(name::CONNECTIONS, capacity)
        .map_max_entries(name::HANDSHAKES, capacity)
        .map_max_entries(name::COMMANDS, if options.keep_commands { capacity } else { 1 });
    if !options.log {
        loader.map_max_entries("AYA_LOGS", 1);
    }
    loader.load(OBJECT).context("loading the kernel programs")
}

fn attach_to_cgroup(ebpf: &mut Ebpf, cgroup: &Cgroup) -> anyhow::Result<()> {
    let place =
        File::open(&cgroup.path).with_context(|| format!("opening cgroup {}", cgroup.path.display()))?;
    for (program, way) in
        [("observer_egress", CgroupSkbAttachType::Egress), ("observer_ingress", CgroupSkbAttachType::Ingress)]
    {
        let loaded: &mut CgroupSkb = ebpf
            .program_mut(program)
            .with_context(|| format!("the object has no program {program}"))?
            .try_into()?;
        loaded.load().with_context(|| format!("loading {program}"))?;
        // A link stands beside those of others whatever the mode; the kernel refuses others than this one.
        loaded
            .attach(&place, way, CgroupAttachMode::Single)
            .with_context(|| format!("attaching {program} to {}", cgroup.path.display()))?;
    }
    Ok(())
}

fn attach_to_tracepoint(ebpf: &mut Ebpf, tracepoint: &Tracepoint) -> anyhow::Result<()> {
    let program: &mut TracePoint = ebpf
        .program_mut(tracepoint.program)
        .with_context(|| format!("the object has no program {}", tracepoint.program))?
        .try_into()?;
    program.load().with_context(|| format!("loading {}", tracepoint.program))?;
    program
        .attach(tracepoint.category, tracepoint.event)
        .with_context(|| format!("attaching to {}:{}", tracepoint.category, tracepoint.event))?;
    Ok(())
}

fn without(tracepoint: &Tracepoint, error: &anyhow::Error) -> Degradation {
    Degradation::new(&tracepoint.part(), error, tracepoint.without)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_end_with_a_zero_and_the_lower_comes_first() {
        let slots = ports(&[33060, 3306, 3306]).unwrap();
        assert_eq!(slots[..3], [3306, 33060, 0]);
    }

    #[test]
    fn too_many_ports_and_none_are_refused() {
        assert!(ports(&[]).unwrap_err().to_string().contains("no port"));
        assert!(ports(&[0]).is_err());
        let many: Vec<u16> = (1..=17).collect();
        assert!(ports(&many).unwrap_err().to_string().contains("at most 16"));
        assert!(ports(&many[..16]).is_ok());
    }
}
