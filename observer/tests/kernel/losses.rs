//! What could not be told is counted.

use std::collections::HashSet;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpStream};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use observer::source::live::LiveOptions;
use observer_core::{Config, Finding, FindingKind, LossPoint, Phase, SourceEvent, Tracker};

use crate::harness::{Observed, listen, run};

#[test]
fn a_full_ring_buffer_is_counted() {
    run("a_full_ring_buffer_is_counted", async {
        let listener = listen(Ipv4Addr::LOCALHOST.into()).await;
        let options = LiveOptions { ring_bytes: 4096, ..LiveOptions::default() };
        let mut told = Observed::start_with(&listener, options).await;
        // Nothing is awaited here, so nobody reads the ring buffer: 4096 bytes take some 40 records, and every
        // connection makes several.
        for _ in 0..100 {
            TcpStream::connect(told.server).unwrap();
        }
        let lost = told.until("the loss", |told| lost(told, LossPoint::RingBuffer)).await;
        assert!(lost > 100, "{lost} lost");
    });
}

/// Losses are counted once a second. Those of the last second are told nonetheless, after the records from before them.
#[test]
fn what_was_lost_last_is_told_at_the_end() {
    run("what_was_lost_last_is_told_at_the_end", async {
        let listener = listen(Ipv4Addr::LOCALHOST.into()).await;
        let options = LiveOptions { ring_bytes: 4096, ..LiveOptions::default() };
        let mut told = Observed::start_with(&listener, options).await;
        let clients: HashSet<_> =
            (0..100).map(|_| TcpStream::connect(told.server).unwrap().local_addr().unwrap()).collect();
        told.end().await;
        let lost = lost(&told, LossPoint::RingBuffer).unwrap();
        let known: HashSet<_> = told.sockets().map(|event| event.socket.flow.client).collect();
        assert!(known.is_subset(&clients) && !known.is_empty(), "{known:?}");
        // Of each connection nobody knows of, two SYNs and more had no place.
        let unknown = clients.len() - known.len();
        assert!(lost >= 2 * unknown as u64, "{lost} lost, {unknown} unknown");
    });
}

/// Nobody reads while a window closes, connections end, and others come and go: of all that only the loss is told. What is
/// known afterwards is what the sockets are, and nobody is blamed for anything.
#[test]
fn after_a_loss_everything_is_known_as_the_sockets_are() {
    run("after_a_loss_everything_is_known_as_the_sockets_are", async {
        let listener = listen(Ipv4Addr::LOCALHOST.into()).await;
        let options = LiveOptions { ring_bytes: 4096, ..LiveOptions::default() };
        let mut told = Observed::start_with(&listener, options).await;
        let listener = listener.into_std().unwrap();
        listener.set_nonblocking(false).unwrap();
        let server = told.server;
        let connect = || {
            let client = TcpStream::connect(server).unwrap();
            (client, listener.accept().unwrap().0)
        };
        let (stalls, calm, ends) = (connect(), connect(), connect());
        let address = |(client, _): &(TcpStream, TcpStream)| client.local_addr().unwrap();
        let (stalled, ended) = (address(&stalls), address(&ends));
        for one in [&stalls, &calm, &ends].map(address) {
            told.until("it", |told| {
                told.sockets().any(|event| event.socket.flow.client == one).then_some(())
            })
            .await;
        }

        // From here on nothing is awaited.
        for _ in 0..100 {
            drop(connect());
        }
        drop(ends);
        stalls.1.set_nonblocking(true).unwrap();
        while (&stalls.1).write(&[b'r'; 16_384]).is_ok() {}

        let alive: HashSet<_> = [&stalls, &calm].map(address).into();
        let tracker = told
            .until("what there is", |told| {
                let tracker = judged(told);
                let open = tracker.connections().filter(|known| known.phase() != Phase::Closed);
                let open: HashSet<_> = open.map(|known| known.flow().client).collect();
                let stands = tracker
                    .connections()
                    .any(|known| known.flow().client == stalled && known.window_closed_since().is_some());
                (lost(told, LossPoint::RingBuffer).is_some() && open == alive && stands).then_some(tracker)
            })
            .await;
        let of_ended = tracker.connections().find(|known| known.flow().client == ended).unwrap();
        assert_eq!(of_ended.phase(), Phase::Closed);
        let mut wrong = findings(tracker);
        wrong.retain(|finding| !is_no_blame(&finding.kind));
        assert!(wrong.is_empty(), "{wrong:#?}");
    });
}

/// What is judged of all that was told.
fn judged(told: &Observed) -> Tracker {
    let mut tracker = Tracker::new(Config::default());
    for event in &told.events {
        tracker.handle_event(event);
    }
    tracker
}

fn is_no_blame(kind: &FindingKind) -> bool {
    matches!(
        kind,
        FindingKind::Degraded { .. } | FindingKind::EventsLost { .. } | FindingKind::Stalled { .. }
    )
}

fn findings(mut tracker: Tracker) -> Vec<Finding> {
    tracker.finish();
    std::iter::from_fn(|| tracker.poll()).collect()
}

#[test]
fn connections_that_the_map_has_no_room_for_are_counted() {
    run("connections_that_the_map_has_no_room_for_are_counted", async {
        let listener = listen(Ipv4Addr::LOCALHOST.into()).await;
        let options = LiveOptions { max_connections: 1, ring_bytes: 1 << 24, ..LiveOptions::default() };
        let mut told = Observed::start_with(&listener, options).await;
        // The map holds 128 for each CPU besides; a connection on loopback has a socket of its own at each end, of
        // which here only the client's is surely seen.
        let count = std::thread::available_parallelism().unwrap().get() * 128 + 200;
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
        let mut connections = Vec::new();
        for _ in 0..count {
            connections.push(TcpStream::connect(told.server).unwrap());
            connections.push(listener.accept().await.unwrap().0.into_std().unwrap());
        }
        let lost = told.until("the loss", |told| lost(told, LossPoint::ConnectionMap)).await;
        assert!(lost > 0);
    });
}

fn lost(told: &Observed, point: LossPoint) -> Option<u64> {
    let lost: u64 = told
        .source_events()
        .map(|event| match event {
            SourceEvent::EventsLost { count, lost_by } if *lost_by == point => *count,
            _ => 0,
        })
        .sum();
    (lost > 0).then_some(lost)
}
