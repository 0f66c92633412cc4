//! The verdict in one sentence.

use std::time::Duration;

use crate::clock::TimeoutSource;
use crate::connection::Phase;
use crate::flow::End;
use crate::session::error_number;
use crate::text::{Bytes, Seconds, countdown, setting, was_used};
use crate::verdict::cause::{Cause, IdleSign, Sign};
use crate::verdict::facts::{Facts, Standstill};
use crate::verdict::words::counted;

/// It, with its numbers. What it takes from the network are addresses and numbers alone.
pub(super) fn sentence(facts: &Facts<'_>, cause: Cause, incomplete: Option<bool>) -> String {
    let mut text = what_happened(facts, cause);
    if incomplete == Some(true) {
        text.push_str(if facts.reads_binary_log() {
            " What the client was sent of the binary log ends there."
        } else {
            " The client's result is incomplete."
        });
    }
    if let Some(fails) = still_to_fail(facts) {
        text.push(' ');
        text.push_str(&fails);
    }
    text
}

fn what_happened(facts: &Facts<'_>, cause: Cause) -> String {
    let client = facts.connection.flow().client;
    let idle =
        facts.idle().map_or_else(String::new, |idle| format!(" after {} without a command", Seconds(idle)));
    match cause {
        Cause::Open => format!("The connection of {client} is open, and nothing has happened to it."),
        Cause::Stalled => {
            let stall = facts.stall();
            let since = stall.map_or(facts.now, |stall| stall.since);
            let server = facts.connection.server_program();
            let waits = match stall.filter(|stall| facts.now < stall.clock.abort().earliest) {
                Some(stall) => format!("{server} drops it {}", countdown(&stall.clock, facts.now)),
                None => "the server waits".to_owned(),
            };
            format!("{client} has stood still for {}; {waits}.", Seconds(facts.now.since(since)))
        }
        Cause::Recovered => recovered(facts),
        Cause::GaveUp(sign) => gave_up(facts, sign),
        Cause::OtherTimeout(timeout) => format!(
            "The server dropped {client} after waiting {} for it: that fits a net_write_timeout of {}, not the {} {}.",
            Seconds(timeout),
            setting(timeout),
            facts.stall().map_or_else(String::new, |stall| setting(stall.clock.timeout.duration)),
            match facts.stall().map(|stall| stall.clock.timeout.source) {
                Some(TimeoutSource::Assumed) => "that were assumed",
                Some(TimeoutSource::Flag) => "that were given",
                _ => "that were known",
            },
        ),
        Cause::ShorterTimeout => {
            let still = stall_of(facts).map_or_else(String::new, |stall| still_for(facts, &stall));
            format!(
                "The server closed behind a stall of {client}{still}: its net_write_timeout may be shorter than that, \
                 or it was killed."
            )
        }
        Cause::Idle(sign) => {
            let how = match sign {
                IdleSign::Error => " and said so (error 4031)",
                IdleSign::Farewell | IdleSign::Time => "",
                IdleSign::Reset => " with an RST",
            };
            format!(
                "The server closed the connection of {client}{idle}{how}: wait_timeout or interactive_timeout."
            )
        }
        Cause::Killed if facts.siblings().is_some_and(|others| others.alive || others.open > 0) => {
            format!("The connection of {client} was killed{}: the server itself went on.", in_what(facts))
        }
        Cause::Killed => format!(
            "The server ended the connection of {client}{}: it was killed, or the server ended.",
            in_what(facts)
        ),
        Cause::KilledWith(code) => {
            format!("The connection of {client} was killed: the server said so (error {code}).")
        }
        Cause::ShutDown if facts.error() == Some(error_number::SERVER_SHUTDOWN) => {
            format!("The server shut down, and told {client} so (error 1053).")
        }
        Cause::ShutDown => format!("The server shut down, and the connection of {client} with it."),
        Cause::ServerGone => format!(
            "The server ended {client} together with {}: it was shut down, or it died.",
            others_ended(facts)
        ),
        Cause::Crashed => format!(
            "The server died: it ended {client} together with {}, in the middle of results and without a word.",
            others_ended(facts)
        ),
        Cause::Died => format!(
            "The server died: its process ended{}, and the kernel closed the connection of {client}.",
            in_what(facts)
        ),
        Cause::Quit => format!("{client} closed its connection (COM_QUIT)."),
        Cause::ClientFin => format!("{client} closed its connection."),
        Cause::ClientReset => format!("{client} closed its connection with data of the server unread (RST)."),
        Cause::Vanished => format!(
            "{client} left {} after it had stopped reading: its process ended, or closed without reading the rest.",
            Seconds(facts.stood_still_for().unwrap_or_default())
        ),
        Cause::Unanswered(End::Client) => {
            let ended = if facts.ended_by(End::Server) { ", and the server has given it up" } else { "" };
            format!("{client} no longer answered: its host is gone, or the network between{ended}.")
        }
        Cause::Unanswered(End::Server) => {
            format!("The server no longer answered {client}: its host is gone, or the network between.")
        }
        Cause::Refused => format!("The server did not take the connection of {client}."),
        Cause::Rejected(code) => format!("The server did not let {client} in (error {code})."),
        Cause::ServerReset => {
            format!("The server, or something on the way to it, reset the connection of {client}{idle}.")
        }
        Cause::Gone => format!("The connection of {client} is gone; how it ended was not seen."),
    }
}

/// Why a server has not given up though its deadline has passed.
const WHY_NOT: &str = ", for its net_write_timeout is longer than was thought, or the rest of the result fitted into its send buffer";

fn recovered(facts: &Facts<'_>) -> String {
    let client = facts.connection.flow().client;
    let Some(past) = facts.history().map(|history| history.past) else { return String::new() };
    if past.count == 0 && facts.was_lost() {
        return format!("{client} stood still, and went on: the server had not given up{WHY_NOT}.");
    }
    if past.count == 0 {
        return format!("{client} stood still, and went on in time.");
    }
    let how_often = if past.count == 1 {
        format!("for {}", Seconds(past.longest))
    } else {
        format!("{} times, for {} at most", past.count, Seconds(past.longest))
    };
    let used = match past.most_used {
        Some(most) if most.share >= 1.0 => {
            return format!(
                "{client} stood still {how_often}, and went on: the server had not given up{WHY_NOT}."
            );
        }
        Some(most) => format!(": {}", was_used(&most.clock, most.share)),
        None => String::new(),
    };
    format!("{client} stood still {how_often}, and went on in time{used}.")
}

fn gave_up(facts: &Facts<'_>, sign: Sign) -> String {
    let client = facts.connection.flow().client;
    let stall = stall_of(facts);
    // Without a stall it is the server's own wait that was seen.
    let known = stall.filter(|_| sign != Sign::OwnWait).map(|stall| stall.clock.timeout);
    let timeout = known.unwrap_or_else(|| facts.connection.timeout());
    let in_force = setting(timeout.duration);
    let timeout = match timeout.source {
        // What was assumed fits what was seen.
        TimeoutSource::Assumed
            if matches!(sign, Sign::Socket | Sign::ProcessList | Sign::Reset | Sign::Disappeared) =>
        {
            format!(" ({in_force}, as was assumed)")
        }
        TimeoutSource::Assumed => format!(" if that is {in_force} (assumed)"),
        _ => format!(" ({in_force})"),
    };
    let probably = if sign == Sign::Deadline { "has probably given" } else { "gave" };
    let end = match sign {
        Sign::Deadline if facts.ending().is_none() => "; nothing on the wire shows it yet".to_owned(),
        Sign::Deadline => "; it was not seen to".to_owned(),
        Sign::Socket => "; its socket shows it".to_owned(),
        Sign::ProcessList => "; its process list no longer has the session".to_owned(),
        Sign::OwnWait => "; its own wait ran out, behind a window that was open".to_owned(),
        Sign::Reset => " with an RST".to_owned(),
        Sign::Fin => after_deadline(facts, stall, "FIN came behind the last data"),
        Sign::LateReset => after_deadline(facts, stall, "RST answered the reader that came back"),
        Sign::Disappeared => "; its connection disappeared at the deadline".to_owned(),
    };
    format!("The server {probably} up writing to {client} after net_write_timeout{timeout}{end}.")
}

/// `; its FIN came behind the last data, 11.9 s later`.
fn after_deadline(facts: &Facts<'_>, stall: Option<Standstill>, what: &str) -> String {
    let later = stall
        .zip(facts.ending())
        .map(|(stall, ending)| format!(", {} later", Seconds(ending.at.since(stall.clock.abort().earliest))));
    format!("; its {what}{}", later.unwrap_or_default())
}

/// The stall the verdict speaks of: the present one, or the last.
pub(super) fn stall_of(facts: &Facts<'_>) -> Option<Standstill> {
    facts.stall().or_else(|| facts.last_stall())
}

/// ` of 12.0 s`.
fn still_for(facts: &Facts<'_>, stall: &Standstill) -> String {
    let end = stall.over.or(facts.ending().map(|ending| ending.at)).unwrap_or(facts.now);
    format!(" of {}", Seconds(end.since(stall.since)))
}

/// ` in the middle of a result`, or of the binary log, ` while it was idle for 3.0 s`.
fn in_what(facts: &Facts<'_>) -> String {
    let cut = facts.fin().and_then(|fin| fin.in_result) == Some(true);
    match facts.idle() {
        _ if cut => format!(" in the middle of {}", facts.answer()),
        _ if facts.stall().is_some() => " while it stood still".to_owned(),
        _ if facts.was_waiting() => " while its command ran".to_owned(),
        Some(idle) if idle < Duration::from_secs(1) => " while it was in use".to_owned(),
        Some(idle) => format!(" while it had been idle for {}", Seconds(idle)),
        None => String::new(),
    }
}

fn others_ended(facts: &Facts<'_>) -> String {
    let ended = facts.siblings().map_or(0, |others| others.ended);
    if ended == 0 { "all of its connections".to_owned() } else { counted(ended, "other") }
}

/// After the server has closed: what the application has yet to read, and when it will notice.
fn still_to_fail(facts: &Facts<'_>) -> Option<String> {
    let unread =
        facts.connection.unread().filter(|unread| facts.phase() == Phase::ServerClosed && *unread > 1)?;
    let rate = facts.connection.drain_rate().filter(|rate| *rate >= 1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate of bytes, shown rounded"
    )]
    let rate = rate.map(|rate| rate as u64);
    Some(match (rate, facts.connection.fails_at()) {
        (Some(rate), Some(fails_at)) => format!(
            "The application has {} left to read at {} a second, and fails in about {}.",
            Bytes(unread),
            Bytes(rate),
            Seconds(fails_at.since(facts.now))
        ),
        _ => format!("The application has {} left to read before it fails.", Bytes(unread)),
    })
}
