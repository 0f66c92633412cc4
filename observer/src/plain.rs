//! Output without a terminal: one line per finding.

use std::convert::Infallible;
use std::io::Write;
use std::ops::ControlFlow;

use anyhow::Context as _;
use observer_core::{Finding, FindingKind, Severity, Timestamp, Tracker};

use crate::log;
use crate::output::Output;
use crate::text::safe;

/// Prints findings to one writer and talks about the observation itself on another.
///
/// A line: time (UTC), addresses, severity, sentence, two spaces between them.
#[derive(Debug)]
pub struct Plain<W, T> {
    lines: W,
    talk: T,
    log: log::Status,
    /// Whether the user was told who knows more about what is missing.
    advised: bool,
}

impl<W: Write, T: Write> Plain<W, T> {
    /// Prints findings to `lines` and talks on `talk`.
    pub fn new(lines: W, talk: T) -> Self {
        Self { lines, talk, log: log::Status::default(), advised: false }
    }

    /// Says something about the observation itself. Nobody has to be listening.
    fn say(&mut self, text: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.talk, "observer: {text}");
    }
}

impl<W: Write, T: Write> Output for Plain<W, T> {
    type Input = Infallible;

    fn finding(&mut self, finding: &Finding, _tracker: &Tracker) -> anyhow::Result<()> {
        if let FindingKind::Degraded { .. } = finding.kind {
            self.say(format_args!("{}", safe(&finding.sentence())));
            if !std::mem::replace(&mut self.advised, true) {
                self.say(format_args!("`observer doctor` says what can be done about it"));
            }
            return Ok(());
        }
        writeln!(self.lines, "{}", line(finding))
            .and_then(|()| self.lines.flush())
            .context("writing to standard output")
    }

    fn log_status(&mut self, status: &log::Status) {
        if self.log == *status {
            return;
        }
        match (&self.log.failing, &status.failing) {
            (None, Some(why)) => {
                self.say(format_args!("writing the log: {why}; the observation goes on without it"));
            }
            (Some(_), None) => {
                self.say(format_args!(
                    "the log is written again; {} events are missing in it",
                    status.events_missing
                ));
            }
            _ => {}
        }
        self.log = status.clone();
    }

    fn input(&mut self, input: Infallible, _tracker: &Tracker, _now: Timestamp) -> ControlFlow<()> {
        match input {}
    }
}

fn line(finding: &Finding) -> String {
    let addresses = match finding.flow {
        Some(flow) => format!("{} -> {}", flow.client, flow.server),
        None => "-".to_owned(),
    };
    let severity = match finding.kind.severity() {
        Severity::Notice => "notice",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
        Severity::Lost => "lost",
    };
    format!("{}  {addresses}  {severity}  {}", finding.at, safe(&finding.sentence()))
}
