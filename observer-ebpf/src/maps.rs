//! The maps. Their sizes are set by the observer when it loads the object.

use core::arch::asm;

use aya_ebpf::macros::map;
use aya_ebpf::maps::{HashMap, LruHashMap, PerCpuArray, RingBuf};
use observer_common::{CommandHead, ConnectionState, Counter, Ends, Wait};

use crate::handshake::Handshake;
use crate::tracepoints::Connecting;

#[map]
pub static RECORDS: RingBuf = RingBuf::with_byte_size(1 << 20, 0);

#[map]
pub static CONNECTIONS: LruHashMap<u64, ConnectionState> = LruHashMap::with_max_entries(16_384, 0);

#[map]
pub static HANDSHAKES: LruHashMap<Ends, Handshake> = LruHashMap::with_max_entries(4_096, 0);

#[map]
pub static PREPARED: LruHashMap<u64, CommandHead> = LruHashMap::with_max_entries(16_384, 0);

#[map]
pub static CONNECTING: LruHashMap<u64, Connecting> = LruHashMap::with_max_entries(1_024, 0);

#[map]
pub static SERVERS: HashMap<u32, u8> = HashMap::with_max_entries(64, 0);

#[map]
pub static WAITS: LruHashMap<u64, Wait> = LruHashMap::with_max_entries(4_096, 0);

#[map]
pub static COUNTERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(Counter::COUNT, 0);

/// Counts one on this CPU; atomically, as a program can be interrupted by another.
#[inline(always)]
pub fn count(counter: Counter) {
    if let Some(value) = COUNTERS.get_ptr_mut(counter as u32) {
        // SAFETY: the slot is there for the life of the map. The compiler has no atomic addition for this target
        // yet; the machine has (`BPF_XADD`).
        unsafe { asm!("lock *(u64 *)({value} + 0) += {one}", value = in(reg) value, one = in(reg) 1_u64) };
    }
}
