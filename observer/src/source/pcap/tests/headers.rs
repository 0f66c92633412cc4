//! Headers of all kinds, and packets that are cut off.

use observer_core::{End, SocketEventKind};

use super::files::Pcap;
use super::talk::{SECOND, Talk, story};
use super::{read, samples, tell, told};
use crate::source::pcap::segment::ACK;

/// The talk as it passes an Ethernet, each packet changed.
fn changed(talk: &Talk, change: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let format = Pcap::default();
    let records = talk.packets.iter().flat_map(|(at, ip)| format.raw_record(*at, &change(ip)));
    format.header().into_iter().chain(records).collect()
}

fn ethernet(tags: &[u8], ip: &[u8]) -> Vec<u8> {
    let ether_type: &[u8] = if ip[0] >> 4 == 6 { &[0x86, 0xdd] } else { &[0x08, 0] };
    [&[0xaa; 12][..], tags, ether_type, ip].concat()
}

#[test]
fn vlan_tags_are_passed_over() {
    let talk = story(Talk::new());
    for tags in [&[0x81, 0, 0, 5][..], &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6], &[0x91, 0, 0, 5, 0x81, 0, 0, 6]] {
        assert_eq!(read(&changed(&talk, |ip| ethernet(tags, ip))), tell(&talk));
    }
}

#[test]
fn the_padding_of_ethernet_is_no_payload() {
    let talk = story(Talk::new());
    let padded = changed(&talk, |ip| {
        let mut packet = ethernet(&[], ip);
        packet.resize(packet.len().max(60), 0);
        packet
    });
    assert_eq!(read(&padded), tell(&talk));
}

#[test]
fn options_and_extension_headers_are_passed_over() {
    let v4 = story(Talk::new());
    let with_options = changed(&v4, |ip| {
        let mut packet = [&ip[..20], &[1; 8], &ip[20..]].concat();
        packet[0] = 0x47;
        let length = u16::from_be_bytes([packet[2], packet[3]]) + 8;
        packet[2..4].copy_from_slice(&length.to_be_bytes());
        ethernet(&[], &packet)
    });
    assert_eq!(read(&with_options), tell(&v4));

    let v6 = story(Talk::v6());
    let with_extensions = changed(&v6, |ip| {
        // Hop-by-hop options, then destination options.
        let extensions = [60, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4, 0, 0, 0, 0];
        let mut packet = [&ip[..40], &extensions, &ip[40..]].concat();
        packet[6] = 0;
        let length = u16::from_be_bytes([packet[4], packet[5]]) + 16;
        packet[4..6].copy_from_slice(&length.to_be_bytes());
        ethernet(&[], &packet)
    });
    assert_eq!(read(&with_extensions), tell(&v6));
}

#[test]
fn of_a_packet_in_fragments_the_first_counts() {
    let mut talk = Talk::new().opened();
    let whole = told(&tell(&talk)).len();
    talk.send(End::Server, ACK, &[0; 80]);
    let mut second = talk.last().clone();
    talk.last()[6] = 0x20;
    second[6..8].copy_from_slice(&[0, 13]);
    talk.packets.push((talk.now, second));
    let events = tell(&talk);
    assert_eq!(told(&events).len(), whole);
    assert_eq!(samples(&events).last().unwrap().1.server.segments, 2, "SYN-ACK and the first fragment");
}

#[test]
fn of_a_packet_in_fragments_of_ipv6_the_first_counts_and_none_that_is_cut_off_in_its_extensions() {
    let segments = |extensions: &[u8]| {
        let mut talk = Talk::v6().opened();
        talk.send(End::Server, ACK, &[0; 80]);
        let whole = talk.last().clone();
        *talk.last() = [&whole[..40], extensions, &whole[40..]].concat();
        talk.last()[6] = if extensions.len() > 8 { 0 } else { 44 };
        samples(&tell(&talk)).last().map(|(_, sample)| sample.server.segments)
    };
    assert_eq!(segments(&[6, 0, 0, 1, 0, 0, 0, 7]), Some(2), "SYN-ACK and the first fragment");
    assert_eq!(segments(&[6, 0, 0, 9, 0, 0, 0, 7]), Some(1), "a later one");
    // Hop-by-hop options before it.
    assert_eq!(segments(&[44, 0, 1, 4, 0, 0, 0, 0, 6, 0, 0, 9, 0, 0, 0, 7]), Some(1));
    // A routing header behind it of more bytes than there are.
    assert_eq!(segments(&[44, 0, 1, 4, 0, 0, 0, 0, 43, 0, 0, 1, 0, 0, 0, 7, 6, 255]), Some(1));
}

#[test]
fn a_packet_without_a_length_is_as_long_as_it_was_captured() {
    for talk in [Talk::new(), Talk::v6()] {
        let mut talk = talk.opened();
        talk.send(End::Server, ACK, &[0; 15_000]);
        let expected = samples(&tell(&talk)).pop().unwrap().1;
        let at = if talk.last()[0] >> 4 == 4 { 2 } else { 4 };
        talk.last()[at..at + 2].fill(0);
        for snap_length in [262_144, 128] {
            let events = read(&Pcap { snap_length, ..Pcap::default() }.file(&talk));
            assert_eq!(samples(&events).pop().unwrap().1, expected);
        }
        assert_eq!(expected.server.sent, 15_000);
    }
}

#[test]
fn headers_are_enough() {
    let talk = story(Talk::new());
    let whole = tell(&talk);
    // Ethernet, IPv4, TCP without options.
    let cut = read(&Pcap { snap_length: 54, ..Pcap::default() }.file(&talk));
    let is_of_tcp = |kind: &SocketEventKind| {
        !matches!(
            kind,
            SocketEventKind::Greeting { .. }
                | SocketEventKind::Login { .. }
                | SocketEventKind::Command { .. }
                | SocketEventKind::Reply { .. }
                | SocketEventKind::Statement(_)
        )
    };
    let expected = told(&whole).into_iter().filter(is_of_tcp).map(|kind| match kind {
        SocketEventKind::Syn { by, seq, .. } => SocketEventKind::Syn { by, window_scale: None, seq },
        SocketEventKind::WindowUpdate { by, ack, .. } => {
            SocketEventKind::WindowUpdate { by, window: None, ack }
        }
        SocketEventKind::Fin { by, seq, .. } => SocketEventKind::Fin { by, seq, in_result: None },
        other => other,
    });
    assert_eq!(told(&cut), expected.collect::<Vec<_>>());
    let counts = |events: &[_]| {
        let sample = samples(events).pop().unwrap().1;
        (sample.client.acknowledged, sample.server.sent, sample.server.probes, sample.client.zero_windows)
    };
    assert_eq!(counts(&cut), counts(&whole));
}

#[test]
fn whatever_is_cut_off_within_the_headers_is_passed_over() {
    let talk = story(Talk::v6());
    for snap_length in 0..74 {
        let events = read(&Pcap { snap_length, ..Pcap::default() }.file(&talk));
        assert_eq!(events, [], "{snap_length}");
    }
}

#[test]
fn other_traffic_is_passed_over() {
    let mut talk = Talk::between("10.0.0.5:41234".parse().unwrap(), "10.0.0.9:80".parse().unwrap()).opened();
    talk.wait(SECOND);
    // UDP in place of TCP.
    let mut mysql = Talk::new();
    mysql.send(End::Client, ACK, b"");
    mysql.last()[9] = 17;
    talk.packets.append(&mut mysql.packets);
    assert_eq!(tell(&talk), []);
}
