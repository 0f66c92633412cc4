//! What must not be called lost.

use anyhow::ensure;
use observer::demo::Dialect;
use observer_core::{FindingKind, SocketEventKind};

use super::{TIMEOUT, is_lost};
use crate::harness::Setup;
use crate::harness::lab::Lab;
use crate::harness::log::{listed, name};
use crate::harness::observer::{Observer, Vantage};
use crate::harness::reader::{Outcome, Reader};
use crate::harness::stage::Stage;

/// The first rows of the story, and no more.
const SHORT: [(Dialect, &str); 2] = [
    (
        Dialect::MySql,
        "WITH RECURSIVE ids (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < 500) \
         SELECT id, REPEAT('x', 110) FROM ids",
    ),
    (Dialect::MariaDb, "SELECT seq, REPEAT('x', 110) FROM seq_1_to_500"),
];

pub(crate) fn mysql_short_pause(setup: &Setup) -> anyhow::Result<()> {
    short_pause(setup, Dialect::MySql)
}

pub(crate) fn mariadb_short_pause(setup: &Setup) -> anyhow::Result<()> {
    short_pause(setup, Dialect::MariaDb)
}

/// The client reads on when half of the timeout is used.
fn short_pause(setup: &Setup, dialect: Dialect) -> anyhow::Result<()> {
    let stage = Stage::new(setup, dialect, TIMEOUT)?;
    let observers = everywhere(&stage.lab)?;
    let reader = stage.stalled()?;
    let client = reader.address;
    for (_, observer) in &observers {
        observer.wait_finding("the warning", client, |kind| matches!(kind, FindingKind::Warning { .. }))?;
    }
    let outcome = reader.finish()?;
    ensure!(outcome == Outcome::Finished { rows: 400_000 }, "{outcome:?}");
    ensure!(!stage.server.has_given_up(), "the server gave up although the client read on in time");
    for (place, observer) in observers {
        let is_recovery = |kind: &FindingKind| matches!(kind, FindingKind::Recovered { .. });
        observer.wait_finding("the recovery", client, is_recovery)?;
        let log = observer.stop()?;
        let names: Vec<_> = log.findings_of(client).iter().map(|finding| name(&finding.kind)).collect();
        let begins = ["stalled", "warning", "recovered"].map(str::to_owned);
        ensure!(names.starts_with(&begins), "{place}: {names:?}");
        ensure!(log.finding(client, is_lost).is_err(), "{place}: {names:?}");
        ensure!(log.lost() == 0, "{place}: {} observations were lost", log.lost());
    }
    Ok(())
}

/// Whose result is read as it comes, of that client nothing is said.
pub(crate) fn fast_query(setup: &Setup) -> anyhow::Result<()> {
    for (dialect, query) in SHORT {
        let Stage { lab, server: _server, .. } = Stage::new(setup, dialect, TIMEOUT)?;
        let observers = everywhere(&lab)?;
        let mut reader = Reader::connect(setup, &lab.client, lab.address(), query)?;
        let client = reader.address;
        reader.query_and_pause()?;
        let outcome = reader.finish()?;
        ensure!(outcome == Outcome::Finished { rows: 500 }, "{outcome:?}");
        for (place, observer) in observers {
            let is_fin = |kind: &SocketEventKind| matches!(kind, SocketEventKind::Fin { .. });
            observer.wait_log("the client's FIN", |log| !log.times_of(client, is_fin).is_empty())?;
            let stdout = observer.lines();
            let log = observer.stop()?;
            let (found, lines) = (listed(&log.findings), stdout.all());
            ensure!(found.is_empty() && lines.is_empty(), "{dialect:?}, {place}: {found} {lines:#?}");
            ensure!(log.lost() == 0, "{place}: {} observations were lost", log.lost());
        }
    }
    Ok(())
}

/// An observer at each place there is.
fn everywhere(lab: &Lab) -> anyhow::Result<Vec<(&'static str, Observer)>> {
    let places = [
        ("the host", Vantage::Host),
        ("the client's side", Vantage::Side(&lab.client)),
        ("the server's side", Vantage::Side(lab.server())),
    ];
    places.into_iter().map(|(name, place)| Ok((name, Observer::told(place, lab, TIMEOUT)?))).collect()
}
