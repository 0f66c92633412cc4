//! What can be done, with the numbers of the case; and what would have to be known to say more.

use std::time::Duration;

use crate::connection::Phase;
use crate::flow::End;
use crate::session::Hidden;
use crate::statement::StatementKind;
use crate::text::{Bytes, Seconds, setting};
use crate::verdict::VerdictKind;
use crate::verdict::cause::{Cause, Sign};
use crate::verdict::connector::setting as setting_of;
use crate::verdict::facts::{Facts, Standstill};
use crate::verdict::sentence::stall_of;
use crate::verdict::words::TimeOfDay;

/// A timeout that would have held is this much longer than the time that was needed.
const MARGIN: u32 = 2;

/// What can be done.
pub(super) fn advice(facts: &Facts<'_>, cause: Cause) -> Vec<String> {
    if cause == Cause::Stalled {
        return while_it_waits(facts);
    }
    match cause.kind() {
        VerdictKind::NetWriteTimeout => against_write_timeout(facts),
        VerdictKind::Recovered if was_close(facts) => {
            [more_room(facts), Some(read_faster(facts)), connector(facts)].into_iter().flatten().collect()
        }
        VerdictKind::IdleTimeout => vec![
            "Let the pool close or test its connections before wait_timeout, or set wait_timeout longer for sessions that \
             must stay."
                .to_owned(),
        ],
        VerdictKind::Killed | VerdictKind::ServerCrashed => {
            vec!["Look into the server's error log for this moment: it tells a shutdown, a crash and a restart.".to_owned()]
        }
        VerdictKind::ClientVanished => vec![
            "Look into the application's log and the client host's kernel log (out of memory, signals) for this moment."
                .to_owned(),
        ],
        _ => Vec::new(),
    }
}

/// Whether a wait came so far that it was worth a warning.
fn was_close(facts: &Facts<'_>) -> bool {
    let most = facts.history().and_then(|history| history.past.most_used);
    most.is_some_and(|most| most.share >= facts.config.warning_share)
}

/// What can still be done while the server waits. Its wait has the timeout it began with, and neither a
/// `SET GLOBAL` nor a `KILL QUERY` of somebody else reaches it (`vio_io_wait` in vio/viosocket.cc).
fn while_it_waits(facts: &Facts<'_>) -> Vec<String> {
    let clock = facts.stall().map(|stall| stall.clock).filter(|clock| facts.now < clock.abort().earliest);
    let read = clock.map(|clock| {
        format!(
            "Have the client read before {}: nothing makes the server's present wait longer.",
            TimeOfDay(clock.abort().earliest)
        )
    });
    [read, check_assumption(facts)].into_iter().flatten().collect()
}

fn against_write_timeout(facts: &Facts<'_>) -> Vec<String> {
    let remaining =
        facts.connection.unread().filter(|unread| facts.phase() == Phase::ServerClosed && *unread > 1);
    let stop_reading = remaining.map(|unread| {
        format!(
            "Nothing but the {} that are unread will come: the application can stop now and begin anew.",
            Bytes(unread)
        )
    });
    [stop_reading, longer_timeout(facts), Some(read_faster(facts)), connector(facts), check_assumption(facts)]
        .into_iter()
        .flatten()
        .collect()
}

/// The timeout that would have held: for as long as the client stood still.
fn longer_timeout(facts: &Facts<'_>) -> Option<String> {
    let needed = needed(facts)?;
    let seconds = with_margin(needed).as_secs();
    let how = if facts.reads_binary_log() {
        format!(
            "A net_write_timeout of {seconds} s would have held: SET GLOBAL it at the server, for replicas that connect"
        )
    } else {
        format!("SET SESSION net_write_timeout = {seconds} before the query would have held")
    };
    Some(format!("{how}: the client read too little for {}.", Seconds(needed)))
}

/// The timeout that leaves a client that was close to it as much time again; nothing where it has that already.
fn more_room(facts: &Facts<'_>) -> Option<String> {
    let needed = needed(facts)?;
    let timeout = with_margin(needed);
    (timeout > stall_of(facts)?.clock.timeout.duration).then(|| {
        let (seconds, needed) = (timeout.as_secs(), Seconds(needed));
        let how = if facts.reads_binary_log() {
            format!("A net_write_timeout of {seconds} s, SET GLOBAL at the server for replicas that connect,")
        } else {
            format!("SET SESSION net_write_timeout = {seconds} before such a query")
        };
        format!("{how} leaves more room: this time the server waited {needed}.")
    })
}

/// How long a server had to wait for this client.
fn needed(facts: &Facts<'_>) -> Option<Duration> {
    let stall = stall_of(facts)?;
    let history = facts.history()?;
    let now = facts.ending().map_or(facts.now, |ending| ending.at);
    let end = stall.over.unwrap_or(now);
    Some(end.since(stall.clock.started.earliest).max(history.past.longest))
}

/// In tens of seconds.
fn with_margin(needed: Duration) -> Duration {
    Duration::from_secs((needed * MARGIN).as_secs().div_ceil(10).max(1) * 10)
}

fn read_faster(facts: &Facts<'_>) -> String {
    if facts.reads_binary_log() {
        return "Or find what keeps the replica from taking the binary log: its disk, or relay_log_space_limit."
            .to_owned();
    }
    "Or read the result faster than it is worked on: fetch in larger batches, buffer it in the client, or page through \
         it with several queries."
            .to_owned()
}

/// What there is for it in the client's own library, which is about results.
fn connector(facts: &Facts<'_>) -> Option<String> {
    if facts.reads_binary_log() {
        return None;
    }
    let connector = facts.connection.account()?.connector.as_ref()?;
    setting_of(connector).map(str::to_owned)
}

fn check_assumption(facts: &Facts<'_>) -> Option<String> {
    stall_of(facts).filter(Standstill::is_timeout_assumed).map(|stall| {
        format!(
            "net_write_timeout was taken to be {}; SELECT @@GLOBAL.net_write_timeout tells, and --net-write-timeout says it \
             to observer.",
            setting(stall.clock.timeout.duration)
        )
    })
}

/// What would have to be known.
pub(super) fn missing(facts: &Facts<'_>, cause: Cause) -> Vec<String> {
    let socket_unseen = !facts.connection.is_local(End::Server);
    let mut missing = Vec::new();
    match cause {
        Cause::GaveUp(Sign::Deadline | Sign::Fin | Sign::LateReset) if socket_unseen => {
            missing.push("the server's own socket: a log of the server's host tells the moment".to_owned());
        }
        Cause::ShorterTimeout => {
            missing.push("the session's net_write_timeout".to_owned());
            missing.push("the server's own socket: a log of the server's host tells when it closed".to_owned());
        }
        Cause::Killed if facts.siblings().is_none_or(|others| others.open == 0 && others.ended == 0) => {
            missing.push("what the server's other connections did at that moment".to_owned());
            missing.push("the server's error log".to_owned());
        }
        Cause::ServerGone => missing.push(
            "the server's error log: on the wire a shutdown and the death of a server without running statements look alike"
                .to_owned(),
        ),
        Cause::Vanished => {
            missing.push("the application's log: a killed process and one that closes unread look alike".to_owned());
        }
        Cause::Unanswered(_) => missing.push("whether the other host was there: a log of that host".to_owned()),
        Cause::Gone => missing.push("how it ended: neither FIN nor RST was seen".to_owned()),
        Cause::ServerReset => {
            if facts.greeting().is_none() {
                missing.push("the server's version: its greeting was not seen".to_owned());
            }
            if facts.idle().is_none_or(|idle| idle < Duration::from_secs(1)) {
                missing.push("why the server reset: its error log".to_owned());
            }
        }
        _ => {}
    }
    if let Some(hidden @ (Hidden::Tls | Hidden::Compression)) = facts.connection.hidden()
        && facts.connection.statement().is_none_or(|asked| asked.command == StatementKind::Other)
        && stall_of(facts).is_some()
    {
        missing.push(format!("what the client asked for: {hidden}"));
    }
    if facts.connection.saw_loss {
        missing.push("the observations that were lost".to_owned());
    }
    missing
}
