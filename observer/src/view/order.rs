//! In which order the list stands: by which column, and which way round.

use std::str::FromStr;

use observer_core::{Connection, Process};

use super::words;

/// What the list is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// The time that is left, and how bad it is.
    #[default]
    TimeLeft,
    /// The client's address.
    Client,
    /// The process by its name; those without one last.
    Process,
    /// The server's thread; those without one last.
    Thread,
    /// The word for the state.
    State,
    /// The smallest window first.
    Window,
    /// The most bytes queued at the server first.
    Queued,
    /// The most bytes unread at the client first.
    Unread,
    /// The longest stall first.
    Stalled,
}

impl Sort {
    const ALL: [Self; 9] = [
        Self::TimeLeft,
        Self::Client,
        Self::Process,
        Self::Thread,
        Self::State,
        Self::Window,
        Self::Queued,
        Self::Unread,
        Self::Stalled,
    ];

    fn next(self) -> Self {
        let place = Self::ALL.iter().position(|sort| *sort == self).unwrap_or(0);
        Self::ALL[(place + 1) % Self::ALL.len()]
    }

    /// How the user writes it: a word of the column's title.
    const fn name(self) -> &'static str {
        match self {
            Self::TimeLeft => "timeout",
            Self::Client => "client",
            Self::Process => "process",
            Self::Thread => "thread",
            Self::State => "state",
            Self::Window => "window",
            Self::Queued => "queued",
            Self::Unread => "unread",
            Self::Stalled => "stalled",
        }
    }

    /// What a connection is put in order by; the least comes first.
    pub(super) fn key(self, connection: &Connection) -> Key<'_> {
        let number = |number: u64| Key { number, name: None, more: 0 };
        let most_first =
            |count: Option<u64>| number(count.map_or(u64::MAX, |count| (u64::MAX - 1).saturating_sub(count)));
        match self {
            Self::TimeLeft | Self::Client => Key::default(),
            Self::Process => match words::nearest_process(connection) {
                Some(Process { comm, pid, .. }) => Key { number: 0, name: Some(comm), more: *pid },
                None => number(u64::MAX),
            },
            Self::Thread => {
                number(connection.greeting().map_or(u64::MAX, |greeting| greeting.thread_id.into()))
            }
            Self::State => Key { name: Some(connection.state_word()), ..Key::default() },
            Self::Window => number(connection.window().map_or(u64::MAX, Into::into)),
            Self::Queued => most_first(connection.queued()),
            Self::Unread => most_first(connection.unread()),
            // One that does not stand still comes behind all that do.
            Self::Stalled => number(
                connection
                    .window_closed_since()
                    .map_or(u64::MAX, |since| u64::try_from(since.as_micros()).unwrap_or(0)),
            ),
        }
    }
}

/// What is compared of a connection, worked out once for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key<'a> {
    number: u64,
    /// Not an empty text: to compare those of no place in memory is slow.
    name: Option<&'a str>,
    more: u32,
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
    /// By the next column.
    pub(super) fn next(self) -> Self {
        Self { sort: self.sort.next(), reversed: false }
    }

    /// By a column; by the same again: the other way round.
    pub(super) fn by(self, sort: Sort) -> Self {
        Self { sort, reversed: self.sort == sort && !self.reversed }
    }

    /// The names of all columns that the list can be sorted by.
    pub fn names() -> String {
        Sort::ALL.map(Sort::name).join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_comes_in_its_turn() {
        let mut order = Order { reversed: true, ..Order::default() };
        let seen = Sort::ALL.map(|_| {
            order = order.next();
            assert!(!order.reversed);
            order.sort
        });
        assert!(Sort::ALL.iter().all(|sort| seen.contains(sort)));
        assert_eq!(seen.last(), Some(&Sort::TimeLeft));
    }

    #[test]
    fn the_same_column_again_turns_the_order_round() {
        let mut order = Order::default();
        let mut by = |sort| {
            order = order.by(sort);
            order.reversed
        };
        let asked = [Sort::Window, Sort::Window, Sort::Window, Sort::State];
        assert_eq!(asked.map(&mut by), [false, true, false, false]);
    }

    #[test]
    fn an_order_is_written_as_the_column_with_a_sign_before_it() {
        for sort in Sort::ALL {
            assert_eq!(sort.name().parse(), Ok(Order { sort, reversed: false }));
            assert_eq!(format!("-{}", sort.name()).parse(), Ok(Order { sort, reversed: true }));
        }
        for bad in ["", "-", "--window", "Window", "history"] {
            let error = bad.parse::<Order>().unwrap_err();
            assert!(error.contains("timeout, client, process, thread, state"), "{error}");
        }
    }
}
