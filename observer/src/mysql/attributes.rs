//! Attributes of a statement (`CLIENT_QUERY_ATTRIBUTES`), which stand before its text.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query.html>

use super::packet::{length_encoded, length_encoded_bytes};

/// Types of values with a fixed length: `enum_field_types` in include/field_types.h.
mod field_type {
    pub(super) const TINY: u8 = 1;
    pub(super) const SHORT: u8 = 2;
    pub(super) const LONG: u8 = 3;
    pub(super) const FLOAT: u8 = 4;
    pub(super) const DOUBLE: u8 = 5;
    pub(super) const NULL: u8 = 6;
    pub(super) const LONGLONG: u8 = 8;
    pub(super) const INT24: u8 = 9;
    pub(super) const YEAR: u8 = 13;
}

/// The most attributes a statement is believed to have: what begins with a larger number is text.
const MOST: u8 = 8;

/// The text of a `COM_QUERY` behind its attributes; all of it where the session has none. `None` where they are cut off.
///
/// No capabilities are needed: no statement begins with a byte as low as the number of attributes.
pub(super) fn without_attributes(query: &[u8]) -> Option<&[u8]> {
    match query {
        // One set of them, always.
        [0, 1, text @ ..] => Some(text),
        [count @ 1..=MOST, 1, behind @ ..] => skip(*count, behind),
        text => Some(text),
    }
}

fn skip(count: u8, bytes: &[u8]) -> Option<&[u8]> {
    let (nulls, bytes) = bytes.split_at_checked(usize::from(count.div_ceil(8)))?;
    // Whether types follow: always 1.
    let (&[1], mut bytes) = bytes.split_first_chunk()? else { return None };
    let mut types = [0; MOST as usize];
    let types = types.get_mut(..usize::from(count))?;
    for field_type in &mut *types {
        let (&[known, _sign], behind) = bytes.split_first_chunk()?;
        *field_type = known;
        bytes = length_encoded_bytes(behind)?.1;
    }
    for (index, field_type) in types.iter().enumerate() {
        if nulls[index / 8] >> (index % 8) & 1 == 0 {
            bytes = skip_value(*field_type, bytes)?;
        }
    }
    Some(bytes)
}

fn skip_value(field_type: u8, bytes: &[u8]) -> Option<&[u8]> {
    let length = match field_type {
        field_type::NULL => 0,
        field_type::TINY => 1,
        field_type::SHORT | field_type::YEAR => 2,
        field_type::LONG | field_type::INT24 | field_type::FLOAT => 4,
        field_type::LONGLONG | field_type::DOUBLE => 8,
        // Strings, decimals, and points in time, which say how long they are.
        _ => {
            let (length, behind) = length_encoded(bytes)?;
            return behind.get(usize::try_from(length).ok()?..);
        }
    };
    bytes.get(length..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_without_attributes_is_all_text() {
        assert_eq!(without_attributes(b"SET a=1"), Some(&b"SET a=1"[..]));
        assert_eq!(without_attributes(b"\0\x01SET a=1"), Some(&b"SET a=1"[..]));
        assert_eq!(without_attributes(b""), Some(&b""[..]));
        assert_eq!(without_attributes(b"\n\x01"), Some(&b"\n\x01"[..]), "ten attributes are a new line");
    }

    #[test]
    fn attributes_are_skipped_by_their_types() {
        let mut query = b"\x04\x01\x04\x01".to_vec();
        // An integer, a string, a null, a date.
        query.extend_from_slice(b"\x03\0\x01a\xfe\0\x02bb\xfe\0\0\x0c\0\x01d");
        query.extend_from_slice(b"\x01\x02\x03\x04\x05hello\x04\xe8\x07\x05\x04");
        let length = query.len();
        query.extend_from_slice(b"SET a=1");
        assert_eq!(without_attributes(&query), Some(&b"SET a=1"[..]));
        for cut in 2..length {
            assert_eq!(without_attributes(&query[..cut]), None, "{cut} bytes");
        }
    }

    #[test]
    fn as_many_as_are_believed_are_skipped_with_values_of_every_length() {
        let types = [1, 2, 13, 3, 9, 4, 5, 8];
        let lengths = [1, 2, 2, 4, 4, 4, 8, 8];
        let named = types.iter().flat_map(|known| [*known, 0x80, 1, b'n']);
        // The third and the last are null: of them no value follows.
        let values = lengths.iter().enumerate().filter(|(index, _)| ![2, 7].contains(index));
        let values = values.flat_map(|(_, length)| vec![0xaa; *length]);
        let query: Vec<u8> = [8, 1, 0b1000_0100, 1].into_iter().chain(named).chain(values).collect();
        assert_eq!(without_attributes(&[&query[..], b"SET a=1"].concat()), Some(&b"SET a=1"[..]));
        for cut in 2..query.len() {
            assert_eq!(without_attributes(&query[..cut]), None, "{cut} bytes");
        }
    }

    #[test]
    fn attributes_without_types_or_with_a_length_beyond_the_packet_give_no_text() {
        assert_eq!(without_attributes(b"\x01\x01\0\0SET a=1"), None);
        assert_eq!(
            without_attributes(b"\x01\x01\0\x01\xfe\0\x01n\xfe\xff\xff\xff\xff\xff\xff\xff\xffSET"),
            None
        );
        assert_eq!(without_attributes(b"\x01\x01\0\x01\xfe\0\x01n\x20SET a=1"), None);
    }
}
