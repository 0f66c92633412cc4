//! How much of one connection is told: a hostile peer can make records as fast as it sends segments, and so can an
//! honest one that reads a little more slowly than its peer writes.

use observer_common::Rare;

use crate::report::now;

/// What weighs this much in all is told of a direction within a [`SPAN`].
const BURST: u32 = 32;
/// About an eighth of a second, in units of 2²⁰ ns.
const SPAN: u32 = 128;

/// A window that closes, and opens again. What is not told of it, the observer sees in the counters, as it looks at a
/// connection in trouble five times a second.
const WINDOW: u32 = 2;
/// A probe or the answer to one: kernels send none within 200 ms of another, and their number is counted anyway.
const PROBE: u32 = 12;
/// The bit of [`Rare::told`] that says that the window was told to be closed.
const CLOSED: u32 = 1 << 31;

/// Whether a window that closes is told.
#[inline(always)]
pub fn may_close(rare: &mut Rare) -> bool {
    let told = may_tell(rare, WINDOW);
    if told {
        rare.told |= CLOSED;
    }
    told
}

/// Whether a window that opens is told: always after it was told to be closed, so that nobody takes it for closed.
#[inline(always)]
pub fn may_open(rare: &mut Rare) -> bool {
    let told = rare.told & CLOSED != 0;
    rare.told &= !CLOSED;
    told
}

/// Whether a probe, or the answer to one, is told.
#[inline(always)]
pub fn may_probe(rare: &mut Rare) -> bool {
    may_tell(rare, PROBE)
}

#[inline(always)]
fn may_tell(rare: &mut Rare, weight: u32) -> bool {
    let now = (now() >> 20) as u32;
    if now.wrapping_sub(rare.span) >= SPAN {
        rare.span = now;
        rare.told &= CLOSED;
    }
    if rare.told & !CLOSED >= BURST {
        return false;
    }
    rare.told += weight;
    true
}
