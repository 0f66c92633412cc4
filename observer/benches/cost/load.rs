//! The host's traffic beside the observer when there is much of it: connections that come and go, packets of others, a ring
//! buffer that nobody empties; and what the observer finds and takes when many are open.

use std::collections::HashSet;
use std::fmt;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde::Serialize;

use crate::cpus::Halves;
use crate::crowd::Crowd;
use crate::holders::Holders;
use crate::live::Live;
use crate::memory::{cpu_time, status};
use crate::others::{self, Others};
use crate::paced::{self, Paced};
use crate::progress::Progress;
use crate::statistics::Spread;

/// Connections of a burst, one after the other.
const SHORT: usize = 50_000;
/// Connections that are open at the same time, and those of them that stall.
const OPEN: usize = 20_000;
const STALLED: usize = 500;
/// Stalls that are not found by then are not found.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Load {
    rounds: u32,
    /// Connections a second of a burst: with nobody, with the observer, and with one that is stopped.
    short: [Spread; 3],
    /// By those with nobody before and after.
    short_ratio: [Spread; 2],
    /// What the stopped one has lost and said when it went on, in records.
    lost: u64,
    /// CPU time of the observer for each connection of a burst, in microseconds.
    short_cpu: Spread,
    others: Others,
    paced: Paced,
    open: Open,
}

/// The observer when many connections are open.
#[derive(Debug, Serialize)]
struct Open {
    connections: usize,
    /// Processes that had them open.
    processes: usize,
    stalled: usize,
    found: usize,
    /// From when the last of them stalled to when the last of them was told, in seconds.
    told_after: f64,
    /// Resident memory, in bytes.
    resident: u64,
    lost: u64,
}

impl Load {
    /// Packets of another port that pass beside a stall that is found, in millions a second.
    pub(crate) fn others(&self) -> f64 {
        self.others.millions()
    }

    /// What is left of the pace of traffic that has one and keeps it with nobody.
    pub(crate) fn paced(&self) -> Option<Spread> {
        self.paced.ratio()
    }

    /// The part of the stalls at once that was found.
    #[expect(clippy::cast_precision_loss, reason = "they are few")]
    pub(crate) fn found(&self) -> f64 {
        self.open.found as f64 / self.open.stalled as f64
    }
}

/// Measures in turn, round by round.
pub(crate) fn measure(rounds: u32) -> anyhow::Result<Load> {
    let progress = Progress::new("load");
    let mut crowd = Crowd::new()?;
    let (mut short, mut short_ratio) = ([Vec::new(), Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    let mut short_cpu = Vec::new();
    let mut lost = 0;
    for round in 0..rounds {
        progress.round(round, rounds);
        let unwatched = burst(&mut crowd)?;
        let live = Live::start(crowd.port(), None)?;
        let before = cpu_time(&live.proc())?;
        let watched = burst(&mut crowd)?;
        short_cpu.push(each(cpu_time(&live.proc())?.saturating_sub(before)));
        live.stop()?;
        let live = Live::start(crowd.port(), None)?;
        live.signal(Signal::SIGSTOP)?;
        let full = burst(&mut crowd)?;
        live.signal(Signal::SIGCONT)?;
        lost = wait_loss(&live)?;
        live.stop()?;
        let after = burst(&mut crowd)?;
        let usual = f64::midpoint(unwatched, after);
        for (numbers, number) in short.iter_mut().zip([usual, watched, full]) {
            numbers.push(number);
        }
        for (ratios, number) in short_ratio.iter_mut().zip([watched, full]) {
            ratios.push(number / usual);
        }
    }
    progress.say("packets of others");
    let cpus = Halves::new()?;
    let others = others::measure(rounds, &mut crowd, &cpus)?;
    progress.say("traffic at a pace");
    let paced = paced::measure(rounds, &mut crowd, &cpus)?;
    progress.say("many open connections");
    Ok(Load {
        rounds,
        short: short.map(Spread::of),
        short_ratio: short_ratio.map(Spread::of),
        lost,
        short_cpu: Spread::of(short_cpu),
        others,
        paced,
        open: open(&mut crowd)?,
    })
}

/// Connections a second.
#[expect(clippy::cast_precision_loss, reason = "it is far below 2^52")]
fn burst(crowd: &mut Crowd) -> anyhow::Result<f64> {
    let since = Instant::now();
    crowd.burst(SHORT)?;
    Ok(SHORT as f64 / since.elapsed().as_secs_f64())
}

/// Microseconds of each connection of a burst.
#[expect(clippy::cast_precision_loss, reason = "it is far below 2^52")]
fn each(time: Duration) -> f64 {
    1e6 * time.as_secs_f64() / SHORT as f64
}

/// Many connections, some of which stall at once.
fn open(crowd: &mut Crowd) -> anyhow::Result<Open> {
    let live = Live::with(crowd.port(), &["--max-connections", "65536"])?;
    let holders = Holders::open(OPEN - STALLED, crowd.port())?;
    let mut pairs = crowd.open_many(STALLED)?;
    let mut missing = HashSet::new();
    for pair in &mut pairs {
        pair.stall()?;
        missing.insert(pair.client()?);
    }
    let since = Instant::now();
    let mut told_after = Duration::ZERO;
    while !missing.is_empty() && since.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(50));
        let before = missing.len();
        for line in live.said().iter().filter(|line| line.contains("stopped reading")) {
            let client = line.split_ascii_whitespace().nth(1).and_then(|client| client.parse().ok());
            if let Some::<SocketAddr>(client) = client {
                missing.remove(&client);
            }
        }
        if missing.len() < before {
            told_after = since.elapsed();
        }
    }
    let resident = status(&live, "VmRSS:")?;
    let lost = loss(&live.said()).unwrap_or(0);
    live.stop()?;
    Ok(Open {
        connections: OPEN,
        processes: holders.processes() + 1,
        stalled: STALLED,
        found: STALLED - missing.len(),
        told_after: told_after.as_secs_f64(),
        resident,
        lost,
    })
}

/// What it has said that it lost, once it has said so.
fn wait_loss(live: &Live) -> anyhow::Result<u64> {
    let since = Instant::now();
    loop {
        if let Some(lost) = loss(&live.said()) {
            return Ok(lost);
        }
        anyhow::ensure!(since.elapsed() < PATIENCE, "observer does not say what it has lost");
        thread::sleep(Duration::from_millis(50));
    }
}

/// All that was lost, by the last line that says so: `TIME  -  lost  N observations were lost …, M so far`.
pub(crate) fn loss(lines: &[String]) -> Option<u64> {
    let line = lines.iter().rev().find(|line| line.contains("  -  lost  "))?;
    line.split(|c: char| !c.is_ascii_digit() && c != ',')
        .filter_map(|number| number.replace(',', "").parse().ok())
        .next_back()
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rounds, short, short_ratio, lost, short_cpu, others, paced, open } = self;
        writeln!(f, "\nload, {rounds} rounds")?;
        writeln!(f, "  {SHORT} short connections, a second")?;
        writeln!(f, "    nobody              {:.0}", short[0])?;
        writeln!(f, "    observer            {:.0}, ratio {:.3}", short[1], short_ratio[0])?;
        writeln!(
            f,
            "    stopped, full ring  {:.0}, ratio {:.3}; {lost} lost and said",
            short[2], short_ratio[1]
        )?;
        writeln!(f, "    its CPU for each    {short_cpu:.1} us")?;
        write!(f, "{others}{paced}")?;
        let Open { connections, processes, stalled, found, told_after, resident, lost } = open;
        writeln!(
            f,
            "  {connections} open in {processes} processes, {stalled} of them stall: {found} found, the last after {told_after:.1} s"
        )?;
        writeln!(f, "    {:.1} MiB resident, {lost} lost", crate::report::mib(*resident))
    }
}
