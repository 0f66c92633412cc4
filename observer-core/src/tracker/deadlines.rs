//! What falls due by itself, and when.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::flow::ConnectionId;
use crate::time::Timestamp;

/// So long deadlines wait at most, whatever an event asks for.
const LONGEST: Duration = Duration::from_secs(60);

/// The deadlines of the few connections that have one.
#[derive(Clone, Debug, Default)]
pub(super) struct Deadlines {
    due: BTreeSet<(Timestamp, ConnectionId)>,
    /// None passes from the first of these moments until the second.
    waiting: Option<(Timestamp, Timestamp)>,
}

impl Deadlines {
    /// A connection has another deadline than before.
    pub(super) fn change(&mut self, id: ConnectionId, from: Option<Timestamp>, to: Option<Timestamp>) {
        if let Some(from) = from {
            self.due.remove(&(from, id));
        }
        if let Some(to) = to {
            self.due.insert((to, id));
        }
    }

    /// From `now` on none passes for so long. What is told later with an older stamp is from before, and passes those before it.
    pub(super) fn wait(&mut self, now: Timestamp, so_long: Duration) {
        self.waiting = Some((now, now + so_long.min(LONGEST)));
    }

    /// Whether none passes at `now`.
    pub(super) fn wait_at(&self, now: Timestamp) -> bool {
        self.waiting.is_some_and(|(from, until)| (from..until).contains(&now))
    }

    /// Nothing is waited for any more.
    pub(super) fn wait_no_more(&mut self) {
        self.waiting = None;
    }

    /// Takes the first deadline, if it lies before `now`, or at it where that is `included`.
    pub(super) fn pass(&mut self, now: Timestamp, included: bool) -> Option<(Timestamp, ConnectionId)> {
        if self.wait_at(now) {
            return None;
        }
        self.waiting = self.waiting.filter(|(from, _)| now < *from);
        self.due.first().filter(|(at, _)| *at < now || included && *at == now)?;
        self.due.pop_first()
    }

    /// When the next one passes.
    pub(super) fn next(&self) -> Option<Timestamp> {
        let (first, _) = *self.due.first()?;
        Some(self.waiting.map_or(first, |(_, until)| first.max(until)))
    }
}
