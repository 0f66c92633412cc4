//! Whose the sockets are: of real servers and clients, of those that inherit them or get them passed on, of those that
//! die, and as far as another user may see it.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use nix::sys::signal::Signal;
use observer::demo::Dialect;
use observer_core::{EventKind, Owner, Owners, SocketEventKind, SourceEvent, TimeRange, Vantage as Seen};

use super::{CLOCKS, TIMEOUT, ensure_read_within};
use crate::harness::Setup;
use crate::harness::holder::{Holder, serve};
use crate::harness::lab::{Lab, Side};
use crate::harness::log::Log;
use crate::harness::names::temporary_directory;
use crate::harness::observer::{Observer, Vantage};
use crate::harness::reader::Reader;
use crate::harness::server::{Server, story_query};

/// How often a client reads until somebody follows that, and how long each time is told of at the latest: a connection in
/// trouble is looked at several times a second.
const READS: usize = 20;
const SOON: Duration = Duration::from_secs(1);

/// What was told of the owners of the socket that `client` has at one end, oldest first.
pub(super) fn owners(log: &Log, client: SocketAddr, seen_at: Seen) -> Vec<&Owners> {
    let events = log.events.iter().filter_map(|event| match &event.kind {
        EventKind::Socket(socket)
            if (socket.socket.flow.client, socket.socket.seen_at) == (client, seen_at) =>
        {
            Some(&socket.kind)
        }
        _ => None,
    });
    events
        .filter_map(|kind| if let SocketEventKind::Owners(owners) = kind { Some(&**owners) } else { None })
        .collect()
}

/// The processes of the last that named any, in their order.
pub(super) fn processes(log: &Log, client: SocketAddr, seen_at: Seen) -> Vec<u32> {
    let told = owners(log, client, seen_at);
    let last = told.iter().rev().find(|owners| !owners.processes.is_empty());
    last.map_or_else(Vec::new, |last| last.processes.iter().map(|owner| owner.process.pid).collect())
}

/// Fails unless the process is told as one of `side`, run by root.
fn ensure_of(owner: &Owner, side: &Side) -> anyhow::Result<()> {
    let cgroup = side.cgroup().file_name().and_then(|name| name.to_str()).context("a cgroup has a name")?;
    let told = owner.cgroup.as_deref().unwrap_or_default();
    ensure!(told == format!("/{cgroup}"), "{told} is not {cgroup}");
    let netns = side.within(|| Ok(fs::metadata("/proc/thread-self/ns/net")?.ino()))?;
    ensure!(owner.netns == Some(netns), "{:?} is not {netns}", owner.netns);
    ensure!((owner.uid, owner.user.as_deref()) == (Some(0), Some("root")), "{owner:?}");
    Ok(())
}

pub(crate) fn mysql(setup: &Setup) -> anyhow::Result<()> {
    servers_and_clients(setup, Dialect::MySql, "mysqld")
}

pub(crate) fn mariadb(setup: &Setup) -> anyhow::Result<()> {
    servers_and_clients(setup, Dialect::MariaDb, "mariadbd")
}

/// A client that was connected before the observer started and one that came after it, at both ends.
fn servers_and_clients(setup: &Setup, dialect: Dialect, program: &str) -> anyhow::Result<()> {
    let lab = Lab::new()?;
    let server = Server::start(setup, dialect, lab.server(), lab.port, TIMEOUT)?;
    let before = Reader::connect(setup, &lab.client, lab.address(), story_query(dialect))?;
    let observer = Observer::start(Vantage::Host, &["--port", &lab.port.to_string()])?;
    let after = Reader::connect(setup, &lab.client, lab.address(), story_query(dialect))?;
    let ends = [(Seen::Client, &lab.client), (Seen::Server, lab.server())];
    observer.wait_log("the owners", |log| {
        [&before, &after].iter().all(|reader| {
            ends.iter().all(|(seen_at, _)| !processes(log, reader.address, *seen_at).is_empty())
        })
    })?;
    let log = observer.stop()?;
    for reader in [&before, &after] {
        for (seen_at, side) in ends {
            let told = owners(&log, reader.address, seen_at);
            let [owner] = &told.last().context("owners")?.processes[..] else { anyhow::bail!("{told:?}") };
            let (pid, command) = match seen_at {
                Seen::Client => (reader.pid(), "reader.py"),
                _ => (server.process.pid().as_raw().cast_unsigned(), program),
            };
            ensure!(owner.process.pid == pid, "{owner:?} is not {pid}");
            ensure!(owner.command.as_deref().is_some_and(|told| told.contains(command)), "{owner:?}");
            ensure_of(owner, side)?;
        }
    }
    Ok(())
}

/// Waits until the last read of `client` is told, whoever it is of and whenever it was: judges both.
fn wait_read(observer: &Observer, client: SocketAddr, (pid, within): (u32, TimeRange)) -> anyhow::Result<()> {
    let told = |log: &Log| log.last_reads(client).into_iter().rev().find(|(reader, _)| *reader == pid);
    observer
        .wait_log("who read last", |log| told(log).is_some_and(|(_, at)| at >= within.earliest - CLOCKS))?;
    let (_, at) = told(&observer.log()?).context("it was told")?;
    ensure_read_within(at, within)
}

/// A connection that its opener reads, and a child of it, that is passed on to a stranger, and that dies with it: each is told
/// in its place, with the moment at which it read.
pub(crate) fn forked_and_passed(_: &Setup) -> anyhow::Result<()> {
    let lab = Lab::new()?;
    serve(&lab)?;
    let place = temporary_directory()?;
    let door = place.path().join("door");
    let observer = Observer::start(Vantage::Host, &["--port", &lab.port.to_string()])?;
    let wait = |what: &str, client, wanted: &[u32]| {
        observer.wait_log(what, |log| processes(log, client, Seen::Client) == wanted)
    };
    let (mut opener, client) = Holder::open(&lab.client, lab.address(), false)?;
    wait("the opener", client, &[opener.pid()])?;
    observer.wait_log("the opener as soon as it connected", |log| {
        // Only of a search there is the user of the socket.
        owners(log, client, Seen::Client).iter().any(|owners| owners.uid.is_none())
    })?;
    // Reads are followed while the window is closed.
    observer.wait_log("a closed window", |log| {
        let zero = |kind: &SocketEventKind| matches!(kind, SocketEventKind::ZeroWindow { .. });
        !log.times_of(client, zero).is_empty()
    })?;

    // The first reads may come before that.
    let is_followed = |opener: &mut Holder| -> anyhow::Result<bool> {
        opener.read("read")?;
        observer.is_logged_within(SOON, |log| !log.last_reads(client).is_empty())
    };
    for _ in 0..READS {
        if is_followed(&mut opener)? {
            break;
        }
    }
    wait_read(&observer, client, opener.read("read")?)?;

    let (child, within) = opener.read("fork")?;
    ensure!(child != opener.pid(), "the child reads");
    wait_read(&observer, client, (child, within))?;
    wait("the child that reads, and its parent", client, &[child, opener.pid()])?;

    // Elsewhere: what was passed to it is told of its network namespace and cgroup, not of those of who passed it.
    let mut stranger = Holder::wait_at(lab.server(), &door)?;
    opener.order(&format!("pass {}", door.display()), "passed")?;
    let (reads, within) = stranger.read("read")?;
    ensure!(reads == stranger.pid(), "the stranger reads");
    wait_read(&observer, client, (reads, within))?;
    wait("the stranger alone", client, &[stranger.pid()])?;

    stranger.0.signal(Signal::SIGKILL)?;
    observer.wait_log("the end", |log| {
        !log.times_of(client, |kind| *kind == SocketEventKind::Destroyed).is_empty()
    })?;
    let log = observer.stop()?;
    ensure!(processes(&log, client, Seen::Client) == [stranger.pid()], "it stays known when it is gone");
    for owner in owners(&log, client, Seen::Client).iter().flat_map(|told| &told.processes) {
        let side = if owner.process.pid == stranger.pid() { lab.server() } else { &lab.client };
        ensure_of(owner, side)?;
    }
    Ok(())
}

/// Another user sees whose socket it is, and of its own processes which.
pub(crate) fn without_privilege(_: &Setup) -> anyhow::Result<()> {
    let lab = Lab::new()?;
    serve(&lab)?;
    let observer = Observer::start(Vantage::Unprivileged(&lab.client), &["--port", &lab.port.to_string()])?;
    let (_roots, of_root) = Holder::open(&lab.client, lab.address(), false)?;
    let (own, of_nobody) = Holder::open(&lab.client, lab.address(), true)?;
    observer.wait_log("the owners", |log| {
        !owners(log, of_root, Seen::Client).is_empty() && !processes(log, of_nobody, Seen::Client).is_empty()
    })?;
    let log = observer.stop()?;
    ensure!(
        processes(&log, of_nobody, Seen::Client) == [own.pid()],
        "{:?}",
        owners(&log, of_nobody, Seen::Client)
    );
    for told in owners(&log, of_root, Seen::Client) {
        ensure!(told.processes.is_empty(), "{told:?}");
        ensure!((told.uid, told.user.as_deref()) == (Some(0), Some("root")), "{told:?}");
    }
    let told = log.events.iter().any(|event| {
        matches!(&event.kind, EventKind::Source(SourceEvent::Degraded { part, .. }) if part == "owners of sockets")
    });
    ensure!(told, "what is missing is told");
    Ok(())
}
