//! How a server answers a command.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response.html>

use super::packet::{Packet, stored};

const OK: u8 = 0x00;
const ERR: u8 = 0xff;

/// The first packet of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// An OK packet: carried out, and there is no result.
    Ok,
    /// An ERR packet with MySQL's error number.
    Err(u16),
    /// A result: its first packet is the number of its columns.
    Result,
}

impl Reply {
    /// Reads the first bytes of an answer, which may stand in a compressed packet as it is.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let first = |bytes| Packet::first(bytes).filter(|packet: &Packet<'_>| packet.sequence == 1);
        let packet = stored(bytes, 1).and_then(first).or_else(|| first(bytes))?;
        match *packet.payload {
            [OK, ..] => Some(Self::Ok),
            [ERR, low, high, ..] => Some(Self::Err(u16::from_le_bytes([low, high]))),
            [ERR, ..] => None,
            _ => Some(Self::Result),
        }
    }

    /// Whether the command was carried out, or is being: anything but an ERR packet.
    pub fn is_ok(self) -> bool {
        !matches!(self, Self::Err(_))
    }
}

/// The error number, if `bytes` are one ERR packet and nothing else: so some servers say why they close.
///
/// Whatever its sequence: MySQL counts on from the last command, MariaDB begins anew.
pub fn lone_error(bytes: &[u8]) -> Option<u16> {
    let whole = |bytes| {
        let packet = Packet::first(bytes).filter(|packet| packet.rest.is_empty())?;
        match *packet.payload {
            // Since 4.1 the SQL state follows the number, marked by `#`.
            [ERR, low, high, b'#', ..] => Some(u16::from_le_bytes([low, high])),
            _ => None,
        }
    };
    whole(bytes).or_else(|| (0..=1).find_map(|sequence| whole(stored(bytes, sequence)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK_PACKET: &[u8] = b"\x07\0\0\x01\0\0\0\x02\0\0\0";
    const ERR_PACKET: &[u8] = b"\x0e\0\0\x01\xff\xd0\x04#42000wrong";

    #[test]
    fn an_answer_is_ok_an_error_or_a_result() {
        assert_eq!(Reply::parse(OK_PACKET), Some(Reply::Ok));
        assert_eq!(Reply::parse(ERR_PACKET), Some(Reply::Err(1232)));
        let result = Reply::parse(b"\x01\0\0\x01\x05").unwrap();
        assert_eq!(result, Reply::Result);
        assert!(result.is_ok() && Reply::Ok.is_ok() && !Reply::Err(1232).is_ok());
    }

    #[test]
    fn an_answer_may_be_compressed_and_stored() {
        for packet in [OK_PACKET, ERR_PACKET] {
            let length = u8::try_from(packet.len()).unwrap();
            let compressed = [&[length, 0, 0, 1, 0, 0, 0], packet].concat();
            assert_eq!(Reply::parse(&compressed), Reply::parse(packet));
        }
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for bytes in [&b""[..], b"\x01\0\0\x01", b"\x01\0\0\x02\0", b"\x02\0\0\x01\xff\x01"] {
            assert_eq!(Reply::parse(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn an_error_that_was_not_asked_for_stands_alone() {
        let farewell = b"\x2a\0\0\0\xff\xbf\x0f#HY000The client was disconnected by th";
        let length = u8::try_from(farewell.len()).unwrap();
        let whole = [&[length - 4], &farewell[1..]].concat();
        assert_eq!(lone_error(&whole), Some(4031));
        let compressed = [&[length, 0, 0, 0, 0, 0, 0], &whole[..]].concat();
        assert_eq!(lone_error(&compressed), Some(4031));
        assert_eq!(lone_error(&[&whole[..], b"\x01\0\0\0\x05"].concat()), None, "something follows");
        assert_eq!(lone_error(OK_PACKET), None);
    }
}
