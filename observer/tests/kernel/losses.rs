//! What could not be told is counted.

use std::net::{Ipv4Addr, TcpStream};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use observer::source::live::LiveOptions;
use observer_core::{LossPoint, SourceEvent};

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
