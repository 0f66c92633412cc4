//! Ends of which one side is not told: the server's kernel gives up too, or the network is gone.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use observer::demo::Dialect;
use observer_core::{Confidence, FindingKind, VerdictKind};

use super::{CLOSE, TIMEOUT, is_lost};
use crate::harness::Setup;
use crate::harness::lab::Lab;
use crate::harness::log::{listed, name};
use crate::harness::observer::{Observer, Vantage};
use crate::harness::process::PATIENCE;
use crate::harness::reader::{Outcome, Reader};
use crate::harness::server::{Server, story_query};

/// More than the time a kernel gives an orphan behind a closed window: `tcp_probe_timer`, net/ipv4/tcp_timer.c.
const ORPHANS_LIFE: Duration = Duration::from_secs(420);

/// Too late for an RST of the server itself.
const LATE: Duration = Duration::from_secs(3);

fn is_verdict(kind: &FindingKind) -> bool {
    matches!(kind, FindingKind::Verdict(_))
}

/// The client comes back when the server's socket is gone too, without a word, and is answered with RST.
pub(crate) fn orphan(setup: &Setup) -> anyhow::Result<()> {
    let lab = Lab::new()?;
    // From Linux 6.15 on. Without it an orphan lives for some minutes.
    let patience = if Path::new("/proc/sys/net/ipv4/tcp_rto_max_ms").exists() {
        lab.server().set("tcp_rto_max_ms", "1000")?;
        PATIENCE
    } else {
        ORPHANS_LIFE
    };
    let server = Server::start(setup, Dialect::MySql, lab.server(), lab.port, TIMEOUT)?;
    // Who sees the server's socket is certain, who sees the RST names it: a kernel without a socket sends it, which the
    // server's end does not see.
    let places = [
        (Vantage::Host, Confidence::Certain, true),
        (Vantage::Side(&lab.client), Confidence::Likely, true),
        (Vantage::Side(lab.server()), Confidence::Certain, false),
    ];
    let mut observers = Vec::new();
    for (place, confidence, sees_reset) in places {
        observers.push((Observer::told(place, &lab, TIMEOUT)?, confidence, sees_reset));
    }
    let mut reader = Reader::connect(setup, &lab.client, lab.address(), story_query(Dialect::MySql))?;
    let client = reader.address;
    reader.query_and_pause()?;
    let aborted = server.wait_abort(reader.thread_id)?.context("the stamp of the abort")?;
    let since = Instant::now();
    // There is nothing to be told by: that is what this is about.
    while since.elapsed() < LATE || lab.server().has_socket(lab.port, client)? {
        ensure!(since.elapsed() < patience, "the server's socket has not gone within {patience:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
    for (observer, ..) in &observers {
        observer.wait_finding("the loss", client, is_lost)?;
    }
    let outcome = reader.finish()?;
    ensure!(matches!(outcome, Outcome::Failed { rows: 8.., .. }), "{outcome:?}");
    for (observer, confidence, sees_reset) in observers {
        observer.wait_finding("the verdict", client, is_verdict)?;
        let log = observer.stop()?;
        let names: Vec<_> = log.findings_of(client).iter().map(|finding| name(&finding.kind)).collect();
        let mut story = vec!["stalled", "warning", "critical", "lost", "server_closed", "closed", "verdict"];
        story.retain(|name| sees_reset || *name != "server_closed");
        ensure!(names == story, "expected {story:?}, found: {}", listed(log.findings_of(client)));
        let FindingKind::Lost { clock, .. } = log.finding(client, is_lost)?.kind else { continue };
        let range = clock.abort();
        ensure!(
            range.earliest - CLOSE <= aborted && aborted <= range.latest + CLOSE,
            "given up at {aborted}, not in {range:?}"
        );
        let verdict = log.verdict(client)?;
        ensure!(
            verdict.kind == VerdictKind::NetWriteTimeout && verdict.confidence == confidence,
            "{verdict:?}"
        );
        let at = verdict.at.context("a moment")?;
        ensure!(range.earliest - CLOSE <= at && at <= range.latest + CLOSE, "{at} is not in {range:?}");
        let names_reset = verdict.sentence.contains("RST answered the reader that came back");
        ensure!(names_reset == sees_reset, "{verdict:?}");
        ensure!(log.lost() == 0, "{} observations were lost", log.lost());
    }
    Ok(())
}

/// A result that is made slowly and read at once: nobody waits for the other.
const SLOW: &str = "WITH RECURSIVE ids (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < 400000) \
                    SELECT /*+ SET_VAR(cte_max_recursion_depth = 400000) */ id, SLEEP(0.001), REPEAT('x', 1000) \
                    FROM ids";

/// The cable is cut in the middle of a result that is read as it comes.
pub(crate) fn path(setup: &Setup) -> anyhow::Result<()> {
    const PATIENT: Duration = Duration::from_secs(60);
    let lab = Lab::new()?;
    // Some seconds, not a quarter of an hour.
    lab.server().set("tcp_retries2", "3")?;
    let server = Server::start(setup, Dialect::MySql, lab.server(), lab.port, PATIENT)?;
    let at_server = Observer::told(Vantage::Side(lab.server()), &lab, PATIENT)?;
    let at_client = Observer::told(Vantage::Side(&lab.client), &lab, PATIENT)?;
    let mut reader = Reader::connect(setup, &lab.client, lab.address(), SLOW)?;
    let client = reader.address;
    reader.query_and_pause()?;
    reader.go_on()?;
    lab.client.set_link(false)?;
    at_server.wait_finding("the verdict", client, is_verdict)?;
    ensure!(server.has_given_up(), "the server has not noticed");
    let log = at_server.stop()?;
    let names: Vec<_> = log.findings_of(client).iter().map(|finding| name(&finding.kind)).collect();
    ensure!(names == ["verdict"], "{names:?}");
    let verdict = log.verdict(client)?;
    ensure!(verdict.kind == VerdictKind::Network && verdict.confidence == Confidence::Likely, "{verdict:?}");
    ensure!(log.lost() == 0, "{} observations were lost", log.lost());
    // To the client nothing has come, and nothing is to be said of it.
    let log = at_client.stop()?;
    ensure!(log.findings.is_empty(), "{}", listed(&log.findings));
    ensure!(log.connections(client).len() == 1 && log.lost() == 0, "{:?}", log.connections(client));
    Ok(())
}

/// Large rows, made slowly enough to be read at once, and fast enough to fill what a socket holds within a second.
fn large(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::MySql => {
            "WITH RECURSIVE ids (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < 40000) \
             SELECT /*+ SET_VAR(cte_max_recursion_depth = 40000) */ id, SLEEP(0.01), REPEAT('x', 50000) FROM ids"
        }
        Dialect::MariaDb => "SELECT seq, SLEEP(0.01), REPEAT('x', 50000) FROM seq_1_to_40000",
    }
}

/// The cable is cut, and the server gives up long before its kernel does: nobody's window was closed, MySQL closes and
/// MariaDB resets, and neither was idle or killed.
pub(crate) fn given_up(setup: &Setup) -> anyhow::Result<()> {
    /// A busy host can keep the client from reading just then.
    const TRIES: usize = 4;
    for dialect in [Dialect::MySql, Dialect::MariaDb] {
        let mut tries = 0;
        while !is_cut_open(setup, dialect)? {
            tries += 1;
            ensure!(tries < TRIES, "{dialect:?}: the window was closed {TRIES} times when the cable was cut");
        }
    }
    Ok(())
}

/// Cuts it; `false` if the client's window was closed at that moment, which is another story.
fn is_cut_open(setup: &Setup, dialect: Dialect) -> anyhow::Result<bool> {
    let lab = Lab::new()?;
    // A closed socket is not to be kept for minutes.
    lab.server().set("tcp_orphan_retries", "2")?;
    let server = Server::start(setup, dialect, lab.server(), lab.port, TIMEOUT)?;
    let observer = Observer::told(Vantage::Side(lab.server()), &lab, TIMEOUT)?;
    let mut reader = Reader::connect(setup, &lab.client, lab.address(), large(dialect))?;
    let (client, thread) = (reader.address, reader.thread_id);
    reader.query_and_pause()?;
    reader.go_on()?;
    lab.client.set_link(false)?;
    server.wait_abort(thread)?;
    observer.wait_finding("the verdict", client, is_verdict)?;
    let log = observer.stop()?;
    let findings = log.findings_of(client);
    if findings.iter().any(|finding| matches!(finding.kind, FindingKind::Stalled { .. })) {
        return Ok(false);
    }
    let verdict = log.verdict(client)?;
    let is_right = verdict.kind == VerdictKind::Network && verdict.sentence.contains("has given it up");
    ensure!(is_right, "{dialect:?}: {verdict:?} after {}", listed(findings));
    ensure!(log.lost() == 0, "{} observations were lost", log.lost());
    Ok(true)
}
