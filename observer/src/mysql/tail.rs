//! Whether a server's stream ends where a result ends, told from its last bytes.
//!
//! Where packets begin is only known to who has followed them all. But how a result ends is known, and so how long the
//! last packet is: a packet is taken for one where its header says that it ends with the stream.

use observer_core::capability;

use super::packet::{HEADER, Packet, length_encoded};

/// Bytes that are kept. The end of a result takes 9 to 11, more where the session tells of its state.
const KEPT: usize = 64;

const OK: u8 = 0x00;
const EOF: u8 = 0xfe;
const ERR: u8 = 0xff;

/// Payload of an EOF packet: its first byte, warnings, status.
const EOF_LENGTH: usize = 5;

/// Payload of the shortest OK packet: its first byte, affected rows, insert id, status, warnings.
const OK_LENGTH: usize = 7;

/// Payload of the shortest ERR packet: its first byte, the number, the marked SQL state.
const ERR_LENGTH: usize = 9;

/// `SERVER_MORE_RESULTS_EXISTS` (include/mysql_com.h): another result follows this one.
const MORE_RESULTS: u16 = 1 << 3;

/// The last bytes of a server's stream.
#[derive(Clone, Copy, Debug)]
pub struct Tail {
    bytes: [u8; KEPT],
    length: u8,
    /// Whether the last segment was one OK or ERR packet, however long.
    answers: bool,
}

impl Default for Tail {
    fn default() -> Self {
        Self { bytes: [0; KEPT], length: 0, answers: false }
    }
}

impl Tail {
    /// Adds the payload of the next segment.
    pub fn push(&mut self, payload: &[u8]) {
        let kept = usize::from(self.length);
        if let Some(last) = payload.last_chunk::<KEPT>() {
            self.bytes = *last;
            self.length = u8::try_from(KEPT).unwrap_or(u8::MAX);
        } else {
            let old = kept.min(KEPT - payload.len());
            self.bytes.copy_within(kept - old..kept, 0);
            self.bytes[old..old + payload.len()].copy_from_slice(payload);
            self.length = u8::try_from(old + payload.len()).unwrap_or(u8::MAX);
        }
        self.answers = answers(payload);
    }

    /// Forgets everything: some of the stream was not seen.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether a result, or another answer, ended with the last byte; `None` where that cannot be told.
    ///
    /// `capabilities` are those of both the greeting and the login, where they are known. With TLS, and where packets
    /// were really compressed, nothing can be told.
    pub fn ends_a_result(&self, capabilities: Option<u32>) -> Option<bool> {
        let tail = self.bytes.get(..usize::from(self.length))?;
        let has = |flag| capabilities.is_some_and(|known| known & flag != 0);
        if tail.is_empty()
            || has(capability::SSL | capability::COMPRESS | capability::ZSTD_COMPRESSION_ALGORITHM)
        {
            return None;
        }
        let status = if self.answers { Some(0) } else { last_status(tail, capabilities) };
        match status {
            Some(status) => Some(status & MORE_RESULTS == 0),
            // An end that is longer than what is kept would not be found.
            None => (tail.len() > EOF_LENGTH + HEADER).then_some(false),
        }
    }

    /// The number of the ERR packet that stands at the end, short enough to be kept whole.
    pub fn error(&self) -> Option<u16> {
        let tail = self.bytes.get(..usize::from(self.length))?;
        (ERR_LENGTH..=tail.len().checked_sub(HEADER)?).find_map(|length| match packet_of(tail, length)? {
            (_, _, &[ERR, low, high, b'#', ..]) => Some(u16::from_le_bytes([low, high])),
            _ => None,
        })
    }
}

/// Whether a segment is one whole OK or ERR packet that answers something, or an ERR packet that nobody asked for.
fn answers(payload: &[u8]) -> bool {
    let whole = Packet::first(payload).filter(|packet| packet.is_whole() && packet.rest.is_empty());
    whole.is_some_and(|packet| match packet.payload {
        [ERR, _, _, b'#', ..] => true,
        [OK, fields @ ..] => {
            packet.sequence == 1 && status(fields).is_some_and(|status| status & MORE_RESULTS == 0)
        }
        _ => false,
    })
}

/// The status in the packet with which a result ends, if one ends with `tail`.
fn last_status(tail: &[u8], capabilities: Option<u32>) -> Option<u16> {
    let deprecate_eof = capabilities.map(|known| known & capability::DEPRECATE_EOF != 0);
    let longest = tail.len().checked_sub(HEADER)?;
    if deprecate_eof != Some(true)
        && let Some(&[EOF, _, _, low, high]) = packet_of(tail, EOF_LENGTH)
            .map(|(_, _, payload)| payload)
            .and_then(|payload| payload.first_chunk::<EOF_LENGTH>())
    {
        return Some(u16::from_le_bytes([low, high]));
    }
    (OK_LENGTH..=longest).find_map(|length| {
        let (before, sequence, payload) = packet_of(tail, length)?;
        match payload {
            [EOF, fields @ ..] if deprecate_eof != Some(false) => status(fields),
            // A row of numbers begins like this too; an OK packet answers at once, or follows another result.
            [OK, fields @ ..]
                if sequence == 1
                    || last_status(before, capabilities).is_some_and(|before| before & MORE_RESULTS != 0) =>
            {
                status(fields)
            }
            [ERR, _, _, b'#', ..] => Some(0),
            _ => None,
        }
    })
}

/// If the last packet's payload has this length: what stands before it, its sequence, its payload.
fn packet_of(tail: &[u8], length: usize) -> Option<(&[u8], u8, &[u8])> {
    let (before, packet) = tail.split_at(tail.len().checked_sub(HEADER + length)?);
    let found = Packet::first(packet)?;
    (found.is_whole() && found.rest.is_empty()).then_some((before, found.sequence, found.payload))
}

/// The status behind the first byte of an OK packet: affected rows, insert id, status, warnings.
fn status(fields: &[u8]) -> Option<u16> {
    let (_, fields) = length_encoded(fields)?;
    let (_, fields) = length_encoded(fields)?;
    let (&[low, high, _, _], _) = fields.split_first_chunk()?;
    Some(u16::from_le_bytes([low, high]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &[u8] = b"\x0b\0\0\x07\x0avalue ten!";
    const EOF_PACKET: &[u8] = b"\x05\0\0\x08\xfe\0\0\x22\0";
    const EOF_WITH_MORE: &[u8] = b"\x05\0\0\x08\xfe\0\0\x0a\0";
    const OK_AS_EOF: &[u8] = b"\x07\0\0\x08\xfe\0\0\x22\0\0\0";
    const OK_PACKET: &[u8] = b"\x07\0\0\x01\0\x01\0\x02\0\0\0";
    const OK_BEHIND_RESULTS: &[u8] = b"\x07\0\0\x09\0\x01\0\x02\0\0\0";

    fn ends(segments: &[&[u8]], capabilities: Option<u32>) -> Option<bool> {
        let mut tail = Tail::default();
        for segment in segments {
            tail.push(segment);
        }
        tail.ends_a_result(capabilities)
    }

    #[test]
    fn a_result_ends_with_eof_or_with_ok() {
        for capabilities in [None, Some(0)] {
            assert_eq!(ends(&[ROW, EOF_PACKET], capabilities), Some(true));
        }
        for capabilities in [None, Some(capability::DEPRECATE_EOF)] {
            assert_eq!(ends(&[ROW, OK_AS_EOF], capabilities), Some(true));
            assert_eq!(ends(&[ROW, &OK_AS_EOF[..4], &OK_AS_EOF[4..]], capabilities), Some(true), "in two");
        }
        assert_eq!(ends(&[ROW, EOF_PACKET], Some(capability::DEPRECATE_EOF)), Some(false));
        assert_eq!(ends(&[ROW, OK_AS_EOF], Some(0)), Some(false));
    }

    #[test]
    fn an_answer_ends_with_itself() {
        assert_eq!(ends(&[ROW, EOF_PACKET, OK_PACKET], None), Some(true));
        let error = [b"\x40\x01\0\x09\xff\x25\x05#70100", &[b'e'; 311][..]].concat();
        assert_eq!(ends(&[ROW, &error], None), Some(true), "longer than what is kept");
        assert_eq!(ends(&[ROW, b"\x10\0\0\x09\xff\x25\x05#70100Killed."], None), Some(true));
    }

    #[test]
    fn an_error_at_the_end_is_found_behind_rows() {
        let mut tail = Tail::default();
        tail.push(&[ROW, b"\x24\0\0\x09\xff\x1d\x04#08S01Server shutdown in progress"].concat());
        assert_eq!(tail.error(), Some(1053));
        tail.push(ROW);
        assert_eq!(tail.error(), None);
        assert_eq!(Tail::default().error(), None);
    }

    #[test]
    fn a_stream_may_end_within_a_result() {
        assert_eq!(ends(&[ROW, ROW], None), Some(false));
        assert_eq!(ends(&[ROW, &ROW[..6]], None), Some(false));
        assert_eq!(ends(&[ROW, EOF_WITH_MORE], None), Some(false), "another result was to come");
        // A row with one number, in the binary protocol.
        assert_eq!(ends(&[ROW, b"\x0a\0\0\x09\0\0\x01\x02\0\0\0\0\0\0"], None), Some(false));
    }

    #[test]
    fn the_last_of_several_results_may_be_an_ok_packet() {
        assert_eq!(ends(&[ROW, EOF_WITH_MORE, OK_BEHIND_RESULTS], None), Some(true));
        assert_eq!(ends(&[ROW, OK_BEHIND_RESULTS], None), Some(false), "a row that looks like one");
    }

    #[test]
    fn what_cannot_be_read_cannot_be_told() {
        assert_eq!(ends(&[], None), None);
        assert_eq!(ends(&[b"\x01"], None), None);
        for flag in [capability::SSL, capability::COMPRESS, capability::ZSTD_COMPRESSION_ALGORITHM] {
            assert_eq!(ends(&[ROW, OK_AS_EOF], Some(flag)), None);
        }
        let mut tail = Tail::default();
        tail.push(OK_PACKET);
        tail.clear();
        assert_eq!(tail.ends_a_result(None), None);
    }
}
