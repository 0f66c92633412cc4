//! After the server has given up the client reads on, and is told when it will fail.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use observer::demo::Dialect;
use observer_core::FindingKind;

use super::{ensure_close, is_closed, is_lost};
use crate::harness::Setup;
use crate::harness::observer::{Observer, Vantage};
use crate::harness::reader::Outcome;
use crate::harness::stage::Stage;

const TIMEOUT: Duration = Duration::from_secs(3);

/// The least, first and largest size of a buffer: half of it is window, and what that holds is read in some seconds.
const BUFFER: &str = "4096 2000000 2000000";

/// Of rows with 120 bytes.
const ROWS_PER_SECOND: u32 = 2_000;

/// How far it may be from the truth in any case: the socket is looked at once a second, and the client has taken some rows
/// that it has not come to.
const OFF: Duration = Duration::from_secs(1);

/// How far it may be besides, of the time that was left when it was foretold: the pace is measured, and smoothed.
const SHARE: f64 = 0.2;

pub(crate) fn mysql(setup: &Setup) -> anyhow::Result<()> {
    let stage = Stage::new(setup, Dialect::MySql, TIMEOUT)?;
    stage.lab.client.set("tcp_rmem", BUFFER)?;
    stage.lab.server().set("tcp_wmem", BUFFER)?;
    let observer = Observer::told(Vantage::Side(&stage.lab.client), &stage.lab, TIMEOUT)?;
    let mut reader = stage.stalled()?;
    let client = reader.address;
    stage.server.wait_abort(reader.thread_id)?;
    observer.wait_finding("the loss", client, is_lost)?;
    let outcome = reader.read_on_at(ROWS_PER_SECOND)?;
    let Outcome::Failed { at: failed, .. } = outcome else {
        return Err(anyhow::anyhow!("the server has given up, but {outcome:?}"));
    };
    reader.wait()?;
    observer.wait_finding("the end", client, is_closed)?;
    let log = observer.stop()?;
    let mut foretold = log.failures_foretold(client);
    let closed = log.finding(client, |kind| matches!(kind, FindingKind::ServerClosed { .. }))?;
    let FindingKind::ServerClosed { fails_at: Some(fails_at), .. } = closed.kind else {
        return Err(anyhow::anyhow!("{closed:?} does not tell when the client fails"));
    };
    foretold.push((closed.at, fails_at));
    let first = foretold.first().context("it was never foretold when the client fails")?;
    ensure!(failed.since(first.0) > 2 * OFF, "foretold at {} only, failed at {failed}", first.0);
    for (said_at, fails_at) in foretold {
        let tolerance = OFF + failed.since(said_at).mul_f64(SHARE);
        ensure_close(&format!("the failure, foretold at {said_at},"), fails_at, failed, tolerance)?;
    }
    ensure!(log.lost() == 0, "{} observations were lost", log.lost());
    Ok(())
}
