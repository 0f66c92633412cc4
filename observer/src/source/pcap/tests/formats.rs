//! All formats tell the same.

use observer_core::{LossPoint, SourceEvent};

use super::files::{Order, Pcap, link_header};
use super::talk::{SECOND, Talk, story};
use super::{Reader, options, read, source_events, tell, told};

const LINKS: [u16; 8] = [0, 1, 12, 14, 101, 108, 113, 276];
const ORDERS: [Order; 2] = [Order { big_endian: false }, Order { big_endian: true }];

fn ticks(micros: i64) -> u64 {
    micros.cast_unsigned()
}

#[test]
fn pcap_of_every_order_precision_and_link() {
    for talk in [story(Talk::new()), story(Talk::v6())] {
        let expected = tell(&talk);
        assert!(told(&expected).len() > 10, "the story tells something");
        for (order, nanos) in ORDERS.into_iter().flat_map(|order| [(order, false), (order, true)]) {
            for link in LINKS {
                let format = Pcap { order, nanos, link, ..Pcap::default() };
                assert_eq!(read(&format.file(&talk)), expected, "link type {link}, nanoseconds: {nanos}");
            }
        }
    }
    let (v4, v6) = (story(Talk::new()), story(Talk::v6()));
    for (link, talk) in [(228, v4), (229, v6)] {
        assert_eq!(read(&Pcap { link, ..Pcap::default() }.file(&talk)), tell(&talk));
    }
}

#[test]
fn pcapng_of_either_order_with_interfaces_of_several_kinds_and_clocks() {
    let talk = story(Talk::new());
    for order in ORDERS {
        let mut file = order.section();
        file.extend(order.interface(1, 0, 6, 0));
        file.extend(order.interface(276, 0, 9, 100));
        // A name resolution block, which is passed over.
        file.extend(order.block(4, &[0; 4]));
        for (index, (at, ip)) in talk.packets.iter().enumerate() {
            if index % 2 == 0 {
                file.extend(order.enhanced(0, ticks(*at), &[&link_header(1, ip)[..], ip].concat(), &[]));
            } else {
                let at = ticks(*at - 100 * SECOND) * 1000;
                file.extend(order.enhanced(1, at, &[&link_header(276, ip)[..], ip].concat(), &[]));
            }
        }
        assert_eq!(read(&file), tell(&talk));
    }
}

#[test]
fn sections_of_pcapng_may_differ_in_order() {
    let talk = story(Talk::new());
    let (first, second) = talk.packets.split_at(10);
    let mut file = Vec::new();
    for (order, link, packets) in [(ORDERS[0], 113, first), (ORDERS[1], 101, second)] {
        file.extend(order.section());
        file.extend(order.interface(link, 0, 6, 0));
        for (at, ip) in packets {
            let packet = [&link_header(link, ip)[..], ip].concat();
            file.extend(order.enhanced(0, ticks(*at), &packet, &[]));
        }
    }
    assert_eq!(read(&file), tell(&talk));
}

#[test]
fn obsolete_packet_blocks_are_read() {
    let talk = story(Talk::new());
    for order in ORDERS {
        let mut file = [order.section(), order.interface(101, 0, 6, 0)].concat();
        for (at, ip) in &talk.packets {
            file.extend(order.obsolete(0, u16::MAX, ticks(*at), ip));
        }
        assert_eq!(read(&file), tell(&talk));
    }
}

#[test]
fn simple_packet_blocks_are_read_and_their_lack_of_time_is_told() {
    let mut talk = Talk::new();
    talk.now = 0;
    let talk = talk.opened();
    let order = ORDERS[1];
    let mut file = [order.section(), order.interface(101, 41, 6, 0)].concat();
    for (_, ip) in &talk.packets {
        file.extend(order.simple(ip, 41));
    }
    let events = read(&file);
    assert_eq!(told(&events).len(), 2);
    let [SourceEvent::Degraded { because, .. }] = &source_events(&events)[..] else { panic!("{events:?}") };
    assert!(because.contains("without a time"), "{because}");
    assert!(events.iter().all(|event| event.at.as_micros() == 0));
}

#[test]
fn what_a_capture_has_dropped_is_told_once() {
    let talk = Talk::new().opened();
    let order = ORDERS[1];
    let (at, ip) = &talk.packets[0];
    let drop_count = [order.option(4, &order.u64(3)), order.option(0, b"")].concat();
    let file = [
        order.section(),
        order.interface(101, 0, 6, 0),
        order.enhanced(0, ticks(*at), ip, &drop_count),
        order.obsolete(0, 2, ticks(*at), ip),
        order.statistics(0, 4, 3),
        order.statistics(0, 4, 3),
        order.statistics(9, 1, 1),
    ];
    let events = read(&file.concat());
    let lost = SourceEvent::EventsLost { count: 7, lost_by: LossPoint::Capture };
    assert_eq!(source_events(&events), [lost]);
}

#[test]
fn a_capture_says_where_it_comes_from() {
    let file = ORDERS[1].section();
    let reader = Reader::new(&file[..], options()).unwrap();
    let info = reader.info();
    assert_eq!((info.format, info.hardware.as_deref()), ("pcapng", None));
    assert_eq!(
        (info.system.as_deref(), info.application.as_deref()),
        (Some("Linux 6.1"), Some("Dumpcap 4.0"))
    );
}

#[test]
fn what_was_read_is_counted() {
    let talk = story(Talk::new());
    let file = Pcap::default().file(&talk);
    let mut reader = Reader::new(&file[..], options()).unwrap();
    reader.by_ref().for_each(drop);
    let statistics = reader.statistics();
    assert_eq!(statistics.packets, talk.packets.len() as u64);
    assert_eq!((statistics.segments, statistics.duplicates), (statistics.packets, 0));
    assert_eq!(statistics.first.unwrap().as_micros(), talk.packets[0].0);
    assert_eq!(statistics.last.unwrap().as_micros(), talk.now);
    assert_eq!(reader.offset(), file.len() as u64);
}

#[test]
fn an_interface_that_cannot_be_read_is_told_and_passed_over() {
    let talk = Talk::new().opened();
    let order = ORDERS[0];
    let mut file = [order.section(), order.interface(220, 0, 6, 0), order.interface(101, 0, 6, 0)].concat();
    for (at, ip) in &talk.packets {
        file.extend(order.enhanced(0, ticks(*at), &[1; 70], &[]));
        file.extend(order.enhanced(1, ticks(*at), ip, &[]));
    }
    let events = read(&file);
    assert_eq!(told(&events), told(&tell(&talk)));
    let [SourceEvent::Degraded { because, .. }] = &source_events(&events)[..] else { panic!("{events:?}") };
    assert_eq!(because, "link type 220 of eth7 cannot be read");
}

#[test]
fn a_link_type_that_cannot_be_read_is_named() {
    let file = Pcap { link: 147, ..Pcap::default() }.header();
    let error = Reader::new(&file[..], options()).unwrap_err().to_string();
    assert!(error.contains("link type 147"), "{error}");
}
