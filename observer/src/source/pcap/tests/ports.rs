//! Servers on several ports.

use observer_core::{EventKind, SocketEventKind};

use super::files::Pcap;
use super::talk::{Talk, story};
use super::{PcapOptions, Reader, options};

/// The same story with servers on three ports of a host, all at the same time.
fn talks() -> [Talk; 3] {
    [3306, 3307, 3308].map(|port| {
        let client = ([10, 0, 0, 5], 41_000 + port % 10).into();
        story(Talk::between(client, ([10, 0, 0, 9], port).into()))
    })
}

fn capture(talks: &[Talk]) -> Vec<u8> {
    let mut all = Talk::new();
    all.packets = talks.iter().flat_map(|talk| talk.packets.clone()).collect();
    all.packets.sort_by_key(|(at, _)| *at);
    Pcap::default().file(&all)
}

/// What is told of the server on `port`, how many segments were of the `asked` ports, and how many packets there were.
fn told(capture: &[u8], asked: &[u16], port: u16) -> (Vec<SocketEventKind>, u64, u64) {
    let mut reader = Reader::new(capture, PcapOptions { ports: asked.to_vec(), ..options() }).unwrap();
    let mut kinds = Vec::new();
    for event in reader.by_ref().map(Result::unwrap) {
        match event.kind {
            EventKind::Socket(event) => {
                assert!(asked.contains(&event.socket.flow.server.port()), "{event:?}");
                if event.socket.flow.server.port() == port {
                    kinds.push(event.kind);
                }
            }
            EventKind::Source(other) => panic!("{other:?}"),
        }
    }
    (kinds, reader.statistics().segments, reader.statistics().packets)
}

#[test]
fn each_of_several_ports_is_told_as_if_it_were_alone_and_another_one_is_not() {
    let talks = talks();
    let all = capture(&talks);
    let each = talks[0].packets.len() as u64;
    for (talk, port) in [(&talks[0], 3306), (&talks[2], 3308)] {
        let (alone, ..) = told(&capture(std::slice::from_ref(talk)), &[port], port);
        assert!(alone.len() > 10, "{alone:?}");
        let (among, segments, packets) = told(&all, &[3306, 3308], port);
        assert_eq!(among, alone);
        assert_eq!((segments, packets), (2 * each, 3 * each));
    }
}

#[test]
fn the_order_of_the_ports_does_not_matter() {
    let all = capture(&talks());
    assert_eq!(told(&all, &[3308, 3306], 3306), told(&all, &[3306, 3308], 3306));
}
