//! Records into the ring buffer, and the count of those for which it had no place.

use aya_ebpf::helpers::generated::bpf_ktime_get_ns;
use aya_ebpf::maps::ring_buf::RingBufEntry;
use observer_common::{
    Counter, Direction, Ends, Header, RecordKind, SegmentRecord, TAIL_BYTES, TEXT_BYTES, Tail, TextRecord,
};

use crate::maps::{RECORDS, count};
use crate::packet::Packet;

/// The end of a payload that was not seen.
pub const NO_TAIL: Tail = Tail { bytes: [0; TAIL_BYTES], payload: 0, is_error: 0 };

/// Nanoseconds of `CLOCK_MONOTONIC`.
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: a helper without arguments.
    unsafe { bpf_ktime_get_ns() }
}

/// How a record begins.
#[inline(always)]
pub fn header(at: u64, cookie: u64, kind: RecordKind, direction: Direction, ends: &Ends) -> Header {
    Header { at, cookie, ends: *ends, kind: kind as u32, direction: direction as u32 }
}

/// Room for a record; what does not fit is counted.
#[inline(always)]
pub fn reserve<T: 'static>() -> Option<RingBufEntry<T>> {
    let room = RECORDS.reserve::<T>(0);
    if room.is_none() {
        count(Counter::RingBufferFull);
    }
    room
}

/// Tells a record.
#[inline(always)]
pub fn tell<T: 'static>(record: T) {
    if let Some(mut room) = reserve::<T>() {
        room.write(record);
        room.submit(0);
    }
}

/// Tells the beginning of a MySQL packet: `length` bytes, or as many as a record takes.
#[inline(always)]
pub fn tell_text(packet: Packet, header: Header, from: u32, length: u32) -> Option<()> {
    let mut room = reserve::<TextRecord>()?;
    let record = room.as_mut_ptr();
    let length = at_most(length, TEXT_BYTES as u32);
    // SAFETY: the ring buffer has given room for one record.
    let copied = unsafe {
        (*record).header = header;
        (*record).length = length;
        (*record).reserved = 0;
        packet.copy(from, (&raw mut (*record).bytes).cast(), length)
    };
    if copied.is_some() {
        room.submit(0);
    } else {
        room.discard(0);
    }
    copied
}

/// `length`, which is not 0, limited to `room`, a power of two, in a form whose bounds the verifier can see.
#[inline(always)]
pub fn at_most(length: u32, room: u32) -> u32 {
    let length = if length > room { room } else { length };
    ((length - 1) & (room - 1)) + 1
}

/// A record about a segment that was not seen itself, or whose own fields do not matter.
#[inline(always)]
pub fn bare_segment(header: Header, transitions: u32, seq: u32, ack: u32) -> SegmentRecord {
    let scale = observer_common::scale::UNKNOWN;
    SegmentRecord {
        header,
        transitions,
        seq,
        ack,
        payload: 0,
        window: 0,
        scale,
        peer_scale: scale,
        tail: NO_TAIL,
        reserved: 0,
    }
}
