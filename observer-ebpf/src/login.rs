//! The client's login: who it says it is, and never how it proves that.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_response.html>

use observer_common::{
    ConnectionState, Direction, LOGIN_FIXED, LOGIN_HEAD, LOGIN_REST, LoginRecord, RecordKind, beginning,
};

use crate::packet::Packet;
use crate::report::{at_most, header, now, reserve};
use crate::segment::{Segment, ends};

const CLIENT_COMPRESS: u32 = 1 << 5;
const CLIENT_PROTOCOL_41: u32 = 1 << 9;
const CLIENT_SSL: u32 = 1 << 11;
const CLIENT_SECURE_CONNECTION: u32 = 1 << 15;
const CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA: u32 = 1 << 21;
const CLIENT_ZSTD_COMPRESSION_ALGORITHM: u32 = 1 << 26;
/// Payload of an SSLRequest, which ends before the user's name.
const SSL_REQUEST: u8 = 32;
/// The longest response whose length takes one byte.
const LONGEST_RESPONSE: u8 = 250;

/// Whether this is the client's answer to the greeting; then it is told, and what can be read after it is kept.
#[inline(never)]
#[unsafe(no_mangle)]
pub fn is_login(packet: Packet, direction: Direction, state: &mut ConnectionState) -> bool {
    let login = login(packet, direction);
    if let Some(beginning) = login {
        state.beginning = beginning;
    }
    login.is_some()
}

/// Tells a login, and gives one of [`beginning`].
#[inline(always)]
fn login(packet: Packet, direction: Direction) -> Option<u8> {
    let segment = Segment::parse(packet)?;
    let bytes = packet.load::<8>(segment.payload_at)?;
    let capabilities = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
    if bytes[3] != 1 || capabilities & CLIENT_PROTOCOL_41 == 0 {
        return None;
    }
    let is_ssl_request = bytes[0] == SSL_REQUEST && bytes[1] == 0 && bytes[2] == 0;
    let _ = tell(packet, &segment, direction, capabilities);
    Some(if is_ssl_request && capabilities & CLIENT_SSL != 0 {
        beginning::TLS
    } else if capabilities & (CLIENT_COMPRESS | CLIENT_ZSTD_COMPRESSION_ALGORITHM) != 0 {
        beginning::COMPRESSED
    } else {
        beginning::PLAIN
    })
}

#[inline(always)]
fn tell(packet: Packet, segment: &Segment, direction: Direction, capabilities: u32) -> Option<()> {
    let cookie = packet.cookie();
    let ends = ends(packet, segment, direction)?;
    let mut room = reserve::<LoginRecord>()?;
    // SAFETY: the ring buffer has given room for one record.
    let record = unsafe { &mut *room.as_mut_ptr() };
    record.header = header(now(), cookie, RecordKind::Login, direction, &ends);
    record.head_length = 0;
    record.rest_length = 0;
    let length = at_most(segment.payload, LOGIN_HEAD as u32);
    // SAFETY: there is room for `LOGIN_HEAD`.
    if unsafe { packet.copy(segment.payload_at, record.head.as_mut_ptr(), length) }.is_some() {
        record.head_length = if length < LOGIN_FIXED as u32 { length } else { LOGIN_FIXED as u32 };
        let name = cut_behind_name(record);
        let end = LOGIN_FIXED as u32 + name + 1;
        if end <= length {
            record.head_length = end;
            let _ = rest(packet, segment, capabilities, end, record);
        }
    }
    room.submit(0);
    Some(())
}

/// Overwrites what stands behind the user's name. Returns the name's length.
///
/// Without a branch in the loop: the verifier would follow each of them to the end of the program.
#[inline(always)]
fn cut_behind_name(record: &mut LoginRecord) -> u32 {
    let (mut behind, mut name) = (0_u32, 0);
    let mut at = LOGIN_FIXED;
    while at < LOGIN_HEAD {
        let byte = u32::from(record.head[at]);
        // Only of zero it leaves the highest bit set.
        behind |= byte.wrapping_sub(1) >> 31;
        record.head[at] = (byte & behind.wrapping_sub(1)) as u8;
        name += 1 - behind;
        at += 1;
    }
    name
}

/// Copies what stands behind the response, whose length stands at `at`.
#[inline(always)]
fn rest(
    packet: Packet,
    segment: &Segment,
    capabilities: u32,
    at: u32,
    record: &mut LoginRecord,
) -> Option<()> {
    if capabilities & (CLIENT_SECURE_CONNECTION | CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA) == 0 {
        return None;
    }
    let [response] = packet.load::<1>(segment.payload_at + at)?;
    let from = at + 1 + u32::from(response);
    if response > LONGEST_RESPONSE || from >= segment.payload {
        return None;
    }
    let length = at_most(segment.payload - from, LOGIN_REST as u32);
    // SAFETY: there is room for `LOGIN_REST`.
    unsafe { packet.copy(segment.payload_at + from, record.rest.as_mut_ptr(), length) }?;
    record.rest_length = length;
    Some(())
}
