//! The one cause.

use std::time::Duration;

use crate::connection::{Connection, Phase};
use crate::flow::End;
use crate::sample::TimerKind;
use crate::session::error_number;
use crate::verdict::Confidence::{self, Certain, Likely, Possible};
use crate::verdict::cause::{Cause, IdleSign, Sign};
use crate::verdict::facts::Facts;
use crate::verdict::server_gone::{Fate, fate};
use crate::verdict::stalled;

/// A cause, and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Judgement {
    pub(super) cause: Cause,
    pub(super) confidence: Confidence,
}

pub(super) const fn because(cause: Cause, confidence: Confidence) -> Judgement {
    Judgement { cause, confidence }
}

/// Finds it.
pub(super) fn judge(facts: &Facts<'_>) -> Judgement {
    let Some(ending) = facts.ending() else { return still_open(facts) };
    if !facts.connection.was_established() {
        return because(
            if ending.by == Some(End::Server) { Cause::Refused } else { Cause::ClientFin },
            Likely,
        );
    }
    if ending.by == Some(End::Server) && facts.server_died() {
        return because(Cause::Died, Certain);
    }
    // Its window need not have been closed for that. Where nobody answered the server at all, that is why it waited.
    let waited_in_vain = facts.own_wait_ran_out() && !facts.gave_up_unanswered();
    if ending.by != Some(End::Client) && facts.stall().is_none() && waited_in_vain {
        return because(Cause::GaveUp(Sign::OwnWait), Certain);
    }
    match (ending.by, ending.reset) {
        (Some(End::Client), reset) => by_client(facts, reset),
        (Some(End::Server), true) => server_reset(facts),
        (Some(End::Server), false) => server_fin(facts),
        (None, _) => silent(facts),
    }
}

fn still_open(facts: &Facts<'_>) -> Judgement {
    match facts.stall() {
        Some(stall) if facts.phase() == Phase::Lost => stalled::lost(facts, stall),
        Some(_) => because(Cause::Stalled, Certain),
        None if facts.recoveries() > 0 => because(Cause::Recovered, Certain),
        None => because(Cause::Open, Certain),
    }
}

fn by_client(facts: &Facts<'_>, reset: bool) -> Judgement {
    // A server that has given up answers COM_QUIT with RST; one that answers with FIN has read it.
    let answered = facts.has_quit() && facts.fin().is_some() && facts.gave_up().is_none();
    let lost = facts.gave_up().is_some() || facts.was_lost();
    if let Some(stall) = facts.stall().filter(|_| lost && !answered) {
        // The client left behind a server that had gone before it.
        return stalled::lost(facts, stall);
    }
    if facts.has_quit() {
        return because(if facts.went_on() { Cause::Recovered } else { Cause::Quit }, Certain);
    }
    match (reset, facts.stood_still_for()) {
        (_, Some(_)) => because(Cause::Vanished, Possible),
        (true, None) => because(Cause::ClientReset, Likely),
        (false, None) if facts.went_on() => because(Cause::Recovered, Certain),
        (false, None) => because(Cause::ClientFin, Likely),
    }
}

fn server_reset(facts: &Facts<'_>) -> Judgement {
    if let Some(stall) = facts.stall() {
        return stalled::reset(facts, stall);
    }
    if facts.ended_at_once() && facts.greeting().is_none() {
        return because(Cause::Refused, Likely);
    }
    if facts.gave_up_unanswered() {
        return because(Cause::Unanswered(End::Client), Likely);
    }
    let idle = facts.idle().is_some_and(|idle| idle >= Duration::from_secs(1)) && !facts.was_waiting();
    match facts.resets_at_timeout() {
        // It resets at its timeouts and closes with FIN in all other cases.
        Some(true) if idle => {
            let confidence = if facts.fits_wait_timeout() { Certain } else { Likely };
            because(Cause::Idle(IdleSign::Reset), confidence)
        }
        None if idle && facts.fits_wait_timeout() => because(Cause::Idle(IdleSign::Reset), Likely),
        None if idle && facts.idle_whole_seconds().is_some() => {
            because(Cause::Idle(IdleSign::Reset), Possible)
        }
        _ => because(Cause::ServerReset, Possible),
    }
}

fn server_fin(facts: &Facts<'_>) -> Judgement {
    match facts.error() {
        Some(error_number::CLIENT_INTERACTION_TIMEOUT) => {
            return because(Cause::Idle(IdleSign::Error), Certain);
        }
        Some(error_number::SERVER_SHUTDOWN) => return because(Cause::ShutDown, Certain),
        Some(code @ (error_number::CONNECTION_KILLED | error_number::QUERY_INTERRUPTED)) => {
            return because(Cause::KilledWith(code), Certain);
        }
        Some(code) if is_of_login(facts) => return because(Cause::Rejected(code), Certain),
        _ => {}
    }
    if facts.has_quit() {
        return because(if facts.went_on() { Cause::Recovered } else { Cause::Quit }, Certain);
    }
    if let Some(stall) = facts.stall() {
        return stalled::closed(facts, stall);
    }
    if facts.gave_up_unanswered() {
        return because(Cause::Unanswered(End::Client), Likely);
    }
    let cut = facts.fin().and_then(|fin| fin.in_result);
    if let Some(stall) =
        facts.last_stall().filter(|stall| cut != Some(false) && stalled::came_behind(facts, *stall))
    {
        return stalled::closed(facts, stall);
    }
    if cut == Some(true) || facts.was_waiting() && !is_parting(facts) {
        return ended_by_server(facts);
    }
    if facts.has_farewell() {
        return because(
            Cause::Idle(IdleSign::Farewell),
            if facts.fits_wait_timeout() { Certain } else { Likely },
        );
    }
    // From 8.0.24 on a server that closes an idle connection says so before; a bare FIN is none of that.
    let would_say_so =
        facts.is_bare() && facts.greeting().is_some_and(|greeting| says_goodbye(&greeting.version));
    if !would_say_so && facts.resets_at_timeout() != Some(true) && facts.fits_wait_timeout() {
        return because(Cause::Idle(IdleSign::Time), Likely);
    }
    if is_parting(facts) {
        return because(if facts.went_on() { Cause::Recovered } else { Cause::Quit }, Likely);
    }
    ended_by_server(facts)
}

/// The server ended it, and no timer was the reason: for this one alone, or for all.
pub(super) fn ended_by_server(facts: &Facts<'_>) -> Judgement {
    match fate(facts) {
        Fate::Lives => because(Cause::Killed, Likely),
        Fate::ShutDown => because(Cause::ShutDown, Likely),
        Fate::Crashed => because(Cause::Crashed, Likely),
        Fate::Gone => because(Cause::ServerGone, Possible),
        Fate::Unknown => because(Cause::Killed, Possible),
    }
}

fn silent(facts: &Facts<'_>) -> Judgement {
    if let Some(stall) = facts.stall() {
        return stalled::disappeared(facts, stall);
    }
    match facts.unanswered() {
        Some(unanswered) => because(Cause::Unanswered(unanswered.by.peer()), Likely),
        None => match facts.connection.retransmitter() {
            Some(by) => because(Cause::Unanswered(by.peer()), Likely),
            // Its end was not seen, but that its trouble was over was.
            None if facts.recoveries() > 0 => because(Cause::Recovered, Likely),
            None => because(Cause::Gone, Possible),
        },
    }
}

/// Whether an ERR packet came so early that the client had not been let in.
fn is_of_login(facts: &Facts<'_>) -> bool {
    let (Some(opened), Some(ending)) = (facts.connection.opened_at(), facts.ending()) else { return false };
    ending.at.since(opened) < Duration::from_secs(10) && !facts.connection.has_had_result()
}

/// Whether the server closed in answer to the client's last message, and the client with it: that was COM_QUIT.
fn is_parting(facts: &Facts<'_>) -> bool {
    let (Some(ending), Some(command)) = (facts.ending(), facts.command()) else { return false };
    let left = facts.history().and_then(|history| history.client_left);
    ending.at.since(command) <= Duration::from_millis(100)
        && left.is_some_and(|left| left.since(ending.at) <= Duration::from_millis(100))
}

/// Whether a server of this version says why it closes an idle connection: MySQL from 8.0.24 on.
fn says_goodbye(version: &str) -> bool {
    let number =
        version.split(|letter: char| !(letter.is_ascii_digit() || letter == '.')).next().unwrap_or_default();
    let mut parts = number.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let version_of = [parts.next(), parts.next(), parts.next()].map(|part| part.unwrap_or(0));
    !version.contains("MariaDB") && version_of >= [8, 0, 24]
}

impl Connection {
    /// The end whose socket sends again and again, by its diagnostics.
    fn retransmitter(&self) -> Option<End> {
        [End::Client, End::Server].into_iter().find(|end| {
            self.end(*end)
                .socket
                .as_deref()
                .is_some_and(|(_, sample)| sample.timer == TimerKind::Retransmit && sample.timer_retries >= 3)
        })
    }

    /// Whether more came from the server than a greeting and what belongs to a login.
    fn has_had_result(&self) -> bool {
        const LOGIN: u64 = 8_192;
        let received = [&self.client, &self.server]
            .into_iter()
            .filter_map(|view| view.wire.as_deref())
            .map(|(_, sample)| sample.client.acknowledged);
        received.max().unwrap_or(0) > LOGIN || self.window.closings > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_newer_mysql_says_goodbye() {
        for version in ["8.0.24", "8.0.36-28.1", "8.4.0", "9.7.4-2"] {
            assert!(says_goodbye(version), "{version}");
        }
        for version in ["8.0.23", "5.7.44-log", "5.5.5-10.11.19-MariaDB-0+deb12u1", "11.8.3-MariaDB", "", "x"]
        {
            assert!(!says_goodbye(version), "{version}");
        }
    }
}
