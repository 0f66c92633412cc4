//! What speaks for a verdict, one sentence each, in the order in which it happened.

use crate::connection::{Gone, Phase};
use crate::flow::End;
use crate::statement::StatementKind;
use crate::text::{Bytes, Seconds, clean, logged_in, setting, waits_for};
use crate::verdict::VerdictKind;
use crate::verdict::cause::{Cause, Sign};
use crate::verdict::facts::{Facts, Versus};
use crate::verdict::sentence::stall_of;
use crate::verdict::words::{TimeOfDay, counted, timeout_and_source};

/// Characters of a statement that are shown.
const STATEMENT: usize = 200;

/// All of it.
pub(super) fn evidence(facts: &Facts<'_>, cause: Cause) -> Vec<String> {
    let kind = cause.kind();
    // Whose window was open did not stand still then.
    let open = cause == Cause::GaveUp(Sign::OwnWait);
    let gave_up_writing = !open && (kind == VerdictKind::NetWriteTimeout || facts.stall().is_some());
    let stalled = gave_up_writing
        || matches!(kind, VerdictKind::Recovered | VerdictKind::ClientVanished | VerdictKind::Killed);
    [
        server(facts),
        client(facts),
        earlier_stalls(facts),
        stalled.then(|| asked(facts)).flatten(),
        stalled.then(|| window(facts)).flatten(),
        stalled.then(|| probes(facts)).flatten(),
        gave_up_writing.then(|| deadline(facts)).flatten(),
        own_wait(facts),
        told(facts),
        gave_up(facts),
        traffic(facts, kind),
        unanswered(facts),
        goodbye(facts),
        ending(facts),
        behind(facts),
        unread(facts),
        died(facts),
        siblings(facts, kind),
        log_line(facts, kind),
        loss(facts),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// By which the server's process list and its log name the connection.
fn server(facts: &Facts<'_>) -> Option<String> {
    let greeting = facts.greeting()?;
    let name = greeting.name().chars().take(60).collect::<String>();
    Some(format!("The server is {name}; its thread (connection) id was {}.", greeting.thread_id))
}

/// Who the client says it is.
fn client(facts: &Facts<'_>) -> Option<String> {
    let who = logged_in(facts.connection.account()?)?;
    Some(format!("The client logged in {who}."))
}

/// What it waited for when it stood still last.
fn asked(facts: &Facts<'_>) -> Option<String> {
    stall_of(facts)?;
    let statement = facts.connection.statement()?;
    // What the connection knows is of now; a closed one has no result any more.
    let in_flight = facts.connection.result_in_flight().or(statement.in_result);
    let under_way = if in_flight == Some(true) { "; the answer was under way" } else { "" };
    let sent_at = TimeOfDay(statement.sent_at);
    Some(if statement.command == StatementKind::BinlogDump {
        format!(
            "It had asked for the binary log at {sent_at}, as a replica does or who reads like one{under_way}."
        )
    } else {
        format!("It waited for {}, sent at {sent_at}{under_way}.", waits_for(statement, STATEMENT))
    })
}

fn earlier_stalls(facts: &Facts<'_>) -> Option<String> {
    let past = facts.history()?.past;
    let (total, longest) = (Seconds(past.total), Seconds(past.longest));
    match past.count {
        0 => None,
        1 => Some(format!("The client stood still once, for {total}, and read again.")),
        count => Some(format!(
            "The client stood still and read again {count} times: {total} in all, {longest} at most."
        )),
    }
}

fn window(facts: &Facts<'_>) -> Option<String> {
    let stall = stall_of(facts)?;
    let closed = format!("The client's window closed at {}", TimeOfDay(stall.since));
    Some(match stall.over {
        Some(over) => {
            format!("{closed} (ZeroWindow) and opened {} later.", Seconds(over.since(stall.since)))
        }
        None if facts.connection.window_closed_since().is_none() => {
            format!("{closed} (ZeroWindow), and opened later.")
        }
        None => format!("{closed} (ZeroWindow), and stayed closed as far as was seen."),
    })
}

fn probes(facts: &Facts<'_>) -> Option<String> {
    let (probes, answers) = facts.connection.probes();
    (probes > 0).then(|| {
        format!(
            "The server sent {}: data waited behind the window. The client's kernel answered {} with window 0.",
            counted(probes, "ZeroWindowProbe"),
            answers
        )
    })
}

fn deadline(facts: &Facts<'_>) -> Option<String> {
    let stall = stall_of(facts)?;
    let abort = stall.clock.abort();
    let when = if abort.width() < std::time::Duration::from_millis(50) {
        format!("at {}", TimeOfDay(abort.earliest))
    } else {
        format!("between {} and {}", TimeOfDay(abort.earliest), TimeOfDay(abort.latest))
    };
    let over = stall.over.or(facts.ending().map(|ending| ending.at));
    let runs = match over {
        None if facts.now < abort.earliest => "runs out",
        Some(over) if over < abort.earliest => "would have run out",
        _ => "ran out",
    };
    Some(format!("Its net_write_timeout ({}) {runs} {when}.", timeout_and_source(&stall.clock)))
}

/// What the server's own system call tells.
fn own_wait(facts: &Facts<'_>) -> Option<String> {
    let wait = facts.connection.own_wait.as_deref()?;
    let (since, up) = (wait.since?, wait.timed_out?);
    Some(format!(
        "The server's own wait for this client began at {}, for {}, and its time was up at {}.",
        TimeOfDay(since.earliest),
        setting(wait.timeout),
        TimeOfDay(up)
    ))
}

/// What the server told of the session when it was asked last; what the client has said of itself is not said again.
fn told(facts: &Facts<'_>) -> Option<String> {
    let (at, told) = facts.connection.told_by_server()?;
    let short = |text: &str, most| clean(text).chars().take(most).collect::<String>();
    let user = facts.connection.user_by_server();
    let user = user.map_or_else(String::new, |user| format!(" of user {}", short(user, 32)));
    let state = told.state.as_deref().map_or_else(String::new, |state| format!(", \"{}\"", short(state, 64)));
    let statement = facts.connection.statement_by_server();
    let statement =
        statement.map_or_else(String::new, |text| format!("; its statement: {}", short(text, STATEMENT)));
    Some(format!(
        "Asked at {}, the server told of thread {}{user}: {}{state} for {}{statement}.",
        TimeOfDay(*at),
        told.thread_id,
        short(&told.command, 32),
        Seconds(told.time)
    ))
}

fn gave_up(facts: &Facts<'_>) -> Option<String> {
    if let Some(Gone { there, at }) = facts.gone() {
        return Some(format!(
            "The server's process list no longer had the session at {}; it had had it at {}.",
            TimeOfDay(at),
            TimeOfDay(there)
        ));
    }
    let at = facts.gave_up()?;
    let waited = stall_of(facts).map_or_else(String::new, |stall| {
        format!(", {} after its wait began", Seconds(at.since(stall.clock.started.earliest)))
    });
    let queued = facts.history().and_then(|history| history.queued).filter(|queued| *queued > 1);
    let queued =
        queued.map_or_else(String::new, |queued| format!(", with {} still in its send queue", Bytes(queued)));
    Some(format!("The server's socket left ESTABLISHED at {}{waited}{queued}.", TimeOfDay(at)))
}

/// When the two spoke last.
fn traffic(facts: &Facts<'_>, kind: VerdictKind) -> Option<String> {
    let ended = facts.ending()?.at;
    let command = facts.command()?;
    if matches!(kind, VerdictKind::NetWriteTimeout | VerdictKind::Recovered) {
        return None;
    }
    let reply = match facts.reply() {
        Some(reply) if reply >= command => {
            format!("the server's last data {} before", Seconds(ended.since(reply)))
        }
        _ => "it was not answered".to_owned(),
    };
    Some(format!("The client's last data came {} before the end, {reply}.", Seconds(ended.since(command))))
}

fn unanswered(facts: &Facts<'_>) -> Option<String> {
    let unanswered = facts.unanswered()?;
    Some(format!(
        "The {} had sent {} again, without an answer since {}.",
        unanswered.by,
        counted(unanswered.retransmissions(), "segment"),
        TimeOfDay(unanswered.since)
    ))
}

fn goodbye(facts: &Facts<'_>) -> Option<String> {
    if let Some(code) = facts.error() {
        return Some(format!("The server sent error {code} before it closed."));
    }
    if facts.has_quit() {
        return Some("The client had said COM_QUIT.".to_owned());
    }
    facts.has_farewell().then(|| {
        "The server sent a few bytes just before its FIN, though nobody had asked: that is how MySQL says why it closes."
            .to_owned()
    })
}

fn ending(facts: &Facts<'_>) -> Option<String> {
    let ending = facts.ending()?;
    let at = TimeOfDay(ending.at);
    Some(match (ending.by, ending.reset) {
        (Some(by), true) => format!("The {by} sent an RST at {at}."),
        (Some(End::Server), false) => {
            let cut = match facts.fin().and_then(|fin| fin.in_result) {
                Some(true) => format!(", in the middle of {}", facts.answer()),
                Some(false) => ", with no result under way".to_owned(),
                None => String::new(),
            };
            format!("The server's FIN came at {at}{cut}.")
        }
        (Some(End::Client), false) => format!("The client's FIN came at {at}."),
        (None, _) => format!("The connection was gone at {at}, and neither FIN nor RST was seen."),
    })
}

fn died(facts: &Facts<'_>) -> Option<String> {
    facts.server_died().then(|| {
        "When its socket was closed, the server's process was ending: it had given back its memory already.".to_owned()
    })
}

/// What came between a stall and the FIN.
fn behind(facts: &Facts<'_>) -> Option<String> {
    let fin = facts.fin().filter(|_| facts.ended_by(End::Server))?;
    if let Some(stall) = facts.stall() {
        let late = (stall.versus(fin.at) == Versus::After)
            .then(|| Seconds(fin.at.since(stall.clock.abort().earliest)).to_string());
        return late
            .map(|late| format!("The FIN came {late} after the deadline: it waited behind unread data."));
    }
    let (stall, bytes) = (facts.last_stall()?, facts.sent_behind_last_stall()?);
    let since = Seconds(fin.at.since(stall.over?));
    Some(format!(
        "{} came after that window had closed, and the FIN {since} after it had opened.",
        Bytes(bytes.into())
    ))
}

fn unread(facts: &Facts<'_>) -> Option<String> {
    let unread = facts.unread_at_end().filter(|unread| *unread > 1)?;
    let reading =
        (facts.phase() != Phase::ServerClosed).then_some(" Until it had read that, it knew nothing of it.");
    Some(format!(
        "When the server's end was seen, the application had {} yet to read.{}",
        Bytes(unread),
        reading.unwrap_or_default()
    ))
}

fn siblings(facts: &Facts<'_>, kind: VerdictKind) -> Option<String> {
    let others = facts.siblings()?;
    if !matches!(kind, VerdictKind::Killed | VerdictKind::ServerCrashed) {
        return None;
    }
    Some(if others.alive || others.ended == 0 && others.open > 0 {
        format!("{} of the same server went on.", counted(others.open.max(1), "other connection"))
    } else if others.ended > 0 {
        let back = others.back.map_or_else(String::new, |back| {
            format!(", and answered a new client {} later", Seconds(back.since(others.first)))
        });
        format!(
            "The server ended {} too, the first at {}{back}.",
            counted(others.ended, "other connection"),
            TimeOfDay(others.first)
        )
    } else {
        return None;
    })
}

/// What the server knows of it.
fn log_line(facts: &Facts<'_>, kind: VerdictKind) -> Option<String> {
    let of = facts.greeting().map_or_else(String::new, |greeting| format!(" {}", greeting.thread_id));
    let maria = facts.resets_at_timeout();
    let line = match (kind, maria) {
        (VerdictKind::NetWriteTimeout, Some(true)) | (VerdictKind::ClientVanished, _) => {
            "Got an error writing communication packets"
        }
        // Its thread has words of its own (`Binlog_sender::send_packet`, sql/rpl_binlog_sender.cc).
        (VerdictKind::NetWriteTimeout, _) if facts.reads_binary_log() => "Failed on my_net_write()",
        (VerdictKind::NetWriteTimeout, _) => "Got timeout writing communication packets",
        (VerdictKind::IdleTimeout, Some(true)) => "Got timeout reading communication packets",
        (VerdictKind::IdleTimeout, _) => "The client was disconnected by the server because of inactivity",
        _ => return None,
    };
    let level = if maria == Some(true) { "log_warnings of 2" } else { "log_error_verbosity of 3" };
    Some(format!(
        "It counts in the server's Aborted_clients; with a {level} its error log says \"Aborted connection{of}\" and \"{line}\"."
    ))
}

fn loss(facts: &Facts<'_>) -> Option<String> {
    facts.connection.saw_loss.then(|| {
        "Observations were lost while this connection lived: something may be missing here.".to_owned()
    })
}

/// The timeout that would have been long enough is the setting of whoever reads this.
pub(super) fn wait_timeout_said(facts: &Facts<'_>) -> String {
    let timeout = facts.wait_timeout();
    format!("{}{}", setting(timeout.duration), if timeout.assumed { " (assumed)" } else { "" })
}
