//! What holds for any bytes: no panic, and no more is kept than for a healthy capture: as many connections as there is room
//! for, one moment of each at which something is due, and the events of one packet. A connection is of a fixed size, and the
//! bytes go through one buffer (`tests/report_memory.rs` measures the whole program).

use std::num::NonZeroUsize;

use observer_core::End;
use proptest::collection::vec;
use proptest::prelude::*;

use super::files::{Order, Pcap};
use super::talk::{Talk, story};
use super::{PcapOptions, Reader, options};

/// So many connections are followed at once.
const ROOM: usize = 3;

/// Most events that one packet makes: what was due of every connection, what was lost, and its own.
const AT_ONCE: usize = 4 * ROOM + 12;

/// Reads some bytes as far as it goes.
fn take(capture: &[u8]) {
    let options = PcapOptions { max_connections: NonZeroUsize::new(ROOM).unwrap(), ..options() };
    let Ok(mut reader) = Reader::new(capture, options) else { return };
    let mut errors = 0;
    while let Some(event) = reader.next() {
        assert_eq!(errors, 0, "an error is the last that is told");
        errors += u32::from(event.is_err());
        let [connections, due] = reader.packets.connections.held();
        assert!(connections <= ROOM, "{connections} connections are followed");
        assert!(due <= connections, "{due} moments of {connections} connections");
        assert!(reader.events.len() < AT_ONCE, "{} events wait", reader.events.len());
    }
}

fn captures() -> Vec<Vec<u8>> {
    let (v4, v6) = (story(Talk::new()), story(Talk::v6()));
    let order = Order { big_endian: true };
    let mut ng = [order.section(), order.interface(1, 0, 9, 0), order.statistics(0, 1, 2)].concat();
    for (at, ip) in &v6.packets {
        let packet = [&super::files::link_header(1, ip)[..], ip].concat();
        ng.extend(order.enhanced(0, at.cast_unsigned() * 1000, &packet, &[]));
        ng.extend(order.simple(&packet, 2000));
        ng.extend(order.obsolete(0, 1, at.cast_unsigned(), &packet));
    }
    vec![
        Pcap::default().file(&v4),
        Pcap { order, link: 276, ..Pcap::default() }.file(&v6),
        Pcap { link: 113, snap_length: 90, ..Pcap::default() }.file(&v4),
        ng,
    ]
}

proptest! {
    #[test]
    fn a_healthy_capture_with_bytes_changed(
        which in 0_usize..4,
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
    ) {
        let mut capture = captures().swap_remove(which);
        for (place, byte) in changes {
            let place = place.index(capture.len());
            capture[place] = byte;
        }
        take(&capture);
    }

    #[test]
    fn packets_of_any_bytes(
        link in prop::sample::select(&[0_u16, 1, 101, 113, 276][..]),
        packets in vec((any::<u32>(), vec(any::<u8>(), 1..120)), 0..40),
    ) {
        let format = Pcap { link, ..Pcap::default() };
        let records = packets.iter().flat_map(|(at, bytes)| {
            let mut packet = bytes.clone();
            // More of them are worth a look this way.
            if let [first, ..] = &mut packet[..] { *first = if at % 2 == 0 { 0x45 } else { 0x60 } }
            if let Some(protocol) = packet.get_mut(9) { *protocol = 6 }
            if let Some(next) = packet.get_mut(6) { *next = 6 }
            format.record(i64::from(*at), &packet)
        });
        take(&format.header().into_iter().chain(records).collect::<Vec<_>>());
    }

    #[test]
    fn segments_of_many_connections(
        segments in vec((0_u16..20, any::<bool>(), any::<u32>(), any::<u8>(), vec(any::<u8>(), 0..60)), 0..200),
    ) {
        let mut all = Talk::new();
        for (client, by_client, seq, flags, payload) in &segments {
            let client = ([10, 0, 0, 5], 40_000 + client).into();
            let mut talk = Talk::between(client, ([10, 0, 0, 9], super::PORT).into());
            talk.wait(i64::try_from(all.packets.len()).unwrap() * 100_000);
            talk.segment(if *by_client { End::Client } else { End::Server }, *seq, *flags, payload);
            all.packets.append(&mut talk.packets);
        }
        take(&Pcap::default().file(&all));
    }

    #[test]
    fn any_bytes_behind_a_header(which in 0_usize..4, bytes in vec(any::<u8>(), 0..400)) {
        let mut capture = captures().swap_remove(which);
        capture.truncate(if which == 3 { 180 } else { 24 });
        capture.extend(bytes);
        take(&capture);
    }
}
