//! A session with a timeout of its own, half the server's: the clock runs with it.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use observer::demo::Dialect;
use observer_core::{FindingKind, Timeout, TimeoutSource, Timestamp, WriteClock};

use super::{CLOSE, TIMEOUT, ensure_close, is_closed};
use crate::harness::Setup;
use crate::harness::capture::Capture;
use crate::harness::lab::Lab;
use crate::harness::log::Log;
use crate::harness::observer::{Observer, Vantage};
use crate::harness::reader::Reader;
use crate::harness::server::{Server, story_query};

/// What the session sets.
const OWN: Timeout = Timeout { duration: Duration::from_secs(4), source: TimeoutSource::Session };

pub(crate) fn mysql_set(setup: &Setup) -> anyhow::Result<()> {
    let query = story_query(Dialect::MySql);
    abort(
        setup,
        Dialect::MySql,
        query,
        Some("/* pool */ SET SESSION wait_timeout = 600, @@net_write_timeout := 4"),
    )
}

pub(crate) fn mariadb_set_statement(setup: &Setup) -> anyhow::Result<()> {
    let query = story_query(Dialect::MariaDb);
    abort(setup, Dialect::MariaDb, &format!("SET STATEMENT net_write_timeout=4 FOR {query}"), None)
}

fn abort(setup: &Setup, dialect: Dialect, query: &str, first: Option<&str>) -> anyhow::Result<()> {
    let lab = Lab::new()?;
    let server = Server::start(setup, dialect, lab.server(), lab.port, TIMEOUT)?;
    let (port, flag) = (lab.port.to_string(), format!("{}={}", lab.address(), TIMEOUT.as_secs()));
    let observer =
        Observer::start(Vantage::Side(&lab.client), &["--port", &port, "--net-write-timeout", &flag])?;
    let capture = Capture::start(&lab.client, lab.port)?;
    let mut reader = match first {
        Some(first) => Reader::connect_with(setup, &lab.client, lab.address(), query, first)?,
        None => Reader::connect(setup, &lab.client, lab.address(), query)?,
    };
    let client = reader.address;
    reader.query_and_pause()?;
    let aborted = match server.wait_abort(reader.thread_id)? {
        Some(logged) => logged,
        // MariaDB logs whole seconds only, but its reset goes out at that very moment.
        None => capture.wait("the reset", |s| s.from == lab.address() && s.flags.contains('R'))?.at,
    };
    let is_over = |kind: &_| matches!(kind, FindingKind::Lost { .. } | FindingKind::ServerClosed { .. });
    observer.wait_finding("the loss", client, is_over)?;
    reader.finish()?;
    observer.wait_finding("the end", client, is_closed)?;
    let log = observer.stop()?;
    for share in [0.5, 0.8] {
        let (at, clock) = passed(&log, client, share)?;
        ensure!(clock.timeout == OWN, "the clock runs with {:?}", clock.timeout);
        ensure_close("a share of the timeout", at, aborted - OWN.duration.mul_f64(1.0 - share), CLOSE)?;
    }
    Ok(())
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
