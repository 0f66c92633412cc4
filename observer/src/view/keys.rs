//! The keys: one table for what they do, the hint line and the help.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

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
    Help,
    Redraw,
    Quit,
}

/// Where a hint is worth its place at the bottom of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    List,
    Detail,
}

/// One line of the table.
pub(super) struct Binding {
    /// The keys, each with the modifiers it needs.
    keys: &'static [(KeyCode, KeyModifiers)],
    /// What they do.
    action: Action,
    /// How they are written.
    pub(super) label: &'static str,
    /// How they and what they do are written in the hint line.
    pub(super) hint: (&'static str, &'static str),
    /// What they do, in one line.
    pub(super) help: &'static str,
    /// Where the hint is shown.
    places: &'static [Place],
}

const NONE: KeyModifiers = KeyModifiers::NONE;
const CTRL: KeyModifiers = KeyModifiers::CONTROL;

/// All keys, in the order of the hint line and the help.
pub(super) const BINDINGS: &[Binding] = &[
    Binding {
        keys: &[(KeyCode::Up, NONE), (KeyCode::Char('k'), NONE)],
        action: Action::Up,
        label: "↑ k",
        hint: ("", ""),
        help: "select the connection above",
        places: &[],
    },
    Binding {
        keys: &[(KeyCode::Down, NONE), (KeyCode::Char('j'), NONE)],
        action: Action::Down,
        label: "↓ j",
        hint: ("↑↓", "select"),
        help: "select the connection below",
        places: &[Place::List],
    },
    Binding {
        keys: &[(KeyCode::PageUp, NONE)],
        action: Action::PageUp,
        label: "PgUp",
        hint: ("", ""),
        help: "one page up",
        places: &[],
    },
    Binding {
        keys: &[(KeyCode::PageDown, NONE)],
        action: Action::PageDown,
        label: "PgDn",
        hint: ("", ""),
        help: "one page down",
        places: &[],
    },
    Binding {
        keys: &[(KeyCode::Home, NONE), (KeyCode::Char('g'), NONE)],
        action: Action::Top,
        label: "Home g",
        hint: ("", ""),
        help: "select the connection with the least time left, whichever it is",
        places: &[],
    },
    Binding {
        keys: &[(KeyCode::End, NONE), (KeyCode::Char('G'), NONE)],
        action: Action::Bottom,
        label: "End G",
        hint: ("", ""),
        help: "select the last connection",
        places: &[],
    },
    Binding {
        keys: &[(KeyCode::Enter, NONE)],
        action: Action::Open,
        label: "↵",
        hint: ("↵", "open"),
        help: "look at the selected connection",
        places: &[Place::List],
    },
    Binding {
        keys: &[(KeyCode::Esc, NONE), (KeyCode::Backspace, NONE)],
        action: Action::Back,
        label: "esc",
        hint: ("esc", "back"),
        help: "back to the list; close the help",
        places: &[Place::Detail],
    },
    Binding {
        keys: &[(KeyCode::Char('n'), NONE)],
        action: Action::NextInTrouble,
        label: "n",
        hint: ("n", "next stalled"),
        help: "select the next connection that stands still",
        places: &[Place::List, Place::Detail],
    },
    Binding {
        keys: &[(KeyCode::Char('l'), CTRL)],
        action: Action::Redraw,
        label: "ctrl-l",
        hint: ("", ""),
        help: "draw the screen anew",
        places: &[],
    },
    Binding {
        keys: &[(KeyCode::Char('?'), NONE), (KeyCode::F(1), NONE)],
        action: Action::Help,
        label: "?",
        hint: ("?", "help"),
        help: "this page",
        places: &[Place::List, Place::Detail],
    },
    Binding {
        keys: &[(KeyCode::Char('q'), NONE), (KeyCode::Char('c'), CTRL)],
        action: Action::Quit,
        label: "q",
        hint: ("q", "quit"),
        help: "quit; ctrl-c does too",
        places: &[Place::List, Place::Detail],
    },
];

/// What a key asks for.
pub(super) fn action(key: KeyEvent) -> Option<Action> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    // Shift is in the character already.
    let modifiers = key.modifiers.difference(KeyModifiers::SHIFT);
    BINDINGS
        .iter()
        .find(|binding| binding.keys.contains(&(key.code, modifiers)))
        .map(|binding| binding.action)
}

/// What is hinted at in one place.
pub(super) fn hints(place: Place) -> impl Iterator<Item = &'static Binding> {
    BINDINGS.iter().filter(move |binding| binding.places.contains(&place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things() {
        let keys: Vec<_> = BINDINGS.iter().flat_map(|binding| binding.keys).collect();
        for (index, key) in keys.iter().enumerate() {
            assert!(!keys[..index].contains(key), "{key:?}");
        }
    }

    #[test]
    fn what_is_hinted_at_has_a_word() {
        for place in [Place::List, Place::Detail] {
            assert!(hints(place).all(|binding| !binding.hint.0.is_empty() && !binding.hint.1.is_empty()));
        }
        assert!(BINDINGS.iter().all(|binding| !binding.help.is_empty() && !binding.label.is_empty()));
    }

    #[test]
    fn keys_are_found_with_their_modifiers() {
        let key = |code, modifiers| action(KeyEvent::new(code, modifiers));
        assert_eq!(key(KeyCode::Char('q'), NONE), Some(Action::Quit));
        assert_eq!(key(KeyCode::Char('c'), CTRL), Some(Action::Quit));
        assert_eq!(key(KeyCode::Char('c'), NONE), None);
        assert_eq!(key(KeyCode::Char('G'), KeyModifiers::SHIFT), Some(Action::Bottom));
        let mut release = KeyEvent::new(KeyCode::Char('q'), NONE);
        release.kind = KeyEventKind::Release;
        assert_eq!(action(release), None);
    }
}
