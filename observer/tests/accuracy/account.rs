//! What observer says of a connection.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use observer_core::{
    Confidence, Config, Finding, FindingKind, TimeRange, Timeout, TimeoutSource, Timestamp, Tracker, Verdict,
    VerdictKind,
};
use serde::{Deserialize, Serialize};

use crate::harness::log::{Log, listed};
use crate::matrix::TIMEOUT;
use crate::play::Truth;

/// How much later than the truth something may be stamped that was said before it.
const JITTER: Duration = Duration::from_millis(500);
/// A server logs that it gives up a moment after it did.
const JUST_BEFORE: Duration = Duration::from_millis(5);

/// What is said of one connection.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// What became of it.
    pub(crate) verdict: Option<Said>,
    /// When the server gives up, as last shown before it did.
    pub(crate) abort: Option<TimeRange>,
    /// When the warning was told that was not taken back; only of what was told while it happened.
    pub(crate) warned: Option<Timestamp>,
    /// When it was called lost.
    pub(crate) lost: Option<Timestamp>,
    /// Whether that was said as a guess, for nothing had shown it.
    pub(crate) is_guess: bool,
    /// Whether it was said afterwards that it was not so.
    pub(crate) is_taken_back: bool,
    /// What is wrong whatever the truth is.
    pub(crate) misses: Vec<String>,
}

impl Account {
    /// By what was told live, what the log of that gives when it is `replayed`, and what the report says of it.
    pub(crate) fn live(log: &Log, replayed: &[Finding], reports: &Reports, truth: &Truth) -> Self {
        let findings = log.findings_of(truth.client);
        let abort = truth.aborted.and_then(|aborted| shown(log, truth.client, aborted - JUST_BEFORE));
        let mut account = Self { abort, ..Self::default() };
        let before = |at: Timestamp| truth.aborted.is_none_or(|aborted| at <= aborted + JITTER);
        for finding in &findings {
            match &finding.kind {
                FindingKind::Warning { .. } => account.warned = account.warned.or(Some(finding.at)),
                FindingKind::Recovered { .. } if before(finding.at) => account.warned = None,
                FindingKind::Lost { seen, .. } => {
                    account.is_guess = !seen && (account.is_guess || account.lost.is_none());
                    account.lost = account.lost.or(Some(finding.at));
                    let sentence = finding.sentence();
                    if *seen == sentence.contains("probably") {
                        account.misses.push(format!("seen is {seen}, and it was said: {sentence}"));
                    }
                }
                FindingKind::Verdict(verdict) => account.verdict = Some(Said::of(verdict)),
                _ => {}
            }
            account.is_taken_back = match &finding.kind {
                FindingKind::Lost { .. } => false,
                FindingKind::Recovered { .. } => true,
                FindingKind::Verdict(verdict) if lived(verdict.kind) => true,
                _ => account.is_taken_back,
            };
            account.misses.extend(log.ensure_in_time(finding, JITTER).err().map(|error| error.to_string()));
        }
        let again: Vec<_> = replayed.iter().filter(|finding| is_of(finding, truth.client)).collect();
        if again != findings {
            let [live, again] = [listed(findings), listed(again)];
            account.misses.push(format!("live was found{live}\n    and in its log{again}"));
        }
        if let Some(report) = reports.of_client(truth.client) {
            account.verdict = account.verdict.or(Some(report.said()));
        }
        account
    }

    /// By the report of a capture.
    pub(crate) fn capture(reports: &Reports, truth: &Truth) -> Self {
        let mut account = Self::default();
        if let Some(report) = reports.of_client(truth.client) {
            account.verdict = Some(report.said());
            account.abort = report.abort;
            account.lost =
                report.moments.iter().filter(|moment| moment.is_loss()).map(|moment| moment.at).min();
            account.is_guess = !report.moments.iter().any(|moment| moment.what == "gave_up");
        }
        account
    }
}

/// Whether a finding is about a connection of `client`.
pub(crate) fn is_of(finding: &Finding, client: SocketAddr) -> bool {
    finding.flow.is_some_and(|flow| flow.client == client)
}

/// Whether that can only become of a connection that was not lost.
fn lived(kind: VerdictKind) -> bool {
    matches!(kind, VerdictKind::Recovered | VerdictKind::ClientClosed)
}

/// What the view showed of `client` at a moment: the same judgement of the same events gives the same.
fn shown(log: &Log, client: SocketAddr, at: Timestamp) -> Option<TimeRange> {
    let timeout = Timeout { duration: TIMEOUT, source: TimeoutSource::Flag };
    let mut tracker = Tracker::new(Config { net_write_timeout: timeout, ..Config::default() });
    for event in log.events.iter().filter(|event| event.at <= at) {
        tracker.handle_event(event);
        while tracker.poll().is_some() {}
    }
    tracker.connections().find(|connection| connection.flow().client == client)?.abort()
}

/// What `observer report` says of a file, by client.
pub(crate) struct Reports(HashMap<SocketAddr, Report>);

#[derive(Deserialize)]
struct Document {
    schema: String,
    connections: Vec<Report>,
}

#[derive(Deserialize)]
struct Report {
    client: SocketAddr,
    abort: Option<TimeRange>,
    verdict: InReport,
    incomplete: Option<bool>,
    moments: Vec<Moment>,
}

#[derive(Deserialize)]
struct Moment {
    at: Timestamp,
    what: String,
}

impl Moment {
    /// Whether the server was said to have given up.
    fn is_loss(&self) -> bool {
        ["deadline", "gave_up"].contains(&self.what.as_str())
    }
}

#[derive(Deserialize)]
struct InReport {
    kind: VerdictKind,
    confidence: Confidence,
}

/// A verdict, as far as it is the same for everybody who has seen enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Said {
    #[serde(rename = "verdict")]
    pub(crate) kind: VerdictKind,
    pub(crate) confidence: Confidence,
    /// Whether the application lacks a part of the result.
    pub(crate) incomplete: Option<bool>,
}

impl Said {
    fn of(verdict: &Verdict) -> Self {
        Self { kind: verdict.kind, confidence: verdict.confidence, incomplete: verdict.incomplete }
    }
}

impl Report {
    fn said(&self) -> Said {
        let InReport { kind, confidence } = self.verdict;
        Said { kind, confidence, incomplete: self.incomplete }
    }
}

impl Reports {
    /// Has the real program report on `file`.
    pub(crate) fn of(file: &Path, port: u16) -> anyhow::Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_observer"));
        let (port, timeout) = (port.to_string(), TIMEOUT.as_secs().to_string());
        command.args(["report", "--format", "json", "--all", "--port", &port]);
        command.args(["--net-write-timeout", &timeout]).arg(file);
        let output = command.output().context("starting observer report")?;
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "observer report failed: {error}");
        let document: Document = serde_json::from_slice(&output.stdout).context("reading the report")?;
        ensure!(document.schema == "observer.report/1", "{}", document.schema);
        Ok(Self(document.connections.into_iter().map(|report| (report.client, report)).collect()))
    }

    fn of_client(&self, client: SocketAddr) -> Option<&Report> {
        self.0.get(&client)
    }
}
