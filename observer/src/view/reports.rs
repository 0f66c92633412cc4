//! The reports that the user asks for with a key, and what is said of them.

use std::path::{self, PathBuf};

use nix::unistd::geteuid;
use observer_core::{Config, Connection, ConnectionId, Event, Finding, Timestamp, Tracker};
use ratatui::style::Style;

use super::theme;
use crate::privilege::{Capability, with};
use crate::report::{self, Accounts};
use crate::text::{fit, safe, width};

/// What a report of any connection in trouble needs, kept while it is watched.
#[derive(Debug)]
pub(super) struct Reports {
    /// Host and ports, or the name of the recording.
    place: String,
    /// Where reports are written to.
    pub(super) directory: PathBuf,
    config: Config,
    accounts: Accounts,
}

impl Reports {
    pub(super) fn new(place: &str, config: Config) -> Self {
        let accounts = Accounts::watching(config.clone());
        Self { place: place.to_owned(), directory: PathBuf::from("."), config, accounts }
    }

    /// Takes an event.
    pub(super) fn event(&mut self, event: &Event, about: Option<ConnectionId>, tracker: &Tracker) {
        self.accounts.event(event, about, tracker);
    }

    /// Takes a finding.
    pub(super) fn finding(&mut self, finding: &Finding, tracker: &Tracker) {
        self.accounts.finding(finding, tracker);
    }

    /// Forgets what was observed.
    pub(super) fn restart(&mut self) {
        self.accounts = Accounts::watching(self.config.clone());
    }

    /// Writes the report of a connection; what is to be said of that.
    pub(super) fn write(&self, connection: &Connection, now: Timestamp, tracker: &Tracker) -> Notice {
        let report = self.accounts.report_on(connection, &self.place, now, tracker);
        match with(Capability::DacOverride, || report::write(&report, &self.directory)) {
            Ok(written) => {
                let whole = path::absolute(&written).unwrap_or_else(|_| written.clone());
                let name = written.file_name().unwrap_or_default().to_string_lossy();
                let owner = if geteuid().is_root() { "root's, " } else { "" };
                let forms = vec![
                    format!("Report written to {} and .html ({owner}mode 0640)", whole.display()),
                    format!("Report: {name}, .html ({owner}0640)"),
                    format!("Report: {name}, .html"),
                    name.into_owned(),
                ];
                Notice { forms, style: theme::GOOD }
            }
            Err(error) => {
                let forms =
                    vec![format!("No report: {error:#}"), format!("No report: {}", error.root_cause())];
                Notice { forms, style: theme::CRITICAL }
            }
        }
    }
}

/// What is said in answer to a key, until the next one.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    /// The longest first.
    forms: Vec<String>,
    pub(super) style: Style,
}

impl Notice {
    /// The picture stands still and shows a connection that has long ended.
    pub(super) fn forgotten() -> Self {
        let text = "No report: the connection has ended and is forgotten; the log has it";
        Self { forms: vec![text.to_owned()], style: theme::CRITICAL }
    }

    /// As much as fits into `cells`.
    pub(super) fn words(&self, cells: usize) -> String {
        let text = self.forms.iter().find(|text| width(text) <= cells).or(self.forms.last());
        text.map_or_else(String::new, |text| fit(&safe(text), cells))
    }
}
