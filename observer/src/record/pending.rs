//! The bundles that wait to be written, each incident once.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::bundle::Bundle;

/// An incident is not written more often: the log is looked through for it each time.
const AGAIN: Duration = Duration::from_secs(5);
/// Incidents that may wait at once, each with a report of at most some 40 kB. As many are followed at once.
const WAITING: usize = 256;

/// Bundles that wait. What comes of an incident while it waits takes the place of what was known before.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// Each with the time from which on it may be written.
    waiting: Vec<(Instant, Bundle)>,
    /// When each was written last, as long as that matters.
    written: HashMap<String, Instant>,
}

/// What is to be done now.
#[derive(Debug)]
pub(super) enum Next {
    /// This one is to be written.
    Write(Box<Bundle>),
    /// Nothing before this time.
    At(Instant),
    /// Nothing.
    Nothing,
}

impl Pending {
    /// Takes one. An incident that was not written for a while is written at once, so that there is something of it
    /// whatever happens.
    ///
    /// # Errors
    ///
    /// Gives it back when there is no room for another incident.
    pub(super) fn add(&mut self, bundle: Bundle, now: Instant) -> Result<(), Box<Bundle>> {
        if let Some((_, known)) = self.waiting.iter_mut().find(|(_, known)| known.name == bundle.name) {
            *known = bundle;
            return Ok(());
        }
        if self.waiting.len() >= WAITING {
            return Err(Box::new(bundle));
        }
        self.written.retain(|_, at| now.duration_since(*at) < AGAIN);
        let due = self.written.get(&bundle.name).map_or(now, |at| *at + AGAIN);
        self.waiting.push((due, bundle));
        Ok(())
    }

    /// The one that is due first. At the end of it all nothing waits any longer.
    pub(super) fn next(&mut self, now: Instant, is_end: bool) -> Next {
        let first = self.waiting.iter().enumerate().min_by_key(|(_, (due, _))| *due);
        match first.map(|(index, (due, _))| (index, *due)) {
            Some((index, due)) if due <= now || is_end => {
                let (_, bundle) = self.waiting.remove(index);
                self.written.insert(bundle.name.clone(), now);
                Next::Write(Box::new(bundle))
            }
            Some((_, due)) => Next::At(due),
            None => Next::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use observer_core::{Flow, Timestamp};

    use super::*;
    use crate::report::Report;

    /// What is known of an incident; how much, is told by `since`.
    fn bundle(name: &str, known: i64) -> Bundle {
        let address = SocketAddr::from(([10, 0, 0, 1], 3306));
        let flow = Flow { client: address, server: address };
        let since = Timestamp::from_micros(known);
        Bundle { name: name.to_owned(), report: Report::default(), flow, since }
    }

    fn written(pending: &mut Pending, now: Instant, is_end: bool) -> Option<(String, i64)> {
        match pending.next(now, is_end) {
            Next::Write(bundle) => Some((bundle.name.clone(), bundle.since.as_micros())),
            Next::At(_) | Next::Nothing => None,
        }
    }

    #[test]
    fn the_first_is_written_at_once_and_the_others_as_one() {
        let (mut pending, start) = (Pending::default(), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        pending.add(bundle("a", 1), at(0)).unwrap();
        assert_eq!(written(&mut pending, at(0), false), Some(("a".to_owned(), 1)));
        // A finding, the server's FIN, the verdict.
        for known in 2..5 {
            pending.add(bundle("a", known), at(100)).unwrap();
            assert!(matches!(pending.next(at(200), false), Next::At(due) if due == at(5_000)));
        }
        // It keeps nobody else waiting.
        pending.add(bundle("b", 1), at(300)).unwrap();
        assert_eq!(written(&mut pending, at(300), false), Some(("b".to_owned(), 1)));
        assert_eq!(written(&mut pending, at(5_000), false), Some(("a".to_owned(), 4)));
        assert!(matches!(pending.next(at(60_000), false), Next::Nothing));
        pending.add(bundle("a", 5), at(60_000)).unwrap();
        assert_eq!(written(&mut pending, at(60_000), false), Some(("a".to_owned(), 5)), "much later");
    }

    #[test]
    fn at_the_end_nothing_waits() {
        let (mut pending, now) = (Pending::default(), Instant::now());
        for (name, known) in [("a", 1), ("b", 1), ("a", 2), ("a", 3)] {
            pending.add(bundle(name, known), now).unwrap();
            if known == 1 {
                written(&mut pending, now, false).unwrap();
            }
        }
        assert_eq!(written(&mut pending, now, false), None);
        assert_eq!(written(&mut pending, now, true), Some(("a".to_owned(), 3)));
        assert!(matches!(pending.next(now, true), Next::Nothing));
    }

    #[test]
    fn there_is_a_limit_that_no_incident_known_already_meets() {
        let (mut pending, now) = (Pending::default(), Instant::now());
        let refused = (0..2 * WAITING).filter(|n| pending.add(bundle(&n.to_string(), 1), now).is_err());
        assert_eq!(refused.count(), WAITING);
        pending.add(bundle("7", 2), now).unwrap();
        let mut all: Vec<_> = std::iter::from_fn(|| written(&mut pending, now, false)).collect();
        assert_eq!(all.len(), WAITING);
        assert_eq!(all.remove(7), ("7".to_owned(), 2));
        for second in 0..10_000 {
            let now = now + Duration::from_secs(second);
            pending.add(bundle(&format!("later {second}"), 1), now).unwrap();
            written(&mut pending, now, false).unwrap();
        }
        assert!(pending.written.len() <= 6, "{}", pending.written.len());
    }
}
