//! IP packets of one connection.

use std::net::{IpAddr, SocketAddr};

use observer_core::End;

use super::PORT;
use crate::source::pcap::segment::{ACK, FIN, RST, SYN};

/// Window scale 7, behind two of the options that are before it in Linux.
const OPTIONS: [u8; 12] = [2, 4, 5, 0xb4, 4, 2, 1, 1, 3, 3, 7, 0];

/// A second in microseconds.
pub(super) const SECOND: i64 = 1_000_000;

/// What two ends send each other: IP packets and when they pass, in microseconds.
#[derive(Clone)]
pub(super) struct Talk {
    pub(super) packets: Vec<(i64, Vec<u8>)>,
    pub(super) now: i64,
    client: SocketAddr,
    server: SocketAddr,
    /// What each sends next, and the window it advertises, unscaled.
    pub(super) next: [u32; 2],
    pub(super) window: [u16; 2],
    identification: u16,
}

impl Talk {
    pub(super) fn new() -> Self {
        Self::between("10.0.0.5:41234".parse().unwrap(), SocketAddr::new([10, 0, 0, 9].into(), PORT))
    }

    pub(super) fn v6() -> Self {
        let server = SocketAddr::new("fd00::9".parse::<IpAddr>().unwrap(), PORT);
        Self::between("[fd00::5]:41234".parse().unwrap(), server)
    }

    pub(super) fn between(client: SocketAddr, server: SocketAddr) -> Self {
        Self {
            packets: Vec::new(),
            now: 1_714_831_421 * SECOND,
            client,
            server,
            // The client's wraps soon.
            next: [u32::MAX - 20, 1000],
            window: [500, 500],
            identification: 0,
        }
    }

    /// The same with the handshake of TCP behind it.
    pub(super) fn opened(mut self) -> Self {
        self.send(End::Client, SYN, b"");
        self.wait(100);
        self.send(End::Server, SYN | ACK, b"");
        self.wait(100);
        self.send(End::Client, ACK, b"");
        self
    }

    /// The same with the handshake of MySQL behind it too.
    pub(super) fn logged_in(self) -> Self {
        let mut talk = self.opened();
        talk.say(End::Server, GREETING);
        talk.say(End::Client, &login());
        talk.say(End::Server, b"\x07\0\0\x02\0\0\0\x02\0\0\0");
        talk
    }

    pub(super) fn wait(&mut self, micros: i64) {
        self.now += micros;
    }

    /// `by` sends `payload`, which its peer acknowledges.
    pub(super) fn say(&mut self, by: End, payload: &[u8]) {
        self.send(by, ACK, payload);
        self.wait(50);
        self.send(by.peer(), ACK, b"");
        self.wait(50);
    }

    /// A segment of what `by` sends next.
    pub(super) fn send(&mut self, by: End, flags: u8, payload: &[u8]) {
        let seq = self.next[by as usize];
        self.segment(by, seq, flags, payload);
        let marks = u32::from(flags & SYN != 0) + u32::from(flags & FIN != 0);
        self.next[by as usize] = seq.wrapping_add(u32::try_from(payload.len()).unwrap() + marks);
    }

    /// An RST.
    pub(super) fn reset(&mut self, by: End) {
        self.segment(by, self.next[by as usize], RST | ACK, b"");
    }

    /// A probe as Linux sends it.
    pub(super) fn probe(&mut self, by: End) {
        self.segment(by, self.next[by as usize].wrapping_sub(1), ACK, b"");
    }

    /// Any segment.
    pub(super) fn segment(&mut self, by: End, seq: u32, flags: u8, payload: &[u8]) {
        let (from, to) = match by {
            End::Client => (self.client, self.server),
            End::Server => (self.server, self.client),
        };
        let ack = if flags & ACK == 0 { 0 } else { self.next[by.peer() as usize] };
        let options = if flags & SYN == 0 { &[][..] } else { &OPTIONS[..] };
        let mut tcp = Vec::new();
        tcp.extend(from.port().to_be_bytes());
        tcp.extend(to.port().to_be_bytes());
        tcp.extend(seq.to_be_bytes());
        tcp.extend(ack.to_be_bytes());
        tcp.push(u8::try_from((20 + options.len()) / 4 * 16).unwrap());
        tcp.push(flags);
        tcp.extend(self.window[by as usize].to_be_bytes());
        tcp.extend([0; 4]);
        tcp.extend(options);
        tcp.extend(payload);
        self.identification = self.identification.wrapping_add(1);
        self.packets.push((self.now, ip(from.ip(), to.ip(), self.identification, &tcp)));
    }

    /// The last packet, to be changed.
    pub(super) fn last(&mut self) -> &mut Vec<u8> {
        &mut self.packets.last_mut().unwrap().1
    }
}

/// An IP packet with TCP in it.
fn ip(from: IpAddr, to: IpAddr, identification: u16, tcp: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            packet.extend([0x45, 0]);
            packet.extend(u16::try_from(20 + tcp.len()).unwrap().to_be_bytes());
            packet.extend(identification.to_be_bytes());
            packet.extend([0x40, 0, 64, 6, 0, 0]);
            packet.extend(from.octets());
            packet.extend(to.octets());
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            packet.extend([0x60, 0, 0, 0]);
            packet.extend(u16::try_from(tcp.len()).unwrap().to_be_bytes());
            packet.extend([6, 64]);
            packet.extend(from.octets());
            packet.extend(to.octets());
        }
        _ => unreachable!("both ends are of one family"),
    }
    packet.extend(tcp);
    packet
}

/// Version 9.7.4, thread 36.
pub(super) const GREETING: &[u8] =
    b"\x27\0\0\0\x0a9.7.4\0\x24\0\0\0saltsalt\0\xff\xf7\xff\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0";

/// A login of protocol 4.1, without TLS.
pub(super) fn login() -> Vec<u8> {
    let capabilities: u32 = 0x0100_8205;
    [&[36, 0, 0, 1][..], &capabilities.to_le_bytes(), &[0; 28], b"app\0"].concat()
}

/// A packet of MySQL.
pub(super) fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    [&[length[0], length[1], length[2], sequence], payload].concat()
}

/// A talk with all that can be told: a session, a result, a stall with probes, and an end in mid-result.
pub(super) fn story(talk: Talk) -> Talk {
    let mut talk = talk.logged_in();
    talk.say(End::Client, &packet(0, b"\x03SET net_write_timeout=5"));
    talk.say(End::Server, b"\x07\0\0\x01\0\0\0\x02\0\0\0");
    talk.say(End::Client, &packet(0, b"\x03SELECT * FROM big"));
    talk.say(End::Server, &packet(1, b"\x05"));
    for _ in 0..3 {
        talk.say(End::Server, &[b'x'; 1000]);
    }
    talk.wait(SECOND);
    talk.send(End::Server, ACK, &[b'x'; 1000]);
    talk.wait(50);
    talk.window[End::Client as usize] = 0;
    talk.send(End::Client, ACK, b"");
    for pause in [SECOND / 5, SECOND / 2] {
        talk.wait(pause);
        talk.probe(End::Server);
        talk.wait(40);
        talk.send(End::Client, ACK, b"");
    }
    talk.wait(3 * SECOND);
    talk.window[End::Client as usize] = 400;
    talk.send(End::Client, ACK, b"");
    talk.wait(2 * SECOND);
    talk.send(End::Server, ACK | FIN, &[b'x'; 100]);
    talk.wait(50);
    talk.send(End::Client, ACK, b"");
    talk.wait(SECOND);
    talk.send(End::Client, ACK | FIN, b"");
    talk.wait(50);
    talk.send(End::Server, ACK, b"");
    talk.wait(50);
    talk.reset(End::Server);
    talk
}
