//! TCP segments by hand: as IPv4 packets into the kernel, and out of it.

use std::cell::OnceCell;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, sendto, socket,
};

/// Flags of a TCP header (RFC 9293, 3.1).
pub(crate) mod flag {
    pub(crate) const FIN: u8 = 0x01;
    pub(crate) const SYN: u8 = 0x02;
    pub(crate) const RST: u8 = 0x04;
    pub(crate) const ACK: u8 = 0x10;
}

/// A segment without its payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub(crate) from: SocketAddrV4,
    pub(crate) to: SocketAddrV4,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u8,
    pub(crate) window: u16,
    /// The window scale option, as it is.
    pub(crate) scale: Option<u8>,
}

/// Sends a segment: a socket of this protocol takes the packet with its header (raw(7)).
pub(crate) fn send(segment: &Segment) {
    thread_local! {
        static RAW: OnceCell<OwnedFd> = const { OnceCell::new() };
    }
    RAW.with(|raw| {
        let raw = raw.get_or_init(|| {
            socket(AddressFamily::Inet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::Raw).unwrap()
        });
        let to = SockaddrIn::from(segment.to);
        sendto(raw.as_raw_fd(), &segment.packet(&[]), &to, MsgFlags::empty()).unwrap();
    });
}

impl Segment {
    /// The IPv4 packet with it (RFC 791, RFC 9293).
    pub(crate) fn packet(&self, payload: &[u8]) -> Vec<u8> {
        let options = self.scale.map_or(Vec::new(), |shift| vec![3, 3, shift, 0]);
        let words = u8::try_from(5 + options.len() / 4).unwrap();
        let mut tcp = Vec::new();
        tcp.extend(self.from.port().to_be_bytes());
        tcp.extend(self.to.port().to_be_bytes());
        tcp.extend(self.seq.to_be_bytes());
        tcp.extend(self.ack.to_be_bytes());
        tcp.extend([words << 4, self.flags]);
        tcp.extend(self.window.to_be_bytes());
        tcp.extend([0; 4]);
        tcp.extend(options);
        tcp.extend(payload);
        let length = u16::try_from(tcp.len()).unwrap();
        let mut summed = [self.from.ip().octets(), self.to.ip().octets()].concat();
        summed.extend([0, 6]);
        summed.extend(length.to_be_bytes());
        summed.extend(&tcp);
        tcp[16..18].copy_from_slice(&checksum(&summed).to_be_bytes());
        let mut packet = vec![0x45, 0];
        packet.extend((20 + length).to_be_bytes());
        packet.extend([0, 0, 0, 0, 64, 6, 0, 0]);
        packet.extend(self.from.ip().octets());
        packet.extend(self.to.ip().octets());
        let sum = checksum(&packet);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        packet.extend(tcp);
        packet
    }

    /// What a packet says, and how long its payload is; `None` for what is no TCP over IPv4.
    pub(crate) fn parse(packet: &[u8]) -> Option<(Self, usize)> {
        let (&first, &protocol) = (packet.first()?, packet.get(9)?);
        let tcp = packet.get(usize::from(first & 15) * 4..)?;
        if first >> 4 != 4 || protocol != 6 {
            return None;
        }
        let short =
            |bytes: &[u8], at: usize| Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
        let long = |at: usize| Some(u32::from_be_bytes(tcp.get(at..at + 4)?.try_into().ok()?));
        let address = |at: usize, port| {
            let octets: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
            Some(SocketAddrV4::new(Ipv4Addr::from(octets), port))
        };
        let segment = Self {
            from: address(12, short(tcp, 0)?)?,
            to: address(16, short(tcp, 2)?)?,
            seq: long(4)?,
            ack: long(8)?,
            flags: *tcp.get(13)?,
            window: short(tcp, 14)?,
            scale: None,
        };
        Some((segment, tcp.len().checked_sub(usize::from(tcp.get(12)? >> 4) * 4)?))
    }
}

/// The sum of RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let words =
        bytes.chunks(2).map(|word| u32::from(word[0]) << 8 | word.get(1).map_or(0, |low| u32::from(*low)));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap()
}
