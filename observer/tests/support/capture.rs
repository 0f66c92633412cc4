//! Captures of one connection, written as they go: of a client that streams a result and stops reading now and then.

use std::io::{self, Write};

/// The port of the server.
const PORT: u16 = 3306;

/// Bytes of a row that are captured; the headers say that it is longer.
const ROW: usize = 60;

/// So many data packets are between two pauses of the client.
const BETWEEN_PAUSES: u32 = 500;

/// Microseconds since the epoch.
const BEGINNING: u64 = 1_714_831_421_000_000;

const ACK: u8 = 0x10;
const SYN: u8 = 0x02;
const FIN: u8 = 0x01;

/// The format of a capture.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Format {
    Pcap,
    PcapNg,
}

/// Writes packets into `out`.
pub(crate) struct Capture<W> {
    format: Format,
    out: W,
    now: u64,
    /// What the client and the server send next.
    next: [u32; 2],
    /// Of the client, not scaled.
    window: u16,
}

impl<W: Write> Capture<W> {
    /// Begins one of a connection that is being opened.
    pub(crate) fn begin(format: Format, mut out: W) -> io::Result<Self> {
        match format {
            Format::Pcap => {
                out.write_all(&0xa1b2_c3d4_u32.to_le_bytes())?;
                out.write_all(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
                out.write_all(&262_144_u32.to_le_bytes())?;
                // Raw IP.
                out.write_all(&101_u32.to_le_bytes())?;
            }
            Format::PcapNg => {
                block(
                    &mut out,
                    0x0a0d_0d0a,
                    &[&0x1a2b_3c4d_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]],
                )?;
                block(&mut out, 1, &[&101_u16.to_le_bytes(), &[0; 2], &262_144_u32.to_le_bytes()])?;
            }
        }
        let mut capture = Self { format, out, now: BEGINNING, next: [1000, 5000], window: 500 };
        capture.packet(true, SYN, b"")?;
        capture.packet(false, SYN | ACK, b"")?;
        capture.packet(true, ACK, b"")?;
        Ok(capture)
    }

    /// The server sends `rows` packets, and the client takes them, with pauses of two seconds in which its window is closed.
    pub(crate) fn stream(&mut self, rows: u32) -> io::Result<()> {
        for row in 1..=rows {
            self.packet(false, ACK, &[b'x'; ROW])?;
            let pauses = row.is_multiple_of(BETWEEN_PAUSES);
            self.window = if pauses { 0 } else { 500 };
            self.packet(true, ACK, b"")?;
            if pauses {
                for _ in 0..4 {
                    self.now += 500_000;
                    self.next[1] -= 1;
                    self.packet(false, ACK, b"")?;
                    self.next[1] += 1;
                    self.packet(true, ACK, b"")?;
                }
                self.window = 500;
                self.packet(true, ACK, b"")?;
            }
        }
        Ok(())
    }

    /// The server drops it, in the middle of its result; gives `out` back.
    pub(crate) fn end(mut self) -> io::Result<W> {
        self.packet(false, ACK | FIN, b"")?;
        self.packet(true, ACK | FIN, b"")?;
        self.packet(false, ACK, b"")?;
        Ok(self.out)
    }

    fn packet(&mut self, by_client: bool, flags: u8, payload: &[u8]) -> io::Result<()> {
        self.now += 100;
        let (from, to) = if by_client { (0, 1) } else { (1, 0) };
        let addresses = [[10, 0, 0, 5], [10, 0, 0, 9]];
        let ports = [41_234, PORT];
        let length = u16::try_from(40 + payload.len()).unwrap_or(u16::MAX);
        let mut ip = vec![0x45, 0];
        ip.extend(length.to_be_bytes());
        ip.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
        ip.extend(addresses[from]);
        ip.extend(addresses[to]);
        ip.extend(ports[from].to_be_bytes());
        ip.extend(ports[to].to_be_bytes());
        ip.extend(self.next[from].to_be_bytes());
        ip.extend(if flags & ACK == 0 { [0; 4] } else { self.next[to].to_be_bytes() });
        let window = if by_client { self.window } else { 500 };
        ip.extend([0x50, flags]);
        ip.extend(window.to_be_bytes());
        ip.extend([0; 4]);
        ip.extend(payload);
        let marks = u32::from(flags & (SYN | FIN) != 0);
        self.next[from] = self.next[from].wrapping_add(u32::try_from(payload.len()).unwrap_or(0) + marks);
        self.record(&ip)
    }

    fn record(&mut self, ip: &[u8]) -> io::Result<()> {
        let length = u32::try_from(ip.len()).unwrap_or(u32::MAX).to_le_bytes();
        let now = self.now;
        let number = |number: u64| u32::try_from(number & 0xffff_ffff).unwrap_or(0).to_le_bytes();
        match self.format {
            Format::Pcap => {
                let head = [number(now / 1_000_000), number(now % 1_000_000), length, length];
                self.out.write_all(&head.concat())?;
                self.out.write_all(ip)
            }
            Format::PcapNg => {
                let head = [[0; 4], number(now >> 32), number(now), length, length].concat();
                block(&mut self.out, 6, &[&head, ip, &[0; 3][..ip.len().next_multiple_of(4) - ip.len()]])
            }
        }
    }
}

/// A block of pcapng; the parts make a multiple of four bytes.
fn block(out: &mut impl Write, kind: u32, parts: &[&[u8]]) -> io::Result<()> {
    let body = parts.concat();
    let length = u32::try_from(12 + body.len()).unwrap_or(u32::MAX).to_le_bytes();
    out.write_all(&kind.to_le_bytes())?;
    out.write_all(&length)?;
    out.write_all(&body)?;
    out.write_all(&length)
}
