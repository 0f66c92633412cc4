//! What goes wrong around a connection: nothing is lost of it but what is counted, and no verdict is wrong.

use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use nix::sys::signal::Signal;
use observer::demo::Dialect;
use observer_core::{FindingKind, SocketEventKind, Vantage as Seen, VerdictKind};

use super::owners::owners;
use super::{CLOSE, TIMEOUT, ensure_close, is_lost};
use crate::harness::Setup;
use crate::harness::lab::Lab;
use crate::harness::log::{Log, listed, name};
use crate::harness::observer::{Observer, Vantage};
use crate::harness::reader::{Outcome, Reader};
use crate::harness::server::{Server, story_query};

pub(super) fn is_stalled(kind: &FindingKind) -> bool {
    matches!(kind, FindingKind::Stalled { .. })
}

pub(super) fn is_verdict(kind: &FindingKind) -> bool {
    matches!(kind, FindingKind::Verdict(_))
}

/// Whether it is a loss that the clock alone has told: what is seen of a socket may come before the verdict, and is true.
fn is_guess(kind: &FindingKind) -> bool {
    matches!(kind, FindingKind::Lost { seen: false, .. })
}

/// Fails when the verdict on a client is none of these, or when the clock called the same client lost before.
fn ensure_verdict(log: &Log, client: SocketAddr, kinds: &[VerdictKind]) -> anyhow::Result<()> {
    let verdict = log.verdict(client)?;
    ensure!(kinds.contains(&verdict.kind), "{verdict:?}");
    ensure!(log.finding(client, is_guess).is_err(), "{}", listed(log.findings_of(client)));
    ensure!(log.lost() == 0, "{} observations were lost", log.lost());
    Ok(())
}

/// A client that has stopped reading, and what watches it.
fn stalled(setup: &Setup, lab: &Lab) -> anyhow::Result<(Server, Observer, Reader)> {
    let server = Server::start(setup, Dialect::MySql, lab.server(), lab.port, TIMEOUT)?;
    let observer = Observer::told(Vantage::Host, lab, TIMEOUT)?;
    let mut reader = connect(setup, lab)?;
    stall(&mut reader, &observer)?;
    Ok((server, observer, reader))
}

fn connect(setup: &Setup, lab: &Lab) -> anyhow::Result<Reader> {
    Reader::connect(setup, &lab.client, lab.address(), story_query(Dialect::MySql))
}

pub(super) fn stall(reader: &mut Reader, observer: &Observer) -> anyhow::Result<()> {
    reader.query_and_pause()?;
    observer.wait_finding("the stall", reader.address, is_stalled)
}

/// kill -9 of mysqld, with one client that has stopped reading and one that is idle.
pub(crate) fn server_killed(setup: &Setup) -> anyhow::Result<()> {
    let lab = Lab::new()?;
    let server = Server::start(setup, Dialect::MySql, lab.server(), lab.port, TIMEOUT)?;
    let observer = Observer::told(Vantage::Host, &lab, TIMEOUT)?;
    let (idle, mut reader) = (connect(setup, &lab)?, connect(setup, &lab)?);
    stall(&mut reader, &observer)?;
    let clients = [reader.address, idle.address];
    server.process.signal(Signal::SIGKILL)?;
    let outcome = reader.read_on()?;
    ensure!(matches!(outcome, Outcome::Failed { .. }), "{outcome:?}");
    reader.wait()?;
    drop(idle);
    for client in clients {
        observer.wait_finding("the verdict", client, is_verdict)?;
    }
    let log = observer.stop()?;
    clients.iter().try_for_each(|client| ensure_verdict(&log, *client, &[VerdictKind::ServerCrashed]))
}

/// kill -9 of a client that has stopped reading.
pub(crate) fn client_killed(setup: &Setup) -> anyhow::Result<()> {
    let lab = Lab::new()?;
    let (_server, observer, reader) = stalled(setup, &lab)?;
    let client = reader.address;
    reader.signal(Signal::SIGKILL)?;
    observer.wait_finding("the verdict", client, is_verdict)?;
    let log = observer.stop()?;
    // What was killed and what closes in a hurry end by the same reset.
    ensure_verdict(&log, client, &[VerdictKind::ClientClosed, VerdictKind::ClientVanished])
}

/// The cable is out while a client stands still, and in again before it reads on.
pub(crate) fn interface_down(setup: &Setup) -> anyhow::Result<()> {
    let lab = Lab::new()?;
    let (server, observer, mut reader) = stalled(setup, &lab)?;
    let client = reader.address;
    lab.client.set_link(false)?;
    observer.wait_finding("the warning", client, |kind| matches!(kind, FindingKind::Warning { .. }))?;
    lab.client.set_link(true)?;
    let outcome = reader.read_on()?;
    ensure!(outcome == Outcome::Finished { rows: 400_000 }, "{outcome:?}");
    reader.wait()?;
    observer.wait_finding("the recovery", client, |kind| matches!(kind, FindingKind::Recovered { .. }))?;
    let log = observer.stop()?;
    let names: Vec<_> = log.findings_of(client).iter().map(|finding| name(&finding.kind)).collect();
    ensure!(
        log.finding(client, is_lost).is_err() && !names.iter().any(|name| name == "server_closed"),
        "{names:?}"
    );
    ensure!(!server.has_given_up(), "the server gave up although the client read on in time");
    ensure!(log.lost() == 0, "{} observations were lost", log.lost());
    Ok(())
}

/// The client's host goes without a word: its interface, its processes, its namespace. The server waits to the end.
pub(crate) fn namespace_deleted(setup: &Setup) -> anyhow::Result<()> {
    let lab = Lab::new()?;
    let (server, observer, reader) = stalled(setup, &lab)?;
    let (client, thread) = (reader.address, reader.thread_id);
    lab.client.set_link(false)?;
    reader.signal(Signal::SIGKILL)?;
    lab.client.delete()?;
    let aborted = server.wait_abort(thread)?.context("the stamp of the abort")?;
    observer.wait_finding("the verdict", client, is_verdict)?;
    let log = observer.stop()?;
    // Both are true: the client was killed, and that is why the server's time ran out.
    let verdict = log.verdict(client)?;
    let kinds = [VerdictKind::NetWriteTimeout, VerdictKind::ClientClosed, VerdictKind::ClientVanished];
    ensure!(kinds.contains(&verdict.kind), "{verdict:?}");
    // Whose end was told needs no loss; without one the server's giving up is what was seen, when it happened.
    match log.finding(client, is_lost) {
        Ok(lost) => ensure_close("the loss", lost.at, aborted, CLOSE)?,
        Err(none) if verdict.kind == VerdictKind::NetWriteTimeout => return Err(none),
        Err(_) => {}
    }
    ensure!(log.lost() == 0, "{} observations were lost", log.lost());
    Ok(())
}

/// The cgroup of two clients that stand still goes: one of them is killed, the other moves elsewhere and reads on in time. Who
/// watches the host misses nothing, and still knows where the killed one was; who watches that cgroup alone says that it
/// is gone, and sees its sockets to their end.
pub(crate) fn cgroup_deleted(setup: &Setup) -> anyhow::Result<()> {
    const UNIT: &str = "shop.service";
    // Time enough for the search for owners before either reads on.
    let timeout = 4 * TIMEOUT;
    let lab = Lab::new()?;
    let _server = Server::start(setup, Dialect::MySql, lab.server(), lab.port, timeout)?;
    let (shop, address) = lab.another_client(UNIT)?;
    let host = Observer::told(Vantage::Host, &lab, timeout)?;
    let (port, cgroup) = (lab.port.to_string(), shop.cgroup().display().to_string());
    let within = Observer::start(Vantage::Host, &["--port", &port, "--cgroup", &cgroup])?;
    let connect = || Reader::connect(setup, &shop, address, story_query(Dialect::MySql));
    let (mut dies, mut moves) = (connect()?, connect()?);
    let clients = [dies.address, moves.address];
    for reader in [&mut dies, &mut moves] {
        stall(reader, &host)?;
        within.wait_finding("the stall", reader.address, is_stalled)?;
    }
    host.wait_log("the owners", |log| clients.iter().all(|client| unit(log, *client) == Some(UNIT)))?;
    moves.leave_cgroup()?;
    dies.signal(Signal::SIGKILL)?;
    host.wait_finding("the verdict", dies.address, is_verdict)?;
    shop.delete_cgroup()?;
    let is_gone = |kind: &FindingKind| matches!(kind, FindingKind::Degraded { because, .. } if because.contains("was removed; start again"));
    within.wait_log("the removal", |log| log.findings.iter().any(|finding| is_gone(&finding.kind)))?;
    let outcome = moves.read_on()?;
    ensure!(outcome == Outcome::Finished { rows: 400_000 }, "{outcome:?}");
    let is_recovered = |kind: &FindingKind| matches!(kind, FindingKind::Recovered { .. });
    for observer in [&host, &within] {
        observer.wait_finding("the recovery", moves.address, is_recovered)?;
    }
    moves.wait()?;
    let is_over = |kind: &SocketEventKind| *kind == SocketEventKind::Destroyed;
    for observer in [&host, &within] {
        observer.wait_log("the end", |log| !log.times_of(clients[1], is_over).is_empty())?;
    }
    let (host, within) = (host.stop()?, within.stop()?);
    for log in [&host, &within] {
        ensure_verdict(log, clients[0], &[VerdictKind::ClientClosed, VerdictKind::ClientVanished])?;
        ensure_verdict(log, clients[1], &[VerdictKind::Recovered])?;
    }
    ensure!(unit(&host, clients[0]) == Some(UNIT), "it stays known when its cgroup is gone");
    let told = |log: &Log| log.findings.iter().filter(|finding| is_gone(&finding.kind)).count();
    ensure!(
        (told(&host), told(&within)) == (0, 1),
        "{} {}",
        listed(&host.findings),
        listed(&within.findings)
    );
    Ok(())
}

/// The unit of the first owner that was told last of a client's own socket.
fn unit(log: &Log, client: SocketAddr) -> Option<&str> {
    let told = owners(log, client, Seen::Client);
    let last = told.iter().rev().find_map(|owners| owners.processes.first())?;
    last.unit.as_deref()
}

/// SIGSTOP of the observer while a client stops reading and the server gives up: the ring buffer keeps what happened.
pub(crate) fn observer_stopped(setup: &Setup) -> anyhow::Result<()> {
    let lab = Lab::new()?;
    let server = Server::start(setup, Dialect::MySql, lab.server(), lab.port, TIMEOUT)?;
    let observer = Observer::told(Vantage::Host, &lab, TIMEOUT)?;
    let mut reader = connect(setup, &lab)?;
    let (client, thread) = (reader.address, reader.thread_id);
    observer.signal(Signal::SIGSTOP)?;
    reader.query_and_pause()?;
    let aborted = server.wait_abort(thread)?.context("the stamp of the abort")?;
    observer.signal(Signal::SIGCONT)?;
    observer.wait_finding("the loss", client, is_lost)?;
    let outcome = reader.read_on()?;
    ensure!(matches!(outcome, Outcome::Failed { .. }), "{outcome:?}");
    reader.wait()?;
    observer.wait_finding("the verdict", client, is_verdict)?;
    let log = observer.stop()?;
    ensure_close("the loss", log.finding(client, is_lost)?.at, aborted, CLOSE)?;
    let verdict = log.verdict(client)?;
    ensure!(verdict.kind == VerdictKind::NetWriteTimeout, "{verdict:?}");
    ensure!(log.lost() == 0, "{} observations were lost", log.lost());
    Ok(())
}
