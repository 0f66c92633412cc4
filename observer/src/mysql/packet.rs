//! Packets: three bytes of length, one of sequence, and the payload.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html>

/// Bytes before a packet's payload.
pub(super) const HEADER: usize = 4;

/// Bytes before what a compressed packet holds: length, sequence, length before compression.
const COMPRESSED_HEADER: usize = 7;

/// The packet at the beginning of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Length of the payload as the header says; 0xff_ffff when more of it follows in the next packet.
    pub length: u32,
    /// Its number. A command has number 0, the first packet of the answer 1.
    pub sequence: u8,
    /// The payload, or as much of it as there is; never empty.
    pub payload: &'a [u8],
    /// What follows it.
    pub rest: &'a [u8],
}

impl<'a> Packet<'a> {
    /// The packet that `bytes` begin with; `None` where not even a byte of its payload is there.
    pub fn first(bytes: &'a [u8]) -> Option<Self> {
        let (&[low, middle, high, sequence], behind) = bytes.split_first_chunk::<HEADER>()?;
        let length = u32::from_le_bytes([low, middle, high, 0]);
        let end = usize::try_from(length).map_or(behind.len(), |length| length.min(behind.len()));
        let (payload, rest) = behind.split_at(end);
        (!payload.is_empty()).then_some(Self { length, sequence, payload, rest })
    }

    /// Whether all of the payload is there.
    pub fn is_whole(&self) -> bool {
        usize::try_from(self.length) == Ok(self.payload.len())
    }
}

/// What a compressed packet holds, if all of it is there and stored as it is. Short packets are
/// (`MIN_COMPRESS_LENGTH`, 50 bytes).
///
/// It need not be known whether the connection is compressed: `sequence` is the one that the packet inside must have,
/// and what does not hold such a packet is no compressed packet.
pub fn stored(bytes: &[u8], sequence: u8) -> Option<&[u8]> {
    let (&[low, middle, high, _, 0, 0, 0], inside) = bytes.split_first_chunk::<COMPRESSED_HEADER>()? else {
        return None;
    };
    let length = usize::try_from(u32::from_le_bytes([low, middle, high, 0])).ok()?;
    let inside = inside.get(..length)?;
    let packet = Packet::first(inside)?;
    (packet.sequence == sequence && usize::try_from(packet.length).ok()? + HEADER <= length).then_some(inside)
}

/// An integer of one to nine bytes, and what follows it.
/// <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_dt_integers.html>
pub(super) fn length_encoded(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    let width = match first {
        0..=0xfa => return Some((u64::from(first), rest)),
        0xfc => 2,
        0xfd => 3,
        0xfe => 8,
        _ => return None,
    };
    let (number, rest) = rest.split_at_checked(width)?;
    let mut little_endian = [0; 8];
    little_endian[..width].copy_from_slice(number);
    Some((u64::from_le_bytes(little_endian), rest))
}

/// As many bytes as the integer before them says, and what follows them.
pub fn length_encoded_bytes(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = length_encoded(bytes)?;
    rest.split_at_checked(usize::try_from(length).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_ends_where_its_header_says() {
        let packet = Packet::first(b"\x02\0\0\x07ab\x01\0\0\x08c").unwrap();
        assert_eq!((packet.length, packet.sequence, packet.payload), (2, 7, &b"ab"[..]));
        assert!(packet.is_whole());
        assert_eq!(Packet::first(packet.rest).unwrap().payload, b"c");
    }

    #[test]
    fn a_packet_that_is_cut_off_has_what_is_there() {
        let packet = Packet::first(b"\xff\xff\xff\0abc").unwrap();
        assert_eq!((packet.length, packet.payload, packet.rest), (0xff_ffff, &b"abc"[..], &b""[..]));
        assert!(!packet.is_whole());
        for bytes in [&b""[..], b"\x01\0\0", b"\x01\0\0\0", b"\0\0\0\0a"] {
            assert_eq!(Packet::first(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn a_compressed_packet_may_hold_another_as_it_is() {
        let inside = b"\x05\0\0\0\x03SET ";
        let outside = [b"\x09\0\0\0\0\0\0", &inside[..], b"next"].concat();
        assert_eq!(stored(&outside, 0), Some(&inside[..]));
        assert_eq!(stored(&outside, 1), None, "another sequence");
        assert_eq!(stored(b"\x09\0\0\0\x20\0\0\x05\0\0\0\x03SET ", 0), None, "compressed");
        assert_eq!(stored(b"\x05\0\0\0\0\0\0\x05\0\0\0\x03SET ", 0), None, "not inside");
        // An OK packet that was not compressed: affected rows and insert id are zeros too.
        assert_eq!(stored(b"\x07\0\0\x01\0\0\0\x02\0\0\x01\0", 1), None);
    }

    #[test]
    fn integers_have_four_widths() {
        for (bytes, number) in [
            (&b"\xfa"[..], 0xfa),
            (b"\xfc\x01\x02", 0x0201),
            (b"\xfd\x01\x02\x03", 0x03_0201),
            (b"\xfe\x01\0\0\0\0\0\0\x02", 0x0200_0000_0000_0001),
        ] {
            assert_eq!(length_encoded(bytes), Some((number, &b""[..])));
            assert_eq!(length_encoded(&bytes[..bytes.len() - 1]), None, "{bytes:?} cut off");
        }
        assert_eq!(length_encoded(b"\xfb"), None, "NULL is no number");
        assert_eq!(length_encoded_bytes(b"\x02abc"), Some((&b"ab"[..], &b"c"[..])));
        assert_eq!(length_encoded_bytes(b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff"), None);
    }
}
