//! Which connections are incidents, and when there is more to be told of one.

use std::collections::HashMap;

use observer_core::{
    Config, Connection, ConnectionId, Event, Finding, FindingKind, Severity, Timestamp, Tracker,
};

use super::bundle::{Bundle, Bundler};
use crate::listener::Listener;
use crate::report::Accounts;
use crate::text::{in_name, time_in_name};

/// Incidents that are followed at once. More of them at one moment are one of the server, and the log has them all.
const FOLLOWED: usize = 256;

/// Hears what is found, and has a [`Bundle`] written of every connection with a finding of some severity: at once, at each
/// further finding of that severity, and with its verdict.
#[derive(Debug)]
pub struct Incidents {
    place: String,
    level: Severity,
    accounts: Accounts,
    /// Those that have no verdict yet, by name.
    open: HashMap<ConnectionId, String>,
    bundler: Bundler,
}

impl Incidents {
    /// Of findings from `level` on, at `place`: `db1:3306`.
    pub fn new(place: String, level: Severity, config: Config, bundler: Bundler) -> Self {
        Self { place, level, accounts: Accounts::watching(config), open: HashMap::new(), bundler }
    }

    /// The name of the incident that a finding belongs to, if it is one.
    fn name(&mut self, finding: &Finding, connection: &Connection, tracker: &Tracker) -> Option<String> {
        let id = connection.id();
        if finding.kind.severity() >= self.level && !self.open.contains_key(&id) {
            if self.open.len() >= FOLLOWED {
                self.open.retain(|id, _| tracker.connection(*id).is_some());
            }
            if self.open.len() < FOLLOWED {
                self.open.insert(id, name(finding.at, connection));
            }
        }
        match finding.kind {
            FindingKind::Verdict(_) => self.open.remove(&id),
            FindingKind::Recovered { .. } => self.open.get(&id).cloned(),
            _ if finding.kind.severity() >= self.level => self.open.get(&id).cloned(),
            _ => None,
        }
    }
}

impl Listener for Incidents {
    fn event(&mut self, event: &Event, about: Option<ConnectionId>, tracker: &Tracker) {
        self.accounts.event(event, about, tracker);
    }

    fn finding(&mut self, finding: &Finding, tracker: &Tracker) {
        self.accounts.finding(finding, tracker);
        let Some(connection) = finding.connection.and_then(|id| tracker.connection(id)) else { return };
        let Some(name) = self.name(finding, connection, tracker) else { return };
        self.bundler.write(Bundle {
            name,
            report: self.accounts.report_on(connection, &self.place, finding.at, tracker),
            flow: connection.flow(),
            since: connection.first_seen(),
        });
    }
}

/// `20240504T140348Z-10.2.7.31-51844`: when it was first found, and the client.
fn name(at: Timestamp, connection: &Connection) -> String {
    let client = connection.flow().client.to_string();
    time_in_name(at).chars().chain(['-']).chain(in_name(&client)).collect()
}
