//! What it was not, and why.

use std::time::Duration;

use crate::flow::End;
use crate::text::Seconds;
use crate::verdict::cause::{Cause, Sign};
use crate::verdict::evidence::wait_timeout_said;
use crate::verdict::facts::{Facts, Versus};
use crate::verdict::sentence::stall_of;
use crate::verdict::{RuledOut, VerdictKind};

/// The causes that can be ruled out, where an ending is to be explained at all.
pub(super) fn ruled_out(facts: &Facts<'_>, cause: Cause) -> Vec<RuledOut> {
    let kind = cause.kind();
    if matches!(kind, VerdictKind::Open | VerdictKind::Recovered)
        || facts.ending().is_none() && facts.gave_up().is_none()
    {
        return Vec::new();
    }
    [
        (VerdictKind::NetWriteTimeout, not_net_write_timeout(facts)),
        (VerdictKind::IdleTimeout, not_idle_timeout(facts)),
        (VerdictKind::Killed, not_killed(facts, cause)),
        (VerdictKind::ServerCrashed, not_crashed(facts)),
        (VerdictKind::ClientClosed, not_client(facts)),
        (VerdictKind::ClientVanished, not_client(facts)),
        (VerdictKind::Network, not_network(facts, cause)),
    ]
    .into_iter()
    .filter(|(other, _)| *other != kind)
    .filter_map(|(kind, because)| Some(RuledOut { kind, because: because? }))
    .collect()
}

fn not_net_write_timeout(facts: &Facts<'_>) -> Option<String> {
    let Some(stall) = stall_of(facts) else {
        // It may well have waited for a network that was gone.
        if facts.gave_up_unanswered() {
            return None;
        }
        return Some("the client never stood still with data waiting for it".to_owned());
    };
    let ended = facts.gave_up().or(facts.ending().map(|ending| ending.at))?;
    let until = stall.over.unwrap_or(ended);
    (stall.versus(until) == Versus::Before && !stall.is_timeout_assumed()).then(|| {
        format!(
            "the server had waited for {} of its timeout only",
            Seconds(until.since(stall.clock.started.earliest))
        )
    })
}

fn not_idle_timeout(facts: &Facts<'_>) -> Option<String> {
    if stall_of(facts).is_some() || facts.fin().and_then(|fin| fin.in_result) == Some(true) {
        let answer = facts.answer();
        return Some(format!("the server was sending {answer}, it did not wait for a command"));
    }
    if facts.ended_by(End::Client) {
        return Some("the client ended it".to_owned());
    }
    let idle = facts.idle()?;
    (idle + Duration::from_secs(1) < facts.wait_timeout().duration).then(|| {
        format!(
            "it had been without a command for {} only, and wait_timeout is {}",
            Seconds(idle),
            wait_timeout_said(facts)
        )
    })
}

fn not_killed(facts: &Facts<'_>, cause: Cause) -> Option<String> {
    match cause {
        Cause::GaveUp(_) if facts.gave_up().is_some() => {
            Some("the server's socket closed at the deadline, neither before nor after it".to_owned())
        }
        Cause::GaveUp(_) | Cause::OtherTimeout(_) | Cause::Idle(_)
            if facts.ending().is_some_and(|ending| ending.by == Some(End::Server) && ending.reset)
                && facts.resets_at_timeout() == Some(true) =>
        {
            Some("it was an RST: MariaDB ends a killed connection with FIN".to_owned())
        }
        Cause::Idle(_) if facts.error().is_some() => {
            Some("the server itself named another reason".to_owned())
        }
        _ if facts.ended_by(End::Client) && facts.gave_up().is_none() && !facts.was_lost() => {
            Some("the client ended it".to_owned())
        }
        _ => None,
    }
}

fn not_crashed(facts: &Facts<'_>) -> Option<String> {
    if facts.error().is_some() {
        return Some("the server could still say why it closed".to_owned());
    }
    let others = facts.siblings();
    if let Some(others) = others.filter(|others| others.alive || others.ended == 0 && others.open > 0) {
        let went_on = match others.open {
            // It may have ended since.
            0 | 1 => "another connection".to_owned(),
            open => format!("{open} other connections"),
        };
        return Some(format!("{went_on} of the same server went on"));
    }
    facts.ended_by(End::Client).then(|| "the client ended it".to_owned())
}

fn not_client(facts: &Facts<'_>) -> Option<String> {
    if facts.gave_up().is_some_and(|at| facts.ending().is_none_or(|ending| ending.at > at)) {
        return Some("the server had closed before".to_owned());
    }
    let ending = facts.ending()?;
    (ending.by == Some(End::Server))
        .then(|| format!("the first {} came from the server", if ending.reset { "RST" } else { "FIN" }))
}

fn not_network(facts: &Facts<'_>, cause: Cause) -> Option<String> {
    let (probes, answers) = facts.connection.probes();
    if probes > 0 && answers > 0 && answers + 2 >= probes {
        return Some(
            "the client's kernel answered the probes to the end: its host and the network were there"
                .to_owned(),
        );
    }
    // What is sent to a host that is silent comes through to nobody.
    if facts.unanswered().is_some() || cause == Cause::GaveUp(Sign::OwnWait) {
        return None;
    }
    let ending = facts.ending()?;
    ending.by.map(|by| format!("a {} of the {by} came through", if ending.reset { "RST" } else { "FIN" }))
}
