//! When the client had acknowledged how much: what the write clock of a server that cannot be seen is judged by.

use observer_common::{MILESTONE_STEP, MILESTONES};

use crate::report::now;

/// Notes the milestones that lie between two counts, if any: few segments pass one.
#[inline(always)]
pub fn note(milestones: &mut [u32; MILESTONES], before: u64, acknowledged: u64) {
    if before ^ acknowledged >= MILESTONE_STEP {
        pass(milestones, before / MILESTONE_STEP, acknowledged / MILESTONE_STEP);
    }
}

#[inline(never)]
#[unsafe(no_mangle)]
fn pass(milestones: &mut [u32; MILESTONES], passed: u64, last: u64) {
    let now = (now() >> 20) as u32;
    for back in 0..MILESTONES as u64 {
        let milestone = last - back;
        if milestone == passed {
            break;
        }
        milestones[milestone as usize % MILESTONES] = now;
    }
}
