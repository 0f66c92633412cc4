//! The part of the MySQL client/server protocol that both actors need: protocol 4.1 without TLS, compression
//! and deprecated EOF. Integers are little-endian; `lenenc` is a length-encoded integer or string.

use std::io::{self, Read};

/// Length of a packet's header: three bytes of payload length, one of sequence number.
pub(super) const HEADER: usize = 4;

/// What both ends can do: CLIENT_LONG_PASSWORD, CLIENT_PROTOCOL_41, CLIENT_TRANSACTIONS,
/// CLIENT_SECURE_CONNECTION, CLIENT_PLUGIN_AUTH.
pub(super) const CAPABILITIES: u32 = 0x1 | 0x200 | 0x2000 | 0x8000 | 0x0008_0000;

/// utf8mb4_general_ci.
pub(super) const CHARACTER_SET: u8 = 45;

/// SERVER_STATUS_AUTOCOMMIT.
pub(super) const STATUS: u16 = 2;

pub(super) const COM_QUIT: u8 = 0x01;
pub(super) const COM_QUERY: u8 = 0x03;
pub(super) const COM_PING: u8 = 0x0e;

/// First bytes of the server's answers.
pub(super) const OK: u8 = 0x00;
pub(super) const EOF: u8 = 0xfe;
pub(super) const ERR: u8 = 0xff;

/// Longest EOF packet; a longer one that begins with 0xfe is a row.
pub(super) const EOF_LENGTH: usize = 5;

pub(super) const AUTH_PLUGIN: &str = "mysql_native_password";

/// The header of a packet. Payloads here are far from the 16 MiB that would need to be split.
pub(super) fn header(length: usize, sequence: u8) -> [u8; HEADER] {
    let length = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    [length[0], length[1], length[2], sequence]
}

/// Reads one packet into `payload` and returns its sequence number. Fails on a payload longer than `limit`,
/// so that the other end cannot make this one hold any amount of memory.
pub(super) fn read_packet(from: &mut impl Read, payload: &mut Vec<u8>, limit: usize) -> io::Result<u8> {
    let mut header = [0; HEADER];
    from.read_exact(&mut header)?;
    let length = u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize;
    if length > limit {
        let message = format!("a packet of {length} bytes, more than {limit}");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    payload.resize(length, 0);
    from.read_exact(payload)?;
    Ok(header[3])
}

/// `Protocol::HandshakeV10`.
pub(super) fn greeting(version: &str, thread_id: u32) -> Vec<u8> {
    // Every login is accepted, so the salt only has to be well-formed: no zero bytes.
    let salt = [b's'; 20];
    let capabilities = CAPABILITIES.to_le_bytes();
    let mut packet = vec![10];
    packet.extend_from_slice(version.as_bytes());
    packet.push(0);
    packet.extend_from_slice(&thread_id.to_le_bytes());
    packet.extend_from_slice(&salt[..8]);
    packet.push(0);
    packet.extend_from_slice(&capabilities[..2]);
    packet.push(CHARACTER_SET);
    packet.extend_from_slice(&STATUS.to_le_bytes());
    packet.extend_from_slice(&capabilities[2..]);
    packet.push(21);
    packet.extend_from_slice(&[0; 10]);
    packet.extend_from_slice(&salt[8..]);
    packet.push(0);
    packet.extend_from_slice(AUTH_PLUGIN.as_bytes());
    packet.push(0);
    packet
}

/// `Protocol::HandshakeResponse41` of a user without a password.
pub(super) fn login(user: &str, max_packet: u32) -> Vec<u8> {
    let mut packet = CAPABILITIES.to_le_bytes().to_vec();
    packet.extend_from_slice(&max_packet.to_le_bytes());
    packet.push(CHARACTER_SET);
    packet.extend_from_slice(&[0; 23]);
    packet.extend_from_slice(user.as_bytes());
    packet.push(0);
    packet.push(0); // length of the password's scramble
    packet.extend_from_slice(AUTH_PLUGIN.as_bytes());
    packet.push(0);
    packet
}

/// An OK packet without affected rows.
pub(super) fn ok() -> [u8; 7] {
    let status = STATUS.to_le_bytes();
    [OK, 0, 0, status[0], status[1], 0, 0]
}

/// An EOF packet without warnings.
pub(super) fn eof() -> [u8; EOF_LENGTH] {
    let status = STATUS.to_le_bytes();
    [EOF, 0, 0, status[0], status[1]]
}

/// An ERR packet.
pub(super) fn error(code: u16, sql_state: &str, message: &str) -> Vec<u8> {
    let mut packet = vec![ERR];
    packet.extend_from_slice(&code.to_le_bytes());
    packet.push(b'#');
    packet.extend_from_slice(sql_state.as_bytes());
    packet.extend_from_slice(message.as_bytes());
    packet
}

/// Code and message of an ERR packet.
pub(super) fn parse_error(packet: &[u8]) -> (u16, String) {
    let code = packet.get(1..3).map_or(0, |code| u16::from_le_bytes([code[0], code[1]]));
    let mut message = packet.get(3..).unwrap_or_default();
    // The SQL state is left out by a server that refuses before the capabilities are known.
    if let [b'#', _, _, _, _, _, text @ ..] = message {
        message = text;
    }
    (code, String::from_utf8_lossy(message).into_owned())
}

/// `Protocol::ColumnDefinition41` of a VARCHAR column.
pub(super) fn column(table: &str, name: &str) -> Vec<u8> {
    let mut packet = Vec::new();
    for text in ["def", "demo", table, table, name, name] {
        push_text(&mut packet, text.as_bytes());
    }
    packet.push(0x0c);
    packet.extend_from_slice(&[CHARACTER_SET, 0]);
    packet.extend_from_slice(&65_535_u32.to_le_bytes());
    packet.push(0xfd); // MYSQL_TYPE_VAR_STRING
    packet.extend_from_slice(&[0, 0, 0, 0, 0]); // flags, decimals, filler
    packet
}

/// Appends a lenenc string of at most 65,535 bytes; what is longer is cut off.
pub(super) fn push_text(packet: &mut Vec<u8>, text: &[u8]) {
    let text = &text[..text.len().min(usize::from(u16::MAX))];
    match u8::try_from(text.len()) {
        Ok(length) if length <= 250 => packet.push(length),
        _ => {
            packet.push(0xfc);
            packet.extend_from_slice(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes());
        }
    }
    packet.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_longer_than_the_limit_is_refused_before_it_is_held() {
        let mut payload = Vec::new();
        let hostile = header(0xff_ffff, 0);
        let refusal = read_packet(&mut hostile.as_slice(), &mut payload, 1_024).unwrap_err();
        assert_eq!(refusal.kind(), io::ErrorKind::InvalidData);
        assert_eq!(payload.capacity(), 0);
    }

    #[test]
    fn errors_are_read_as_they_are_written() {
        let packet = error(1040, "08004", "Too many connections");
        assert_eq!(parse_error(&packet), (1040, "Too many connections".to_owned()));
        assert_eq!(parse_error(&[ERR]), (0, String::new()));
    }

    #[test]
    fn long_texts_get_a_two_byte_length() {
        for (length, prefix) in [(250, &[250_u8][..]), (251, &[0xfc, 251, 0]), (70_000, &[0xfc, 0xff, 0xff])]
        {
            let mut packet = Vec::new();
            push_text(&mut packet, &vec![b'x'; length]);
            assert_eq!(&packet[..prefix.len()], prefix);
            assert_eq!(packet.len() - prefix.len(), length.min(65_535));
        }
    }
}
