//! A session with a timeout of its own, half the server's: the clock runs with it, even when the session was reset.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use observer::demo::Dialect;
use observer_core::{FindingKind, SocketEventKind, Timeout, TimeoutSource, Timestamp, WriteClock};

use super::{TIMEOUT, Waited, is_closed, is_lost};
use crate::harness::Setup;
use crate::harness::capture::Capture;
use crate::harness::lab::Lab;
use crate::harness::log::Log;
use crate::harness::observer::{Observer, Vantage};
use crate::harness::reader::Reader;
use crate::harness::server::{Server, story_query};

/// What the session sets.
const OWN: Timeout = Timeout { duration: Duration::from_secs(4), source: TimeoutSource::Session };

/// How its client sets it.
enum Way {
    /// By a statement of its own, as soon as it is connected.
    Set,
    /// The same, and then the connection is reset, as pools do. The variable is the server's again, but not the timeout of
    /// the socket: the servers forget it.
    SetAndReset,
    /// In the query.
    InQuery,
}

pub(crate) fn mysql_set(setup: &Setup) -> anyhow::Result<()> {
    abort(setup, Dialect::MySql, &Way::Set)
}

pub(crate) fn mysql_reset(setup: &Setup) -> anyhow::Result<()> {
    abort(setup, Dialect::MySql, &Way::SetAndReset)
}

pub(crate) fn mariadb_reset(setup: &Setup) -> anyhow::Result<()> {
    abort(setup, Dialect::MariaDb, &Way::SetAndReset)
}

pub(crate) fn mariadb_set_statement(setup: &Setup) -> anyhow::Result<()> {
    abort(setup, Dialect::MariaDb, &Way::InQuery)
}

fn connect(setup: &Setup, lab: &Lab, dialect: Dialect, way: &Way) -> anyhow::Result<Reader> {
    const SET: &str = "/* pool */ SET SESSION wait_timeout = 600, @@net_write_timeout := 4";
    let (side, address, query) = (&lab.client, lab.address(), story_query(dialect));
    match way {
        Way::Set => Reader::connect_with(setup, side, address, query, SET),
        Way::SetAndReset => Reader::connect_and_reset(setup, side, address, query, SET),
        Way::InQuery => {
            Reader::connect(setup, side, address, &format!("SET STATEMENT net_write_timeout=4 FOR {query}"))
        }
    }
}

fn abort(setup: &Setup, dialect: Dialect, way: &Way) -> anyhow::Result<()> {
    let lab = Lab::new()?;
    let server = Server::start(setup, dialect, lab.server(), lab.port, TIMEOUT)?;
    let (port, flag) = (lab.port.to_string(), format!("{}={}", lab.address(), TIMEOUT.as_secs()));
    let observer =
        Observer::start(Vantage::Side(&lab.client), &["--port", &port, "--net-write-timeout", &flag])?;
    let capture = Capture::start(&lab.client, lab.port)?;
    let mut reader = connect(setup, &lab, dialect, way)?;
    let client = reader.address;
    reader.query_and_pause()?;
    let aborted = match server.wait_abort(reader.thread_id)? {
        Some(logged) => logged,
        // MariaDB logs whole seconds only, but its reset goes out at that very moment.
        None => capture.wait("the reset", |s| s.from == lab.address() && s.flags.contains('R'))?.at,
    };
    observer.wait_finding("the loss", client, is_lost)?;
    reader.finish()?;
    observer.wait_finding("the end", client, is_closed)?;
    let log = observer.stop()?;
    // COM_RESET_CONNECTION.
    let is_reset = |kind: &_| matches!(kind, SocketEventKind::Command { text, .. } if text == "\u{1f}");
    let was_reset = !log.times_of(client, is_reset).is_empty();
    ensure!(was_reset == matches!(way, Way::SetAndReset), "the connection was reset: {was_reset}");
    let closed = capture.stop()?.into_iter().find(|s| s.from == client && s.window == 0);
    let closed = closed.context("the client's window closed")?.at;
    let waited = Waited { closed, aborted, timeout: OWN.duration };
    waited.ensure_timeout()?;
    for share in [0.5, 0.8] {
        let (at, clock) = passed(&log, client, share)?;
        ensure!(clock.timeout == OWN, "the clock runs with {:?}", clock.timeout);
        waited.ensure_used(share, at)?;
    }
    waited.ensure_used(1.0, log.finding(client, is_lost)?.at)
}

/// When this share of the timeout was used, and by which clock.
fn passed(log: &Log, client: std::net::SocketAddr, share: f64) -> anyhow::Result<(Timestamp, WriteClock)> {
    let mut findings = log.findings_of(client).into_iter();
    let found = findings.find_map(|finding| match finding.kind {
        FindingKind::Warning { clock, .. } if share < 0.8 => Some((finding.at, clock)),
        FindingKind::Critical { clock, .. } if share >= 0.8 => Some((finding.at, clock)),
        _ => None,
    });
    found.with_context(|| format!("nothing was told when {share} of the timeout was used"))
}
