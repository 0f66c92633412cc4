//! Hours in short: connections are opened, stall, go on and are closed, again and again. Whatever grows with that is a
//! leak.

use std::env;
use std::io::Write as _;
use std::time::{Duration, Instant};

use crate::crowd::Crowd;
use crate::privilege::is_root;
use crate::stall;
use crate::watched::{Takes, Watched};

/// Connections of one round, and those of them that stall.
const CONNECTIONS: usize = 200;
const STALLED: usize = 20;

/// The observer remembers so many connections, those that have ended too: a few rounds fill that.
const REMEMBERED: usize = 500;

/// Rounds in which what is filled once is filled.
const WARM_UP: u32 = 4;
/// Rounds after that whose least is judged: once, where nothing else is asked for.
const ROUNDS: u32 = 6;

/// In the long form what is filled once is filled within this part of the time: an hour has sockets, processes and users of the
/// host that the first seconds have not.
const LONG_WARM_UP: u32 = 10;

/// What memory may differ by when nothing grows, in KiB, and the part of it that allocators waste here or there.
const SLACK: u64 = 512;
const WASTE: u64 = 20;

/// `cargo xtask soak` says how long it goes on.
fn minutes() -> Option<u64> {
    env::var("OBSERVER_SOAK_MINUTES").ok().map(|minutes| minutes.parse().expect("a number of minutes"))
}

#[test]
fn nothing_grows() {
    if !is_root("nothing_grows", "loading kernel programs") {
        return;
    }
    let mut crowd = Crowd::new().unwrap();
    let remembered = REMEMBERED.to_string();
    // A log would fill the disk in the long form.
    let options = ["--max-connections", &remembered, "--poll", "0.2", "--log", "/dev/null"];
    let mut watched = Watched::start(crowd.port(), &options);
    let (began, mut reported) = (Instant::now(), Instant::now());
    let long = minutes().map(|minutes| Duration::from_secs(60 * minutes));
    let mut usual: Option<Takes> = None;
    let mut least: Option<Takes> = None;
    let mut rounds = 0;
    loop {
        let takes = round(&mut crowd, &watched);
        rounds += 1;
        match &mut usual {
            None if rounds >= WARM_UP => usual = Some(takes),
            // What the first rounds have not needed yet: the largest of twice the rounds is the measure.
            Some(usual)
                if rounds <= 2 * WARM_UP
                    || long.is_some_and(|long| began.elapsed() < long / LONG_WARM_UP) =>
            {
                usual.memory = usual.memory.max(takes.memory);
            }
            Some(usual) => {
                // What else goes on at the host, as its sockets and processes are listed, shows for a moment.
                let least_now = least.take().map_or(takes.clone(), |least| least.min(takes));
                if (rounds - 2 * WARM_UP).is_multiple_of(ROUNDS) {
                    assert_not_grown(usual, &least_now, rounds);
                    if long.is_none_or(|long| began.elapsed() >= long) {
                        break;
                    }
                } else {
                    least = Some(least_now);
                }
            }
            None => {}
        }
        if long.is_some() && reported.elapsed() >= Duration::from_secs(60) {
            reported = Instant::now();
            let minutes = began.elapsed().as_secs() / 60;
            let _ = writeln!(std::io::stderr(), "{minutes:>4} min  {rounds:>6} rounds  {}", watched.takes());
        }
    }
    watched.end();
}

/// Opens connections, lets some stall and go on, and closes all; gives what the observer has then.
fn round(crowd: &mut Crowd, watched: &Watched) -> Takes {
    let mut pairs = crowd.open_many(CONNECTIONS).unwrap();
    let stalled = stall(&mut pairs[..STALLED]);
    watched.wait_stalled(&stalled);
    pairs[..STALLED / 2].iter_mut().for_each(|pair| pair.read().unwrap());
    drop(pairs);
    watched.rest(0)
}

/// The least of each of the last [`ROUNDS`] rounds must not be more than before.
fn assert_not_grown(usual: &Takes, least: &Takes, round: u32) {
    let memory = usual.memory + SLACK + usual.memory / WASTE;
    assert!(least.memory <= memory, "memory has grown by round {round}: {usual}, then {least}");
    assert!(least.files <= usual.files, "files have grown by round {round}: {usual}, then {least}");
    assert!(least.threads <= usual.threads, "threads have grown by round {round}: {usual}, then {least}");
    let grown = least.entries.iter().any(|(map, entries)| *entries > usual.entries[map]);
    assert!(!grown, "entries have grown by round {round}: {usual}, then {least}");
}
