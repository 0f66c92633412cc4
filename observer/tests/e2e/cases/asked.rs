//! Servers that are asked: what they tell, and what becomes of those that do not.

mod account;
pub(crate) mod tls;

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use nix::sys::signal::Signal;
use observer::demo::Dialect;
use observer_core::{
    End, EventKind, FindingKind, ServerSession, SocketEventKind, SourceEvent, Timeout, TimeoutSource,
    WriteClock,
};

use self::account::{Account, url};
use super::{CLOSE, TIMEOUT, ensure_close, is_closed, is_lost};
use crate::harness::Setup;
use crate::harness::lab::Lab;
use crate::harness::log::{Log, listed};
use crate::harness::reader::Reader;
use crate::harness::server::{Server, story_query};

/// What the doctor says of an account that may know all.
const ALL: &str = "tells sessions, timeouts and statements";

/// What the session has set before it is observed.
const OWN: Duration = Duration::from_secs(4);

/// The client's host is observed, and the server asked, of a session that had set its own timeout before.
pub(crate) fn mysql(setup: &Setup) -> anyhow::Result<()> {
    let lab = Lab::new()?;
    let options = ["--performance-schema=ON"];
    let server = Server::start_with(setup, Dialect::MySql, lab.server(), lab.port, TIMEOUT, &options)?;
    let query = story_query(Dialect::MySql);
    let set = "SET SESSION net_write_timeout = 4";
    let mut reader = Reader::connect_with(setup, &lab.client, lab.address(), query, set)?;
    let client = reader.address;
    let account = Account::new()?;
    let observer = account.observe(&lab, &[&url("asker", lab.address())])?;
    // Its timeout is known before anything stands still.
    observer.wait_log("the session", |log| !told(log, client).is_empty())?;
    reader.query_and_pause()?;
    let thread_id = reader.thread_id;
    let aborted = server.wait_abort(thread_id)?.context("a stamp")?;
    observer.wait_finding("the loss", client, is_lost)?;
    observer.wait_log("the end of the session", |log| !gone(log, client).is_empty())?;
    // Nothing on this host has shown it.
    let is_end = |kind: &_| {
        matches!(kind, SocketEventKind::Fin { by: End::Server, .. } | SocketEventKind::Reset { .. })
    };
    observer.wait_log("the confirmation", |log| log.finding(client, is_confirmed).is_ok())?;
    reader.finish()?;
    observer.wait_finding("the end", client, is_closed)?;
    let log = observer.stop()?;
    ensure_leave_was_taken(&server)?;

    let ends = log.times_of(client, is_end);
    let confirmed = gone(&log, client)[0];
    ensure!(ends.first().is_none_or(|end| *end > confirmed), "ended at {ends:?}, confirmed at {confirmed}");
    ensure_close("the confirmation", confirmed, aborted, Duration::from_secs(2))?;
    let lost = log.finding(client, is_confirmed)?;
    ensure_close("the loss", lost.at, aborted, CLOSE)?;
    let clock = clock_of(&lost.kind).context("a clock")?;
    let known = Timeout { duration: OWN, source: TimeoutSource::Server };
    ensure!(clock.timeout == known, "the clock runs with {:?}", clock.timeout);
    let sessions = told(&log, client);
    let session = sessions.iter().find(|session| session.statement.is_some()).context("a statement")?;
    let statement = session.statement.as_deref().unwrap_or_default();
    ensure!(statement.contains("RECURSIVE") && !statement.contains("400000"), "{statement}");
    ensure!(session.thread_id == u64::from(thread_id) && session.user == "reader", "{session:?}");
    ensure!(degraded(&log).is_empty(), "{:?}", degraded(&log));
    ensure_only(&log, client)
}

/// MariaDB tells no session's variables: that is said, and what its sessions begin with is taken instead.
pub(crate) fn mariadb(setup: &Setup) -> anyhow::Result<()> {
    let lab = Lab::new()?;
    let server = Server::start(setup, Dialect::MariaDb, lab.server(), lab.port, TIMEOUT)?;
    let query = story_query(Dialect::MariaDb);
    let mut reader = Reader::connect(setup, &lab.client, lab.address(), query)?;
    let client = reader.address;
    let account = Account::new()?;
    let observer = account.observe(&lab, &[&url("asker", lab.address())])?;
    observer.wait_log("the session", |log| !told(log, client).is_empty())?;
    reader.query_and_pause()?;
    server.wait_abort(reader.thread_id)?;
    observer.wait_finding("the loss", client, |kind| {
        is_lost(kind) || matches!(kind, FindingKind::ServerClosed { .. })
    })?;
    reader.finish()?;
    observer.wait_finding("the end", client, is_closed)?;
    let log = observer.stop()?;

    let critical = log.finding(client, |kind| matches!(kind, FindingKind::Critical { .. }))?;
    let clock = clock_of(&critical.kind).context("a clock")?;
    let known = Timeout { duration: TIMEOUT, source: TimeoutSource::Server };
    ensure!(clock.timeout == known, "the clock runs with {:?}", clock.timeout);
    ensure!(told(&log, client)[0].version.contains("MariaDB"), "{:?}", told(&log, client)[0]);
    let missing = degraded(&log);
    ensure!(missing.len() == 2 && missing[0].contains("MariaDB"), "{missing:?}");
    ensure_only(&log, client)
}

/// The server's process is stopped while a client stands still: the deadline has to do. When it goes on, it gives up at
/// once, and that is confirmed. No statement is wanted here, and the server tells none.
pub(crate) fn stopped(setup: &Setup) -> anyhow::Result<()> {
    let lab = Lab::new()?;
    let options = ["--performance-schema=ON"];
    let server = Server::start_with(setup, Dialect::MySql, lab.server(), lab.port, TIMEOUT, &options)?;
    let mut reader = Reader::connect(setup, &lab.client, lab.address(), story_query(Dialect::MySql))?;
    let client = reader.address;
    let account = Account::new()?;
    let observer = account.observe_with(&lab, &[&url("asker", lab.address())], &["--no-statements"])?;
    reader.query_and_pause()?;
    let is_running = |session: &&ServerSession| session.command == "Query";
    observer.wait_log("the statement", |log| told(log, client).iter().any(is_running))?;
    server.process.signal(Signal::SIGSTOP)?;
    observer.wait_finding("the loss", client, is_lost)?;
    server.process.signal(Signal::SIGCONT)?;
    observer.wait_log("the confirmation", |log| log.finding(client, is_confirmed).is_ok())?;
    let log = observer.stop()?;

    let first = log.finding(client, is_lost)?;
    ensure!(matches!(first.kind, FindingKind::Lost { seen: false, .. }), "{first:?}");
    let missing = degraded(&log);
    ensure!(!missing.is_empty() && missing[0].contains("did not answer"), "{missing:?}");
    ensure!(log.lost() == 0, "{} observations were lost", log.lost());
    let kept = told(&log, client).into_iter().find_map(|session| session.statement.as_deref());
    ensure!(kept.is_none(), "with --no-statements it was told: {kept:?}");
    ensure_only(&log, client)
}

/// One that refuses, one that is not there, and one that may not tell much.
pub(crate) fn refused(setup: &Setup) -> anyhow::Result<()> {
    let lab = Lab::new()?;
    let options = ["--performance-schema=ON"];
    let _server = Server::start_with(setup, Dialect::MySql, lab.server(), lab.port, TIMEOUT, &options)?;
    let nobody: SocketAddr = (lab.address().ip(), lab.port + 1).into();
    let account = Account::new()?;
    let urls = [url("poor", lab.address()), url("stranger", lab.address()), url("asker", nobody)];
    let lines = account.doctor(&lab, &[&urls[0], &url("asker", lab.address())])?;
    let [poor, asker] = lines.as_slice() else { anyhow::bail!("{lines:?}") };
    ensure!(poor.starts_with("missing") && poor.contains("GRANT PROCESS"), "{poor}");
    ensure!(asker.starts_with("ok") && asker.contains(ALL), "{asker}");
    let observer = account.observe(&lab, &urls.each_ref().map(String::as_str))?;
    let mut reader = Reader::connect(setup, &lab.client, lab.address(), story_query(Dialect::MySql))?;
    let client = reader.address;
    reader.query_and_pause()?;
    observer.wait_finding("the loss", client, is_lost)?;
    reader.finish()?;
    observer.wait_finding("the end", client, is_closed)?;
    let (log, place) = observer.stop_and_keep()?;

    let missing = degraded(&log);
    for part in ["lacks the privilege PROCESS", "Access denied for user 'stranger'", "refused"] {
        let times = missing.iter().filter(|told| told.contains(part)).count();
        ensure!(times == 1, "{part:?} was told {times} times: {missing:#?}");
    }
    let lost = log.finding(client, is_lost)?;
    ensure!(matches!(lost.kind, FindingKind::Lost { seen: false, .. }), "{lost:?}");
    let text = fs::read_to_string(place.path().join("log")).context("reading the log")?;
    ensure!(!text.contains("sesame"), "the password is in the log");
    ensure_only(&log, client)
}

/// Fails when the server has counted the observer among the clients that went without COM_QUIT.
fn ensure_leave_was_taken(server: &Server) -> anyhow::Result<()> {
    server.process.signal(Signal::SIGTERM)?;
    server.process.wait_stderr("the end", |line| line.contains("Shutdown complete").then_some(()))?;
    let lines = server.process.stderr.all();
    let aborted = lines.iter().find(|line| line.contains("Aborted connection") && line.contains("'asker'"));
    ensure!(aborted.is_none(), "{aborted:?}");
    Ok(())
}

fn is_confirmed(kind: &FindingKind) -> bool {
    matches!(kind, FindingKind::Lost { seen: true, .. })
}

fn clock_of(kind: &FindingKind) -> Option<WriteClock> {
    match kind {
        FindingKind::Critical { clock, .. } | FindingKind::Lost { clock, .. } => Some(*clock),
        _ => None,
    }
}

/// What the server told of the sessions of `client`.
fn told(log: &Log, client: SocketAddr) -> Vec<&ServerSession> {
    let sessions = log.events.iter().filter_map(|event| match &event.kind {
        EventKind::Socket(socket) if socket.socket.flow.client == client => match &socket.kind {
            SocketEventKind::ServerSession(session) => Some(session.as_ref()),
            _ => None,
        },
        _ => None,
    });
    sessions.collect()
}

fn gone(log: &Log, client: SocketAddr) -> Vec<observer_core::Timestamp> {
    log.times_of(client, |kind| matches!(kind, SocketEventKind::SessionGone { .. }))
}

/// Why something was missing.
fn degraded(log: &Log) -> Vec<&str> {
    let reasons = log.events.iter().filter_map(|event| match &event.kind {
        EventKind::Source(SourceEvent::Degraded { because, .. }) => Some(because.as_str()),
        _ => None,
    });
    reasons.collect()
}

/// Fails when anything was observed but the connection of `client`: the observer's own connections are not.
fn ensure_only(log: &Log, client: SocketAddr) -> anyhow::Result<()> {
    let own: Vec<SocketAddr> = log
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Socket(socket) if matches!(socket.kind, SocketEventKind::ObserversOwn) => {
                Some(socket.socket.flow.client)
            }
            _ => None,
        })
        .collect();
    ensure!(!own.is_empty(), "the observer's own connection was not announced");
    ensure!(own.iter().all(|own| log.connections(*own).is_empty()), "it observes itself: {own:?}");
    ensure!(
        log.findings.iter().all(|finding| finding.flow.is_none_or(|flow| flow.client == client)),
        "{}",
        listed(&log.findings)
    );
    Ok(())
}
