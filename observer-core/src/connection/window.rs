//! The client's receive window.

use std::time::Duration;

use crate::seq::SeqNumber;
use crate::time::Timestamp;

/// Within this time the same thing may be told again: by the other end's vantage, or by a source that was a
/// little slower than the others.
pub(crate) const ECHO: Duration = Duration::from_millis(50);

/// How a closed window became known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Told {
    /// By segments, or by the counters made of them.
    #[default]
    BySegments,
    /// By socket diagnostics alone.
    BySockets,
}

/// What an observation did to the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WindowChange {
    /// Nothing new.
    Nothing,
    /// It closed.
    Closed,
    /// It closed, and had been open since the last closing without an event for that.
    ClosedAgain,
    /// It opened.
    Opened,
}

/// The client's receive window as it was advertised.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    /// The window advertised last, in bytes.
    pub(crate) size: Option<u32>,
    /// The largest so far, in bytes.
    pub(crate) largest: u32,
    /// How often it closed.
    pub(crate) closings: u32,
    /// Since when it is closed.
    pub(crate) closed_since: Option<Timestamp>,
    /// How that is known.
    pub(crate) told: Told,
    /// When it last closed or opened.
    pub(crate) changed_at: Timestamp,
    /// What the client had acknowledged when the window last closed.
    pub(crate) closed_ack: Option<SeqNumber>,
}

impl Window {
    /// A segment advertised window zero.
    ///
    /// A receiver never takes back what it has offered, so between two closings new data was acknowledged: the
    /// same acknowledgement number is the same closing, seen at the other end.
    pub(crate) fn zero(&mut self, at: Timestamp, ack: SeqNumber) -> WindowChange {
        if let Some(closed_since) = self.closed_since {
            self.told = Told::BySegments;
            let Some(known) = self.closed_ack else {
                self.closed_ack = Some(ack);
                return WindowChange::Nothing;
            };
            if !ack.is_after(known) {
                if ack == known && at < closed_since {
                    self.closed_since = Some(at);
                }
                return WindowChange::Nothing;
            }
            self.close(at.max(closed_since), Some(ack), Told::BySegments);
            return WindowChange::ClosedAgain;
        }
        let is_echo = self.closed_ack.is_some_and(|known| !ack.is_after(known));
        if is_echo && at < self.changed_at + ECHO {
            return WindowChange::Nothing;
        }
        self.close(at, Some(ack), Told::BySegments);
        WindowChange::Closed
    }

    /// A segment opened the window.
    pub(crate) fn update(&mut self, at: Timestamp, size: Option<u32>, ack: SeqNumber) -> WindowChange {
        let Some(closed_since) = self.closed_since else {
            self.note_size(size);
            return WindowChange::Nothing;
        };
        let is_old = self.closed_ack.is_some_and(|known| known.is_after(ack));
        if is_old || at < closed_since {
            return WindowChange::Nothing;
        }
        self.open(at, size);
        WindowChange::Opened
    }

    /// The window is closed since `at`.
    pub(crate) fn close(&mut self, at: Timestamp, ack: Option<SeqNumber>, told: Told) {
        self.closings = self.closings.saturating_add(1);
        self.closed_since = Some(at);
        self.changed_at = at;
        self.closed_ack = ack;
        self.told = told;
        self.size = Some(0);
    }

    /// The window is open since `at`.
    pub(crate) fn open(&mut self, at: Timestamp, size: Option<u32>) {
        self.closed_since = None;
        self.changed_at = at;
        self.size = None;
        self.note_size(size);
    }

    /// The window is open, and this large where that is known.
    pub(crate) fn note_size(&mut self, size: Option<u32>) {
        self.size = size.or(self.size);
        self.largest = self.largest.max(size.unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    #[test]
    fn the_same_closing_seen_at_both_ends_counts_once_by_its_first_stamp() {
        let mut window = Window::default();
        assert_eq!(window.zero(at(20), SeqNumber(7)), WindowChange::Closed);
        assert_eq!(window.zero(at(10), SeqNumber(7)), WindowChange::Nothing);
        assert_eq!(window.closed_since, Some(at(10)));
        assert_eq!(window.update(at(30), Some(9), SeqNumber(7)), WindowChange::Opened);
        assert_eq!(window.zero(at(40), SeqNumber(7)), WindowChange::Nothing, "the other end was slower");
        assert_eq!((window.closings, window.size), (1, Some(9)));
    }

    #[test]
    fn a_closing_further_on_is_another_one_across_the_wrap() {
        let mut window = Window::default();
        window.zero(at(10), SeqNumber(u32::MAX - 5));
        assert_eq!(window.zero(at(20), SeqNumber(5)), WindowChange::ClosedAgain);
        assert_eq!(window.closed_since, Some(at(20)));
        assert_eq!(
            window.update(at(30), Some(9), SeqNumber(u32::MAX)),
            WindowChange::Nothing,
            "an old segment"
        );
        assert_eq!(window.update(at(30), Some(9), SeqNumber(5)), WindowChange::Opened);
    }

    #[test]
    fn the_same_number_much_later_is_another_lap() {
        let mut window = Window::default();
        window.zero(at(0), SeqNumber(7));
        window.update(at(10), None, SeqNumber(7));
        assert_eq!(window.zero(at(60_000_000), SeqNumber(6)), WindowChange::Closed);
    }
}
