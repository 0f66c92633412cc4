//! The kernel programs of observer. They only look: every packet passes, whatever happens here.
//!
//! One object loads on every kernel from 5.10 on: no kprobes, no BTF, no offsets of kernel structs, no helper
//! younger than the ring buffer (5.8), no loop that the verifier of 5.10 cannot walk.
//!
//! What happens to few segments is a function of its own (`#[inline(never)]`), which reads the headers again: between the
//! segments of a query the processor forgets the programs, and fetches again as many bytes as lie on their way. Their
//! names are fixed: others hold a hash of where the sources are, and the object is to be the same everywhere.
//!
//! An egress program can be interrupted by another on the same CPU, so nothing here is built up in per-CPU memory.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod advance;
mod answer;
mod config;
mod handshake;
mod limit;
mod login;
mod maps;
mod milestones;
mod opening;
mod packet;
mod payload;
mod report;
mod segment;
mod sides;
mod statements;
mod taken;
mod told;
mod tracepoints;
mod track;
mod waits;

use aya_ebpf::EbpfContext as _;
use aya_ebpf::macros::cgroup_skb;
use aya_ebpf::programs::SkBuffContext;
use observer_common::Direction;

use crate::packet::Packet;

/// The packet goes on its way.
const PASS: i32 = 1;

/// Sees every segment this host sends.
#[cgroup_skb(egress)]
pub fn observer_egress(context: SkBuffContext) -> i32 {
    // What is not for us ends early, and is no error.
    let _ = track::observe(Packet::new(context.as_ptr().cast()), Direction::Egress);
    PASS
}

/// Sees every segment this host receives for a socket.
#[cgroup_skb(ingress)]
pub fn observer_ingress(context: SkBuffContext) -> i32 {
    let _ = track::observe(Packet::new(context.as_ptr().cast()), Direction::Ingress);
    PASS
}

/// Helpers such as `bpf_probe_read_kernel` are for programs under the GPL.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // The verifier takes no program in which this can be reached.
    loop {}
}
