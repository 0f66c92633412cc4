//! The observer under load: its memory stays bounded, what is lost is counted and said, stalls are found all the same.
//!
//! Here at a size that every machine carries; `cargo xtask bench --only load` measures the full one, `cargo xtask soak`
//! goes on for as long as one likes. Each test runs the program itself.

#![expect(clippy::unwrap_used, reason = "the helpers belong to the tests: a panic is a test that failed")]

#[path = "../support/crowd.rs"]
#[expect(dead_code, reason = "the bench of load uses more of it")]
mod crowd;
#[path = "../support/datagrams.rs"]
mod datagrams;
mod maps;
mod others;
#[path = "../support/privilege.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod privilege;
#[path = "../support/programs.rs"]
#[expect(dead_code, reason = "the bench uses more of it")]
mod programs;
mod soak;
mod watched;

use std::net::SocketAddr;

use nix::sys::signal::Signal;

use crate::crowd::{Crowd, Pair};
use crate::privilege::is_root;
use crate::watched::Watched;

/// What the observer may need at any time, in KiB: with the room it has for connections by default, and what its loader
/// reads at the start.
const MOST_MEMORY: u64 = 96 << 10;

/// Lets them stall, and gives their clients.
fn stall(pairs: &mut [Pair]) -> Vec<SocketAddr> {
    let client = |pair: &mut Pair| {
        pair.stall().unwrap();
        pair.client().unwrap()
    };
    pairs.iter_mut().map(client).collect()
}

/// Connections that come and go do not hide those that stand still, and where there is room for what is told of them
/// each is seen.
#[test]
fn a_burst_of_short_connections() {
    const SHORT: usize = 5_000;
    if !is_root("a_burst_of_short_connections", "loading kernel programs") {
        return;
    }
    let mut crowd = Crowd::new().unwrap();
    // Some twelve records of 140 bytes each: it has room for all, should nobody read while they come.
    let watched = Watched::start(crowd.port(), &["--ring-buffer", "16777216"]);
    let mut early = crowd.open_many(5).unwrap();
    let mut stalled = stall(&mut early);
    crowd.burst(SHORT / 2).unwrap();
    let mut late = crowd.open_many(5).unwrap();
    stalled.extend(stall(&mut late));
    crowd.burst(SHORT / 2).unwrap();
    watched.wait_stalled(&stalled);
    watched.rest(2 * stalled.len());
    let memory = watched.most_memory();
    assert!(memory < MOST_MEMORY, "{memory} KiB");
    let written = watched.stop();
    let all = SHORT + early.len() + late.len();
    assert_eq!((written.opened, written.lost), (all, 0), "seen and lost");
}

/// There is room for a part of them only. What has to go is said, and it is none that stands still.
#[test]
fn more_connections_than_there_is_room_for() {
    if !is_root("more_connections_than_there_is_room_for", "loading kernel programs") {
        return;
    }
    let mut crowd = Crowd::new().unwrap();
    let watched = Watched::start(crowd.port(), &["--max-connections", "500"]);
    let mut before = crowd.open_many(50).unwrap();
    let mut stalled = stall(&mut before);
    watched.wait_stalled(&stalled);
    let well = crowd.open_many(2_000).unwrap();
    let mut after = crowd.open_many(50).unwrap();
    let late = stall(&mut after);
    watched.wait_stalled(&late);
    stalled.extend(late);
    watched.wait_loss();
    drop((before, after));
    watched.wait_left(&stalled);
    let memory = watched.most_memory();
    assert!(memory < MOST_MEMORY, "{memory} KiB");
    drop(well);
    let written = watched.stop();
    assert!(written.lost > 0);
    // One that had to go would have been found once more, or not when it ended.
    let again: Vec<_> = stalled.iter().filter(|client| written.stalls[client] != 1).collect();
    assert!(again.is_empty(), "{again:?} had to go: {:?}", written.stalls);
}

/// Nobody empties the ring buffer, which has room for a few records: what has no place is counted, and what the
/// records would have told of a stall is seen by the socket diagnostics.
#[test]
fn a_ring_buffer_that_is_full() {
    if !is_root("a_ring_buffer_that_is_full", "loading kernel programs") {
        return;
    }
    let mut crowd = Crowd::new().unwrap();
    let watched = Watched::start(crowd.port(), &["--ring-buffer", "4096"]);
    watched.signal(Signal::SIGSTOP);
    crowd.burst(500).unwrap();
    let mut pairs = crowd.open_many(20).unwrap();
    let stalled = stall(&mut pairs);
    crowd.burst(500).unwrap();
    watched.signal(Signal::SIGCONT);
    watched.wait_stalled(&stalled);
    watched.wait_loss();
    let memory = watched.most_memory();
    assert!(memory < MOST_MEMORY, "{memory} KiB");
    let written = watched.stop();
    // Each of the burst would have been told by its SYN, and by its end.
    assert!(written.lost >= 1_000, "{} lost, {} seen", written.lost, written.opened);
}
