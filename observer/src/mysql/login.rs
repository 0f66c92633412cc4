//! The client's answer to the greeting, of which only the capability flags are looked at.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_response.html>

use observer_core::capability;

use super::Packet;

/// Length of an SSLRequest, which ends before the user's name.
const SSL_REQUEST: u32 = 32;

/// The client's answer to the greeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Login {
    /// The [capabilities](observer_core::capability) the client wants.
    pub capabilities: u32,
    /// Whether it is only the announcement of TLS: what follows cannot be read.
    pub tls: bool,
}

impl Login {
    /// Reads the first bytes of a client's stream.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let packet = Packet::first(bytes).filter(|packet| packet.sequence == 1)?;
        let (lower, behind) = packet.payload.split_first_chunk()?;
        let lower = u32::from(u16::from_le_bytes(*lower));
        if lower & capability::PROTOCOL_41 == 0 {
            // Before 4.1 the maximal packet size, three bytes, followed 16 bits of flags.
            return (packet.length >= 5).then_some(Self {
                capabilities: lower,
                tls: lower & capability::SSL != 0 && packet.length == 5,
            });
        }
        let (upper, _) = behind.split_first_chunk()?;
        let capabilities = u32::from(u16::from_le_bytes(*upper)) << 16 | lower;
        let tls = capabilities & capability::SSL != 0 && packet.length == SSL_REQUEST;
        (packet.length >= SSL_REQUEST).then_some(Self { capabilities, tls })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(length: u8, capabilities: u32) -> Option<Login> {
        let flags = capabilities.to_le_bytes();
        let payload = [&flags[..], &[0; 28], b"app\0"].concat();
        Login::parse(&[&[length, 0, 0, 1], &payload[..]].concat())
    }

    #[test]
    fn a_login_gives_the_capabilities() {
        let capabilities = capability::PROTOCOL_41 | capability::DEPRECATE_EOF | capability::SSL;
        assert_eq!(login(36, capabilities), Some(Login { capabilities, tls: false }));
    }

    #[test]
    fn an_answer_that_ends_before_the_name_announces_tls() {
        let capabilities = capability::PROTOCOL_41 | capability::SSL;
        assert_eq!(login(32, capabilities), Some(Login { capabilities, tls: true }));
        assert!(!login(32, capability::PROTOCOL_41).unwrap().tls);
    }

    #[test]
    fn what_is_no_login_is_none() {
        assert_eq!(login(31, capability::PROTOCOL_41), None, "too short");
        // A command, and the record of a TLS handshake.
        assert_eq!(Login::parse(b"\x09\0\0\0\x03SELECT 1"), None);
        assert_eq!(Login::parse(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"), None);
        assert_eq!(Login::parse(b"\x24\0\0\x01\x85\xa6\xff"), None, "cut off");
    }
}
