//! Finding whose a socket is, on a host with few processes and on one with very many.

use std::fmt;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use observer_core::SocketEventKind;
use serde::Serialize;

use crate::harness::log::Log;
use crate::harness::names::temporary_directory;
use crate::harness::process::PATIENCE;
use crate::live::Live;
use crate::memory::{cpu_time, run_time};
use crate::progress::Progress;
use crate::statistics::Spread;

/// Processes that are there for the search alone.
const MANY: usize = 10_000;

/// How long the observer is watched with nothing to observe. It looks for network namespaces every three seconds.
const IDLE: Duration = Duration::from_secs(15);

/// What finding owners takes.
#[derive(Debug, Serialize)]
pub(crate) struct Search {
    /// Processes of this host.
    processes: usize,
    /// CPU time of a search, in seconds.
    cpu: Spread,
    /// From the beginning of a connection until the search has told who has it, in seconds.
    told: Spread,
    /// CPU time by wall time with nothing to observe: 1 is a whole core.
    idle_cpu: f64,
}

/// With the processes that there are, and with [`MANY`] more.
pub(crate) fn measure(rounds: u32) -> anyhow::Result<Vec<Search>> {
    [0, MANY].into_iter().map(|more| with(more, rounds)).collect()
}

fn with(more: usize, rounds: u32) -> anyhow::Result<Search> {
    let progress = Progress::new("owners of sockets");
    progress.say("making processes");
    let _sleepers = Sleepers::start(more)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listening")?;
    let server = listener.local_addr().context("asking for the port")?;
    let place = temporary_directory()?;
    let log = place.path().join("log");
    let live = Live::with(server.port(), &["--log".as_ref(), log.as_os_str()])?;
    progress.say("nothing to observe");
    let before = cpu_time(&live.proc())?;
    thread::sleep(IDLE);
    let idle_cpu = cpu_time(&live.proc())?.saturating_sub(before).as_secs_f64() / IDLE.as_secs_f64();

    let thread = thread_for_owners(&live.proc())?;
    let (mut searches, mut told) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        progress.say("a connection");
        let before = run_time(&thread)?;
        let client = TcpStream::connect(server).context("connecting")?;
        let address = client.local_addr().context("asking for an address")?;
        told.push(wait_told(&log, address)?.as_secs_f64());
        let took = run_time(&thread)?.saturating_sub(before);
        searches.push(took.as_secs_f64());
        // A search is followed by 49 times as much rest, and never closer than two seconds to the next.
        thread::sleep(took.mul_f64(50.0).max(Duration::from_secs(3)));
    }
    live.stop()?;
    Ok(Search { processes: processes()?, cpu: Spread::of(searches), told: Spread::of(told), idle_cpu })
}

/// Waits until a search has told who has the socket of `client`: it alone tells the socket's user. Gives how long after the
/// connection began that was. There is nothing to be told by.
fn wait_told(log: &Path, client: SocketAddr) -> anyhow::Result<Duration> {
    let since = Instant::now();
    let is_told = |kind: &SocketEventKind| matches!(kind, SocketEventKind::Owners(owners) if owners.uid.is_some() && !owners.processes.is_empty());
    loop {
        let log = Log::read(log)?;
        let [any, told] = [log.times_of(client, |_| true), log.times_of(client, is_told)];
        if let (Some(began), Some(told)) = (any.first(), told.first()) {
            return Ok(told.since(*began));
        }
        ensure!(since.elapsed() < PATIENCE, "nobody was told to have {client}");
        thread::sleep(Duration::from_millis(100));
    }
}

/// The thread that searches.
fn thread_for_owners(proc: &Path) -> anyhow::Result<PathBuf> {
    let tasks = fs::read_dir(proc.join("task")).context("reading its threads")?.flatten();
    let named = |path: &PathBuf| fs::read_to_string(path.join("comm")).is_ok_and(|name| name == "owners\n");
    tasks.map(|task| task.path()).find(named).context("it has no thread for owners")
}

fn processes() -> anyhow::Result<usize> {
    let entries = fs::read_dir("/proc").context("reading /proc")?.flatten();
    Ok(entries.filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit)).count())
}

/// Processes of a shell that wait, with ten open files each, until it is dropped.
struct Sleepers(Option<Child>);

impl Sleepers {
    fn start(count: usize) -> anyhow::Result<Self> {
        // A shell's own copies, not programs: they take little memory. All wait for the end of one pipe.
        const SCRIPT: &str =
            "exec 3<&0 4</dev/null 5</dev/null 6</dev/null 7</dev/null 8</dev/null 9</dev/null
            while [ $1 -gt 0 ]; do read -r end <&3 & set -- $(($1 - 1)); done; wait";
        let mut shell = Command::new("sh");
        shell.args(["-c", SCRIPT, "sh", &count.to_string()]).stdin(Stdio::piped());
        let sleepers = Self(Some(shell.spawn().context("starting a shell")?));
        let since = Instant::now();
        while processes()? < count {
            ensure!(since.elapsed() < 2 * PATIENCE, "{count} processes could not be made");
            thread::sleep(Duration::from_millis(200));
        }
        Ok(sleepers)
    }
}

impl Drop for Sleepers {
    fn drop(&mut self) {
        if let Some(mut shell) = self.0.take() {
            drop(shell.stdin.take());
            // It ends when all of them have.
            let _ = shell.wait();
        }
    }
}

/// A table.
pub(crate) fn print(searches: &[Search], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if searches.is_empty() {
        return Ok(());
    }
    writeln!(f, "\nowners of sockets")?;
    writeln!(
        f,
        "  {:<11}{:<26}{:<26}CPU with nothing to observe",
        "processes", "a search, CPU s", "told after, s"
    )?;
    for Search { processes, cpu, told, idle_cpu } in searches {
        writeln!(f, "  {processes:<11}{cpu:<26.3}{told:<26.3}{:.2} %", 100.0 * idle_cpu)?;
    }
    Ok(())
}
