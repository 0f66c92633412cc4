//! Packets that are none of the observer's business, by the million a second.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde::Serialize;

use crate::cpus::Halves;
use crate::crowd::Crowd;
use crate::datagrams::Datagrams;
use crate::live::Live;
use crate::memory::{cpu_time, status};
use crate::programs::{self, Direction, Runs};
use crate::statistics::Spread;

/// How long packets are sent in one turn.
const TURN: Duration = Duration::from_millis(500);
/// The same where it is counted how many pass the program, and a connection stands still meanwhile.
const COUNTED: Duration = Duration::from_secs(3);

/// What was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Others {
    /// Packets a second: with nobody, and with the observer.
    per_second: [Spread; 2],
    /// By those with nobody before and after.
    ratio: Spread,
    counted: Counted,
}

/// What is seen while the kernel counts the runs of its programs.
#[derive(Debug, Serialize)]
struct Counted {
    /// Runs of the ingress program a second.
    runs: f64,
    /// From when a connection stalled to when that was told, in seconds; less than the turn.
    told_after: f64,
    /// What the observer takes meanwhile: memory in bytes, and CPU, of one core.
    resident: u64,
    cpu: f64,
    /// Records lost.
    lost: u64,
}

impl Others {
    /// Runs of the ingress program a second, in millions.
    pub(crate) fn millions(&self) -> f64 {
        1e-6 * self.counted.runs
    }
}

/// Measures in turn, round by round.
pub(crate) fn measure(rounds: u32, crowd: &mut Crowd, cpus: &Halves) -> anyhow::Result<Others> {
    let datagrams = Datagrams::new()?;
    let turn = || cpus.as_client(|| rate(&datagrams, TURN));
    let (mut per_second, mut ratios) = ([Vec::new(), Vec::new()], Vec::new());
    for _ in 0..rounds {
        let before = turn()?;
        let live = Live::start(crowd.port(), None)?;
        let watched = turn()?;
        live.stop()?;
        let usual = f64::midpoint(before, turn()?);
        per_second[0].push(usual);
        per_second[1].push(watched);
        ratios.push(watched / usual);
    }
    let counted = cpus.as_client(|| counted(&datagrams, crowd))?;
    Ok(Others { per_second: per_second.map(Spread::of), ratio: Spread::of(ratios), counted })
}

/// Packets a second, as many as go.
#[expect(clippy::cast_precision_loss, reason = "it is far below 2^52")]
fn rate(datagrams: &Datagrams, time: Duration) -> anyhow::Result<f64> {
    let since = Instant::now();
    let sent = datagrams.send_while(|_| since.elapsed() < time)?;
    Ok(sent as f64 / since.elapsed().as_secs_f64())
}

/// A stall among them, with the kernel as a witness of how many they are.
#[expect(clippy::cast_precision_loss, reason = "it is far below 2^52")]
fn counted(datagrams: &Datagrams, crowd: &mut Crowd) -> anyhow::Result<Counted> {
    let live = Live::start(crowd.port(), None)?;
    let ingress = programs::of_direction(&live.proc(), Direction::Ingress)?;
    let mut pair = crowd.open()?;
    let client = pair.client()?.to_string();
    let _counting = programs::enable_run_time()?;
    let (since, before, cpu_before) = (Instant::now(), programs::runs(), cpu_time(&live.proc())?);
    let (sent, told_after) = thread::scope(|scope| {
        let sending = scope.spawn(|| datagrams.send_while(|_| since.elapsed() < COUNTED));
        let told_after = stall(&mut pair, &client, &live);
        let sent = sending.join().map_err(|_| anyhow::anyhow!("the sender panicked"))??;
        anyhow::Ok((sent, told_after?))
    })?;
    let (took, after) = (since.elapsed().as_secs_f64(), programs::runs());
    let cpu = cpu_time(&live.proc())?.saturating_sub(cpu_before);
    let both = before.get(&ingress).zip(after.get(&ingress));
    let (&before, &after) = both.context("reading how often the ingress program ran")?;
    let runs = Runs::times(before, after);
    ensure!(runs >= sent, "of {sent} packets only {runs} have passed the ingress program");
    let counted = Counted {
        runs: runs as f64 / took,
        told_after: told_after.as_secs_f64(),
        resident: status(&live, "VmRSS:")?,
        cpu: cpu.as_secs_f64() / took,
        lost: crate::load::loss(&live.said()).unwrap_or(0),
    };
    live.stop()?;
    Ok(counted)
}

/// Lets a connection stand still, and waits until that is told.
fn stall(pair: &mut crate::crowd::Pair, client: &str, live: &Live) -> anyhow::Result<Duration> {
    pair.stall()?;
    let since = Instant::now();
    loop {
        let said = live.said();
        if said.iter().any(|line| line.contains(client) && line.contains("stopped reading")) {
            return Ok(since.elapsed());
        }
        ensure!(since.elapsed() < COUNTED, "the stall beside {COUNTED:?} of other packets was not found");
        thread::sleep(Duration::from_millis(10));
    }
}

impl fmt::Display for Others {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { per_second, ratio, counted } = self;
        let Counted { runs, told_after, resident, cpu, lost } = counted;
        let [nobody, observer] = per_second.map(|rate| rate.scaled(1e-6));
        writeln!(f, "  packets of another port, million a second")?;
        writeln!(f, "    nobody              {nobody:.2}")?;
        writeln!(f, "    observer            {observer:.2}, ratio {ratio:.3}")?;
        writeln!(
            f,
            "    counted             {:.2} runs of the ingress program; a stall told after {told_after:.1} s",
            1e-6 * runs
        )?;
        let resident = crate::report::mib(*resident);
        writeln!(
            f,
            "                        {resident:.1} MiB resident, {:.1} % CPU, {lost} lost",
            100.0 * cpu
        )
    }
}
