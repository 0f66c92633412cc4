//! Which connections the list shows, and in which order, as the user wants it.

use std::cmp::Ordering;

use observer_core::{Connection, Tracker};

use super::words;

/// What the list is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    /// The time that is left, and how bad it is.
    #[default]
    TimeLeft,
    Client,
    State,
    /// The smallest window first.
    Window,
    /// The most bytes that wait first.
    Waiting,
    /// The longest stall first.
    Stalled,
}

impl Sort {
    const ALL: [Self; 6] =
        [Self::TimeLeft, Self::Client, Self::State, Self::Window, Self::Waiting, Self::Stalled];

    fn next(self) -> Self {
        let place = Self::ALL.iter().position(|sort| *sort == self).unwrap_or(0);
        Self::ALL[(place + 1) % Self::ALL.len()]
    }

    /// In which order two connections stand by this alone.
    pub(super) fn compare(self, one: &Connection, other: &Connection) -> Ordering {
        match self {
            Self::TimeLeft | Self::Client => Ordering::Equal,
            Self::State => one.state_word().cmp(other.state_word()),
            Self::Window => {
                let window = |connection: &Connection| connection.window().unwrap_or(u32::MAX);
                window(one).cmp(&window(other))
            }
            Self::Waiting => words::waiting(other).cmp(&words::waiting(one)),
            Self::Stalled => {
                // One that does not stand still comes behind all that do.
                let since = |connection: &Connection| {
                    (connection.window_closed_since().is_none(), connection.window_closed_since())
                };
                since(one).cmp(&since(other))
            }
        }
    }
}

/// How the list is arranged.
#[derive(Clone, Debug, Default)]
pub(super) struct Arrangement {
    pub(super) sort: Sort,
    /// The last first.
    pub(super) reversed: bool,
    /// What a connection has to have in its addresses, its process or its state; empty: nothing.
    filter: String,
    /// The filter is being typed.
    typing: bool,
}

/// The longest filter.
const LONGEST: usize = 40;

impl Arrangement {
    /// Sorts by the next column.
    pub(super) fn sort_by_next(&mut self) {
        (self.sort, self.reversed) = (self.sort.next(), false);
    }

    /// Whether what is typed is the filter.
    pub(super) fn is_typing(&self) -> bool {
        self.typing
    }

    /// The filter is typed from here on.
    pub(super) fn begin_typing(&mut self) {
        self.typing = true;
    }

    /// The filter is as it was typed.
    pub(super) fn end_typing(&mut self) {
        self.typing = false;
    }

    /// There is no filter.
    pub(super) fn clear(&mut self) {
        self.filter.clear();
        self.typing = false;
    }

    /// One letter more.
    pub(super) fn typed(&mut self, letter: char) {
        if !letter.is_control() && self.filter.chars().count() < LONGEST {
            self.filter.push(letter);
        }
    }

    /// One letter less.
    pub(super) fn erase(&mut self) {
        self.filter.pop();
    }

    /// Whether a filter is set.
    pub(super) fn is_filtered(&self) -> bool {
        !self.filter.is_empty()
    }

    /// The filter for the header; `None` without one.
    pub(super) fn words(&self) -> Option<String> {
        let cursor = if self.typing { "_" } else { "" };
        (self.typing || self.is_filtered()).then(|| format!("/{}{cursor}", self.filter))
    }

    /// Whether a connection is to be shown. What costs most is asked for last.
    pub(super) fn shows(&self, connection: &Connection, tracker: &Tracker) -> bool {
        if !self.is_filtered() {
            return true;
        }
        let wanted = self.filter.to_lowercase();
        let has = |text: &str| text.to_lowercase().contains(&wanted);
        let (flow, at) = (connection.flow(), connection.last_seen());
        has(connection.state_word())
            || has(&flow.client.to_string())
            || has(&flow.server.to_string())
            || words::process(connection).is_some_and(|process| has(&process))
            || connection.ending().is_some()
                && has(&connection.verdict_kind(at, tracker.config()).0.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_typed_kept_and_cleared() {
        let mut arrangement = Arrangement::default();
        assert_eq!(arrangement.words(), None);
        arrangement.begin_typing();
        assert_eq!(arrangement.words().as_deref(), Some("/_"));
        "10\u{1b}.2".chars().for_each(|letter| arrangement.typed(letter));
        arrangement.erase();
        arrangement.end_typing();
        assert_eq!(arrangement.words().as_deref(), Some("/10."));
        arrangement.clear();
        assert_eq!(arrangement.words(), None);
        (0..1000).for_each(|_| arrangement.typed('x'));
        assert_eq!(arrangement.words().map(|words| words.len()), Some(LONGEST + 1));
    }

    #[test]
    fn every_column_comes_in_its_turn() {
        let mut arrangement = Arrangement { reversed: true, ..Arrangement::default() };
        let seen: Vec<_> = Sort::ALL
            .iter()
            .map(|_| {
                arrangement.sort_by_next();
                assert!(!arrangement.reversed);
                arrangement.sort
            })
            .collect();
        assert_eq!((seen.len(), seen[5]), (6, Sort::TimeLeft));
    }
}
