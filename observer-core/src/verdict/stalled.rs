//! The cause where a client stood still.

use std::time::Duration;

use crate::time::Timestamp;
use crate::verdict::Confidence::{Certain, Likely, Possible};
use crate::verdict::cause::{Cause, Sign};
use crate::verdict::facts::{Facts, Standstill, Versus};
use crate::verdict::judge::{Judgement, because, ended_by_server};
use crate::verdict::server_gone::{Fate, MANY, fate};

/// More than a server's send buffer holds: `tcp_wmem` has a default limit of 4 MiB, of which some is overhead. A server
/// that sent more after a stall went on after it.
const SEND_BUFFER: u32 = 6 * 1024 * 1024;

/// A FIN this long after a stall, where nothing tells how much came between.
const SOON: Duration = Duration::from_secs(10);

/// The server gave up, as far as its socket or its deadline tell.
pub(super) fn lost(facts: &Facts<'_>, stall: Standstill) -> Judgement {
    match facts.gave_up() {
        Some(at) => gave_up(facts, stall, at, shown_by(facts)),
        None => because(Cause::GaveUp(Sign::Deadline), Likely),
    }
}

/// What has shown first that it gave up.
fn shown_by(facts: &Facts<'_>) -> Sign {
    if facts.gone().is_some() { Sign::ProcessList } else { Sign::Socket }
}

/// It was seen to give up at `at`.
fn gave_up(facts: &Facts<'_>, stall: Standstill, at: Timestamp, sign: Sign) -> Judgement {
    match stall.versus(at) {
        Versus::At => because(Cause::GaveUp(sign), Certain),
        _ => elsewhen(facts, stall, at),
    }
}

/// It gave up at a moment that is not its deadline: another timeout, or none.
fn elsewhen(facts: &Facts<'_>, stall: Standstill, at: Timestamp) -> Judgement {
    match stall.whole_seconds_at(at).filter(|_| stall.is_timeout_assumed()) {
        // A KILL may come after whole seconds too.
        Some(seconds) => because(Cause::OtherTimeout(seconds), Possible),
        // What it did before its deadline it did for another reason; after it, the start of its wait was not seen.
        None if stall.versus(at) == Versus::Before => ended_by_server(facts),
        None => because(Cause::OtherTimeout(at.since(stall.clock.started.latest)), Possible),
    }
}

/// The server's RST while its client stood still.
pub(super) fn reset(facts: &Facts<'_>, stall: Standstill) -> Judgement {
    let Some(ending) = facts.ending() else { return lost(facts, stall) };
    if let Some(at) = facts.gave_up().filter(|at| ending.at.since(*at) > Duration::from_secs(1)) {
        return gave_up(facts, stall, at, Sign::LateReset);
    }
    let resets = facts.resets_at_timeout();
    match stall.versus(ending.at) {
        Versus::At => because(Cause::GaveUp(Sign::Reset), Certain),
        Versus::After if resets != Some(true) && facts.connection.server.socket.is_none() => {
            because(Cause::GaveUp(Sign::LateReset), Likely)
        }
        // Such a server resets at its timeouts only.
        Versus::Before if resets == Some(true) => {
            let elapsed = ending.at.since(stall.clock.started.earliest);
            because(Cause::OtherTimeout(stall.whole_seconds_at(ending.at).unwrap_or(elapsed)), Likely)
        }
        _ => elsewhen(facts, stall, ending.at),
    }
}

/// The server's FIN behind the data of a stall.
pub(super) fn closed(facts: &Facts<'_>, stall: Standstill) -> Judgement {
    // MariaDB would have reset it: linger is set at a timeout and at nothing else.
    if facts.resets_at_timeout() == Some(true) {
        return ended_by_server(facts);
    }
    if let Some(at) = facts.gave_up() {
        return gave_up(facts, stall, at, shown_by(facts));
    }
    let Some(ending) = facts.ending() else { return lost(facts, stall) };
    let stood_still_until = stall.over.unwrap_or(ending.at);
    let passed = stood_still_until >= stall.clock.abort().earliest || facts.was_lost();
    // The server ended with the others, before it could have given up. Where its deadline has passed, the connection has
    // a reason of its own to end, and one other that ended alone is no witness.
    let ended_with_others = matches!(fate(facts), Fate::ShutDown | Fate::Crashed | Fate::Gone)
        && (!passed
            || facts.siblings().is_some_and(|others| {
                (others.shutdown || others.at_once >= MANY) && stall.versus(others.first) == Versus::Before
            }));
    if ended_with_others {
        ended_by_server(facts)
    } else if passed {
        because(Cause::GaveUp(Sign::Fin), Likely)
    } else if stall.is_timeout_assumed() {
        because(Cause::ShorterTimeout, Possible)
    } else {
        ended_by_server(facts)
    }
}

/// Whether the FIN came behind what had waited in the server's send buffer during that stall, and not later.
pub(super) fn came_behind(facts: &Facts<'_>, stall: Standstill) -> bool {
    let (Some(fin), Some(over)) = (facts.fin(), stall.over) else { return false };
    let nothing_asked_since = facts.command().is_none_or(|command| command <= over);
    let close =
        facts.sent_behind_last_stall().map_or(fin.at.since(over) <= SOON, |bytes| bytes <= SEND_BUFFER);
    nothing_asked_since && close
}

/// Whether it ended in a stall, or behind one.
pub(super) fn was_behind(facts: &Facts<'_>) -> bool {
    facts.stall().is_some() || facts.last_stall().is_some_and(|stall| came_behind(facts, stall))
}

/// The connection disappeared while its client stood still.
pub(super) fn disappeared(facts: &Facts<'_>, stall: Standstill) -> Judgement {
    if facts.gave_up().is_some() {
        return lost(facts, stall);
    }
    let Some(ending) = facts.ending() else { return lost(facts, stall) };
    match stall.versus(ending.at) {
        Versus::At => because(Cause::GaveUp(Sign::Disappeared), Likely),
        Versus::After => because(Cause::GaveUp(Sign::Deadline), Likely),
        Versus::Before if facts.connection.probes().0 > 0 && facts.connection.probes().1 == 0 => {
            because(Cause::Unanswered(crate::flow::End::Client), Possible)
        }
        Versus::Before => because(Cause::Gone, Possible),
    }
}
