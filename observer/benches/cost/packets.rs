//! A capture of headers, as `tcpdump -s 96 -w` writes it: many clients of one server, some of which stop reading.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::Context as _;

/// Clients at the same time.
pub(crate) const CLIENTS: u32 = 1_000;

/// So many of them stop reading, and stay so.
pub(crate) const STALLED_CLIENTS: usize = 20;

/// Each client takes so many turns, ten a second in all of its life.
const TURNS: u32 = 400;
const STALLED_FROM: u32 = 100;
const MICROS_A_TURN: u32 = 100_000;

/// What is kept of a packet.
const SNAP_LENGTH: usize = 96;

/// Payload of a full segment, and how many there are in a turn.
const SEGMENT: u32 = 1_448;
const SEGMENTS: u32 = 2;

const SYN: u8 = 0x02;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
const FIN: u8 = 0x01;

/// Options of a SYN: the largest segment, and a window scale of 7.
const SYN_OPTIONS: [u8; 12] = [2, 4, 5, 0xb4, 1, 3, 3, 7, 1, 1, 1, 1];
/// Of any other segment: a time stamp, which is not looked at.
const OPTIONS: [u8; 12] = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1];

/// Writes the capture; how many packets it has.
pub(crate) fn write(path: &Path) -> anyhow::Result<u64> {
    let doing = || format!("writing {}", path.display());
    let mut file = Capture { out: BufWriter::new(File::create(path).with_context(doing)?), packets: 0 };
    let mut begin = || -> io::Result<u64> {
        file.header()?;
        for turn in 0..TURNS {
            for client in 0..CLIENTS {
                Turn { client, turn }.write(&mut file)?;
            }
        }
        file.out.flush()?;
        Ok(file.packets)
    };
    begin().with_context(doing)
}

/// What one client and its server say to each other in one turn.
struct Turn {
    client: u32,
    turn: u32,
}

/// What a segment says.
struct Segment {
    from_client: bool,
    flags: u8,
    /// Payload that its end has sent before it.
    sent: u32,
    acknowledged: u32,
    /// Not scaled.
    window: u16,
    payload: u32,
}

impl Turn {
    fn write(&self, file: &mut Capture) -> io::Result<()> {
        let sent = self.sent();
        let ack = |acknowledged, window| Segment {
            from_client: true,
            flags: ACK,
            sent: 0,
            acknowledged,
            window,
            payload: 0,
        };
        let data = |sent, payload| Segment {
            from_client: false,
            flags: ACK | PSH,
            sent,
            acknowledged: 0,
            window: 501,
            payload,
        };
        let closed = self.is_stalled() && self.turn >= STALLED_FROM;
        let mut segments = Vec::new();
        match self.turn {
            0 => {
                segments.push(Segment { flags: SYN, window: 64_240, ..ack(0, 0) });
                segments.push(Segment { flags: SYN | ACK, window: 65_160, ..data(0, 0) });
                segments.push(ack(0, 501));
            }
            // A probe every ten turns, which is a second, and its answer.
            turn if closed && turn > STALLED_FROM => {
                if turn.is_multiple_of(10) {
                    // Of what was acknowledged already (`tcp_xmit_probe_skb`, net/ipv4/tcp_output.c).
                    segments.push(Segment { flags: ACK, ..data(sent.wrapping_sub(1), 0) });
                    segments.push(ack(sent, 0));
                }
            }
            turn => {
                segments.extend((0..SEGMENTS).map(|number| data(sent + number * SEGMENT, SEGMENT)));
                segments.push(ack(sent + SEGMENTS * SEGMENT, if closed { 0 } else { 501 }));
                if turn == TURNS - 1 {
                    let end = sent + SEGMENTS * SEGMENT;
                    segments.push(Segment { flags: FIN | ACK, ..ack(end, 501) });
                    segments.push(Segment { flags: FIN | ACK, ..data(end, 0) });
                }
            }
        }
        (0..).zip(&segments).try_for_each(|(number, segment)| file.packet(self, number, segment))
    }

    fn is_stalled(&self) -> bool {
        (self.client as usize) < STALLED_CLIENTS
    }

    /// What the server has sent before this turn.
    fn sent(&self) -> u32 {
        let turns = if self.is_stalled() { self.turn.min(STALLED_FROM + 1) } else { self.turn };
        turns.saturating_sub(1) * SEGMENTS * SEGMENT
    }
}

struct Capture {
    out: BufWriter<File>,
    packets: u64,
}

impl Capture {
    /// In the format of tcpdump, little-endian, microseconds, Ethernet.
    fn header(&mut self) -> io::Result<()> {
        let snap_length = u32::try_from(SNAP_LENGTH).unwrap_or(u32::MAX);
        for number in [0xa1b2_c3d4, 4 << 16 | 2, 0, 0, snap_length, 1] {
            self.out.write_all(&u32::to_le_bytes(number))?;
        }
        Ok(())
    }

    fn packet(&mut self, turn: &Turn, number: u32, segment: &Segment) -> io::Result<()> {
        let packet = packet(turn.client, segment);
        let whole = u32::try_from(packet.len()).unwrap_or(u32::MAX) + segment.payload;
        let kept = SNAP_LENGTH.min(whole as usize);
        // Clients come one after the other within a turn, and their segments 10 us apart.
        let micros = turn.turn % 10 * MICROS_A_TURN + turn.client * (MICROS_A_TURN / CLIENTS) + number * 10;
        for number in [1_714_831_200 + turn.turn / 10, micros, u32::try_from(kept).unwrap_or(u32::MAX), whole]
        {
            self.out.write_all(&number.to_le_bytes())?;
        }
        self.out.write_all(&packet)?;
        self.out.write_all(&[0; SNAP_LENGTH][packet.len()..kept])?;
        self.packets += 1;
        Ok(())
    }
}

/// Headers of Ethernet, IPv4 and TCP.
fn packet(client: u32, segment: &Segment) -> Vec<u8> {
    let (client_address, server_address) = (0x0a00_0000 | client, 0xc000_0201_u32);
    let (client_port, server_port) = (40_000_u16, 3_306_u16);
    let options = if segment.flags & SYN == 0 { OPTIONS } else { SYN_OPTIONS };
    // A SYN counts as one.
    let begun = u32::from(segment.flags & SYN == 0);
    let seq = 1_000_000 + begun + segment.sent;
    let ack = 1_000_001 + segment.acknowledged;
    let length = u16::try_from(20 + 20 + 12 + segment.payload).unwrap_or(u16::MAX);
    let mut packet = Vec::with_capacity(SNAP_LENGTH);
    packet.extend([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]);
    // Checksums are left out, as they are where the network card makes them.
    packet.extend([0x45, 0]);
    packet.extend(length.to_be_bytes());
    packet.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
    let ends = [(client_address, client_port), (server_address, server_port)];
    let [(from, from_port), (to, to_port)] = if segment.from_client { ends } else { [ends[1], ends[0]] };
    packet.extend(from.to_be_bytes());
    packet.extend(to.to_be_bytes());
    packet.extend(from_port.to_be_bytes());
    packet.extend(to_port.to_be_bytes());
    packet.extend(seq.to_be_bytes());
    packet.extend(if segment.flags & ACK == 0 { 0 } else { ack }.to_be_bytes());
    packet.extend([8 << 4, segment.flags]);
    packet.extend(segment.window.to_be_bytes());
    packet.extend([0; 4]);
    packet.extend(options);
    packet
}
