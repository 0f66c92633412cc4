//! TCP segments, read from the packet without a copy.

use observer_common::{Direction, Ends, scale};

use crate::packet::{Packet, read};

/// Bits of the TCP header's flags (RFC 9293, 3.1).
pub mod tcp {
    pub const FIN: u8 = 0x01;
    pub const SYN: u8 = 0x02;
    pub const RST: u8 = 0x04;
    pub const ACK: u8 = 0x10;
}

const IPPROTO_HOPOPTS: u8 = 0;
const IPPROTO_TCP: u8 = 6;
const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
const JUMBO_HEADER: usize = 8;
const TCP_HEADER: usize = 20;
/// Option kinds of TCP (RFC 9293, RFC 7323).
const OPTION_END: u8 = 0;
const OPTION_NOP: u8 = 1;
const OPTION_WINDOW_SCALE: u8 = 3;

/// One TCP segment: the fields of its header in host order.
pub struct Segment {
    pub seq: u32,
    pub ack: u32,
    pub window: u16,
    pub flags: u8,
    /// Where the payload begins, counted from the IP header.
    pub payload_at: u32,
    /// Bytes of payload.
    pub payload: u32,
    /// Where the TCP header begins, counted from the IP header.
    tcp_at: usize,
}

/// Whether the IPv6 header is followed by a hop-by-hop header of eight bytes and that by TCP, as in packets beyond
/// 64 KiB (BIG TCP) before they are split.
#[inline(always)]
fn is_jumbo(data: usize, end: usize) -> bool {
    let header = data + IPV6_HEADER;
    // SAFETY: two bytes are there.
    header + JUMBO_HEADER <= end
        && unsafe { read::<u8>(header) == IPPROTO_TCP && read::<u8>(header + 1) == 0 }
}

impl Segment {
    /// Reads the headers; `None` for what is not TCP.
    ///
    /// At this hook the packet begins with the IP header, and IP and TCP headers are in the linear part: the
    /// kernel has pulled them to find the socket, or has just written them.
    #[inline(always)]
    pub fn parse(packet: Packet) -> Option<Self> {
        let (data, end) = packet.bounds();
        if data + IPV4_HEADER + TCP_HEADER > end {
            return None;
        }
        // SAFETY: 40 bytes are there.
        let first: u8 = unsafe { read(data) };
        let tcp_at = match first >> 4 {
            // SAFETY: as above.
            4 if unsafe { read::<u8>(data + 9) } == IPPROTO_TCP => usize::from(first & 0x0f) << 2,
            // SAFETY: as above.
            6 => match unsafe { read::<u8>(data + 6) } {
                IPPROTO_TCP => IPV6_HEADER,
                IPPROTO_HOPOPTS if is_jumbo(data, end) => IPV6_HEADER + JUMBO_HEADER,
                _ => return None,
            },
            _ => return None,
        };
        let header = data + tcp_at;
        if header + TCP_HEADER > end {
            return None;
        }
        // SAFETY: `header` and 20 bytes after it are there.
        let (seq, ack, rest) =
            unsafe { (read::<u32>(header + 4), read::<u32>(header + 8), read::<u32>(header + 12)) };
        let rest = u32::from_be(rest);
        let payload_at = tcp_at as u32 + ((rest >> 28) << 2);
        // The length of the buffer, not that of the IP header, which is 0 beyond 64 KiB.
        let payload = packet.len().wrapping_sub(payload_at);
        if (payload as i32) < 0 {
            return None;
        }
        Some(Self {
            seq: u32::from_be(seq),
            ack: u32::from_be(ack),
            window: rest as u16,
            flags: (rest >> 16) as u8,
            payload_at,
            payload,
            tcp_at,
        })
    }

    /// Whether any of these flags is set.
    #[inline(always)]
    pub fn has(&self, flags: u8) -> bool {
        self.flags & flags != 0
    }

    /// The window scale a SYN offers, or [`scale::ABSENT`].
    #[inline(always)]
    pub fn window_scale(&self, packet: Packet) -> u8 {
        let (data, end) = packet.bounds();
        let mut at = self.tcp_at + TCP_HEADER;
        // No SYN has more options than this; they take 40 bytes at most.
        for _ in 0..16 {
            if at >= self.payload_at as usize || at > 128 {
                break;
            }
            let option = data + at;
            if option + 3 > end {
                break;
            }
            // SAFETY: three bytes are there.
            let (kind, length, value) =
                unsafe { (read::<u8>(option), read::<u8>(option + 1), read::<u8>(option + 2)) };
            match kind {
                OPTION_END => break,
                OPTION_NOP => at += 1,
                // RFC 7323, 2.3: a shift above 14 means 14.
                OPTION_WINDOW_SCALE => return if value > 14 { 14 } else { value },
                _ if length < 2 => break,
                _ => at += usize::from(length),
            }
        }
        scale::ABSENT
    }
}

/// The addresses and ports in the packet, IPv4 mapped into IPv6.
#[inline(always)]
pub fn ends(packet: Packet, segment: &Segment, direction: Direction) -> Option<Ends> {
    let (data, end) = packet.bounds();
    if data + IPV6_HEADER > end {
        return None;
    }
    // SAFETY: 40 bytes are there.
    let (source, destination) = unsafe {
        if read::<u8>(data) >> 4 == 4 {
            (mapped(read(data + 12)), mapped(read(data + 16)))
        } else {
            (words(read(data + 8)), words(read(data + 24)))
        }
    };
    let ports = data + segment.tcp_at;
    if ports + 4 > end {
        return None;
    }
    // SAFETY: four bytes are there.
    let (source_port, destination_port) =
        unsafe { (u16::from_be(read(ports)), u16::from_be(read(ports + 2))) };
    let ends = match direction {
        Direction::Egress => (source, destination, source_port, destination_port),
        Direction::Ingress => (destination, source, destination_port, source_port),
    };
    Some(Ends { local: ends.0, remote: ends.1, local_port: ends.2, remote_port: ends.3, reserved: 0 })
}

fn mapped(address: u32) -> [u8; 16] {
    words([0, 0, 0xffff_0000, address])
}

fn words(address: [u32; 4]) -> [u8; 16] {
    // SAFETY: both are 16 bytes of plain data.
    unsafe { core::mem::transmute(address) }
}
