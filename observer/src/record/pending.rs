//! The bundles that wait to be written, each incident once.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::bundle::Bundle;

/// An incident is not written more often: the log is looked through for it each time.
const AGAIN: Duration = Duration::from_secs(5);
/// Written at once at most: each has a file open while the log is looked through.
const AT_ONCE: usize = 64;
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
    /// These are to be written: one at least.
    Write(Vec<Bundle>),
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

    /// Those that are due, the first ones first. At the end of it all nothing waits any longer.
    pub(super) fn next(&mut self, now: Instant, is_end: bool) -> Next {
        self.waiting.sort_by_key(|(due, _)| *due);
        let count = self.waiting.partition_point(|(due, _)| *due <= now || is_end).min(AT_ONCE);
        if count == 0 {
            return self.waiting.first().map_or(Next::Nothing, |(due, _)| Next::At(*due));
        }
        let bundles: Vec<_> = self.waiting.drain(..count).map(|(_, bundle)| bundle).collect();
        self.written.extend(bundles.iter().map(|bundle| (bundle.name.clone(), now)));
        Next::Write(bundles)
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

    fn written(pending: &mut Pending, now: Instant, is_end: bool) -> Vec<(String, i64)> {
        match pending.next(now, is_end) {
            Next::Write(bundles) => {
                bundles.into_iter().map(|bundle| (bundle.name, bundle.since.as_micros())).collect()
            }
            Next::At(_) | Next::Nothing => Vec::new(),
        }
    }

    fn one(name: &str, known: i64) -> Vec<(String, i64)> {
        vec![(name.to_owned(), known)]
    }

    #[test]
    fn the_first_is_written_at_once_and_the_others_as_one() {
        let (mut pending, start) = (Pending::default(), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        pending.add(bundle("a", 1), at(0)).unwrap();
        assert_eq!(written(&mut pending, at(0), false), one("a", 1));
        // A finding, the server's FIN, the verdict.
        for known in 2..5 {
            pending.add(bundle("a", known), at(100)).unwrap();
            assert!(matches!(pending.next(at(200), false), Next::At(due) if due == at(5_000)));
        }
        // It keeps nobody else waiting.
        pending.add(bundle("b", 1), at(300)).unwrap();
        assert_eq!(written(&mut pending, at(300), false), one("b", 1));
        assert_eq!(written(&mut pending, at(5_000), false), one("a", 4));
        assert!(matches!(pending.next(at(60_000), false), Next::Nothing));
        pending.add(bundle("a", 5), at(60_000)).unwrap();
        assert_eq!(written(&mut pending, at(60_000), false), one("a", 5), "much later");
    }

    #[test]
    fn at_the_end_nothing_waits() {
        let (mut pending, now) = (Pending::default(), Instant::now());
        for (name, known) in [("a", 1), ("b", 1), ("a", 2), ("a", 3)] {
            pending.add(bundle(name, known), now).unwrap();
            if known == 1 {
                assert_eq!(written(&mut pending, now, false), one(name, 1));
            }
        }
        assert_eq!(written(&mut pending, now, false), []);
        assert_eq!(written(&mut pending, now, true), one("a", 3));
        assert!(matches!(pending.next(now, true), Next::Nothing));
    }

    #[test]
    fn there_is_a_limit_that_no_incident_known_already_meets() {
        let (mut pending, now) = (Pending::default(), Instant::now());
        let refused = (0..2 * WAITING).filter(|n| pending.add(bundle(&n.to_string(), 1), now).is_err());
        assert_eq!(refused.count(), WAITING);
        pending.add(bundle("7", 2), now).unwrap();
        let turns =
            std::iter::from_fn(|| Some(written(&mut pending, now, false)).filter(|turn| !turn.is_empty()));
        let turns: Vec<_> = turns.collect();
        assert!(turns.iter().all(|turn| turn.len() == AT_ONCE));
        let mut all = turns.concat();
        assert_eq!(all.len(), WAITING);
        assert_eq!(all.remove(7), ("7".to_owned(), 2));
        for second in 0..10_000 {
            let now = now + Duration::from_secs(second);
            pending.add(bundle(&format!("later {second}"), 1), now).unwrap();
            assert_eq!(written(&mut pending, now, false).len(), 1);
        }
        assert!(pending.written.len() <= 6, "{}", pending.written.len());
    }
}
