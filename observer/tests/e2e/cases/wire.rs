//! Who asks for what: known from the wire where it can be read, and said to be unknown where it cannot.

use anyhow::{Context as _, ensure};
use observer::demo::Dialect;
use observer_core::{FindingKind, SocketEventKind, StatementKind};

use super::TIMEOUT;
use crate::harness::Setup;
use crate::harness::observer::{Observer, Vantage};
use crate::harness::stage::Stage;

/// The story's queries without their literals.
pub(super) const fn statement(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::MySql => {
            "WITH RECURSIVE ids (id) AS (SELECT ? UNION ALL SELECT id + ? FROM ids WHERE id < ?) \
             SELECT id, REPEAT(?, …) FROM ids"
        }
        Dialect::MariaDb => "SELECT seq, REPEAT(?, …) FROM seq_1_to_400000",
    }
}

pub(crate) fn mysql(setup: &Setup) -> anyhow::Result<()> {
    known(setup, Dialect::MySql)
}

pub(crate) fn mariadb(setup: &Setup) -> anyhow::Result<()> {
    known(setup, Dialect::MariaDb)
}

fn known(setup: &Setup, dialect: Dialect) -> anyhow::Result<()> {
    let stage = Stage::new(setup, dialect, TIMEOUT)?;
    let observer = Observer::told(Vantage::Side(&stage.lab.client), &stage.lab, TIMEOUT)?;
    let reader = stage.stalled()?;
    let client = reader.address;
    let is_stalled = |kind: &FindingKind| matches!(kind, FindingKind::Stalled { .. });
    observer.wait_finding("the stall", client, is_stalled)?;
    let (lines, process) = (observer.lines(), reader.pid());
    let (log, place) = observer.stop_and_keep()?;

    let stalled = log.finding(client, is_stalled)?;
    let account = stalled.account.as_deref().context("who logged in")?;
    let connector = account.connector.as_ref().context("the connection attributes")?;
    ensure!(account.user.as_deref() == Some("reader"), "{account:?}");
    ensure!(account.database.as_deref() == Some("story"), "{account:?}");
    ensure!(connector.name.as_deref() == Some("aiomysql"), "{account:?}");
    ensure!(connector.program.as_deref() == Some("story.py"), "{account:?}");
    ensure!(connector.pid == Some(process), "{account:?}, but the client is {process}");
    let asked = stalled.statement.as_deref().context("what it waits for")?;
    ensure!(asked.command == StatementKind::Query && !asked.cut, "{asked:?}");
    ensure!(asked.text.as_deref() == Some(statement(dialect)), "{asked:?}");
    ensure!(asked.in_result == Some(true), "{asked:?}");
    ensure!(
        lines.all().iter().any(|line| line.contains("as reader, schema story, with aiomysql")),
        "{:?}",
        lines.all()
    );
    let text = std::fs::read_to_string(place.path().join("log")).context("reading the log")?;
    for literal in ["'x'", "110)"] {
        ensure!(!text.contains(literal), "{literal} is in the log");
    }
    Ok(())
}

/// Under TLS nothing but the greeting can be read, and that is what the verdict says.
pub(crate) fn tls(setup: &Setup) -> anyhow::Result<()> {
    let stage = Stage::new(setup, Dialect::MySql, TIMEOUT)?;
    let observer = Observer::told(Vantage::Side(&stage.lab.client), &stage.lab, TIMEOUT)?;
    let reader = stage.stalled_with_tls()?;
    let (client, thread) = (reader.address, reader.thread_id);
    let is_lost = |kind: &FindingKind| matches!(kind, FindingKind::Lost { .. });
    observer.wait_finding("the loss", client, is_lost)?;
    reader.finish()?;
    let is_verdict = |kind: &FindingKind| matches!(kind, FindingKind::Verdict(_));
    observer.wait_finding("the verdict", client, is_verdict)?;
    let log = observer.stop()?;

    let greeted = |kind: &SocketEventKind| matches!(kind, SocketEventKind::Greeting { thread_id, .. } if *thread_id == thread);
    ensure!(log.times_of(client, greeted).len() == 1, "thread {thread} was not told");
    let lost = log.finding(client, is_lost)?;
    ensure!(lost.account.is_none() && lost.statement.is_none(), "{lost:?}");
    let verdict = log.verdict(client)?;
    let hidden = "what the client asked for: TLS hides it";
    ensure!(verdict.missing.iter().any(|missing| missing == hidden), "{verdict:?}");
    ensure!(verdict.evidence.iter().any(|line| line.contains(&thread.to_string())), "{verdict:?}");
    Ok(())
}
