//! How much of one connection is told: a hostile peer can make records as fast as it sends segments, and so can an
//! honest one that reads a little more slowly than its peer writes.

use observer_common::{Counter, Rare};

use crate::maps::count;
use crate::report::now;

/// Of a direction, windows and probes that weigh this much in all are told within a [`SPAN`].
const BURST: u8 = 32;
/// What its end says is told until all weighs this much: windows that flap leave room for it.
const SAID: u8 = 2 * BURST;
/// About an eighth of a second, in units of 2²⁰ ns.
const SPAN: u32 = 128;

/// A window that closes, and opens again. What is not told of it, the observer sees in the counters, as it looks at a
/// connection in trouble five times a second.
const WINDOW: u8 = 2;
/// A probe or the answer to one: kernels send none within 200 ms of another, and their number is counted anyway.
const PROBE: u8 = 12;
/// A command that may change the session, or an error that nobody asked for. No counter makes up for those that are not
/// told: they are counted themselves.
const SAYING: u8 = 2;

/// Whether a window that closes is told.
#[inline(always)]
pub fn may_close(rare: &mut Rare) -> bool {
    let told = may_tell(rare, WINDOW, BURST);
    if told {
        rare.told_closed = 1;
    }
    told
}

/// Whether a window that opens is told: always after it was told to be closed, so that nobody takes it for closed.
#[inline(always)]
pub fn may_open(rare: &mut Rare) -> bool {
    let told = rare.told_closed != 0;
    rare.told_closed = 0;
    told
}

/// Whether a probe, or the answer to one, is told.
#[inline(always)]
pub fn may_probe(rare: &mut Rare) -> bool {
    may_tell(rare, PROBE, BURST)
}

/// Whether what one end says is told; if not, it is counted.
#[inline(always)]
pub fn may_say(rare: &mut Rare) -> bool {
    let told = may_tell(rare, SAYING, SAID);
    if !told {
        count(Counter::Untold);
        if rare.untold != u16::MAX {
            rare.untold += 1;
        }
    }
    told
}

#[inline(always)]
fn may_tell(rare: &mut Rare, weight: u8, limit: u8) -> bool {
    let now = (now() >> 20) as u32;
    if now.wrapping_sub(rare.span) >= SPAN {
        rare.span = now;
        rare.told = 0;
    }
    if rare.told >= limit {
        return false;
    }
    rare.told += weight;
    true
}
