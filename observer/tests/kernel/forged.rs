//! Segments that no kernel would send, made by hand.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsRawFd as _;
use std::time::Instant;

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, sendto, socket,
};
use observer_core::{SeqNumber, SocketEventKind, Vantage};
use tokio::io::AsyncWriteExt as _;

use crate::harness::{Observed, connect, listen, run};

#[test]
fn a_window_that_flaps_is_counted_and_not_told_each_time() {
    run("a_window_that_flaps_is_counted_and_not_told_each_time", async {
        let listener = listen(Ipv4Addr::LOCALHOST.into()).await;
        let mut told = Observed::start(&listener).await;
        let (mut client, server) = connect(&listener).await;
        client.write_all(b"seen").await.unwrap();
        let seen = |told: &Observed| {
            let sample = told.last_sample(Vantage::Server).filter(|sample| sample.client.sent == 4)?;
            Some((sample.client.next_seq, sample.client.ack))
        };
        let (seq, ack) = told.until("what the client has sent", seen).await;
        let (from, to) = (client.local_addr().unwrap(), server.local_addr().unwrap());
        let (std::net::SocketAddr::V4(from), std::net::SocketAddr::V4(to)) = (from, to) else {
            panic!("{from} and {to} are not IPv4")
        };

        let began = Instant::now();
        for _ in 0..500 {
            send(&segment(from, to, seq, ack, 0), to);
            send(&segment(from, to, seq, ack, 512), to);
        }
        let spans = began.elapsed().as_millis() / 134 + 2;
        let closings = |told: &Observed| {
            let closings = told.last_sample(Vantage::Server)?.client.zero_windows;
            (closings >= 500).then_some(closings)
        };
        assert_eq!(told.until("the last closing", closings).await, 500);
        let changes = told.sockets().filter(|event| {
            use SocketEventKind::{WindowUpdate, ZeroWindow};
            matches!(event.kind, ZeroWindow { .. } | WindowUpdate { .. })
        });
        let changes = changes.count() as u128;
        assert!((1..=32 * spans).contains(&changes), "{changes} changes were told in {spans} spans");
    });
}

/// Sends an IP packet: a socket of this protocol takes it with its header (raw(7)).
fn send(packet: &[u8], to: SocketAddrV4) {
    let raw = socket(AddressFamily::Inet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::Raw).unwrap();
    sendto(raw.as_raw_fd(), packet, &SockaddrIn::from(to), MsgFlags::empty()).unwrap();
}

/// An IPv4 packet with a TCP segment that has no payload (RFC 791, RFC 9293).
fn segment(from: SocketAddrV4, to: SocketAddrV4, seq: SeqNumber, ack: SeqNumber, window: u16) -> Vec<u8> {
    const ACK: u16 = 0x5010; // a header of five words, and the flag
    let mut tcp = Vec::new();
    tcp.extend(from.port().to_be_bytes());
    tcp.extend(to.port().to_be_bytes());
    tcp.extend(seq.0.to_be_bytes());
    tcp.extend(ack.0.to_be_bytes());
    tcp.extend(ACK.to_be_bytes());
    tcp.extend(window.to_be_bytes());
    tcp.extend([0; 4]);
    let mut summed = [from.ip().octets(), to.ip().octets(), [0, 6, 0, 20]].concat();
    summed.extend(&tcp);
    tcp[16..18].copy_from_slice(&checksum(&summed).to_be_bytes());
    // The kernel fills in the length, the identification and the checksum.
    let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0];
    packet.extend(from.ip().octets());
    packet.extend(to.ip().octets());
    packet.extend(tcp);
    packet
}

/// The sum of RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap()
}
