//! Captures that are cut off, damaged, or none.

use observer_core::{Event, EventKind, SourceEvent};

use super::files::{Order, Pcap};
use super::talk::{Talk, story};
use super::{Reader, options, read, source_events};

/// What a capture tells until its error, and that.
fn broken(capture: &[u8]) -> (Vec<Event>, String) {
    let mut events = Vec::new();
    for event in Reader::new(capture, options()).unwrap() {
        match event {
            Ok(event) => events.push(event),
            Err(error) => return (events, format!("{error:#}")),
        }
    }
    panic!("no error");
}

fn refusal(capture: &[u8]) -> String {
    format!("{:#}", Reader::new(capture, options()).unwrap_err())
}

fn pcapng(talk: &Talk) -> (Vec<u8>, Vec<usize>) {
    let order = Order::default();
    let mut file = [order.section(), order.interface(101, 0, 6, 0)].concat();
    let mut offsets = Vec::new();
    for (at, ip) in &talk.packets {
        offsets.push(file.len());
        file.extend(order.enhanced(0, at.cast_unsigned(), ip, &[]));
    }
    (file, offsets)
}

fn pcap(talk: &Talk) -> (Vec<u8>, Vec<usize>) {
    let format = Pcap::default();
    let mut file = format.header();
    let mut offsets = Vec::new();
    for (at, ip) in &talk.packets {
        offsets.push(file.len());
        file.extend(format.record(*at, ip));
    }
    (file, offsets)
}

#[test]
fn a_capture_that_is_cut_off_is_used_up_to_there() {
    let talk = story(Talk::new());
    for (file, offsets) in [pcap(&talk), pcapng(&talk)] {
        let last = *offsets.last().unwrap();
        let whole = read(&file[..last]);
        for end in last + 1..file.len() {
            let mut events = read(&file[..end]);
            let place = events
                .iter()
                .position(|event| matches!(event.kind, EventKind::Source(SourceEvent::Degraded { .. })));
            let EventKind::Source(SourceEvent::Degraded { because, .. }) = events.remove(place.unwrap()).kind
            else {
                unreachable!()
            };
            assert_eq!(because, format!("it is cut off in its last record, at byte {last}"));
            assert_eq!(events, whole);
        }
    }
}

#[test]
fn damage_in_the_middle_is_an_error_with_its_place() {
    let talk = story(Talk::new());
    for (file, offsets) in [pcap(&talk), pcapng(&talk)] {
        for damage in [[0; 16], [0xff; 16], *b"all work and no "] {
            let at = offsets[offsets.len() / 2];
            let mut file = file.clone();
            file[at..at + 16].copy_from_slice(&damage);
            let (events, error) = broken(&file);
            assert!(error.starts_with(&format!("byte {at}: ")), "{error}");
            assert!(error.contains("damaged"), "{error}");
            assert!(!events.is_empty());
        }
    }
}

#[test]
fn a_block_that_does_not_end_as_it_begins_is_damaged() {
    let (mut file, offsets) = pcapng(&story(Talk::new()));
    file[offsets[3] - 1] ^= 1;
    let (_, error) = broken(&file);
    assert!(error.starts_with(&format!("byte {}: ", offsets[2])), "{error}");
    let order = Order::default();
    let mut other = [order.section(), order.block(77, &[0; 40])].concat();
    *other.last_mut().unwrap() ^= 1;
    assert!(broken(&other).1.contains("damaged"));
}

#[test]
fn no_length_makes_it_wait_for_more_than_there_can_be() {
    let order = Order::default();
    let endless = |kind: u32, length: u32| {
        let head = [order.section(), order.u32(kind).to_vec(), order.u32(length).to_vec()].concat();
        let input = std::io::Read::chain(&head[..], std::io::Read::take(std::io::repeat(7), 64 << 20));
        let last = Reader::new(input, options()).unwrap().last().unwrap();
        format!("{:#}", last.unwrap_err())
    };
    for kind in [1, 2, 3, 5, 6, 0x0a0d_0d0a, 77] {
        let error = endless(kind, 0xffff_fffc);
        assert!(error.contains("damaged"), "{kind}: {error}");
    }
    let legacy = [&Pcap::default().header()[..], &[0; 8], &u32::MAX.to_le_bytes(), &[1; 4]].concat();
    assert!(broken(&legacy).1.contains("more than any packet has"));
}

#[test]
fn an_interface_that_was_not_described_is_an_error() {
    let order = Order::default();
    let file = [order.section(), order.enhanced(3, 0, &[0; 40], &[])].concat();
    assert!(broken(&file).1.contains("no interface 3"));
}

#[test]
fn what_is_no_capture_is_refused() {
    assert_eq!(refusal(b""), "the file is empty");
    assert!(refusal(b"{\"type\":\"header\"}").contains("event log"));
    assert!(refusal(b"GIF89a").contains("no capture"));
    let header = Pcap::default().header();
    for end in 4..header.len() {
        assert!(refusal(&header[..end]).contains("within its header"), "{end}");
    }
    let section = Order::default().section();
    for end in 4..section.len() {
        assert!(refusal(&section[..end]).contains("within its header"), "{end}");
    }
    assert!(refusal(b"\x0a\x0d\x0d\x0a\x1c\0\0\0\0\0\0\0").contains("damaged"));
}

#[test]
fn an_empty_capture_tells_nothing() {
    assert_eq!(read(&Pcap::default().header()), []);
    assert_eq!(read(&Order::default().section()), []);
    assert_eq!(source_events(&read(&pcap(&Talk::new()).0)), []);
}
