//! The columns of the list: which there are, and which a width has room for.

use std::str::FromStr;

use observer_core::{Connection, End};

use super::order::Sort;

/// A column of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Client,
    Process,
    Thread,
    State,
    Window,
    History,
    Queued,
    Unread,
    Stalled,
    Timeout,
}

/// All of them, in their order, each with its least cells.
const ALL: [(Column, u16); 10] = [
    (Column::Client, 20),
    (Column::Process, 15),
    (Column::Thread, 8),
    (Column::State, 11),
    (Column::Window, 7),
    (Column::History, 10),
    (Column::Queued, 7),
    (Column::Unread, 7),
    (Column::Stalled, 7),
    (Column::Timeout, 16),
];

/// What is dropped first where there is no room for all.
const DROPPED: [Column; 8] = [
    Column::Process,
    Column::Thread,
    Column::Unread,
    Column::Queued,
    Column::History,
    Column::Window,
    Column::State,
    Column::Stalled,
];

/// Who gets the room to spare, and up to how many cells: the history a cell a second in the end, addresses all of theirs.
const SPARE: [(Column, u16); 5] = [
    (Column::History, 20),
    (Column::Process, 24),
    (Column::Thread, 10),
    (Column::History, 60),
    (Column::Client, 47),
];

/// Cells before the first column: the mark of the selection and the sign.
pub(super) const MARGIN: u16 = 3;

impl Column {
    /// How the user writes it.
    const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Process => "process",
            Self::Thread => "thread",
            Self::State => "state",
            Self::Window => "window",
            Self::History => "history",
            Self::Queued => "queued",
            Self::Unread => "unread",
            Self::Stalled => "stalled",
            Self::Timeout => "timeout",
        }
    }

    pub(super) const fn title(self, cells: u16) -> &'static str {
        match self {
            Self::Client => "CLIENT",
            Self::Process => "PROCESS",
            Self::Thread => "THREAD",
            Self::State => "STATE",
            Self::Window => "WINDOW",
            Self::History if cells >= 20 => "WINDOW, LAST 60 s",
            Self::History => "LAST 60 s",
            Self::Queued => "QUEUED",
            Self::Unread => "UNREAD",
            Self::Stalled => "STALLED",
            Self::Timeout => "TIMEOUT IN",
        }
    }

    /// What the list is sorted by when it is sorted by this column.
    pub(super) const fn sort(self) -> Option<Sort> {
        Some(match self {
            Self::Client => Sort::Client,
            Self::Process => Sort::Process,
            Self::Thread => Sort::Thread,
            Self::State => Sort::State,
            Self::Window => Sort::Window,
            Self::Queued => Sort::Queued,
            Self::Unread => Sort::Unread,
            Self::Stalled => Sort::Stalled,
            Self::Timeout => Sort::TimeLeft,
            Self::History => return None,
        })
    }

    pub(super) const fn is_number(self) -> bool {
        matches!(self, Self::Thread | Self::Window | Self::Queued | Self::Unread | Self::Stalled)
    }
}

/// What can be known of the connections here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// What is queued: the server's end of some is on this host.
    queued: bool,
    /// What lies unread: the client's end of some is on this host.
    unread: bool,
    /// The server's thread: the beginning of some was seen.
    thread: bool,
}

impl Known {
    /// Takes in what is known of one connection.
    pub(super) fn add(&mut self, connection: &Connection) {
        self.queued |= connection.is_local(End::Server);
        self.unread |= connection.is_local(End::Client);
        self.thread |= connection.greeting().is_some();
    }

    const fn has(self, column: Column) -> bool {
        match column {
            Column::Queued => self.queued,
            Column::Unread => self.unread,
            Column::Thread => self.thread,
            _ => true,
        }
    }
}

/// The columns the user wants, in that order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// `None`: all that have something to show.
    wanted: Option<Vec<Column>>,
}

impl FromStr for Columns {
    type Err = String;

    /// `client,state,timeout`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut wanted: Vec<Column> = Vec::new();
        for name in text.split(',').map(str::trim) {
            let named = ALL.iter().find(|(column, _)| column.name().eq_ignore_ascii_case(name));
            let (column, _) = named
                .ok_or_else(|| format!("{name:?} is not a column; the columns are {}", Self::names()))?;
            if wanted.contains(column) {
                return Err(format!("{name} is there twice"));
            }
            wanted.push(*column);
        }
        Ok(Self { wanted: Some(wanted) })
    }
}

impl Columns {
    /// The names of all columns.
    pub fn names() -> String {
        ALL.map(|(column, _)| column.name()).join(", ")
    }

    /// The columns for a width, each with its cells. What matters least is dropped first.
    pub(super) fn fitting(&self, known: Known, width: u16) -> Vec<(Column, u16)> {
        let least = |column| ALL.into_iter().find(|(each, _)| *each == column);
        let mut columns: Vec<_> = match &self.wanted {
            Some(wanted) => wanted.iter().filter_map(|&column| least(column)).collect(),
            None => ALL.into_iter().filter(|(column, _)| known.has(*column)).collect(),
        };
        for dropped in DROPPED {
            if taken(&columns) > width {
                columns.retain(|(column, _)| *column != dropped);
            }
        }
        let mut spare = width.saturating_sub(taken(&columns) + 1);
        for (column, most) in SPARE {
            if let Some((_, cells)) = columns.iter_mut().find(|(candidate, _)| *candidate == column) {
                let more = spare.min(most.saturating_sub(*cells));
                (*cells, spare) = (*cells + more, spare - more);
            }
        }
        columns
    }
}

/// Cells that columns take, with the margin before and a gap between them.
fn taken(columns: &[(Column, u16)]) -> u16 {
    MARGIN + columns.iter().map(|(_, cells)| cells + 1).sum::<u16>().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: Known = Known { queued: false, unread: true, thread: true };
    const ALL_OF_IT: Known = Known { queued: true, ..CLIENT };

    fn names(known: Known, width: u16) -> Vec<Column> {
        Columns::default().fitting(known, width).into_iter().map(|(column, _)| column).collect()
    }

    #[test]
    fn columns_fit_and_go_in_order() {
        for width in 40..400 {
            for known in [CLIENT, ALL_OF_IT, Known::default()] {
                let columns = Columns::default().fitting(known, width);
                assert!(taken(&columns) <= width, "{width}");
            }
        }
        assert_eq!(names(ALL_OF_IT, 120), ALL.map(|(column, _)| column));
        let narrower = names(ALL_OF_IT, 119);
        assert!(!narrower.contains(&Column::Process) && narrower.contains(&Column::Thread));
        assert!(!names(CLIENT, 80).contains(&Column::Unread) && names(CLIENT, 80).contains(&Column::History));
        assert!(!names(CLIENT, 78).contains(&Column::History) && names(CLIENT, 78).contains(&Column::Window));
        assert!(!names(CLIENT, 67).contains(&Column::Window) && names(CLIENT, 67).contains(&Column::State));
        assert_eq!(names(CLIENT, 40), [Column::Client, Column::Timeout]);
    }

    #[test]
    fn what_cannot_be_known_here_takes_no_room() {
        assert!(
            names(CLIENT, 200).contains(&Column::Unread) && !names(CLIENT, 200).contains(&Column::Queued)
        );
        let nothing = names(Known::default(), 200);
        let unknown = [Column::Unread, Column::Queued, Column::Thread];
        assert!(!unknown.iter().any(|column| nothing.contains(column)), "{nothing:?}");
    }

    #[test]
    fn the_user_has_a_choice() {
        let columns: Columns = "Timeout, client,queued".parse().unwrap();
        let fitting = |width| columns.fitting(CLIENT, width).into_iter().map(|(column, _)| column);
        assert_eq!(fitting(120).collect::<Vec<_>>(), [Column::Timeout, Column::Client, Column::Queued]);
        assert_eq!(fitting(40).collect::<Vec<_>>(), [Column::Timeout, Column::Client]);
    }

    #[test]
    fn a_wrong_choice_names_the_right_ones() {
        let error = |text: &str| text.parse::<Columns>().unwrap_err();
        assert_eq!(
            error("client,wnd"),
            "\"wnd\" is not a column; the columns are client, process, thread, state, window, history, queued, unread, \
             stalled, timeout"
        );
        assert!(error("").contains("is not a column") && error("client,").contains("is not a column"));
        assert_eq!(error("client,state,client"), "client is there twice");
    }
}
