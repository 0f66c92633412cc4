//! The judgement by itself: events a second on one core, and what many connections take of the heap.

use std::hint::black_box;
use std::time::Duration;

use anyhow::Context as _;
use nix::time::{ClockId, clock_gettime};
use observer_core::{Config, Event, Tracker};
use serde::Serialize;

use crate::heap;
use crate::progress::Progress;
use crate::statistics::Spread;
use crate::traffic::{self, Clients};

/// Connections at the same time while events are counted; a prime.
const LIVING: u32 = 10_007;

/// Connections whose memory is measured.
const KEPT: u32 = 100_000;

/// What the tracker does and needs.
#[derive(Debug, Serialize)]
pub(crate) struct Judgement {
    /// Connections that live at the same time while events are counted.
    pub(crate) living: u32,
    /// How fast they are judged.
    pub(crate) rates: Vec<Rate>,
    /// Connections whose memory is measured, each with a wire sample and a socket sample of one end.
    pub(crate) kept: u32,
    /// What they take of the heap, in bytes.
    pub(crate) heap: u64,
    /// What as many take of which everything is known: process, session, statement, and what the server tells.
    pub(crate) heap_known: u64,
}

/// How fast the events of some clients are judged.
#[derive(Debug, Serialize)]
pub(crate) struct Rate {
    pub(crate) clients: Clients,
    /// Events of one round.
    pub(crate) events: usize,
    /// Findings that followed from them.
    pub(crate) findings: usize,
    /// Events by the seconds of CPU time they take, which is one core's.
    pub(crate) per_second: Spread,
}

/// Feeds a fresh tracker with the same events in each round, and fills one to see what it takes.
pub(crate) fn measure(rounds: u32) -> anyhow::Result<Judgement> {
    let progress = Progress::new("tracker");
    let rates = [Clients::Mixed, Clients::Slow]
        .into_iter()
        .map(|clients| Rate::measure(clients, rounds, &progress))
        .collect::<anyhow::Result<_>>()?;
    progress.say("memory");
    let heap = heap_of(traffic::established(KEPT));
    let heap_known = heap_of(traffic::known(KEPT));
    Ok(Judgement { living: LIVING, rates, kept: KEPT, heap, heap_known })
}

impl Rate {
    fn measure(clients: Clients, rounds: u32, progress: &Progress) -> anyhow::Result<Self> {
        let events: Vec<Event> = traffic::lives(LIVING, clients).collect();
        let (mut rates, mut findings) = (Vec::new(), 0);
        for round in 0..rounds {
            progress.round(round, rounds);
            let mut tracker = Tracker::new(config(LIVING));
            let before = cpu_time()?;
            findings = judge(&mut tracker, &events);
            let taken = cpu_time()?.saturating_sub(before);
            #[expect(clippy::cast_precision_loss, reason = "it is far below 2^52")]
            rates.push(events.len() as f64 / taken.as_secs_f64());
            black_box(tracker);
        }
        Ok(Self { clients, events: events.len(), findings, per_second: Spread::of(rates) })
    }
}

/// CPU time of this thread so far. What else runs on the machine does not count.
fn cpu_time() -> anyhow::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).context("reading the thread's CPU time")?.into())
}

/// Hands over the events, and takes what is found after each as the program does; how much that was.
fn judge(tracker: &mut Tracker, events: &[Event]) -> usize {
    let mut findings = 0;
    for event in events {
        tracker.handle_event(event);
        while let Some(finding) = tracker.poll() {
            black_box(&finding);
            findings += 1;
        }
    }
    findings
}

/// What a tracker holds after these events of [`KEPT`] connections.
fn heap_of(events: impl Iterator<Item = Event>) -> u64 {
    let before = heap::held();
    let mut tracker = Tracker::new(config(KEPT));
    for event in events {
        tracker.handle_event(&event);
    }
    let held = heap::held().saturating_sub(before);
    assert_eq!(tracker.len(), KEPT as usize, "connections were given up or joined");
    held
}

fn config(connections: u32) -> Config {
    Config { max_connections: connections as usize, ..Config::default() }
}
