//! TCP segments, read from IP packets as far as they were captured.

use std::hash::BuildHasher as _;
use std::net::{IpAddr, SocketAddr};

use etherparse::{IpNumber, LaxIpSlice, ip_number};
use hashbrown::DefaultHashBuilder;
use observer_core::SeqNumber;

/// Length of a TCP header without options.
const HEADER: usize = 20;
/// Length of an IPv6 header without extensions.
const IPV6_HEADER: u32 = 40;

/// Bits of the TCP header's flags (RFC 9293, 3.1).
pub(super) const FIN: u8 = 0x01;
pub(super) const SYN: u8 = 0x02;
pub(super) const RST: u8 = 0x04;
pub(super) const ACK: u8 = 0x10;

/// Option kinds (RFC 9293, RFC 7323).
const OPTION_END: u8 = 0;
const OPTION_NOP: u8 = 1;
const OPTION_WINDOW_SCALE: u8 = 3;

/// One TCP segment.
#[derive(Debug)]
pub(super) struct Segment<'a> {
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) seq: SeqNumber,
    pub(super) ack: SeqNumber,
    /// The window field, not scaled.
    pub(super) window: u16,
    flags: u8,
    /// Bytes of payload as sent.
    pub(super) length: u32,
    /// The payload as far as it was captured.
    pub(super) payload: &'a [u8],
    /// Identification of the IPv4 packet, 0 in IPv6.
    identification: u16,
    /// The TCP header with its options, as far as they were captured.
    header: &'a [u8],
}

impl<'a> Segment<'a> {
    /// Reads the headers of a packet that was `length` bytes long from its IP header on, before it was cut off.
    /// `None` for what is not TCP, or not the first fragment of it, or cut off within the headers.
    pub(super) fn parse(packet: &'a [u8], length: u32) -> Option<Self> {
        let (ip, _) = LaxIpSlice::from_slice(packet).ok()?;
        let (identification, headers, total) = match &ip {
            LaxIpSlice::Ipv4(ip) => {
                let header = ip.header();
                if header.fragments_offset().value() != 0 {
                    return None;
                }
                let authentication = ip.extensions().auth.map_or(0, |auth| auth.slice().len());
                // Where the network card is left to cut it (TSO), a packet may have no length yet.
                let total = Some(u32::from(header.total_len())).filter(|total| *total != 0);
                (header.identification(), header.slice().len() + authentication, total)
            }
            LaxIpSlice::Ipv6(ip) => {
                let extensions = ip.extensions().slice();
                if is_later_fragment(ip.header().next_header(), extensions) {
                    return None;
                }
                // Also 0 in packets beyond 64 KiB (RFC 2675).
                let payload = Some(u32::from(ip.header().payload_length())).filter(|length| *length != 0);
                let total = payload.map(|payload| payload + IPV6_HEADER);
                (0, IPV6_HEADER as usize + extensions.len(), total)
            }
        };
        let payload = ip.payload();
        if payload.ip_number != ip_number::TCP {
            return None;
        }
        let addresses = (ip.source_addr(), ip.destination_addr());
        let length = total.unwrap_or(length).checked_sub(u32::try_from(headers).ok()?)?;
        Self::parse_tcp(payload.payload, length, addresses, identification)
    }

    fn parse_tcp(
        tcp: &'a [u8],
        length: u32,
        (source, destination): (IpAddr, IpAddr),
        identification: u16,
    ) -> Option<Self> {
        let fixed: &[u8; HEADER] = tcp.first_chunk()?;
        let short = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
        let long = |at: usize| {
            SeqNumber(u32::from_be_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]))
        };
        let header = usize::from(fixed[12] >> 4) * 4;
        if header < HEADER {
            return None;
        }
        Some(Self {
            source: SocketAddr::new(source, short(0)),
            destination: SocketAddr::new(destination, short(2)),
            seq: long(4),
            ack: long(8),
            window: short(14),
            flags: fixed[13],
            length: length.checked_sub(u32::try_from(header).ok()?)?,
            payload: tcp.get(header..).unwrap_or_default(),
            identification,
            header: &tcp[..header.min(tcp.len())],
        })
    }

    /// Whether any of these flags is set.
    pub(super) fn has(&self, flags: u8) -> bool {
        self.flags & flags != 0
    }

    /// The sequence number behind it.
    pub(super) fn end(&self) -> SeqNumber {
        let marks = u32::from(self.has(SYN)) + u32::from(self.has(FIN));
        SeqNumber(self.seq.0.wrapping_add(self.length).wrapping_add(marks))
    }

    /// What it says of the scale of its sender's windows, if it is a SYN.
    pub(super) fn window_scale(&self) -> WindowScale {
        let mut options = &self.header[HEADER..];
        loop {
            options = match options {
                [OPTION_END, ..] => return WindowScale::Absent,
                [OPTION_NOP, rest @ ..] => rest,
                // RFC 7323, 2.3: a shift above 14 means 14.
                [OPTION_WINDOW_SCALE, 3, shift, ..] => return WindowScale::Shift((*shift).min(14)),
                [_, length, ..] if *length >= 2 && options.len() >= usize::from(*length) => {
                    &options[usize::from(*length)..]
                }
                _ => break,
            };
        }
        let whole = usize::from(self.header[12] >> 4) * 4 == self.header.len();
        if whole { WindowScale::Absent } else { WindowScale::Unknown }
    }

    /// The same for the same packet, wherever it was captured; different for all others, as far as packets differ.
    /// The checksum is left out: a sender may leave it to its network card.
    pub(super) fn fingerprint(&self, hasher: &DefaultHashBuilder) -> u32 {
        let (before, behind) = (&self.header[..16], &self.header[18..]);
        let hash = hasher.hash_one((self.identification, before, behind, self.length));
        #[expect(clippy::cast_possible_truncation, reason = "any half of a hash is one")]
        let half = hash as u32;
        half
    }
}

/// Whether one of the extension headers of an IPv6 packet says that it is a fragment and not the first (RFC 8200, 4.5). They may be
/// cut off, which the library's own iterator does not bear: it takes them for whole, without looking.
fn is_later_fragment(first: IpNumber, mut extensions: &[u8]) -> bool {
    let mut kind = first;
    while let [next, size, high, low, ..] = *extensions {
        let length = match kind {
            ip_number::IPV6_FRAG => return u16::from_be_bytes([high, low]) >> 3 != 0,
            ip_number::IPV6_HOP_BY_HOP | ip_number::IPV6_ROUTE | ip_number::IPV6_DEST_OPTIONS => {
                (usize::from(size) + 1) * 8
            }
            // RFC 4302, 2.2.
            ip_number::AUTH => (usize::from(size) + 2) * 4,
            _ => return false,
        };
        (kind, extensions) = (IpNumber(next), extensions.get(length..).unwrap_or_default());
    }
    false
}

/// The scale of the windows that an end advertises (RFC 7323, 2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum WindowScale {
    /// Its SYN was not seen, or not whole.
    #[default]
    Unknown,
    /// Its SYN had no such option: neither end scales.
    Absent,
    /// This many bits to the left.
    Shift(u8),
}

impl WindowScale {
    /// A window of this end in bytes; `None` when it is not known how it is scaled. It is only if both ends have said
    /// so.
    pub(super) fn apply(self, peer: Self, window: u16) -> Option<u32> {
        match (self, peer) {
            // Zero is zero however it is scaled.
            _ if window == 0 => Some(0),
            (Self::Unknown, _) | (_, Self::Unknown) => None,
            (Self::Absent, _) | (_, Self::Absent) => Some(u32::from(window)),
            (Self::Shift(shift), Self::Shift(_)) => Some(u32::from(window) << shift),
        }
    }
}
