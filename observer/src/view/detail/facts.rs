//! What is known of one connection at each of its ends, by name.

use observer_core::{
    Bytes, Connection, End, Hidden, Phase, TimeoutSource, Timestamp, told_statement, waits_for,
};

use super::owners;
use crate::text::{safe, short};
use crate::view::words;

/// Characters of a statement that are shown: the column cuts it further.
const STATEMENT: usize = 60;

/// A name and its value.
pub(super) type Fact = (&'static str, String);

/// All that is known, what runs out first. Each end tells its own.
pub(super) fn facts(connection: &Connection, now: Timestamp) -> Vec<Fact> {
    let mut facts = clock(connection, now);
    facts.extend(window(connection, now));
    facts.extend(at_server(connection));
    facts.extend(at_client(connection, now));
    facts.extend(said(connection));
    if let Some(at) = connection.opened_at() {
        facts.push(("opened", ago(at, now)));
    }
    facts
}

/// The few of them that fit into one line.
pub(super) fn line(connection: &Connection, now: Timestamp) -> String {
    let mut words = Vec::new();
    let mut of = |fact: Option<&Fact>, name: &str| {
        words.extend(fact.map(|(_, value)| format!("{name} {value}").trim().to_owned()));
    };
    let facts = facts(connection, now);
    let fact = |name| facts.iter().find(|(of, _)| *of == name);
    of(fact("queued at the server"), "queued");
    of(fact("send buffer"), "send buffer");
    of(fact("unread at the client"), "unread");
    of(fact("drain rate"), "drained at");
    of(fact("last read"), "last read");
    of(fact("probes / answered"), "probes/answered");
    of(fact("zero windows so far"), "zero windows");
    words.join(" · ")
}

fn clock(connection: &Connection, now: Timestamp) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Some(clock) = connection.clock().filter(|_| connection.phase() < Phase::Lost) {
        let (least, most) = (now.since(clock.started.latest), now.since(clock.started.earliest));
        let waits = if short(least) == short(most) {
            short(most)
        } else {
            format!("{} to {}", short(least), short(most))
        };
        facts.push(("server waits for", waits));
    }
    if let Some(at) = connection.fails_at().filter(|_| connection.phase() < Phase::Closed) {
        let moment = at.to_string();
        let time = moment.get(11..19).unwrap_or_default();
        facts.push(("application fails", format!("{time}, in {}", short(at.since(now)))));
    }
    let timeout = connection.timeout();
    let source = match timeout.source {
        TimeoutSource::Wait => "server's own wait",
        TimeoutSource::Session => "session",
        TimeoutSource::Server => "server",
        TimeoutSource::Flag => "flag",
        TimeoutSource::Assumed => "assumed",
    };
    facts.push(("net_write_timeout", format!("{} s, {source}", timeout.duration.as_secs())));
    facts
}

fn window(connection: &Connection, now: Timestamp) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Some(window) = connection.window() {
        let largest = Bytes(connection.largest_window().into());
        facts.push(("window of largest", format!("{} of {largest}", Bytes(window.into()))));
    }
    facts.push(("zero windows so far", connection.zero_windows().to_string()));
    let (probes, answered) = connection.probes();
    facts.push(("probes / answered", format!("{probes} / {answered}")));
    if let Some(at) = connection.last_progress() {
        facts.push(("last progress", ago(at, now)));
    }
    facts
}

/// The writer's side.
fn at_server(connection: &Connection) -> Vec<Fact> {
    let mut facts = Vec::new();
    let end = connection.end(End::Server);
    if let Some(queued) = connection.queued() {
        facts.push(("queued at the server", Bytes(queued).to_string()));
    }
    if let Some((_, socket)) = end.socket.as_deref() {
        // Both are kernel memory, which the queue's bytes are a part of.
        let (used, size) = (Bytes(socket.send_buffer_used.into()), Bytes(socket.send_buffer.into()));
        facts.push(("send buffer", format!("{used} of {size}")));
    }
    if let Some(process) = words::server(connection) {
        facts.push(("server", process));
    }
    facts.extend(owners::facts(end, owners::OF_SERVER));
    if let Some(greeting) = connection.greeting() {
        facts.push(("thread", greeting.thread_id.to_string()));
        facts.push(("version", greeting.name()));
    }
    if let Some((_, told)) = connection.told_by_server() {
        let doing = [Some(told.command.as_str()), told.state.as_deref()];
        facts.push((
            "session",
            safe(&doing.into_iter().flatten().collect::<Vec<_>>().join(", ")).into_owned(),
        ));
    }
    facts
}

/// The reader's side.
fn at_client(connection: &Connection, now: Timestamp) -> Vec<Fact> {
    let mut facts = Vec::new();
    if !connection.is_local(End::Client) {
        return facts;
    }
    if let Some(unread) = connection.unread() {
        facts.push(("unread at the client", Bytes(unread).to_string()));
    }
    if let Some(rate) = connection.drain_rate().filter(|rate| rate.is_finite() && *rate >= 0.0) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked just now")]
        let rate = Bytes(rate as u64);
        facts.push(("drain rate", format!("{rate}/s")));
    }
    if let Some(at) = last_read(connection) {
        facts.push(("last read", ago(at, now)));
    }
    if let Some(process) = words::reader(connection) {
        facts.push(("reader", process));
    }
    facts.extend(owners::facts(connection.end(End::Client), owners::OF_READER));
    facts
}

/// What the client has said of itself, and what it waits for; where it did not say that to an observer, its server may have.
fn said(connection: &Connection) -> Vec<Fact> {
    let mut facts = Vec::new();
    let account = connection.account();
    if let Some(user) = account.and_then(|account| account.user.as_deref()) {
        facts.push(("user", safe(user).into_owned()));
    }
    if let Some(user) = connection.user_by_server() {
        facts.push(("user", format!("{}, as the server told", safe(user))));
    }
    if let Some(schema) = account.and_then(|account| account.database.as_deref()) {
        facts.push(("schema", safe(schema).into_owned()));
    }
    if let Some(connector) = account.and_then(|account| account.connector.as_ref()) {
        let words = [&connector.name, &connector.version].into_iter().flatten();
        let words: Vec<_> = words.map(|word| safe(word).into_owned()).collect();
        facts.push(("connector", words.join(" ")));
    }
    match (connection.statement_by_server(), connection.statement(), connection.hidden()) {
        (Some(statement), ..) => facts.push(("waits for", told_statement(statement, STATEMENT))),
        (None, Some(statement), _) => facts.push(("waits for", waits_for(statement, STATEMENT))),
        (None, None, Some(hidden @ (Hidden::Tls | Hidden::Compression))) => {
            facts.push(("waits for", format!("not known: {hidden}")));
        }
        (None, None, _) => {}
    }
    let is_asked = connection.statement().is_some() || connection.statement_by_server().is_some();
    if let Some(in_flight) = connection.result_in_flight().filter(|_| is_asked) {
        facts.push(("result", if in_flight { "under way" } else { "complete" }.to_owned()));
    }
    facts
}

/// When the client last read since its window closed. What it read before is not known for sure: reads are followed
/// only while a window is closed.
fn last_read(connection: &Connection) -> Option<Timestamp> {
    let (_, wire) = connection.end(End::Client).wire.as_deref()?;
    let read = wire.last_read.as_ref()?.at;
    let followed =
        connection.window_closed_since().or_else(|| connection.ending().map(|ending| ending.at))?;
    (read >= followed).then_some(read)
}

fn ago(at: Timestamp, now: Timestamp) -> String {
    format!("{} ago", short(now.since(at)))
}
