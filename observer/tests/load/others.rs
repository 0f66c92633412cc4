//! Packets that are none of the observer's business.

use std::sync::mpsc::{TryRecvError, channel};
use std::thread;

use crate::crowd::Crowd;
use crate::datagrams::Datagrams;
use crate::privilege::is_root;
use crate::programs::{self, Direction, Runs};
use crate::watched::Watched;
use crate::{MOST_MEMORY, stall};

/// Packets that pass at least; by the bench it takes a second or two.
const PACKETS: u64 = 3_000_000;

/// Millions of packets pass the programs, which are witnesses of how many. Connections that stall before and while they
/// come are found, and nothing is lost of those.
#[test]
fn packets_of_others_by_the_million() {
    if !is_root("packets_of_others_by_the_million", "loading kernel programs") {
        return;
    }
    let mut crowd = Crowd::new().unwrap();
    let watched = Watched::start(crowd.port(), &[]);
    let ingress = programs::of_direction(&watched.proc(""), Direction::Ingress).unwrap();
    let _counting = programs::enable_run_time().unwrap();
    let runs = || programs::runs().remove(&ingress).unwrap();
    let mut early = crowd.open_many(5).unwrap();
    let mut late = crowd.open_many(5).unwrap();
    let before = runs();
    let sent = thread::scope(|scope| {
        let datagrams = Datagrams::new().unwrap();
        let mut stalled = stall(&mut early);
        // It ends with what looks for the stalls, however that ends.
        let (looking, looks) = channel::<()>();
        let goes_on = move |sent| sent < PACKETS || looks.try_recv() == Err(TryRecvError::Empty);
        let sending = scope.spawn(move || datagrams.send_while(goes_on).unwrap());
        stalled.extend(stall(&mut late));
        watched.wait_stalled(&stalled);
        drop(looking);
        sending.join().unwrap()
    });
    let passed = Runs::times(before, runs());
    assert!(sent >= PACKETS && passed >= sent, "{sent} sent, {passed} have passed the program");
    let memory = watched.most_memory();
    assert!(memory < MOST_MEMORY, "{memory} KiB");
    let written = watched.stop();
    assert_eq!((written.opened, written.lost), (early.len() + late.len(), 0), "seen and lost");
}
