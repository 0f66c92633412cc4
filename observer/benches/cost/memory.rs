//! Memory and CPU of `live --plain` while it observes many connections.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Serialize;

use crate::actors::{Actors, Order};
use crate::harness::lab::Lab;
use crate::live::Live;
use crate::progress::Progress;

/// How many connections there are, both ends on this host.
const CONNECTIONS: usize = 1_000;

/// How long each kind of traffic is watched.
const SECONDS: u32 = 10;

/// What the observer needs at one time.
#[derive(Debug, Serialize)]
pub(crate) struct Use {
    /// What the connections do.
    pub(crate) connections: &'static str,
    /// Resident memory at the end, in bytes.
    pub(crate) resident: u64,
    /// What of it is its own: heap and stacks.
    pub(crate) anonymous: u64,
    /// CPU time by wall time: 1 is a whole core.
    pub(crate) cpu: f64,
    /// Lines it has printed.
    pub(crate) lines: usize,
}

/// What the observer needs with [`CONNECTIONS`] connections.
#[derive(Debug, Serialize)]
pub(crate) struct Memory {
    /// How many there are.
    pub(crate) connections: usize,
    /// Before there is any, with all of them nearly idle, and with all of them trickling.
    pub(crate) uses: [Use; 3],
    /// The most that was resident while it watched, in bytes.
    pub(crate) most_resident: u64,
    /// The most that was resident before: loading the kernel programs reads the kernel's own type information.
    pub(crate) most_resident_at_start: u64,
    /// Memory of the kernel for its maps, in bytes; it is no process's.
    pub(crate) kernel_maps: u64,
}

/// Watches an observer while the connections come, ping now and then, and trickle.
pub(crate) fn measure() -> anyhow::Result<Memory> {
    let progress = Progress::new("memory and CPU");
    let lab = Lab::one_host()?;
    let live = Live::start(lab.port, Some(lab.client.cgroup()))?;
    let most_resident_at_start = status(&live, "VmHWM:")?;
    let reset = live.proc().join("clear_refs");
    // Begins the peak anew (proc(5)).
    fs::write(&reset, "5").with_context(|| format!("writing {}", reset.display()))?;
    let mut actors = Actors::start(&lab.client)?;
    actors.run(&Order::SmallBuffers)?;
    progress.say("no connection");
    let nothing = watch(&live, "none", || {
        thread::sleep(Duration::from_secs(SECONDS.into()));
        Ok(())
    })?;
    progress.say("connecting");
    let (port, seconds) = (lab.port, SECONDS);
    actors.run(&Order::Serve { port, clients: CONNECTIONS })?;
    progress.say("idle connections");
    let idle = watch(&live, "a ping each in 10 s", || actors.run(&Order::Ping { port, seconds }))?;
    progress.say("trickling connections");
    let trickling = watch(&live, "stalled, 6 KB/s read", || actors.run(&Order::Trickle { port, seconds }))?;
    let memory = Memory {
        connections: CONNECTIONS,
        uses: [nothing, idle, trickling],
        most_resident: status(&live, "VmHWM:")?,
        most_resident_at_start,
        kernel_maps: kernel_maps(&live)?,
    };
    live.stop()?;
    Ok(memory)
}

/// What `live` needs while something goes on.
fn watch(
    live: &Live,
    connections: &'static str,
    work: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<Use> {
    let (since, cpu_before, lines_before) = (Instant::now(), cpu_time(&live.proc())?, live.lines());
    work()?;
    let cpu = cpu_time(&live.proc())?.saturating_sub(cpu_before);
    Ok(Use {
        connections,
        resident: status(live, "VmRSS:")?,
        anonymous: status(live, "RssAnon:")?,
        cpu: cpu.as_secs_f64() / since.elapsed().as_secs_f64(),
        lines: live.lines() - lines_before,
    })
}

/// A field of /proc/PID/status that is an amount of memory, in bytes.
pub(crate) fn status(live: &Live, field: &str) -> anyhow::Result<u64> {
    let path = live.proc().join("status");
    let status = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let value = status.lines().find_map(|line| line.strip_prefix(field)?.strip_suffix("kB"));
    let kibibytes: Option<u64> = value.and_then(|value| value.trim().parse().ok());
    Ok(1024 * kibibytes.with_context(|| format!("finding {field} in {}", path.display()))?)
}

/// CPU time of all threads, in user space and in the kernel (proc(5), schedstat). /proc/PID/stat has it in units
/// of 10 ms only.
pub(crate) fn cpu_time(proc: &Path) -> anyhow::Result<Duration> {
    let tasks = proc.join("task");
    let tasks = fs::read_dir(&tasks).with_context(|| format!("reading {}", tasks.display()))?;
    tasks.map(|task| run_time(&task?.path())).sum()
}

/// The same of one thread, by its directory.
pub(crate) fn run_time(task: &Path) -> anyhow::Result<Duration> {
    let path = task.join("schedstat");
    let schedstat = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let run = schedstat.split(' ').next().and_then(|nanos| nanos.parse().ok());
    run.map(Duration::from_nanos).with_context(|| format!("reading {}", path.display()))
}

/// Memory of the maps that the observer holds.
fn kernel_maps(live: &Live) -> anyhow::Result<u64> {
    let files = live.proc().join("fdinfo");
    let mut sum = 0;
    for file in fs::read_dir(&files).with_context(|| format!("reading {}", files.display()))? {
        // A file may have been closed meanwhile.
        let info = fs::read_to_string(file?.path()).unwrap_or_default();
        if info.contains("map_id:") {
            let value = info.lines().find_map(|line| line.strip_prefix("memlock:"));
            sum += value.and_then(|value| value.trim().parse::<u64>().ok()).unwrap_or_default();
        }
    }
    Ok(sum)
}
