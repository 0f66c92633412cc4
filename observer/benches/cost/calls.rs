//! System calls of the whole host while a server's waits are followed: the kernel then asks at each whether it is one of
//! those that have a program.

use std::fmt;
use std::hint::black_box;
use std::os::fd::AsFd as _;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll, ppoll};
use nix::sys::time::TimeSpec;
use nix::unistd::{getppid, pipe};
use serde::Serialize;

use crate::actors::{Actors, Order};
use crate::cpus::Halves;
use crate::harness::lab::Lab;
use crate::harness::process::PATIENCE;
use crate::live::Live;
use crate::progress::Progress;
use crate::statistics::Spread;

/// In each state of each round so many blocks of so many calls, of which the median is taken.
const BLOCKS: u32 = 41;
const CALLS: u32 = 20_000;

/// Programs that follow waits: one at the beginning and one at the end of each system call, of two (of one where there is no
/// `poll`). Besides them the one that follows reads is attached, which no system call of these comes by.
const PROGRAMS: usize = if cfg!(target_arch = "x86_64") { 4 } else { 2 };

/// What a system call takes. Times are nanoseconds a call.
#[derive(Debug, Serialize)]
pub(crate) struct Call {
    /// Which.
    name: &'static str,
    /// While no program is at any.
    without: Spread,
    /// While a server's waits are followed, in a process that is none.
    with: Spread,
    /// The difference in the same round.
    added: Spread,
}

const NAMES: [&str; 3] = ["getppid", "poll", "ppoll"];

/// Measures in turn: without, with, and without again.
pub(crate) fn measure(rounds: u32) -> anyhow::Result<Vec<Call>> {
    let progress = Progress::new("system calls");
    let lab = Lab::one_host()?;
    let live = Live::start(lab.port, Some(lab.client.cgroup()))?;
    let cpus = Halves::new()?;
    let detached = live.attached()?;
    let mut before = cpus.as_client(all)?;
    let mut seen: [[Vec<f64>; 3]; 3] = Default::default();
    for round in 0..rounds {
        progress.round(round, rounds);
        // A server whose client stands still; it is gone with its process.
        let mut actors = Actors::start(&lab.client)?;
        actors.run(&Order::Serve { port: lab.port, clients: 1 })?;
        actors.run(&Order::Trickle { port: lab.port, seconds: 1 })?;
        wait_until("attached", || Ok(live.attached()? >= detached + PROGRAMS))?;
        let with = cpus.as_client(all)?;
        let still = live.attached()?;
        ensure!(still >= detached + PROGRAMS, "{still} programs were attached at the end of the measurement");
        drop(actors);
        wait_until("detached", || Ok(live.attached()? == detached))?;
        let after = cpus.as_client(all)?;
        for (call, seen) in seen.iter_mut().enumerate() {
            let without = f64::midpoint(before[call], after[call]);
            for (numbers, number) in seen.iter_mut().zip([without, with[call], with[call] - without]) {
                numbers.push(number);
            }
        }
        before = after;
    }
    live.stop()?;
    let calls = NAMES.into_iter().zip(seen);
    let calls = calls.map(|(name, seen)| {
        let [without, with, added] = seen.map(Spread::of);
        Call { name, without, with, added }
    });
    Ok(calls.collect())
}

/// Waits for the programs. There is nothing to be told by.
fn wait_until(what: &str, is_so: impl Fn() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let since = Instant::now();
    while !is_so()? {
        ensure!(since.elapsed() < PATIENCE, "the programs at system calls were not {what}");
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Nanoseconds of each of [`NAMES`].
fn all() -> anyhow::Result<[f64; 3]> {
    let (nothing_comes, _writer) = pipe().context("making a pipe")?;
    let mut files = [PollFd::new(nothing_comes.as_fd(), PollFlags::POLLIN)];
    let at_once = Some(TimeSpec::from_duration(Duration::ZERO));
    Ok([
        median(|| {
            black_box(getppid());
            Ok(())
        })?,
        median(|| poll(&mut files, PollTimeout::ZERO).map(drop).context("polling"))?,
        median(|| ppoll(&mut files, at_once, None).map(drop).context("polling"))?,
    ])
}

/// Nanoseconds of a call, by the block in the middle.
fn median(mut call: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let mut block = || -> anyhow::Result<f64> {
        let since = Instant::now();
        (0..CALLS).try_for_each(|_| call())?;
        Ok(since.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS))
    };
    let blocks: Vec<f64> = (0..BLOCKS).map(|_| block()).collect::<anyhow::Result<_>>()?;
    Ok(Spread::of(blocks).median)
}

/// A table.
pub(crate) fn print(calls: &[Call], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if calls.is_empty() {
        return Ok(());
    }
    writeln!(f, "\nsystem calls of others while a server's waits are followed, ns a call")?;
    writeln!(f, "  {:<10}{:<26}{:<26}added", "call", "without", "with")?;
    for Call { name, without, with, added } in calls {
        writeln!(f, "  {name:<10}{without:<26.0}{with:<26.0}{added:.0}")?;
    }
    Ok(())
}
