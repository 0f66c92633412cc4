//! The incidents that go on, and which one a finding belongs to.

use std::collections::HashMap;

use observer_core::{ConnectionId, Finding, FindingKind, Severity};

use crate::talk::say;

/// Incidents that are followed at once. More of them at one moment are one of the server, and the log has them all.
const MOST: usize = 256;

/// The incidents of connections that have no verdict yet, each connection's last.
#[derive(Debug)]
pub(super) struct Followed {
    level: Severity,
    incidents: HashMap<ConnectionId, Incident>,
    /// Whether it was said that there is no room for more.
    has_said_full: bool,
}

#[derive(Debug)]
struct Incident {
    name: String,
    /// The connection has recovered; what is found of it from here on is another incident.
    has_recovered: bool,
}

impl Followed {
    /// None yet; findings of `level` and above make one.
    pub(super) fn new(level: Severity) -> Self {
        Self { level, incidents: HashMap::new(), has_said_full: false }
    }

    /// The name of the incident that a finding about a connection makes, or of the one that it tells more of. A new one has
    /// `name`, which begins with the time. Connections that are not `known` any more make room for others.
    pub(super) fn name(
        &mut self,
        connection: ConnectionId,
        finding: &Finding,
        name: impl FnOnce() -> String,
        is_known: impl Fn(ConnectionId) -> bool,
    ) -> Option<String> {
        let is_grave = finding.kind.severity() >= self.level;
        let is_outcome = matches!(finding.kind, FindingKind::Verdict(_) | FindingKind::Recovered { .. });
        let before = self.incidents.get(&connection);
        let is_new = before.is_none_or(|before| before.has_recovered && !is_outcome);
        if is_grave && is_new && (before.is_some() || self.has_room(is_known)) {
            self.incidents.insert(connection, Incident { name: name(), has_recovered: false });
        }
        if matches!(finding.kind, FindingKind::Verdict(_)) {
            return self.incidents.remove(&connection).map(|incident| incident.name);
        }
        let incident = self.incidents.get_mut(&connection).filter(|incident| !incident.has_recovered)?;
        incident.has_recovered = matches!(finding.kind, FindingKind::Recovered { .. });
        (is_grave || incident.has_recovered).then(|| incident.name.clone())
    }

    /// Whether there is room for another. What has recovered makes room, the oldest first.
    fn has_room(&mut self, is_known: impl Fn(ConnectionId) -> bool) -> bool {
        if self.incidents.len() >= MOST {
            self.incidents.retain(|connection, _| is_known(*connection));
        }
        if self.incidents.len() >= MOST {
            let recovered = self.incidents.iter().filter(|(_, incident)| incident.has_recovered);
            let oldest =
                recovered.min_by_key(|(_, incident)| &incident.name).map(|(connection, _)| *connection);
            oldest.map(|connection| self.incidents.remove(&connection));
        }
        let has_room = self.incidents.len() < MOST;
        if !has_room && !std::mem::replace(&mut self.has_said_full, true) {
            say(format_args!(
                "{MOST} incidents go on at once: further ones are in the log alone, as long as none of these ends or recovers"
            ));
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use observer_core::{Timestamp, WriteClock};

    use super::*;

    fn finding(kind: FindingKind) -> Finding {
        Finding::of_observation(Timestamp::EPOCH, kind)
    }

    fn lost() -> Finding {
        finding(FindingKind::ServerClosed { reset: true, unread: None, fails_at: None })
    }

    fn notice() -> Finding {
        finding(FindingKind::ClientClosed { reset: false })
    }

    fn recovered() -> Finding {
        let clock = None::<WriteClock>;
        finding(FindingKind::Recovered { stalled_for: Duration::from_secs(50), used: 1.0, clock })
    }

    fn verdict() -> Finding {
        let verdict = serde_json::json!({
            "kind": "net_write_timeout", "confidence": "certain", "sentence": "It was."
        });
        finding(FindingKind::Verdict(serde_json::from_value(verdict).unwrap()))
    }

    /// What becomes of a finding at `time`, when all connections are known.
    fn name(followed: &mut Followed, connection: u64, time: usize, finding: &Finding) -> Option<String> {
        followed.name(ConnectionId(connection), finding, || format!("{time:04}-{connection}"), |_| true)
    }

    /// The names that the findings of one connection have, one after the other.
    fn names(followed: &mut Followed, findings: &[Finding]) -> Vec<Option<String>> {
        let findings = findings.iter().enumerate();
        findings.map(|(time, finding)| name(followed, 7, time, finding)).collect()
    }

    fn some(names: &[Option<&str>]) -> Vec<Option<String>> {
        names.iter().map(|name| name.map(str::to_owned)).collect()
    }

    #[test]
    fn an_incident_has_one_name_until_its_verdict() {
        let mut followed = Followed::new(Severity::Lost);
        let findings = [notice(), recovered(), lost(), notice(), lost(), verdict(), verdict()];
        let first = Some("0002-7");
        assert_eq!(names(&mut followed, &findings), some(&[None, None, first, None, first, first, None]));
        assert!(followed.incidents.is_empty());
    }

    #[test]
    fn what_is_found_after_a_recovery_is_another_incident() {
        let mut followed = Followed::new(Severity::Lost);
        let findings = [lost(), recovered(), notice(), recovered(), lost(), recovered(), verdict()];
        let (first, second) = (Some("0000-7"), Some("0004-7"));
        assert_eq!(
            names(&mut followed, &findings),
            some(&[first, first, None, None, second, second, second])
        );
    }

    #[test]
    fn who_has_recovered_makes_room_the_oldest_first() {
        let mut followed = Followed::new(Severity::Lost);
        let all = 0..MOST as u64;
        assert!(all.clone().all(|n| name(&mut followed, n, 0, &lost()).is_some()));
        assert!(!followed.has_said_full);
        assert_eq!(name(&mut followed, 1000, 1, &lost()), None, "all of them go on");
        assert!(followed.has_said_full);
        for recovered_one in [20, 10] {
            assert!(name(&mut followed, recovered_one, 1, &recovered()).is_some());
        }
        assert!(name(&mut followed, 1000, 1, &lost()).is_some());
        assert_eq!(followed.incidents.len(), MOST);
        let gone: Vec<_> = all.filter(|n| !followed.incidents.contains_key(&ConnectionId(*n))).collect();
        assert_eq!(gone, [10]);
        // One that goes on anew needs no room.
        assert_eq!(name(&mut followed, 20, 2, &lost()).as_deref(), Some("0002-20"));
        assert_eq!(name(&mut followed, 1001, 2, &lost()), None);
        let is_known = |connection: ConnectionId| connection.0 != 30;
        let name = followed.name(ConnectionId(1001), &lost(), || "new".to_owned(), is_known);
        assert_eq!(name.as_deref(), Some("new"), "one was forgotten");
    }
}
