//! The judgement by itself: events a second on one core, and what many connections take of the heap.

use std::hint::black_box;
use std::time::Instant;

use observer_core::{Config, Event, Tracker};
use serde::Serialize;

use crate::heap;
use crate::progress::Progress;
use crate::statistics::Spread;
use crate::traffic;

/// Connections at the same time while events are counted; a prime.
const LIVING: u32 = 10_007;

/// Connections whose memory is measured.
const KEPT: u32 = 100_000;

/// What the tracker does and needs.
#[derive(Debug, Serialize)]
pub(crate) struct Judgement {
    /// Connections that live at the same time while events are counted.
    pub(crate) living: u32,
    /// Events of one round.
    pub(crate) events: usize,
    /// Findings that followed from them.
    pub(crate) findings: usize,
    /// Events a second, of one thread.
    pub(crate) per_second: Spread,
    /// Connections whose memory is measured, each with a wire sample and a socket sample of one end.
    pub(crate) kept: u32,
    /// What they take of the heap, in bytes.
    pub(crate) heap: u64,
}

/// Feeds a fresh tracker with the same events in each round.
pub(crate) fn measure(rounds: u32) -> Judgement {
    let progress = Progress::new("tracker");
    let events: Vec<Event> = traffic::lives(LIVING).collect();
    let (mut rates, mut findings) = (Vec::new(), 0);
    for round in 0..rounds {
        progress.round(round, rounds);
        let mut tracker = Tracker::new(config(LIVING));
        let since = Instant::now();
        findings = judge(&mut tracker, &events);
        #[expect(clippy::cast_precision_loss, reason = "it is far below 2^52")]
        rates.push(events.len() as f64 / since.elapsed().as_secs_f64());
        black_box(tracker);
    }
    progress.say("memory");
    let per_second = Spread::of(rates);
    Judgement { living: LIVING, events: events.len(), findings, per_second, kept: KEPT, heap: heap_of(KEPT) }
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

/// What a tracker with so many connections holds.
fn heap_of(connections: u32) -> u64 {
    let before = heap::held();
    let mut tracker = Tracker::new(config(connections));
    for event in traffic::established(connections) {
        tracker.handle_event(&event);
    }
    let held = heap::held().saturating_sub(before);
    assert_eq!(tracker.len(), connections as usize, "connections were given up or joined");
    held
}

fn config(connections: u32) -> Config {
    Config { max_connections: connections as usize, ..Config::default() }
}
