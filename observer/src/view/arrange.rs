//! Which connections the list shows, and in which order, as the user wants it.

use std::time::Duration;

use observer_core::{Config, Connection, Phase, Timestamp, Tracker};

use super::columns::Columns;
use super::filter::Filter;
use super::keys::Typing;
use super::order::{Order, Sort};

/// What the user wants the list to be like from the beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wishes {
    /// In which order it stands.
    pub order: Order,
    /// Only connections that have this; empty: all.
    pub filter: String,
    /// Which columns it has.
    pub columns: Columns,
    /// How long those that have ended stay.
    pub keep_ended: Duration,
}

impl Default for Wishes {
    fn default() -> Self {
        let keep_ended = Config::default().keep_ended;
        Self { order: Order::default(), filter: String::new(), columns: Columns::default(), keep_ended }
    }
}

/// How the list is arranged.
#[derive(Clone, Debug)]
pub(super) struct Arrangement {
    pub(super) order: Order,
    pub(super) columns: Columns,
    /// What a connection has to have somewhere; empty: nothing.
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
        let Wishes { order, filter, columns, keep_ended } = wishes;
        let mut arrangement = Self { order, columns, filter: String::new(), typing: false, keep_ended };
        filter.chars().for_each(|letter| arrangement.add(letter));
        arrangement
    }

    /// Sorts by the next column.
    pub(super) fn sort_by_next(&mut self) {
        self.order = self.order.next();
    }

    /// Sorts by a column; by the same again: the other way round.
    pub(super) fn sort_by(&mut self, sort: Sort) {
        self.order = self.order.by(sort);
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

    /// Tells of each connection whether it is to be shown.
    pub(super) fn shown<'a>(
        &'a self,
        tracker: &'a Tracker,
        now: Timestamp,
    ) -> impl FnMut(&Connection) -> bool + 'a {
        let mut filter = Filter::new(&self.filter, tracker);
        move |connection| {
            let is_over =
                connection.phase() == Phase::Closed && now.since(connection.last_seen()) >= self.keep_ended;
            !is_over && filter.shows(connection)
        }
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
}
