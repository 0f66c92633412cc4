//! When a server is asked, and when for the whole of its process list.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use observer_core::{SocketRef, Timestamp};

use super::questions::CLOSELY;
use super::roll::{Named, Roll};

/// Between two questions while nothing stands still.
const CALM: Duration = Duration::from_secs(10);

/// Between two questions while something does, and between two whole lists at the least.
const TROUBLED: Duration = Duration::from_secs(1);

/// Between two questions at the least: when something begins to stand still, or has passed its deadline.
const AT_ONCE: Duration = Duration::from_millis(200);

/// What was asked so far.
pub(super) struct Pace {
    /// The last question.
    asked_at: Timestamp,
    /// The last whole list, and who was looked for in it.
    all_at: Timestamp,
    all: Arc<Vec<Named>>,
    /// Those that stood still at the last question.
    troubled: HashSet<SocketRef>,
    /// Those of them that are in no list: another server's. They are looked for again when all are.
    strangers: HashSet<SocketRef>,
}

impl Pace {
    /// Nothing was asked yet.
    pub(super) fn new() -> Self {
        let epoch = Timestamp::EPOCH;
        Self {
            asked_at: epoch,
            all_at: epoch,
            all: Arc::default(),
            troubled: HashSet::new(),
            strangers: HashSet::new(),
        }
    }

    /// When to ask next.
    pub(super) fn due(&self, roll: &Roll, now: Timestamp) -> Timestamp {
        let calm = if self.has_news(roll) {
            (self.asked_at + AT_ONCE).max(self.all_at + TROUBLED)
        } else {
            self.all_at + CALM
        };
        let mut troubled =
            roll.troubled.iter().filter(|named| !self.strangers.contains(&named.socket)).peekable();
        if troubled.peek().is_none() {
            return calm;
        }
        // mysqld takes a moment to end a session after its time is up.
        let deadlines = troubled.clone().filter_map(|named| named.due.map(|due| due + AT_ONCE));
        let deadline = deadlines.filter(|due| *due > self.asked_at).min();
        let is_new = troubled.any(|named| !self.troubled.contains(&named.socket));
        let next = self.asked_at + if is_new { AT_ONCE } else { TROUBLED };
        next.min(deadline.unwrap_or(next).max(self.asked_at + AT_ONCE)).min(calm.max(now))
    }

    /// Whether to ask for the whole list: all connections were named anew, or one of which nothing is known stands still.
    pub(super) fn wants_all(
        &self,
        roll: &Roll,
        now: Timestamp,
        is_known: impl Fn(&SocketRef) -> bool,
    ) -> bool {
        let is_new = |socket: &SocketRef| !is_known(socket) && !self.strangers.contains(socket);
        self.all_at + TROUBLED <= now
            && (self.renews(roll, now) || closely(roll).any(|socket| is_new(&socket)))
    }

    /// The whole list was asked for.
    pub(super) fn asked_for_all(
        &mut self,
        roll: &Roll,
        now: Timestamp,
        is_known: impl Fn(&SocketRef) -> bool,
    ) {
        if self.renews(roll, now) {
            self.strangers.clear();
        }
        self.strangers.extend(closely(roll).filter(|socket| !is_known(socket)));
        (self.all_at, self.all) = (now, Arc::clone(&roll.all));
    }

    /// A question was asked.
    pub(super) fn asked(&mut self, roll: &Roll, now: Timestamp) {
        self.asked_at = now;
        self.troubled = roll.troubled.iter().map(|named| named.socket).collect();
    }

    fn renews(&self, roll: &Roll, now: Timestamp) -> bool {
        self.has_news(roll) || self.all_at + CALM <= now
    }

    /// Whether all connections were named anew.
    fn has_news(&self, roll: &Roll) -> bool {
        !Arc::ptr_eq(&self.all, &roll.all)
    }
}

/// Those that stand still, as many as are asked about.
pub(super) fn closely(roll: &Roll) -> impl Iterator<Item = SocketRef> {
    roll.troubled.iter().take(CLOSELY).map(|named| named.socket)
}

#[cfg(test)]
mod tests {
    use observer_core::{Flow, Vantage};

    use super::*;

    fn named(port: u16) -> Named {
        let flow = Flow {
            client: (std::net::Ipv4Addr::LOCALHOST, port).into(),
            server: "10.0.0.2:3306".parse().unwrap(),
        };
        Named {
            socket: SocketRef { flow, seen_at: Vantage::Client, cookie: None },
            thread_id: None,
            is_server_here: false,
            is_troubled: true,
            due: None,
        }
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_micros(millis * 1_000)
    }

    /// What is asked in this time: how often, and how often for the whole list. Nothing of it is this server's.
    fn asked(pace: &mut Pace, millis: std::ops::Range<i64>, roll: impl Fn(i64) -> Roll) -> (usize, usize) {
        let (mut questions, mut lists) = (0, 0);
        for millis in millis.step_by(50) {
            let (now, roll) = (at(millis), roll(millis));
            if pace.due(&roll, now) > now {
                continue;
            }
            questions += 1;
            if pace.wants_all(&roll, now, |_| false) {
                lists += 1;
                pace.asked_for_all(&roll, now, |_| false);
            }
            pace.asked(&roll, now);
        }
        (questions, lists)
    }

    #[test]
    fn in_calm_the_list_is_asked_for_when_all_are_named() {
        let rolls = [Roll::default(), Roll::default(), Roll::default()];
        let mut pace = Pace::new();
        let each_ten_seconds = |millis| rolls[usize::try_from((millis - 100_000) / 10_000).unwrap()].clone();
        assert_eq!(asked(&mut pace, 100_000..130_000, each_ten_seconds), (3, 3));
    }

    #[test]
    fn what_another_server_has_is_looked_for_once() {
        let all = Arc::default();
        let brief = |millis| Roll {
            all: Arc::clone(&all),
            troubled: Arc::new(if (millis - 100_000) % 300 < 100 { vec![named(1)] } else { Vec::new() }),
        };
        let mut pace = Pace::new();
        assert_eq!(asked(&mut pace, 100_000..109_900, brief), (1, 1));
        // All are looked for again, and it after them.
        let (_, lists) = asked(&mut pace, 110_000..119_000, brief);
        assert_eq!(lists, 2);
    }

    #[test]
    fn many_that_are_new_take_a_list_a_second() {
        let all = Arc::default();
        let others = |millis: i64| Roll {
            all: Arc::clone(&all),
            troubled: Arc::new(vec![named(u16::try_from((millis - 100_000) / 100).unwrap())]),
        };
        let (_, lists) = asked(&mut Pace::new(), 100_000..105_000, others);
        assert_eq!(lists, 5);
    }

    #[test]
    fn one_that_stands_still_is_asked_about_each_second_and_at_its_deadline() {
        let all = Arc::default();
        let mut one = named(1);
        one.due = Some(at(102_500));
        let roll = Roll { all, troubled: Arc::new(vec![one]) };
        let mut pace = Pace::new();
        pace.asked_for_all(&roll, at(100_000), |_| true);
        assert_eq!(pace.due(&roll, at(100_000)), Timestamp::EPOCH + AT_ONCE, "it has just begun to");
        pace.asked(&roll, at(100_000));
        assert_eq!(pace.due(&roll, at(100_000)), at(101_000));
        pace.asked(&roll, at(102_000));
        assert_eq!(pace.due(&roll, at(102_000)), at(102_700));
    }
}
