//! The server's host: its own waits are the clock, whatever was given, and are followed only while a client stands still.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use observer::demo::Dialect;
use observer_core::{FindingKind, SocketEventKind, Timeout, TimeoutSource, Timestamp};

use super::{TIMEOUT, is_closed, is_lost};
use crate::harness::Setup;
use crate::harness::capture::Capture;
use crate::harness::observer::{Observer, Vantage};
use crate::harness::process::PATIENCE;
use crate::harness::stage::Stage;

/// How far the moments may be apart that the kernel knows: it ends a wait up to a thousandth of its timeout late.
const EXACT: Duration = Duration::from_millis(100);

/// What a busy host may need until its server has written its log or reset the connection.
const LATE: Duration = Duration::from_secs(2);

pub(crate) fn mysql(setup: &Setup) -> anyhow::Result<()> {
    abort(setup, Dialect::MySql)
}

pub(crate) fn mariadb(setup: &Setup) -> anyhow::Result<()> {
    abort(setup, Dialect::MariaDb)
}

fn abort(setup: &Setup, dialect: Dialect) -> anyhow::Result<()> {
    let stage = Stage::new(setup, dialect, TIMEOUT)?;
    let lab = &stage.lab;
    // What it is told is wrong.
    let port = lab.port.to_string();
    let options = ["--port", &port, "--net-write-timeout", "60"];
    let observer = Observer::start(Vantage::Side(lab.server()), &options)?;
    let capture = Capture::start(&lab.client, lab.port)?;
    let attached = attached(&observer)?;
    let reader = stage.stalled()?;
    let client = reader.address;
    let waits = |kind: &SocketEventKind| matches!(kind, SocketEventKind::ServerWaits { .. });
    observer.wait_log("the server's wait", |log| !log.times_of(client, waits).is_empty())?;
    let now = self::attached(&observer)?;
    // One more may be the program that follows reads.
    ensure!(now >= attached + 2, "{now} programs are attached in the stall, {attached} were before");
    let logged = stage.server.wait_abort(reader.thread_id)?;
    let reset = capture.wait("the end of it", |s| dialect == Dialect::MySql || s.flags.contains('R'))?;
    let aborted = logged.unwrap_or(reset.at);
    observer.wait_finding("the loss", client, is_lost)?;
    reader.finish()?;
    observer.wait_finding("the end", client, is_closed)?;
    wait_detached(&observer, attached)?;
    let log = observer.stop()?;

    let up = |kind: &SocketEventKind| matches!(kind, SocketEventKind::ServerWaitEnds { timed_out: true });
    let ended = *log.times_of(client, up).first().context("the wait's time was up")?;
    // It gives up once its wait is over.
    ensure_within("the end of the wait", ended, aborted - LATE, aborted)?;
    let lost = log.finding(client, is_lost)?;
    ensure_within("the loss", lost.at, ended, aborted)?;
    let FindingKind::Lost { clock, seen: true } = lost.kind else {
        return Err(anyhow::anyhow!("{lost:?} was not seen"));
    };
    let own = Timeout { duration: TIMEOUT, source: TimeoutSource::Wait };
    ensure!(clock.timeout == own, "the clock ran with {:?}", clock.timeout);
    ensure!(clock.started.width() <= EXACT, "the start is a range: {:?}", clock.started);
    let started = clock.started.earliest;
    ensure_within("the start of the wait", started, aborted - LATE - TIMEOUT, ended - TIMEOUT)?;
    let warning = log.finding(client, |kind| matches!(kind, FindingKind::Warning { .. }))?;
    ensure_within("the warning", warning.at, started + TIMEOUT / 2, ended - TIMEOUT / 2)
}

fn ensure_within(what: &str, seen: Timestamp, earliest: Timestamp, latest: Timestamp) -> anyhow::Result<()> {
    let is_within = earliest - EXACT <= seen && seen <= latest + EXACT;
    ensure!(is_within, "{what} at {seen}, in truth between {earliest} and {latest}");
    Ok(())
}

/// How many of its programs an observer has attached: each is a link, to a tracepoint before 5.15 a perf event.
fn attached(observer: &Observer) -> anyhow::Result<usize> {
    let descriptors = fs::read_dir(format!("/proc/{}/fd", observer.pid())).context("its descriptors")?;
    let links = descriptors.flatten().filter_map(|descriptor| fs::read_link(descriptor.path()).ok());
    let attached = ["anon_inode:bpf_link", "anon_inode:[perf_event]"];
    Ok(links.filter(|link| link.to_str().is_some_and(|link| attached.contains(&link))).count())
}

/// Waits until it has as many as before. There is nothing to be told by.
fn wait_detached(observer: &Observer, before: usize) -> anyhow::Result<()> {
    let since = Instant::now();
    loop {
        let now = attached(observer)?;
        if now == before {
            return Ok(());
        }
        ensure!(since.elapsed() < PATIENCE, "{now} programs are still attached, {before} were before");
        std::thread::sleep(Duration::from_millis(100));
    }
}
