//! Programs of the kinds that look at packets, which do nothing: `cargo xtask bench` measures the others beside
//! them.
#![no_std]
#![no_main]

use aya_ebpf::macros::cgroup_skb;
use aya_ebpf::programs::SkBuffContext;

/// The packet goes on its way.
const PASS: i32 = 1;

/// Of the kind of `observer_egress`.
#[cgroup_skb(egress)]
pub fn noop_egress(_: SkBuffContext) -> i32 {
    PASS
}

/// Of the kind of `observer_ingress`.
#[cgroup_skb(ingress)]
pub fn noop_ingress(_: SkBuffContext) -> i32 {
    PASS
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
