//! Output without a terminal: one line per finding.

use std::convert::Infallible;
use std::io::Write;
use std::ops::ControlFlow;

use anyhow::Context as _;
use observer_core::{Finding, FindingKind, Severity, Timestamp, Tracker};

use crate::log;
use crate::output::Output;
use crate::text::{safe, severity};

/// Prints findings to one writer and talks about the observation itself on another.
///
/// A line: time (UTC), addresses, severity, sentence, two spaces between them.
#[derive(Debug)]
pub struct Plain<W, T> {
    lines: W,
    talk: T,
    /// Whether the lines go to a journal, which stamps them and wants their priority.
    is_journal: bool,
    log: log::Status,
    /// Whether the user was told who knows more about what is missing.
    advised: bool,
}

impl<W: Write, T: Write> Plain<W, T> {
    /// Prints findings to `lines` and talks on `talk`.
    pub fn new(lines: W, talk: T) -> Self {
        Self { lines, talk, is_journal: false, log: log::Status::default(), advised: false }
    }

    /// The same for a journal, if it is one: without the time and with the priority (sd-daemon(3)).
    #[must_use]
    pub fn for_journal(self, is_journal: bool) -> Self {
        Self { is_journal, ..self }
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
        writeln!(self.lines, "{}", if self.is_journal { journal_line(finding) } else { line(finding) })
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
    let severity = severity(finding.kind.severity());
    format!("{}  {}  {severity}  {}", finding.at, addresses(finding), safe(&finding.sentence()))
}

/// With the priorities of syslog(3): a loss is an error, what is still at risk a warning.
fn journal_line(finding: &Finding) -> String {
    let priority = match finding.kind.severity() {
        Severity::Notice => 5,
        Severity::Warning | Severity::Critical => 4,
        Severity::Lost => 3,
    };
    format!("<{priority}>{}  {}", addresses(finding), safe(&finding.sentence()))
}

fn addresses(finding: &Finding) -> String {
    finding.flow.map_or_else(|| "-".to_owned(), |flow| format!("{} -> {}", flow.client, flow.server))
}

#[cfg(test)]
mod tests {
    use observer_core::Config;

    use super::*;

    /// What is printed of a finding about a connection, given as the log has it.
    fn printed(is_journal: bool, finding: &str) -> String {
        let connection =
            r#""at":"2024-05-04T14:04:29.204000Z","client":"10.2.7.31:51844","server":"10.2.0.5:3306""#;
        let finding = serde_json::from_str(&format!("{{{connection},{finding}}}")).unwrap();
        let (mut lines, mut talk) = (Vec::new(), Vec::new());
        let mut plain = Plain::new(&mut lines, &mut talk).for_journal(is_journal);
        plain.finding(&finding, &Tracker::new(Config::default())).unwrap();
        assert!(talk.is_empty(), "{talk:?}");
        String::from_utf8(lines).unwrap()
    }

    #[test]
    fn a_journal_is_told_the_priority_and_not_the_time() {
        let clock = r#""clock":{"started":{"earliest":"2024-05-04T14:03:41.204000Z","latest":"2024-05-04T14:03:41.204000Z"},
            "timeout":{"seconds":60.0,"source":"assumed"}},"used":0.8"#;
        for (priority, severity, finding) in [
            // LOG_NOTICE, LOG_WARNING and LOG_ERR.
            (5, "notice", r#""finding":"client_closed","reset":false"#),
            (4, "critical", &format!(r#""finding":"critical",{clock}"#)),
            (3, "lost", r#""finding":"events_lost","count":12,"total":12,"lost_by":"ring_buffer""#),
        ] {
            let (journal, plain) = (printed(true, finding), printed(false, finding));
            let (addresses, sentence) = journal.split_once("  ").unwrap();
            assert_eq!(addresses, format!("<{priority}>10.2.7.31:51844 -> 10.2.0.5:3306"));
            let time = "2024-05-04T14:04:29.204000Z";
            assert_eq!(plain, format!("{time}  {}  {severity}  {sentence}", &addresses[3..]));
        }
    }
}
