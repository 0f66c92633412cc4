//! How much of one connection is told: a hostile peer can make records as fast as it sends segments, and so can an
//! honest one that reads a little more slowly than its peer writes.

use observer_common::Rare;

use crate::report::now;

/// What weighs this much in all is told of a direction within a [`SPAN`].
const BURST: u32 = 32;
/// About an eighth of a second, in units of 2²⁰ ns.
const SPAN: u32 = 128;

/// A window that closes or opens. What is not told of it, the observer sees in the counters, as it looks at a
/// connection in trouble five times a second.
pub const WINDOW: u32 = 1;
/// A probe or the answer to one: kernels send none within 200 ms of another, and their number is counted anyway.
pub const PROBE: u32 = 12;

/// Whether something of this weight may be told now.
#[inline(always)]
pub fn may_tell(rare: &mut Rare, weight: u32) -> bool {
    let now = (now() >> 20) as u32;
    if now.wrapping_sub(rare.span) >= SPAN {
        rare.span = now;
        rare.told = 0;
    }
    if rare.told >= BURST {
        return false;
    }
    rare.told += weight;
    true
}
