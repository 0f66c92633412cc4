//! Loads the object and attaches its programs, each by itself: what one kernel refuses is done without.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use aya::maps::{Map, MapError, MapType, PerCpuArray};
use aya::programs::{CgroupAttachMode, CgroupSkb, CgroupSkbAttachType};
use aya::sys::is_map_supported;
use aya::{Ebpf, EbpfError, EbpfLoader};
use bytemuck::Zeroable as _;
use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};
use observer_common::{Config, MAX_PORTS, name};

use super::deaths;
use super::surroundings::Surroundings;
use super::tracepoints::{self, READS, Tracepoint};
use crate::source::live::cgroup::{Cgroup, Directory};
use crate::source::live::degradation::Degradation;

/// The kernel programs, built by `cargo xtask ebpf`.
static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("OBSERVER_EBPF_OBJECT"));

/// What this is to the user.
pub(crate) const PART: &str = "kernel programs";

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

/// One thing that was tried.
#[derive(Clone, Debug)]
pub struct Step {
    /// What, in a few words.
    pub part: String,
    /// How it went: what is there, or what is done without.
    pub outcome: Result<String, Degradation>,
}

/// What came of loading.
#[derive(Debug)]
pub struct Attempt {
    /// The programs, if those on the cgroup could be attached: the others only add to them.
    pub kernel: Option<Kernel>,
    /// Everything that was tried, in order.
    pub steps: Vec<Step>,
}

/// The loaded programs. They are gone when this is dropped, and when the process ends.
#[derive(Debug)]
pub struct Kernel {
    /// Owns programs, links and maps. Two threads attach some of them on demand.
    pub(super) ebpf: Arc<Mutex<Ebpf>>,
    /// Entries the map of connections has room for.
    pub(super) capacity: usize,
    /// Whether a connection's end is told, so that a missing one must have been dropped by the LRU.
    pub(super) ends_are_told: bool,
    /// Whether the program that follows reads could be attached: it is loaded, and attached on demand.
    pub(super) reads_are_told: bool,
    /// Those of the tracepoints of servers' waits that could be attached: they are loaded, and attached on demand.
    pub(super) waits: Vec<&'static Tracepoint>,
    /// Where only a part of the host is observed.
    pub(super) one_cgroup: Option<Directory>,
}

impl Kernel {
    /// Tries to load the programs and to attach them, and says how each step went.
    pub fn load(options: &KernelOptions) -> Attempt {
        let mut steps = Vec::new();
        // What is mounted for ourselves is seen by one thread only, which does all that needs it.
        let loaded = std::thread::scope(|scope| scope.spawn(|| load(options, &mut steps)).join())
            .unwrap_or_else(|_| Err(anyhow::anyhow!("the loader panicked")));
        if let Err(error) = &loaded {
            let outcome = Err(Degradation::new(PART, error, WITHOUT_ALL));
            steps.push(Step { part: PART.to_owned(), outcome });
        }
        Attempt { kernel: loaded.ok(), steps }
    }

    /// Whether the calling thread may read what the programs count.
    pub(crate) fn can_be_read(&self) -> bool {
        let ebpf = self.ebpf();
        let counters = ebpf.map(name::COUNTERS).map(PerCpuArray::<_, u64>::try_from);
        counters.is_some_and(|counters| counters.is_ok_and(|counters| counters.get(&0, 0).is_ok()))
    }

    /// The object.
    pub(super) fn ebpf(&self) -> MutexGuard<'_, Ebpf> {
        lock(&self.ebpf)
    }

    /// Takes a map out of the object.
    pub(super) fn take_map(&self, name: &str) -> anyhow::Result<Map> {
        self.ebpf().take_map(name).with_context(|| format!("the object has no map {name}"))
    }
}

/// The object, for who attaches on demand. A thread that panicked has not left it half done: each change is one call.
pub(super) fn lock(ebpf: &Mutex<Ebpf>) -> MutexGuard<'_, Ebpf> {
    ebpf.lock().unwrap_or_else(PoisonError::into_inner)
}

fn load(options: &KernelOptions, steps: &mut Vec<Step>) -> anyhow::Result<Kernel> {
    let surroundings = Surroundings::find(options.cgroup.as_deref(), steps)?;
    let mut config = Config::zeroed();
    config.ports = ports(&options.ports)?;
    config.keep_commands = u16::from(options.keep_commands);
    let mut traced = Vec::new();
    if let Some(tracefs) = &surroundings.tracefs {
        for tracepoint in tracepoints::all() {
            match tracepoint.locate(tracefs, &mut config) {
                Ok(()) => traced.push(tracepoint),
                Err(error) => steps.push(tracepoint_step(tracepoint, Err(&error))),
            }
        }
    }
    let capacity = capacity(options.max_connections);
    let mut ebpf = create(options, capacity, &config)?;
    let maps = format!("ring buffer of {} bytes, {capacity} connections", options.ring_bytes);
    steps.push(Step { part: "maps".to_owned(), outcome: Ok(maps) });
    attach_to_cgroup(&mut ebpf, &surroundings.cgroup, steps)?;
    let mut waits = Vec::new();
    let (mut ends_are_told, mut reads_are_told) = (false, false);
    for tracepoint in traced {
        let attached = try_tracepoint(&mut ebpf, tracepoint);
        if attached.is_ok() && tracepoint.is_of_waits() {
            waits.push(tracepoint);
        }
        ends_are_told |= attached.is_ok() && tracepoint.event == "tcp_destroy_sock";
        reads_are_told |= attached.is_ok() && tracepoint.event == READS.event;
        steps.push(tracepoint_step(tracepoint, attached.as_ref().map(|&()| ())));
    }
    let capacity = usize::try_from(capacity).context("more connections than memory")?;
    let one_cgroup = options.cgroup.is_some().then(|| Directory::of(&surroundings.cgroup)).transpose()?;
    let ebpf = Arc::new(Mutex::new(ebpf));
    Ok(Kernel { ebpf, capacity, ends_are_told, reads_are_told, waits, one_cgroup })
}

fn try_tracepoint(ebpf: &mut Ebpf, tracepoint: &Tracepoint) -> anyhow::Result<()> {
    let ids_are_known = !tracepoint.is_of_waits() || deaths::ids_are_known();
    anyhow::ensure!(
        ids_are_known,
        "processes have other ids here than for the kernel: run it in the host's pid namespace"
    );
    tracepoint.program(ebpf)?.load().with_context(|| format!("loading {}", tracepoint.program))?;
    let link = tracepoint.attach(ebpf)?;
    // It works; from here on `reads` or `waits` attaches it.
    if tracepoint.event == READS.event || tracepoint.is_of_waits() {
        tracepoint.program(ebpf)?.detach(link)?;
    }
    Ok(())
}

fn tracepoint_step(tracepoint: &Tracepoint, outcome: Result<(), &anyhow::Error>) -> Step {
    let part = tracepoint.part();
    let outcome = match outcome {
        Ok(()) => Ok("attached".to_owned()),
        Err(error) => Err(Degradation::new(&part, error, tracepoint.without)),
    };
    Step { part, outcome }
}

/// Entries that an LRU map needs to keep this many: each CPU may hold back 128 free ones for itself
/// (`LOCAL_FREE_TARGET` in kernel/bpf/bpf_lru_list.c).
fn capacity(max_connections: u32) -> u32 {
    let cpus = aya::util::nr_cpus().ok().and_then(|cpus| u32::try_from(cpus).ok()).unwrap_or(1);
    max_connections.max(1).saturating_add(cpus.saturating_mul(128))
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
        .map_max_entries(name::PREPARED, if options.keep_commands { capacity.div_ceil(4) } else { 1 });
    if !options.log {
        loader.map_max_entries("AYA_LOGS", 1);
    }
    let ring_buffers = || !matches!(is_map_supported(MapType::RingBuf), Ok(false));
    loader.load(OBJECT).map_err(|error| refused(error, options.ring_bytes, ring_buffers))
}

/// What was being done when the kernel refused the maps. Older kernels answer that they do not know ring buffers
/// with the same EINVAL as that they do not like the size of one: `ring_buffers` tells whether they have any.
fn refused(error: EbpfError, ring_bytes: u32, ring_buffers: impl FnOnce() -> bool) -> anyhow::Error {
    let unmade = match &error {
        EbpfError::MapError(MapError::CreateError { name, io_error }) if name == name::RECORDS => {
            io_error.kind() != io::ErrorKind::PermissionDenied
        }
        _ => false,
    };
    let doing = match unmade {
        false => "loading the kernel programs".to_owned(),
        true if ring_buffers() => {
            format!("making a ring buffer of {ring_bytes} bytes (--ring-buffer sets another size)")
        }
        true => "this kernel has no BPF ring buffer, which Linux has from 5.8 on".to_owned(),
    };
    anyhow::Error::from(error).context(doing)
}

fn attach_to_cgroup(ebpf: &mut Ebpf, cgroup: &Cgroup, steps: &mut Vec<Step>) -> anyhow::Result<()> {
    let place =
        File::open(&cgroup.path).with_context(|| format!("opening cgroup {}", cgroup.path.display()))?;
    for (program, way, part) in [
        ("observer_egress", CgroupSkbAttachType::Egress, "cgroup_skb/egress"),
        ("observer_ingress", CgroupSkbAttachType::Ingress, "cgroup_skb/ingress"),
    ] {
        let loaded: &mut CgroupSkb = ebpf
            .program_mut(program)
            .with_context(|| format!("the object has no program {program}"))?
            .try_into()?;
        loaded.load().with_context(|| format!("loading {program}"))?;
        // A link stands beside those of others whatever the mode; the kernel refuses others than this one.
        loaded
            .attach(&place, way, CgroupAttachMode::Single)
            .with_context(|| format!("attaching {program} to {}", cgroup.path.display()))?;
        steps.push(Step { part: part.to_owned(), outcome: Ok("attached".to_owned()) });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

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
    /// The answers are those of kernels from before 5.8, of large pages and of full memory; here they become words.
    #[test]
    fn a_ring_buffer_that_cannot_be_made_says_why() {
        let degradation = |map: &str, errno: Errno, ring_buffers: bool| {
            let io_error = io::Error::from(errno);
            let error = EbpfError::MapError(MapError::CreateError { name: map.to_owned(), io_error });
            let error = refused(error, 4096, || ring_buffers);
            Degradation::new("kernel programs", &error, WITHOUT_ALL).because
        };
        let older = degradation(name::RECORDS, Errno::EINVAL, false);
        assert!(
            older.starts_with("this kernel has no BPF ring buffer, which Linux has from 5.8 on: "),
            "{older}"
        );
        // A page of 64 KiB, or no memory.
        let large_pages = degradation(name::RECORDS, Errno::EINVAL, true);
        assert!(
            large_pages.starts_with("making a ring buffer of 4096 bytes (--ring-buffer sets"),
            "{large_pages}"
        );
        let unprivileged = degradation(name::RECORDS, Errno::EPERM, false);
        assert!(unprivileged.starts_with("no permission for loading the kernel programs"), "{unprivileged}");
        let another = degradation(name::CONNECTIONS, Errno::ENOMEM, true);
        assert!(another.starts_with("loading the kernel programs: "), "{another}");
    }
}
