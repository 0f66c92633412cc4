//! What is before the IP header, by the link types of <https://www.tcpdump.org/linktypes.html>.

/// EtherTypes (IEEE 802).
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
/// 802.1Q, 802.1ad (QinQ) and its forerunner: four bytes, the last two the next EtherType.
const VLANS: [u16; 3] = [0x8100, 0x88a8, 0x9100];

/// The header that a link puts before each packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// Ethernet, with VLAN tags or without.
    Ethernet,
    /// Linux cooked, as on the device `any`.
    LinuxCooked,
    /// Linux cooked, version 2.
    LinuxCooked2,
    /// Loopback of the BSDs: four bytes of address family, in an order of bytes that may be any.
    Loopback,
    /// None.
    RawIp,
}

impl TryFrom<u16> for Link {
    type Error = u16;

    /// From the number of the link type; an unknown number comes back as the error.
    fn try_from(number: u16) -> Result<Self, u16> {
        Ok(match number {
            // LINKTYPE_NULL, LINKTYPE_LOOP.
            0 | 108 => Self::Loopback,
            1 => Self::Ethernet,
            // DLT_RAW where it was written without translation, LINKTYPE_RAW, LINKTYPE_IPV4, LINKTYPE_IPV6.
            12 | 14 | 101 | 228 | 229 => Self::RawIp,
            113 => Self::LinuxCooked,
            276 => Self::LinuxCooked2,
            unknown => return Err(unknown),
        })
    }
}

impl Link {
    /// The packet from its IP header on; `None` for what is not IP, or cut off before it.
    pub(super) fn ip(self, packet: &[u8]) -> Option<&[u8]> {
        match self {
            Self::RawIp => Some(packet),
            // The version of IP stands in its own header too.
            Self::Loopback => packet.get(4..),
            Self::Ethernet => behind_type(packet, 12, 14),
            Self::LinuxCooked => behind_type(packet, 14, 16),
            Self::LinuxCooked2 => behind_type(packet, 0, 20),
        }
    }
}

/// What follows a header of `length` bytes with its EtherType at `at`, and VLAN tags behind it.
fn behind_type(packet: &[u8], at: usize, length: usize) -> Option<&[u8]> {
    let mut ether_type = word(packet, at)?;
    let mut rest = packet.get(length..)?;
    while VLANS.contains(&ether_type) {
        ether_type = word(rest, 2)?;
        rest = rest.get(4..)?;
    }
    matches!(ether_type, IPV4 | IPV6).then_some(rest)
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes)
}
