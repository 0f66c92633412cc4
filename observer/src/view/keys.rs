//! The keys: one table for what they do, the hint line and the help.

mod playing;
mod table;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use observer_core::ConnectionId;

use super::chart::Look;
use super::order::Sort;
pub use playing::Control;

/// What the user can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Up,
    Down,
    PageUp,
    PageDown,
    Top,
    Bottom,
    Open,
    NextInTrouble,
    Back,
    Sort,
    Reverse,
    Report,
    Theme,
    Help,
    Redraw,
    Suspend,
    Quit,
    /// The filter is typed from here on.
    Filter,
    /// What is done to the filter while it is typed.
    Type(Typing),
    /// Of what happens now only: the picture stands still, or goes on.
    Pause,
    /// Of the chart.
    Look(Look),
    /// Of a recording only.
    Play(Control),
    /// By the mouse only: this connection was clicked on.
    Point(ConnectionId),
    /// By the mouse only: the column of this order was clicked on.
    SortBy(Sort),
    /// By the mouse only: so many lines down, or up.
    Scroll(i8),
}

/// What is done to a filter while it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Typing {
    /// One letter more.
    Letter(char),
    /// One letter less.
    Erase,
    /// No letter left.
    EraseAll,
    /// The filter stays as it is.
    Keep,
    /// There is no filter any more.
    Drop,
}

/// Which keys there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keyboard {
    /// They play a recording too.
    pub(super) of_recording: bool,
    /// The filter is being typed: letters are letters.
    pub(super) typing: bool,
}

/// Where a hint is worth its place at the bottom of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    List,
    Detail,
    Help,
    Typing,
}

/// What the hint line says of a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hint {
    /// How the keys are written.
    pub(super) keys: &'static str,
    /// What they do.
    word: &'static str,
    /// What they do while picture or player stands still, where that is something else.
    standing: Option<&'static str>,
    /// What goes first when there is no room: the highest.
    pub(super) rank: u8,
    places: &'static [Place],
}

impl Hint {
    /// What the keys do, where picture or player stands still or not.
    pub(super) fn word(&self, is_standing: bool) -> &'static str {
        self.standing.filter(|_| is_standing).unwrap_or(self.word)
    }
}

/// One line of the table.
pub(super) struct Binding {
    /// The keys, each with the modifiers it needs.
    keys: &'static [(KeyCode, KeyModifiers)],
    /// What they do.
    action: Action,
    /// How they are written in the help. Of a pair, and of the digits, the first stands for all, and the others
    /// have neither label nor help.
    pub(super) label: &'static str,
    /// What they do, in one line.
    pub(super) help: &'static str,
    hint: Option<Hint>,
}

/// The bindings of a keyboard, in the order of the hint line and the help.
pub(super) fn bindings(keyboard: Keyboard) -> impl Iterator<Item = &'static Binding> {
    let of_the_time = if keyboard.of_recording { playing::TABLE } else { table::LIVE };
    let typing = if keyboard.typing { table::TYPING } else { &[] };
    [typing, table::LIST, of_the_time, table::CHART, table::ALWAYS].into_iter().flatten()
}

/// Those that are valid only while the filter is typed.
pub(super) fn typing() -> impl Iterator<Item = &'static Binding> {
    table::TYPING.iter()
}

/// What a key asks for.
pub(super) fn action(key: KeyEvent, keyboard: Keyboard) -> Option<Action> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    // Shift is in the character already.
    let modifiers = key.modifiers.difference(KeyModifiers::SHIFT);
    match key.code {
        KeyCode::Char(letter) if keyboard.typing && modifiers.is_empty() => {
            Some(Action::Type(Typing::Letter(letter)))
        }
        code => bindings(keyboard)
            .find(|binding| binding.keys.contains(&(code, modifiers)))
            .map(|binding| binding.action),
    }
}

/// What is hinted at in one place.
pub(super) fn hints(place: Place, keyboard: Keyboard) -> impl Iterator<Item = Hint> {
    bindings(keyboard).filter_map(|binding| binding.hint).filter(move |hint| hint.places.contains(&place))
}

#[cfg(test)]
mod tests;
