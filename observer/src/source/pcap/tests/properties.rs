//! What holds for any bytes: no panic, and no more memory than for a healthy capture.

use proptest::collection::vec;
use proptest::prelude::*;

use super::files::{Order, Pcap};
use super::talk::{Talk, story};
use super::{Reader, options};

/// Reads some bytes as far as it goes.
fn take(capture: &[u8]) {
    let Ok(reader) = Reader::new(capture, options()) else { return };
    let mut errors = 0;
    for event in reader {
        assert_eq!(errors, 0, "an error is the last that is told");
        errors += u32::from(event.is_err());
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
    fn any_bytes_behind_a_header(which in 0_usize..4, bytes in vec(any::<u8>(), 0..400)) {
        let mut capture = captures().swap_remove(which);
        capture.truncate(if which == 3 { 180 } else { 24 });
        capture.extend(bytes);
        take(&capture);
    }
}
