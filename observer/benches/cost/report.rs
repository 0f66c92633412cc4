//! The numbers of a run, against their budgets: as tables for people, as JSON for programs.

use std::cmp::Ordering;
use std::fmt;
use std::fs;
use std::path::Path;
use std::thread;

use anyhow::Context as _;
use nix::sys::utsname::uname;
use serde::Serialize;

use crate::actors::Mix;
use crate::calls::{self, Call};
use crate::capture::Reading;
use crate::kernel::Cost;
use crate::load::Load;
use crate::memory::Memory;
use crate::owners::{self, Search};
use crate::statistics::Spread;
use crate::throughput::{BOTH_ENDS, BYTES, LOGINS, Rate, SERVERS_END};
use crate::tracker::{self, Judgement};
use crate::traffic::Clients;

/// What the kernel programs may take above a program that does nothing, in nanoseconds a packet.
const MATCHED_NANOS: f64 = 150.0;
const UNMATCHED_NANOS: f64 = 30.0;
/// What of its throughput a server must keep, and other traffic of its pace.
const THROUGHPUT_RATIO: f64 = 0.99;
/// Resident memory with 1,000 connections, in MiB.
const RESIDENT_MIB: f64 = 15.0;

/// Events a second through the tracker, in millions.
const TRACKED_MILLIONS: f64 = 5.0;
/// What 100,000 connections may take of the heap, in MiB.
const HEAP_MIB: f64 = 64.0;
/// How many times faster than tshark a capture is read.
const CAPTURE_RATIO: f64 = 30.0;

/// Packets of others, in millions a second, beside which a stall is found.
const OTHERS_MILLIONS: f64 = 1.0;

const MIB: f64 = 1024.0 * 1024.0;

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    schema: &'static str,
    version: &'static str,
    kernel_release: String,
    cpus: usize,
    rounds: u32,
    /// Empty when not measured, as the next ones.
    pub(crate) kernel: Vec<Cost>,
    pub(crate) throughput: Vec<Rate>,
    pub(crate) memory: Option<Memory>,
    pub(crate) tracker: Option<Judgement>,
    pub(crate) capture: Option<Reading>,
    pub(crate) calls: Vec<Call>,
    pub(crate) load: Option<Load>,
    pub(crate) owners: Vec<Search>,
    budgets: Vec<Budget>,
}

/// A promise and what was measured.
#[derive(Debug, Serialize)]
struct Budget {
    what: &'static str,
    /// At most this, or at least.
    limit: f64,
    measured: Spread,
    unit: &'static str,
    verdict: Verdict,
}

/// Whether a promise is kept.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Met,
    Missed,
    /// The limit lies within the interval of what was measured.
    NotToldApart,
}

impl Report {
    /// Nothing measured yet.
    pub(crate) fn new(rounds: u32) -> anyhow::Result<Self> {
        let host = uname().context("asking for the kernel's release")?;
        Ok(Self {
            schema: "observer.bench/1",
            version: env!("CARGO_PKG_VERSION"),
            kernel_release: host.release().to_string_lossy().into_owned(),
            cpus: thread::available_parallelism().context("counting the CPUs")?.get(),
            rounds,
            kernel: Vec::new(),
            throughput: Vec::new(),
            memory: None,
            tracker: None,
            capture: None,
            calls: Vec::new(),
            load: None,
            owners: Vec::new(),
            budgets: Vec::new(),
        })
    }

    /// Compares what was measured to its budgets. Of several numbers under one budget the worst counts.
    pub(crate) fn judge(&mut self) {
        let above = |matched| {
            let costs = self.kernel.iter().filter(move |cost| cost.matched == matched);
            costs.map(|cost| cost.above_noop).max_by(by_median)
        };
        let kept = |watcher: usize| {
            let rates = self.throughput.iter().filter(|rate| rate.unit != LOGINS);
            rates.map(|rate| rate.ratio[watcher]).min_by(by_median)
        };
        let once = |number| Spread::of(vec![number]);
        let resident = self.memory.as_ref().map(|memory| once(mib(memory.most_resident)));
        let tracked = self.tracker.as_ref().and_then(|tracker| {
            let mixed = tracker.rates.iter().find(|rate| rate.clients == Clients::Mixed);
            mixed.map(|rate| rate.per_second.scaled(1e-6))
        });
        let heap = self.tracker.as_ref().map(|tracker| once(mib(tracker.heap)));
        let others = self.load.as_ref().map(|load| once(load.others()));
        let paced = self.load.as_ref().and_then(Load::paced);
        let found = self.load.as_ref().map(|load| once(load.found()));
        let faster = self.capture.as_ref().map(|reading| reading.ratio);
        let at_most = |what, limit, unit, measured: Option<Spread>| {
            let verdict = |measured| Verdict::of(measured, |end| end <= limit);
            measured.map(|measured| Budget { what, limit, measured, unit, verdict: verdict(measured) })
        };
        let at_least = |what, limit, unit, measured: Option<Spread>| {
            let verdict = |measured| Verdict::of(measured, |end| end >= limit);
            measured.map(|measured| Budget { what, limit, measured, unit, verdict: verdict(measured) })
        };
        let budgets = [
            at_most("matched packet, at most", MATCHED_NANOS, "ns", above(true)),
            at_most("unmatched packet, at most", UNMATCHED_NANOS, "ns", above(false)),
            at_least("throughput, both ends here, at least", THROUGHPUT_RATIO, "", kept(BOTH_ENDS)),
            at_least("throughput, the server's end, at least", THROUGHPUT_RATIO, "", kept(SERVERS_END)),
            at_most("resident memory, at most", RESIDENT_MIB, "MiB", resident),
            at_least("tracker, at least", TRACKED_MILLIONS, "million events a second", tracked),
            at_most("heap of 100,000 connections, at most", HEAP_MIB, "MiB", heap),
            at_least("a capture, by tshark, at least", CAPTURE_RATIO, "times", faster),
            at_least("packets of others, at least", OTHERS_MILLIONS, "million a second", others),
            at_least("traffic at a pace, at least", THROUGHPUT_RATIO, "", paced),
            at_least("stalls found among 20,000, at least", 1.0, "of all", found),
        ];
        self.budgets = budgets.into_iter().flatten().collect();
    }

    /// Whether no budget that was measured is missed.
    pub(crate) fn holds(&self) -> bool {
        self.budgets.iter().all(|budget| budget.verdict != Verdict::Missed)
    }

    /// Writes JSON.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let json = serde_json::to_string_pretty(self).context("writing JSON")?;
        fs::write(path, json + "\n").with_context(|| format!("writing {}", path.display()))
    }
}

impl Verdict {
    /// By both ends of the interval, or by the number itself where there is none.
    fn of(measured: Spread, is_kept: impl Fn(f64) -> bool) -> Self {
        match measured.interval.unwrap_or([measured.median; 2]).map(is_kept) {
            [true, true] => Self::Met,
            [false, false] => Self::Missed,
            _ => Self::NotToldApart,
        }
    }
}

fn by_median(one: &Spread, other: &Spread) -> Ordering {
    one.median.total_cmp(&other.median)
}

#[expect(clippy::cast_precision_loss, reason = "it is far below 2^52")]
pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / MIB
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, kernel_release, cpus, rounds, .. } = self;
        writeln!(f, "observer {version} on Linux {kernel_release}, {cpus} CPUs")?;
        writeln!(f, "medians of {rounds} rounds, in brackets the middle half of them")?;
        self.print_kernel(f)?;
        self.print_throughput(f)?;
        self.print_memory(f)?;
        self.print_tracker(f)?;
        self.print_capture(f)?;
        calls::print(&self.calls, f)?;
        if let Some(load) = &self.load {
            write!(f, "{load}")?;
        }
        owners::print(&self.owners, f)?;
        self.print_budgets(f)
    }
}

impl Report {
    fn print_kernel(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kernel.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nkernel programs, ns a packet")?;
        writeln!(f, "  {:<10}{:<11}{:<9}{:<26}no-op", "port", "mix", "program", "above the no-op")?;
        for Cost { matched, mix, direction, noop, above_noop } in &self.kernel {
            let port = if *matched { "observed" } else { "other" };
            let mix = match mix {
                Mix::Streaming => "streaming",
                Mix::Queries => "queries",
            };
            writeln!(f, "  {port:<10}{mix:<11}{:<9}{above_noop:<26}{noop}", direction.name())?;
        }
        Ok(())
    }

    fn print_throughput(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Rate { unit, watched_by, per_second, ratio, cpu_ratio } in &self.throughput {
            let (unit, scale) = if *unit == BYTES { ("MB", 1e-6) } else { (*unit, 1.0) };
            writeln!(f, "\n{unit} a second of a server")?;
            writeln!(
                f,
                "  {:<20}{:<26}{:<26}ratio of CPU time for each",
                "watched by", "rate", "ratio [95 %]"
            )?;
            for (number, watcher) in watched_by.iter().enumerate() {
                let rate = per_second[number].scaled(scale);
                let (ratio, cpu) = (ratio[number].certainty(), cpu_ratio[number].certainty());
                writeln!(f, "  {watcher:<20}{rate:<26.0}{ratio:<26}{cpu}")?;
            }
        }
        Ok(())
    }

    fn print_memory(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Memory { connections, uses, most_resident, most_resident_at_start, kernel_maps }) =
            &self.memory
        else {
            return Ok(());
        };
        writeln!(f, "\nmemory and CPU of `live --plain`, {connections} connections")?;
        writeln!(f, "  {:<22}{:>10}{:>12}{:>10}{:>8}", "they", "resident", "own", "CPU", "lines")?;
        for moment in uses {
            writeln!(
                f,
                "  {:<22}{:>6.1} MiB{:>8.1} MiB{:>8.2} %{:>8}",
                moment.connections,
                mib(moment.resident),
                mib(moment.anonymous),
                100.0 * moment.cpu,
                moment.lines,
            )?;
        }
        let (most, at_start) = (mib(*most_resident), mib(*most_resident_at_start));
        writeln!(f, "  resident at most {most:.1} MiB; for a moment at the start {at_start:.1} MiB")?;
        writeln!(f, "  the kernel's maps {:.1} MiB, of no process", mib(*kernel_maps))
    }

    fn print_tracker(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Judgement { living, rates, kept, heap, heap_known }) = &self.tracker else { return Ok(()) };
        writeln!(f, "\ntracker, {living} connections at the same time, million events a second of CPU time")?;
        writeln!(f, "  {:<10}{:<26}{:>10}{:>10}", "clients", "rate", "events", "findings")?;
        for tracker::Rate { clients, events, findings, per_second } in rates {
            let (rate, clients) = (per_second.scaled(1e-6), format!("{clients:?}").to_lowercase());
            writeln!(f, "  {clients:<10}{rate:<26.2}{events:>10}{findings:>10}")?;
        }
        let (heap, known) = (mib(*heap), mib(*heap_known));
        writeln!(
            f,
            "  {heap:.1} MiB of heap for {kept} connections, {known:.1} MiB with all that can be known of them"
        )
    }

    fn print_capture(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Reading { packets, clients, rounds, observer, tshark, ratio }) = &self.capture else {
            return Ok(());
        };
        let [observer, tshark] = [observer, tshark].map(|rate| rate.scaled(1e-3));
        writeln!(f, "\ncapture of {packets} packets, {clients} clients, {rounds} rounds")?;
        writeln!(f, "  observer report  {observer:.0} thousand packets a second")?;
        writeln!(f, "  tshark           {tshark:.0} thousand packets a second")?;
        writeln!(f, "  ratio            {ratio:.1}")
    }

    fn print_budgets(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nbudgets")?;
        for Budget { what, limit, measured, unit, verdict } in &self.budgets {
            let verdict = match verdict {
                Verdict::Met => "met",
                Verdict::Missed => "MISSED",
                Verdict::NotToldApart => "not told apart",
            };
            let (limit, measured) = (format!("{limit} {unit}"), measured.certainty());
            writeln!(f, "  {verdict:<14}  {what:<38} {limit:<8} measured {measured}")?;
        }
        Ok(())
    }
}
