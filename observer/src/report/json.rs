//! The report as JSON, `observer.report/1`: docs/REPORT-FORMAT.md.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::SocketAddr;

use observer_core::{
    Account as Login, Confidence, Connector, Greeting, Hidden, LossPoint, RuledOut, ServerProgram, Statement,
    TimeRange, Timeout, Timestamp, Vantage, VerdictKind,
};
use serde::Serialize;

use super::Report;
use super::account::{self, Account, Mark};
use super::holder::Holder;
use crate::source::recording::Origin;
use crate::text::{safe, without_controls};

/// The name and version of the format. Within version 1 fields are only added.
const SCHEMA: &str = "observer.report/1";

/// Writes it as one object.
///
/// # Errors
///
/// When it cannot be written.
pub fn json(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let json = serde_json::to_string_pretty(&Document::of(report))?;
    writeln!(out, "{}", without_controls(&json))?;
    out.flush()
}

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    version: &'static str,
    source: Source,
    lost_events: u64,
    lost_by: BTreeMap<String, u64>,
    connections_seen: u64,
    connections_left_out: u64,
    connections: Vec<Connection>,
}

#[derive(Serialize)]
struct Source {
    files: Vec<File>,
    degraded: Vec<Degraded>,
}

#[derive(Serialize)]
struct File {
    name: String,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    events: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    joined: Option<Joined>,
    lines_not_read: u64,
    gaps: Vec<Gap>,
}

#[derive(Serialize)]
struct Joined {
    with: String,
    /// Seconds.
    shifted_by: f64,
    segments: usize,
}

#[derive(Serialize)]
struct Gap {
    line: u64,
    because: String,
}

#[derive(Serialize)]
struct Degraded {
    part: String,
    because: String,
    without: String,
}

#[derive(Serialize)]
struct Connection {
    client: SocketAddr,
    server: SocketAddr,
    seen_at: Vec<Vantage>,
    opened_at: Option<Timestamp>,
    closed_at: Option<Timestamp>,
    first_seen: Timestamp,
    last_seen: Timestamp,
    not_observed: Vec<account::Gap>,
    thread_id: Option<u32>,
    server_version: Option<String>,
    client_process: Option<Holder>,
    server_process: Option<Holder>,
    server_program: Option<ServerProgram>,
    account: Option<Login>,
    statement: Option<Statement>,
    told_by_server: Told,
    result_in_flight: Option<bool>,
    hidden: Option<Hidden>,
    net_write_timeout: Timeout,
    stalls: Vec<Stall>,
    stalls_left_out: u64,
    abort: Option<TimeRange>,
    moments: Vec<Moment>,
    verdict: Verdict,
    incomplete: Option<bool>,
    evidence: Vec<String>,
    ruled_out: Vec<RuledOut>,
    missing: Vec<String>,
    advice: Vec<String>,
}

#[derive(Serialize)]
struct Told {
    user: Option<String>,
    statement: Option<String>,
}

#[derive(Serialize)]
struct Stall {
    start: Timestamp,
    end: Option<Timestamp>,
    probes: u32,
    deadline: Option<TimeRange>,
}

#[derive(Serialize)]
struct Moment {
    at: Timestamp,
    what: Mark,
}

#[derive(Serialize)]
struct Verdict {
    kind: VerdictKind,
    confidence: Confidence,
    at: Option<Timestamp>,
    sentence: String,
}

impl Document {
    fn of(report: &Report) -> Self {
        Self {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            source: Source::of(report),
            lost_events: report.lost_altogether(),
            lost_by: report.lost.iter().map(|(place, count)| (name(*place), *count)).collect(),
            connections_seen: report.connections,
            connections_left_out: report.left_out,
            connections: report.accounts.iter().filter_map(Connection::of).collect(),
        }
    }
}

/// The name of a place in the event log.
fn name(place: LossPoint) -> String {
    let value = serde_json::to_value(place).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

impl Source {
    fn of(report: &Report) -> Self {
        let degraded = report.degraded.iter().map(|missing| Degraded {
            part: clean(&missing.part),
            because: clean(&missing.because),
            without: clean(&missing.without),
        });
        Self {
            files: report.files.iter().map(|file| File::of(file, report)).collect(),
            degraded: degraded.collect(),
        }
    }
}

impl File {
    fn of(file: &super::File, report: &Report) -> Self {
        let (kind, host) = match &file.origin {
            Origin::Log(header) => ("log", Some(clean(&header.host))),
            Origin::Capture => ("capture", None),
        };
        let joined = file.joined.and_then(|(with, shift)| {
            let with = report.files.get(with)?.name.clone();
            Some(Joined { with, shifted_by: seconds(shift.micros), segments: shift.segments })
        });
        let gaps = file.gaps.first.iter().map(|gap| Gap { line: gap.line, because: clean(&gap.because) });
        Self {
            name: file.name.clone(),
            kind,
            host,
            events: file.events,
            first: file.time.map(|(first, _)| first),
            last: file.time.map(|(_, last)| last),
            joined,
            lines_not_read: file.gaps.count,
            gaps: gaps.collect(),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "clocks are not 285 years apart, and if they are it does not matter"
)]
fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

impl Connection {
    fn of(account: &Account) -> Option<Self> {
        let verdict = account.verdict.as_ref()?;
        Some(Self {
            client: account.flow.client,
            server: account.flow.server,
            seen_at: account.seen_at.clone(),
            opened_at: account.opened_at,
            closed_at: account.closed_at,
            first_seen: account.first_seen,
            last_seen: account.last_seen,
            not_observed: account.gaps.clone(),
            thread_id: account.greeting.as_ref().map(|greeting| greeting.thread_id),
            server_version: account.greeting.as_ref().map(|greeting| clean(&greeting.version)),
            client_process: account.client_process.as_deref().cloned(),
            server_process: account.server_process.as_deref().cloned(),
            server_program: account.greeting.as_ref().map(Greeting::server_program),
            account: account.login.as_deref().map(clean_login),
            statement: account.statement.as_deref().map(clean_statement),
            told_by_server: Told {
                user: account.told.user.as_deref().map(clean),
                statement: account.told.statement.as_deref().map(clean),
            },
            result_in_flight: account.in_flight,
            hidden: account.hidden,
            net_write_timeout: account.timeout,
            stalls: account.stalls.iter().map(Stall::of).collect(),
            stalls_left_out: account.stalls_left_out,
            abort: account.abort,
            moments: account.moments().map(|(what, at)| Moment { at, what }).collect(),
            verdict: Verdict {
                kind: verdict.kind,
                confidence: verdict.confidence,
                at: verdict.at,
                sentence: clean(&verdict.sentence),
            },
            incomplete: verdict.incomplete,
            evidence: all_clean(&verdict.evidence),
            ruled_out: verdict
                .ruled_out
                .iter()
                .map(|cause| RuledOut { kind: cause.kind, because: clean(&cause.because) })
                .collect(),
            missing: all_clean(&verdict.missing),
            advice: all_clean(&verdict.advice),
        })
    }
}

impl Stall {
    fn of(stall: &account::Stall) -> Self {
        Self { start: stall.start, end: stall.end, probes: stall.probes, deadline: stall.deadline }
    }
}

fn clean_login(login: &Login) -> Login {
    let text = |text: &Option<String>| text.as_deref().map(clean);
    let connector = login.connector.as_ref().map(|connector| Connector {
        name: text(&connector.name),
        version: text(&connector.version),
        program: text(&connector.program),
        pid: connector.pid,
    });
    Login { user: text(&login.user), database: text(&login.database), connector }
}

fn clean_statement(statement: &Statement) -> Statement {
    Statement { text: statement.text.as_deref().map(clean), ..statement.clone() }
}

/// JSON escapes some control characters, not all of them.
fn clean(text: &str) -> String {
    safe(text).into_owned()
}

fn all_clean(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| clean(text)).collect()
}
