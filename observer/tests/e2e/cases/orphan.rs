//! The server has given up, and its socket, which has no owner any more, still has to send: it stays on the screen with how
//! much it holds, until that is sent. It is judged by `ss`.

use std::net::SocketAddr;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use observer::demo::Dialect;
use observer::source::live::ObservationClock;
use observer_core::{
    Bytes, EventKind, SocketEvent, SocketEventKind, TcpState, TimeRange, Timestamp, VerdictKind,
};

use super::{CLOSE, ensure_close, is_closed, is_lost};
use crate::harness::Setup;
use crate::harness::lab::{Lab, Side};
use crate::harness::log::Log;
use crate::harness::observer::{Observer, Vantage};
use crate::harness::process::PATIENCE;
use crate::harness::pty::{self, Pty};
use crate::harness::stage::Stage;

const TIMEOUT: Duration = Duration::from_secs(3);

/// The least, first and largest size of buffers: the client's holds a small part of what the server's does, so that it takes
/// that in many steps.
const CLIENTS: &str = "4096 200000 200000";
const SERVERS: &str = "4096 2000000 2000000";

/// Of rows with 120 bytes: some seconds.
const ROWS_PER_SECOND: u32 = 2_000;

/// What an orphan is in.
const STATE: &str = "FIN-WAIT-1";

/// How long a poll of the sockets takes at most, on a busy machine.
const POLL: Duration = Duration::from_millis(200);

/// What `ss` said, and when.
struct Said {
    within: TimeRange,
    queued: u64,
}

pub(crate) fn mysql(setup: &Setup) -> anyhow::Result<()> {
    let stage = Stage::new(setup, Dialect::MySql, TIMEOUT)?;
    let (lab, server) = (&stage.lab, stage.lab.server());
    lab.client.set("tcp_rmem", CLIENTS)?;
    server.set("tcp_wmem", SERVERS)?;
    let observer = Observer::told(Vantage::Side(server), lab, TIMEOUT)?;
    let mut screen = screen(server, lab)?;
    let mut reader = stage.stalled()?;
    let client = reader.address;
    stage.server.wait_abort(reader.thread_id)?;
    observer.wait_finding("the loss", client, is_lost)?;
    let (called, held) = server.socket(lab.port, client)?.context("the orphan")?;
    ensure!(called == STATE && held > 500_000, "it holds {held} in {called}");
    screen.wait_until("the orphan, and what it holds", |screen| is_shown(screen, client, held));

    reader.go_on_at(ROWS_PER_SECOND)?;
    let said = ask_until_it_is_gone(server, lab, client)?;
    observer.wait_finding("the end", client, is_closed)?;
    screen.wait_until("its end", |screen| has_line(screen, &["queued at the server", " 0 B"]));
    reader.wait_outcome()?;
    reader.wait()?;
    screen.type_keys("q");
    screen.wait_for_end().assert_restored();
    let log = observer.stop()?;

    judge(&log, client, &said)?;
    let destroyed = log.times_of(client, |kind| *kind == SocketEventKind::Destroyed);
    let gone = said.last().context("ss has seen it")?.within.latest;
    ensure_close("the orphan's end", *destroyed.first().context("the orphan's end")?, gone, CLOSE)?;
    let verdict = log.verdict(client)?;
    ensure!(verdict.kind == VerdictKind::NetWriteTimeout, "{verdict:?}");
    let then = format!("with {} still in its send queue", Bytes(held));
    ensure!(verdict.evidence.iter().any(|line| line.contains(&then)), "{then:?} of {verdict:#?}");
    Ok(())
}

/// The view on the server's host: the list, and the page of the connection that is in trouble below it.
fn screen(server: &Side, lab: &Lab) -> anyhow::Result<Pty> {
    let mut command = server.command(env!("CARGO_BIN_EXE_observer"));
    command.args(["--port", &lab.port.to_string(), "--net-write-timeout", &TIMEOUT.as_secs().to_string()]);
    command.arg("--cgroup").arg(server.cgroup());
    let words = [command.get_program()].into_iter().chain(command.get_args());
    let words: Option<Vec<&str>> = words.map(|word| word.to_str()).collect();
    let mut screen = Pty::spawn(pty::command(&words.context("words of the command")?), 120, 40);
    screen.wait_for_view();
    Ok(screen)
}

/// Whether the orphan is in the list and on its page, with these bytes.
fn is_shown(screen: &Pty, client: SocketAddr, queued: u64) -> bool {
    let bytes = Bytes(queued).to_string();
    has_line(screen, &[&format!("■ {client} "), " lost ", &bytes])
        && has_line(screen, &["queued at the server", &bytes])
}

fn has_line(screen: &Pty, words: &[&str]) -> bool {
    screen.contents().lines().any(|line| words.iter().all(|word| line.contains(word)))
}

fn ask_until_it_is_gone(server: &Side, lab: &Lab, client: SocketAddr) -> anyhow::Result<Vec<Said>> {
    let clock = ObservationClock::new()?;
    let (since, mut said) = (clock.now(), Vec::new());
    loop {
        let earliest = clock.now();
        let Some((_, queued)) = server.socket(lab.port, client)?.filter(|(state, _)| state == STATE) else {
            return Ok(said);
        };
        said.push(Said { within: TimeRange { earliest, latest: clock.now() }, queued });
        ensure!(earliest.since(since) < PATIENCE, "the orphan has not drained within {PATIENCE:?}");
        // There is nothing to be told by.
        sleep(Duration::from_millis(50));
    }
}

/// What was logged of the orphan lies between what `ss` said before and after it, and becomes less.
fn judge(log: &Log, client: SocketAddr, said: &[Said]) -> anyhow::Result<()> {
    let orphan = orphan(log, client);
    let mut held: Vec<u64> = orphan.iter().map(|(_, queued)| *queued).collect();
    ensure!(held.is_sorted_by(|before, after| before >= after), "it holds more again: {held:?}");
    held.dedup();
    ensure!(held.len() >= 4, "it was not seen to drain: {held:?}");
    for (at, queued) in orphan {
        let before = said.iter().rfind(|said| said.within.latest + POLL < at);
        let after = said.iter().find(|said| said.within.earliest > at + POLL);
        ensure!(before.is_none_or(|said| queued <= said.queued), "{queued} at {at} is more than before");
        ensure!(after.is_none_or(|said| queued >= said.queued), "{queued} at {at} is less than later");
    }
    Ok(())
}

/// What the socket held each time it was polled as an orphan.
fn orphan(log: &Log, client: SocketAddr) -> Vec<(Timestamp, u64)> {
    let polled = log.events.iter().filter_map(|event| match &event.kind {
        EventKind::Socket(SocketEvent { socket, kind: SocketEventKind::Socket(sample) })
            if socket.flow.client == client && sample.state == TcpState::FinWait1 =>
        {
            Some((event.at, u64::from(sample.send_queue)))
        }
        _ => None,
    });
    polled.collect()
}
