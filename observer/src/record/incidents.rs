//! Hears what is found, and has bundles written of it.

use observer_core::{Config, Connection, ConnectionId, Event, Finding, Severity, Timestamp, Tracker};

use super::bundle::{Bundle, Bundler};
use super::followed::Followed;
use crate::listener::Listener;
use crate::report::Accounts;
use crate::text::{in_name, time_in_name};

/// Hears what is found, and has a [`Bundle`] written of every connection with a finding of some severity: at once, at each
/// further finding of that severity, when it has recovered, and with its verdict.
#[derive(Debug)]
pub struct Incidents {
    place: String,
    accounts: Accounts,
    followed: Followed,
    bundler: Bundler,
}

impl Incidents {
    /// Of findings from `level` on, at `place`: `db1:3306`.
    pub fn new(place: String, level: Severity, config: Config, bundler: Bundler) -> Self {
        Self { place, accounts: Accounts::watching(config), followed: Followed::new(level), bundler }
    }
}

impl Listener for Incidents {
    fn event(&mut self, event: &Event, about: Option<ConnectionId>, tracker: &Tracker) {
        self.accounts.event(event, about, tracker);
    }

    fn finding(&mut self, finding: &Finding, tracker: &Tracker) {
        self.accounts.finding(finding, tracker);
        let Some(connection) = finding.connection.and_then(|id| tracker.connection(id)) else { return };
        let named = || name(finding.at, connection);
        let is_known = |id| tracker.connection(id).is_some();
        let Some(name) = self.followed.name(connection.id(), finding, named, is_known) else { return };
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
