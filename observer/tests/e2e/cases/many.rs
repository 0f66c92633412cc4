//! Many connections, and more than one server: real servers, and clients in Python.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use observer::demo::Dialect;
use observer_core::{EventKind, FindingKind, Timestamp};

use super::{CLOSE, TIMEOUT, ensure_close, is_closed, is_lost};
use crate::harness::Setup;
use crate::harness::capture::Capture;
use crate::harness::crowd::{Crowd, Ended};
use crate::harness::lab::Lab;
use crate::harness::log::{Log, listed, name};
use crate::harness::observer::{Observer, Vantage};
use crate::harness::reader::{Outcome, Reader};
use crate::harness::server::{Server, story_query};
use crate::harness::stage::Stage;

const CONNECTIONS: usize = 200;
const STALLED: usize = 10;

/// 40 MB in long rows: ten results at once cost the server little.
const QUERY: &str = "WITH RECURSIVE ids (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < 5000) \
                     SELECT /*+ SET_VAR(cte_max_recursion_depth = 5000) */ id, REPEAT('x', 8000) FROM ids";

pub(crate) fn ten_of_200(setup: &Setup) -> anyhow::Result<()> {
    let Stage { server, lab, .. } = &Stage::new(setup, Dialect::MySql, TIMEOUT)?;
    let observer = Observer::told(Vantage::Host, lab, TIMEOUT)?;
    let mut crowd = Crowd::connect(setup, &lab.client, lab.address(), (CONNECTIONS, STALLED), QUERY)?;
    let all: BTreeSet<_> = crowd.still.iter().chain(&crowd.others).map(|member| member.address).collect();
    crowd.begin()?;
    let aborts = crowd
        .still
        .iter()
        .map(|member| {
            let aborted = server.wait_abort(member.thread_id)?.context("the stamp of the abort")?;
            observer.wait_finding("the loss", member.address, is_lost)?;
            Ok((member.address, aborted))
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let Ended { answers, failed } = crowd.finish()?;
    ensure!(failed == STALLED, "{failed} of {STALLED} clients failed");
    ensure!(answers > 1, "a client that reads has had {answers} answers in all that time");
    for (client, _) in &aborts {
        observer.wait_finding("the end", *client, is_closed)?;
    }
    let log = observer.stop()?;

    let seen: BTreeSet<_> = clients(&log).collect();
    ensure!(seen == all, "not seen: {:?}; nobody's: {:?}", &all - &seen, &seen - &all);
    for (client, aborted) in &aborts {
        judge(&log, *client, *aborted)?;
    }
    let stood_still = |client| aborts.iter().any(|(address, _)| *address == client);
    let others =
        log.findings.iter().filter(|finding| finding.flow.is_none_or(|flow| !stood_still(flow.client)));
    let others: Vec<_> = others.collect();
    ensure!(others.is_empty(), "findings about clients that read: {}", listed(others));
    ensure!(log.lost() == 0, "{} observations were lost", log.lost());
    Ok(())
}

/// MySQL on one port, MariaDB on another; a client of each stalls.
pub(crate) fn second_port(setup: &Setup) -> anyhow::Result<()> {
    let lab = Lab::new()?;
    let ports = [lab.port, lab.port + 1];
    let dialects = [Dialect::MySql, Dialect::MariaDb];
    let mut servers = Vec::new();
    for (dialect, port) in dialects.into_iter().zip(ports) {
        servers.push(Server::start(setup, dialect, lab.server(), port, TIMEOUT)?);
    }
    let capture = Capture::start(&lab.client, ports[1])?;
    let observer = observe(ports)?;
    let mut readers = Vec::new();
    for (dialect, port) in dialects.into_iter().zip(ports) {
        let address = SocketAddr::new(lab.address().ip(), port);
        let mut reader = Reader::connect(setup, &lab.client, address, story_query(dialect))?;
        reader.query_and_pause()?;
        readers.push(reader);
    }
    let mut aborts = Vec::new();
    for (server, reader) in servers.iter().zip(&readers) {
        let client = reader.address;
        let aborted = match server.wait_abort(reader.thread_id)? {
            Some(logged) => logged,
            // MariaDB logs whole seconds only, but its reset goes out at that very moment.
            None => capture.wait("the reset", |s| s.to == client && s.flags.contains('R'))?.at,
        };
        observer.wait_finding("the loss", client, is_lost)?;
        aborts.push((client, aborted));
    }
    for reader in readers {
        let outcome = reader.finish()?;
        ensure!(matches!(outcome, Outcome::Failed { rows: 8.., .. }), "{outcome:?}");
    }
    for (client, _) in &aborts {
        observer.wait_finding("the end", *client, is_closed)?;
    }
    let log = observer.stop()?;
    for ((client, aborted), port) in aborts.iter().zip(ports) {
        judge(&log, *client, *aborted)?;
        let told = log.connections(*client);
        ensure!(told.len() == 1, "{client}: {told:?}");
        ensure!(
            log.findings_of(*client)
                .iter()
                .all(|finding| finding.flow.is_some_and(|flow| flow.server.port() == port)),
            "{}",
            listed(log.findings_of(*client))
        );
    }
    ensure!(log.lost() == 0, "{} observations were lost", log.lost());
    Ok(())
}

/// The whole story of one that stood still, seen at both ends.
fn judge(log: &Log, client: SocketAddr, aborted: Timestamp) -> anyhow::Result<()> {
    let findings = log.findings_of(client);
    let names: Vec<_> = findings.iter().map(|finding| name(&finding.kind)).collect();
    let story = ["stalled", "warning", "critical", "lost", "server_closed", "closed", "verdict"];
    ensure!(names == story, "expected {story:?}, found: {}", listed(findings));
    for finding in findings {
        let expected = match finding.kind {
            FindingKind::Warning { .. } => aborted - TIMEOUT.mul_f64(0.5),
            FindingKind::Critical { .. } => aborted - TIMEOUT.mul_f64(0.2),
            FindingKind::Lost { .. } => aborted,
            _ => continue,
        };
        ensure_close(&format!("{} of {client}", name(&finding.kind)), finding.at, expected, CLOSE)?;
    }
    Ok(())
}

fn observe(ports: [u16; 2]) -> anyhow::Result<Observer> {
    let [first, second] = ports.map(|port| port.to_string());
    let timeout = TIMEOUT.as_secs().to_string();
    let options = ["--net-write-timeout", &timeout, "--port", &first, "--port", &second];
    Observer::start(Vantage::Host, &options)
}

/// The clients of all connections of which something was seen.
fn clients(log: &Log) -> impl Iterator<Item = SocketAddr> {
    log.events.iter().filter_map(|event| match &event.kind {
        EventKind::Socket(socket) => Some(socket.socket.flow.client),
        EventKind::Source(_) => None,
    })
}
