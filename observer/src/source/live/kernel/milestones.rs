//! When a reader had acknowledged how much, as the kernel programs keep it.

use std::time::Duration;

use observer_common::{BeforePause, ConnectionState, DirectionState, MILESTONE_STEP, MILESTONES};
use observer_core::{Answered, Milestone, Timestamp};

use super::records::Decoder;

/// How the answer to what a reader sent last came in.
pub(super) fn answered(reader: &DirectionState, decoder: &Decoder) -> Option<Answered> {
    // One that has sent nothing yet was being answered when it was first seen.
    let has_asked = reader.payload_ack != 0;
    let since = if has_asked { u64::from(reader.ack.wrapping_sub(reader.payload_ack)) } else { u64::MAX };
    let acknowledged = reader.acknowledged.saturating_sub(since);
    let pause = Duration::from_nanos(u64::from(reader.pause) << 20);
    let at = unabridged(reader.answered, reader, decoder)?;
    (reader.answered != 0).then_some(Answered { at, acknowledged, pause })
}

/// The time of which the programs have kept the lower 32 bits of its count of 2²⁰ ns: it is near the last advance.
fn unabridged(time: u32, reader: &DirectionState, decoder: &Decoder) -> Option<Timestamp> {
    let latest = reader.last_ack_advance >> 20;
    let lower = u32::try_from(latest & u64::from(u32::MAX)).ok()?;
    // `latest` can be a little early.
    let age = lower.wrapping_sub(time).cast_signed();
    Some(decoder.time(latest.checked_add_signed(-i64::from(age))? << 20))
}

/// When a reader had acknowledged how much, oldest first: at every step, and before its last pause.
pub(super) fn milestones(
    state: &ConnectionState,
    reader: &DirectionState,
    decoder: &Decoder,
) -> Vec<Milestone> {
    let mut points = steps(&state.milestones, reader, decoder);
    add_pause(&mut points, state.before_pause, reader, decoder);
    points
}

fn steps(times: &[u32; MILESTONES], reader: &DirectionState, decoder: &Decoder) -> Vec<Milestone> {
    let last = reader.acknowledged / MILESTONE_STEP;
    let first = last.saturating_sub(MILESTONES as u64 - 1).max(1);
    (first..=last)
        .filter_map(|number| {
            let time = *times.get(usize::try_from(number).ok()? % MILESTONES)?;
            let at = unabridged(time, reader, decoder)?;
            (time != 0).then_some(Milestone { at, acknowledged: number * MILESTONE_STEP })
        })
        .collect()
}

/// Adds what a reader had acknowledged before its last pause, if little has come since.
fn add_pause(points: &mut Vec<Milestone>, before: BeforePause, reader: &DirectionState, decoder: &Decoder) {
    let since = reader.acknowledged.saturating_sub(before.acknowledged);
    if before.at == 0 || before.acknowledged == 0 || since >= MILESTONE_STEP {
        return;
    }
    let point = Milestone { at: decoder.time(before.at), acknowledged: before.acknowledged };
    let place = points.partition_point(|other| other.acknowledged < point.acknowledged);
    if points.get(place).is_none_or(|other| other.acknowledged > point.acknowledged) {
        points.insert(place, point);
    }
}
