//! Which connections the list shows, and in which order, as the user wants it.

use std::cmp::Ordering;
use std::str::FromStr;
use std::time::Duration;

use observer_core::{Config, Connection, Phase, Timestamp, Tracker};

use super::keys::Typing;
use super::words;

/// What the list is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// The time that is left, and how bad it is.
    #[default]
    TimeLeft,
    /// The client's address.
    Client,
    /// The word for the state.
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

    /// How the user writes it: a word of the column's title.
    const fn name(self) -> &'static str {
        match self {
            Self::TimeLeft => "timeout",
            Self::Client => "client",
            Self::State => "state",
            Self::Window => "window",
            Self::Waiting => "waiting",
            Self::Stalled => "stalled",
        }
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

/// In which order the list stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// The column.
    pub sort: Sort,
    /// The other way round.
    pub reversed: bool,
}

impl FromStr for Order {
    type Err = String;

    /// `window`, or `-window` for the other way round.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, reversed) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
        let sort = Sort::ALL.into_iter().find(|sort| sort.name() == name).ok_or_else(|| {
            format!("not a column; one of {}, with - before it for the other way round", Self::names())
        })?;
        Ok(Self { sort, reversed })
    }
}

impl Order {
    /// The names of all columns that the list can be sorted by.
    pub fn names() -> String {
        Sort::ALL.map(Sort::name).join(", ")
    }
}

/// What the user wants the list to be like from the beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wishes {
    /// In which order it stands.
    pub order: Order,
    /// Only connections that have this; empty: all.
    pub filter: String,
    /// How long those that have ended stay.
    pub keep_ended: Duration,
}

impl Default for Wishes {
    fn default() -> Self {
        let keep_ended = Config::default().keep_ended;
        Self { order: Order::default(), filter: String::new(), keep_ended }
    }
}

/// How the list is arranged.
#[derive(Clone, Debug)]
pub(super) struct Arrangement {
    pub(super) order: Order,
    /// What a connection has to have in its addresses, its process or its state; empty: nothing.
    filter: String,
    /// The filter is being typed.
    typing: bool,
    /// How long those that have ended stay.
    keep_ended: Duration,
}

/// The longest filter, in letters.
pub const LONGEST_FILTER: usize = 40;

impl Arrangement {
    pub(super) fn new(wishes: Wishes) -> Self {
        let Wishes { order, filter, keep_ended } = wishes;
        let mut arrangement = Self { order, filter: String::new(), typing: false, keep_ended };
        filter.chars().for_each(|letter| arrangement.add(letter));
        arrangement
    }

    /// Sorts by the next column.
    pub(super) fn sort_by_next(&mut self) {
        self.order = Order { sort: self.order.sort.next(), reversed: false };
    }

    /// Sorts by a column; by the same again: the other way round.
    pub(super) fn sort_by(&mut self, sort: Sort) {
        self.order = Order { sort, reversed: self.order.sort == sort && !self.order.reversed };
    }

    /// Whether what is typed is the filter.
    pub(super) fn is_typing(&self) -> bool {
        self.typing
    }

    /// The filter is typed from here on.
    pub(super) fn begin_typing(&mut self) {
        self.typing = true;
    }

    /// Does to the filter what is typed.
    pub(super) fn typed(&mut self, typing: Typing) {
        match typing {
            Typing::Letter(letter) => self.add(letter),
            Typing::Erase => drop(self.filter.pop()),
            Typing::EraseAll => self.filter.clear(),
            Typing::Keep => self.typing = false,
            Typing::Drop => self.clear(),
        }
    }

    /// There is no filter.
    pub(super) fn clear(&mut self) {
        self.filter.clear();
        self.typing = false;
    }

    fn add(&mut self, letter: char) {
        if !letter.is_control() && self.filter.chars().count() < LONGEST_FILTER {
            self.filter.push(letter);
        }
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
    pub(super) fn shows(&self, connection: &Connection, tracker: &Tracker, now: Timestamp) -> bool {
        if connection.phase() == Phase::Closed && now.since(connection.last_seen()) >= self.keep_ended {
            return false;
        }
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
        let mut arrangement = Arrangement::new(Wishes::default());
        let letters = |arrangement: &mut Arrangement, text: &str| {
            text.chars().for_each(|letter| arrangement.typed(Typing::Letter(letter)));
        };
        assert_eq!(arrangement.words(), None);
        arrangement.begin_typing();
        assert_eq!(arrangement.words().as_deref(), Some("/_"));
        letters(&mut arrangement, "10\u{1b}.2");
        arrangement.typed(Typing::Erase);
        arrangement.typed(Typing::Keep);
        assert_eq!(arrangement.words().as_deref(), Some("/10."));
        arrangement.begin_typing();
        arrangement.typed(Typing::EraseAll);
        assert_eq!(arrangement.words().as_deref(), Some("/_"));
        arrangement.typed(Typing::Drop);
        assert_eq!(arrangement.words(), None);
        letters(&mut arrangement, &"x".repeat(1000));
        assert_eq!(arrangement.words().map(|words| words.len()), Some(LONGEST_FILTER + 1));
    }

    #[test]
    fn every_column_comes_in_its_turn() {
        let order = Order { reversed: true, ..Order::default() };
        let mut arrangement = Arrangement::new(Wishes { order, ..Wishes::default() });
        let seen = Sort::ALL.map(|_| {
            arrangement.sort_by_next();
            assert!(!arrangement.order.reversed);
            arrangement.order.sort
        });
        assert!(Sort::ALL.iter().all(|sort| seen.contains(sort)));
        assert_eq!(seen[5], Sort::TimeLeft);
    }

    #[test]
    fn the_same_column_again_turns_the_order_round() {
        let mut arrangement = Arrangement::new(Wishes::default());
        let by = |arrangement: &mut Arrangement, sort| {
            arrangement.sort_by(sort);
            arrangement.order.reversed
        };
        let asked = [Sort::Window, Sort::Window, Sort::Window, Sort::State];
        assert_eq!(asked.map(|sort| by(&mut arrangement, sort)), [false, true, false, false]);
    }

    #[test]
    fn an_order_is_written_as_the_column_with_a_sign_before_it() {
        for sort in Sort::ALL {
            assert_eq!(sort.name().parse(), Ok(Order { sort, reversed: false }));
            assert_eq!(format!("-{}", sort.name()).parse(), Ok(Order { sort, reversed: true }));
        }
        for bad in ["", "-", "--window", "Window", "process"] {
            let error = bad.parse::<Order>().unwrap_err();
            assert!(error.contains("timeout, client, state, window, waiting, stalled"), "{error}");
        }
    }
}
