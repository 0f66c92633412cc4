//! What must not be called lost.

use anyhow::ensure;
use observer::demo::Dialect;
use observer_core::{FindingKind, SocketEventKind};

use super::{TIMEOUT, is_lost};
use crate::harness::Setup;
use crate::harness::log::{listed, name};
use crate::harness::observer::{Observer, Vantage};
use crate::harness::reader::{Outcome, Reader};
use crate::harness::stage::Stage;

/// The client reads on when half of the timeout is used.
pub(crate) fn short_pause(setup: &Setup) -> anyhow::Result<()> {
    let stage = Stage::new(setup, Dialect::MySql, TIMEOUT)?;
    let observer = Observer::told(Vantage::Host, &stage.lab, TIMEOUT)?;
    let reader = stage.stalled()?;
    let client = reader.address;
    observer.wait_finding("the warning", client, |kind| matches!(kind, FindingKind::Warning { .. }))?;
    let outcome = reader.finish()?;
    ensure!(outcome == Outcome::Finished { rows: 400_000 }, "{outcome:?}");
    observer.wait_finding("the recovery", client, |kind| matches!(kind, FindingKind::Recovered { .. }))?;
    let log = observer.stop()?;

    let names: Vec<_> = log.findings_of(client).iter().map(|finding| name(&finding.kind)).collect();
    ensure!(names.starts_with(&["stalled", "warning", "recovered"].map(str::to_owned)), "{names:?}");
    ensure!(log.finding(client, is_lost).is_err(), "{names:?}");
    ensure!(!stage.server.has_given_up(), "the server gave up although the client read on in time");
    ensure!(log.lost() == 0, "{} observations were lost", log.lost());
    Ok(())
}

/// Whose result is read as it comes, of that client nothing is said.
pub(crate) fn fast_query(setup: &Setup) -> anyhow::Result<()> {
    let Stage { lab, server: _server, .. } = Stage::new(setup, Dialect::MariaDb, TIMEOUT)?;
    let observer = Observer::told(Vantage::Host, &lab, TIMEOUT)?;
    let query = "SELECT seq, REPEAT('x', 110) FROM seq_1_to_500";
    let mut reader = Reader::connect(setup, &lab.client, lab.address(), query)?;
    let client = reader.address;
    reader.query_and_pause()?;
    let outcome = reader.finish()?;
    ensure!(outcome == Outcome::Finished { rows: 500 }, "{outcome:?}");
    let is_fin = |kind: &SocketEventKind| matches!(kind, SocketEventKind::Fin { .. });
    observer.wait_log("the client's FIN", |log| !log.times_of(client, is_fin).is_empty())?;
    let stdout = observer.lines();
    let log = observer.stop()?;
    let lines = stdout.all();
    ensure!(log.findings.is_empty() && lines.is_empty(), "{} {lines:#?}", listed(&log.findings));
    Ok(())
}
