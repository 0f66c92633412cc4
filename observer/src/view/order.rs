//! In which order the list stands: by which column, and which way round.

use std::cmp::Ordering;
use std::str::FromStr;

use observer_core::Connection;

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

    /// In which order two connections stand by this alone.
    pub(super) fn compare(self, one: &Connection, other: &Connection) -> Ordering {
        match self {
            Self::TimeLeft | Self::Client => Ordering::Equal,
            Self::State => one.state_word().cmp(other.state_word()),
            Self::Window => {
                let window = |connection: &Connection| connection.window().unwrap_or(u32::MAX);
                window(one).cmp(&window(other))
            }
            Self::Process => {
                let process = |connection| {
                    let found = words::nearest_process(connection).map(|found| (&*found.comm, found.pid));
                    (found.is_none(), found)
                };
                process(one).cmp(&process(other))
            }
            Self::Thread => {
                let thread = |connection: &Connection| {
                    connection.greeting().map_or(u64::MAX, |greeting| greeting.thread_id.into())
                };
                thread(one).cmp(&thread(other))
            }
            Self::Queued => other.queued().cmp(&one.queued()),
            Self::Unread => other.unread().cmp(&one.unread()),
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
