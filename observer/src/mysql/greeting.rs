//! The server's greeting, plaintext even when TLS follows.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_v10.html>

use observer_core::Greeting;

use super::Packet;

/// The only version of the protocol there has been since 1998.
const PROTOCOL_VERSION: u8 = 10;

/// Bytes between the thread id and the capability flags: the first part of the salt, and a zero.
const SALT: usize = 9;

/// Reads what a server says first, in the first bytes of its stream. What is not UTF-8 in its version is replaced, and
/// the capabilities are `None` where the packet is cut off before.
pub fn greeting(bytes: &[u8]) -> Option<Greeting> {
    let packet = Packet::first(bytes).filter(|packet| packet.sequence == 0)?;
    let text = packet.payload.strip_prefix(&[PROTOCOL_VERSION])?;
    let end = text.iter().position(|&byte| byte == 0)?;
    let (thread_id, behind) = text[end + 1..].split_first_chunk()?;
    Some(Greeting {
        version: String::from_utf8_lossy(&text[..end]).into_owned(),
        thread_id: u32::from_le_bytes(*thread_id),
        capabilities: capabilities(behind),
    })
}

/// The lower half, character set and status, the upper half.
fn capabilities(behind_thread_id: &[u8]) -> Option<u32> {
    let (&[low, high], behind) = behind_thread_id.get(SALT..)?.split_first_chunk()?;
    let upper = behind.get(3..5).map_or([0, 0], |upper| [upper[0], upper[1]]);
    Some(u32::from_le_bytes([low, high, upper[0], upper[1]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_gives_version_thread_and_capabilities() {
        let bytes = b"\x4a\0\0\0\x0a8.0.40\0\x24\0\0\0saltsalt\0\xff\xf7\xff\x02\0\xff\xdf\x15\0";
        let whole = greeting(bytes).unwrap();
        assert_eq!((whole.version.as_str(), whole.thread_id), ("8.0.40", 0x24));
        assert_eq!(whole.capabilities, Some(0xdfff_f7ff));
        let cut = greeting(&bytes[..24]).unwrap();
        assert_eq!((cut.thread_id, cut.capabilities), (0x24, None));
    }

    #[test]
    fn what_is_no_greeting_is_none() {
        let cut: [&[u8]; 6] = [
            b"",
            b"\x4b\0\0",
            b"\x4b\0\0\0\x0aversion without an end",
            b"\x4b\0\0\0\x0a9.7.4\0\x24\0\0",
            b"\x06\0\0\0\x0a9.7.4\0\x24\0\0\0", // longer than its packet
            b"\x17\0\0\0\xff\x10\x04Too many connections", // an ERR packet
        ];
        for bytes in cut {
            assert_eq!(greeting(bytes), None, "{bytes:?}");
        }
    }
}
