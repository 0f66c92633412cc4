//! The story: the client stops reading, the server gives up after net_write_timeout, the client learns of it
//! much later. It is judged by the stamps of the server's log and of tcpdump.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use observer::demo::Dialect;
use observer_core::{End, Finding, FindingKind, SocketEventKind, Timestamp};

use super::{CLOSE, TIMEOUT, Waited, ensure_close, is_closed, is_lost};
use crate::harness::Setup;
use crate::harness::capture::{Capture, Segment};
use crate::harness::lab::Lab;
use crate::harness::log::{Log, listed, name};
use crate::harness::observer::{Observer, Vantage};
use crate::harness::reader::{Outcome, Reader};
use crate::harness::server::{Server, story_query};

/// The observer's own poll period, by which polling alone may be late.
const POLL: Duration = Duration::from_secs(1);

pub(crate) fn mysql_from_the_host(setup: &Setup) -> anyhow::Result<()> {
    Stall::of(Dialect::MySql, Lab::new()?).run(setup, |_| Vantage::Host)
}

pub(crate) fn mysql_from_the_client(setup: &Setup) -> anyhow::Result<()> {
    Stall::of(Dialect::MySql, Lab::new()?).run(setup, |lab| Vantage::Side(&lab.client))
}

pub(crate) fn mysql_from_the_server(setup: &Setup) -> anyhow::Result<()> {
    Stall::of(Dialect::MySql, Lab::new()?).run(setup, |lab| Vantage::Side(lab.server()))
}

pub(crate) fn mysql_on_loopback(setup: &Setup) -> anyhow::Result<()> {
    Stall::of(Dialect::MySql, Lab::one_host()?).run(setup, |_| Vantage::Host)
}

pub(crate) fn mysql_over_ipv6(setup: &Setup) -> anyhow::Result<()> {
    let stall = Stall { ipv6: true, ..Stall::of(Dialect::MySql, Lab::new()?) };
    stall.run(setup, |_| Vantage::Host)
}

pub(crate) fn mysql_from_before(setup: &Setup) -> anyhow::Result<()> {
    let stall = Stall { connected_before: true, ..Stall::of(Dialect::MySql, Lab::new()?) };
    stall.run(setup, |lab| Vantage::Side(&lab.client))
}

pub(crate) fn mysql_without_privilege_from_the_client(setup: &Setup) -> anyhow::Result<()> {
    let stall = Stall { lateness: POLL, ..Stall::of(Dialect::MySql, Lab::new()?) };
    stall.run(setup, |lab| Vantage::Unprivileged(&lab.client))
}

pub(crate) fn mysql_without_privilege_from_the_server(setup: &Setup) -> anyhow::Result<()> {
    let stall = Stall { lateness: POLL, ..Stall::of(Dialect::MySql, Lab::new()?) };
    stall.run(setup, |lab| Vantage::Unprivileged(lab.server()))
}

pub(crate) fn mariadb_without_privilege(setup: &Setup) -> anyhow::Result<()> {
    let stall = Stall { lateness: POLL, ..Stall::of(Dialect::MariaDb, Lab::new()?) };
    stall.run(setup, |lab| Vantage::Unprivileged(&lab.client))
}

pub(crate) fn mariadb_from_the_host(setup: &Setup) -> anyhow::Result<()> {
    Stall::of(Dialect::MariaDb, Lab::new()?).run(setup, |_| Vantage::Host)
}

pub(crate) fn mariadb_from_the_client(setup: &Setup) -> anyhow::Result<()> {
    Stall::of(Dialect::MariaDb, Lab::new()?).run(setup, |lab| Vantage::Side(&lab.client))
}

pub(crate) fn mariadb_from_the_server(setup: &Setup) -> anyhow::Result<()> {
    Stall::of(Dialect::MariaDb, Lab::new()?).run(setup, |lab| Vantage::Side(lab.server()))
}

pub(crate) fn mariadb_on_loopback(setup: &Setup) -> anyhow::Result<()> {
    Stall::of(Dialect::MariaDb, Lab::one_host()?).run(setup, |_| Vantage::Host)
}

pub(crate) fn mariadb_over_ipv6(setup: &Setup) -> anyhow::Result<()> {
    let stall = Stall { ipv6: true, ..Stall::of(Dialect::MariaDb, Lab::new()?) };
    stall.run(setup, |_| Vantage::Host)
}

pub(crate) fn mariadb_from_before(setup: &Setup) -> anyhow::Result<()> {
    let stall = Stall { connected_before: true, ..Stall::of(Dialect::MariaDb, Lab::new()?) };
    stall.run(setup, |lab| Vantage::Side(&lab.client))
}

/// One way to tell the story.
struct Stall {
    dialect: Dialect,
    lab: Lab,
    ipv6: bool,
    /// The connection is there before the observer is.
    connected_before: bool,
    /// How much later than otherwise the observer may see something: it polls.
    lateness: Duration,
}

/// What really happened.
struct Truth {
    client: SocketAddr,
    aborted: Timestamp,
    segments: Vec<Segment>,
}

impl Truth {
    /// The segment that closed the client's window for the first time.
    fn window_closed(&self) -> anyhow::Result<&Segment> {
        let closes = |s: &&Segment| s.from == self.client && s.window == 0 && !s.flags.contains('R');
        self.segments.iter().find(closes).context("the client's window closed")
    }
}

impl Stall {
    fn of(dialect: Dialect, lab: Lab) -> Self {
        Self { dialect, lab, ipv6: false, connected_before: false, lateness: Duration::ZERO }
    }

    fn run<'a>(&'a self, setup: &Setup, vantage: impl FnOnce(&'a Lab) -> Vantage<'a>) -> anyhow::Result<()> {
        let lab = &self.lab;
        let address = if self.ipv6 { lab.address_v6() } else { lab.address() };
        let server = Server::start(setup, self.dialect, lab.server(), lab.port, TIMEOUT)?;
        let connect = || Reader::connect(setup, &lab.client, address, story_query(self.dialect));
        let connected_before = if self.connected_before { Some(connect()?) } else { None };
        let vantage = vantage(lab);
        let observer = observe(vantage, lab.port)?;
        let capture = Capture::start(&lab.client, lab.port)?;

        let mut reader = connected_before.map_or_else(connect, Ok)?;
        let client = reader.address;
        reader.query_and_pause()?;
        let logged = server.wait_abort(reader.thread_id)?;
        let aborted = match logged {
            Some(at) => at,
            // Its log has whole seconds only, but its reset goes out at that very moment.
            None => capture.wait("the reset", |segment| is_reset(segment, address))?.at,
        };
        observer.wait_finding("the loss", client, is_lost)?;
        let outcome = reader.read_on()?;
        reader.wait()?;
        ensure!(matches!(outcome, Outcome::Failed { rows: 8.., .. }), "{outcome:?}");
        observer.wait_finding("the end", client, is_closed)?;
        let stdout = observer.lines();
        let log = observer.stop()?;
        let lines = stdout.all();

        let (seen, expected) = (log.seen_at(), vantage.sees(lab));
        ensure!(seen == expected, "seen at {seen:?}, to be seen at {expected:?}");
        let told = log.connections(client);
        let one = told.len() == 1 && told[0].local == expected;
        ensure!(one, "one connection with ends at {expected:?}, told as {told:?}");

        let truth = Truth { client, aborted, segments: capture.stop()? };
        self.judge(&log, &truth)?;
        let told = |line: &String| line.contains(&client.to_string()) && line.contains("  lost  ");
        ensure!(lines.iter().any(told), "standard output does not tell of it: {lines:#?}");
        Ok(())
    }

    fn judge(&self, log: &Log, truth: &Truth) -> anyhow::Result<()> {
        let findings = log.findings_of(truth.client);
        let names: Vec<_> = findings.iter().map(|finding| name(&finding.kind)).collect();
        let mut expected =
            vec!["stalled", "warning", "critical", "lost", "server_closed", "closed", "verdict"];
        // Polls see no segment, and what is left may be read, the end too, in less than the time between two of them.
        let may_miss = |name: &str| name == "server_closed" && !self.lateness.is_zero();
        expected.retain(|name| !may_miss(name) || names.iter().any(|found| found == name));
        ensure!(names == expected, "expected {expected:?}, found: {}", listed(findings));
        ensure!(log.lost() == 0, "{} observations were lost", log.lost());

        let window_closed = truth.window_closed()?.at;
        let waited = Waited { closed: window_closed, aborted: truth.aborted, timeout: TIMEOUT };
        for finding in findings {
            match &finding.kind {
                FindingKind::Stalled { since, .. } => {
                    ensure_close("the closing of the window", *since, window_closed, CLOSE)?;
                    ensure!(finding.at > window_closed, "{finding:?} before {window_closed}");
                    self.ensure_found(finding, window_closed)?;
                }
                // What follows from what is found by looking is not as late as the look.
                FindingKind::Warning { .. } => waited.ensure_used(0.5, finding.at)?,
                FindingKind::Critical { .. } => waited.ensure_used(0.8, finding.at)?,
                FindingKind::Lost { .. } => waited.ensure_used(1.0, finding.at)?,
                FindingKind::ServerClosed { reset, .. } => {
                    ensure!(*reset == (self.dialect == Dialect::MariaDb), "{finding:?}");
                    self.ensure_found(finding, self.end(truth)?.at)?;
                }
                _ => continue,
            }
            // A deadline is known before it passes; the end is told when it is seen.
            if !is_server_closed(&finding.kind) {
                log.ensure_in_time(finding, CLOSE + self.lateness)?;
            }
        }
        if self.lateness.is_zero() { self.judge_wire(log, truth) } else { Ok(()) }
    }

    /// What is found by looking is as late as the look.
    fn ensure_found(&self, finding: &Finding, truth: Timestamp) -> anyhow::Result<()> {
        ensure_close(&name(&finding.kind), finding.at, truth, CLOSE + self.lateness)
    }

    /// What only the kernel programs see.
    fn judge_wire(&self, log: &Log, truth: &Truth) -> anyhow::Result<()> {
        let closed = truth.window_closed()?;
        let zero_window =
            |kind: &SocketEventKind| matches!(kind, SocketEventKind::ZeroWindow { by: End::Client, .. });
        let seen = log.times_of(truth.client, zero_window);
        ensure_close("zero window", *seen.first().context("a zero window")?, closed.at, CLOSE)?;

        let end = log.times_of(truth.client, |kind| match self.dialect {
            Dialect::MySql => matches!(kind, SocketEventKind::Fin { by: End::Server, .. }),
            Dialect::MariaDb => matches!(kind, SocketEventKind::Reset { by: End::Server }),
        });
        ensure_close(
            "the server's end",
            *end.first().context("the server's end")?,
            self.end(truth)?.at,
            CLOSE,
        )
    }

    /// The segment with which the server ended the connection.
    fn end<'a>(&self, truth: &'a Truth) -> anyhow::Result<&'a Segment> {
        let flag = match self.dialect {
            Dialect::MySql => 'F',
            Dialect::MariaDb => 'R',
        };
        let end = truth.segments.iter().find(|s| s.to == truth.client && s.flags.contains(flag));
        end.with_context(|| format!("{flag} among {:?}", truth.segments))
    }
}

fn observe(vantage: Vantage<'_>, port: u16) -> anyhow::Result<Observer> {
    let (port, timeout) = (port.to_string(), TIMEOUT.as_secs().to_string());
    Observer::start(vantage, &["--port", &port, "--net-write-timeout", &timeout])
}

fn is_reset(segment: &Segment, server: SocketAddr) -> bool {
    segment.from == server && segment.flags.contains('R')
}

fn is_server_closed(kind: &FindingKind) -> bool {
    matches!(kind, FindingKind::ServerClosed { .. })
}
