//! The keys: one table for what they do, the hint line and the help.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::arrange::Arrangement;
use super::chart::Look;

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
    Filter,
    Report,
    Help,
    Redraw,
    Quit,
    /// Of the chart.
    Look(Look),
    /// Of a recording only.
    Play(Control),
}

/// What the user can ask of the playing of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Stand still, or go on.
    Pause,
    /// Half as fast.
    Slower,
    /// Twice as fast.
    Faster,
    /// Back by some seconds.
    Back,
    /// Forward by some seconds.
    Forward,
    /// To the event before this moment, and stand still.
    PreviousEvent,
    /// To the next event, and stand still.
    NextEvent,
    /// To the finding before this moment, and stand still.
    PreviousFinding,
    /// To the next finding, and stand still.
    NextFinding,
    /// To so many tenths of the recording.
    Seek(u8),
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

/// Takes a key as a letter of the filter; whether it was one.
pub(super) fn types(key: KeyEvent, arrangement: &mut Arrangement) -> bool {
    if key.kind == KeyEventKind::Release || key.modifiers.intersects(CTRL | KeyModifiers::ALT) {
        return false;
    }
    match key.code {
        KeyCode::Char(letter) => arrangement.typed(letter),
        KeyCode::Backspace => arrangement.erase(),
        KeyCode::Enter => arrangement.end_typing(),
        KeyCode::Esc => arrangement.clear(),
        _ => return false,
    }
    true
}

/// The keys of every view, in the order of the hint line and the help.
const BINDINGS: &[Binding] = &[
    Binding {
        keys: &[(KeyCode::Up, NONE), (KeyCode::Char('k'), NONE)],
        action: Action::Up,
        label: "↑↓ kj",
        hint: ("", ""),
        help: "select the connection above; below",
        places: &[],
    },
    Binding {
        keys: &[(KeyCode::Down, NONE), (KeyCode::Char('j'), NONE)],
        action: Action::Down,
        label: "",
        hint: ("↑↓", "select"),
        help: "",
        places: &[Place::List],
    },
    Binding {
        keys: &[(KeyCode::PageUp, NONE)],
        action: Action::PageUp,
        label: "PgUp/Dn",
        hint: ("", ""),
        help: "one page up; down",
        places: &[],
    },
    Binding {
        keys: &[(KeyCode::PageDown, NONE)],
        action: Action::PageDown,
        label: "",
        hint: ("", ""),
        help: "",
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
        keys: &[(KeyCode::Char('s'), NONE)],
        action: Action::Sort,
        label: "s",
        hint: ("s", "sort"),
        help: "sort by the next column; S: the other way round",
        places: &[Place::List],
    },
    Binding {
        keys: &[(KeyCode::Char('S'), NONE)],
        action: Action::Reverse,
        label: "",
        hint: ("", ""),
        help: "",
        places: &[],
    },
    Binding {
        keys: &[(KeyCode::Char('/'), NONE)],
        action: Action::Filter,
        label: "/",
        hint: ("/", "filter"),
        help: "show only what has this in address, process or state; esc: all",
        places: &[Place::List],
    },
    Binding {
        keys: &[(KeyCode::Char('r'), NONE)],
        action: Action::Report,
        label: "r",
        hint: ("r", "report"),
        help: "write the report of the selected connection to a new file",
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

/// The keys of the chart. Of a pair the first stands for both.
const CHART: &[Binding] = &[
    looking(
        &[(KeyCode::Char('+'), NONE), (KeyCode::Char('='), NONE)],
        Look::In,
        "+ -",
        ("+-", "zoom"),
        "zoom the chart in; out",
    ),
    looking(&[(KeyCode::Char('-'), NONE)], Look::Out, "", ("", ""), ""),
    looking(&[(KeyCode::Char('h'), NONE)], Look::Earlier, "h l", ("", ""), "pan the chart back; forward"),
    looking(&[(KeyCode::Char('l'), NONE)], Look::Later, "", ("", ""), ""),
    looking(
        &[(KeyCode::Char('f'), NONE)],
        Look::Follow,
        "f",
        ("f", "follow"),
        "let the chart go with the time again; once more: show all of it",
    ),
];

/// The keys of what happens now besides: of a recording the arrows seek.
const LIVE: &[Binding] = &[
    looking(&[(KeyCode::Left, NONE)], Look::Earlier, "← →", ("←→", "pan"), "pan the chart back; forward"),
    looking(&[(KeyCode::Right, NONE)], Look::Later, "", ("", ""), ""),
];

/// The keys of a recording besides. Of a pair, and of the digits, the first stands for all.
const PLAYING: &[Binding] = &[
    playing(&[(KeyCode::Char(' '), NONE)], Control::Pause, "space", ("space", "pause"), "pause; go on"),
    playing(&[(KeyCode::Char('['), NONE)], Control::Slower, "[ ]", ("[ ]", "speed"), "slower; faster"),
    playing(&[(KeyCode::Char(']'), NONE)], Control::Faster, "", ("", ""), ""),
    playing(&[(KeyCode::Left, NONE)], Control::Back, "← →", ("←→", "seek"), "5 s back; forward"),
    playing(&[(KeyCode::Right, NONE)], Control::Forward, "", ("", ""), ""),
    playing(
        &[(KeyCode::Char(','), NONE)],
        Control::PreviousEvent,
        ", .",
        ("", ""),
        "the event before; the next one",
    ),
    playing(&[(KeyCode::Char('.'), NONE)], Control::NextEvent, "", ("", ""), ""),
    playing(
        &[(KeyCode::Char('<'), NONE)],
        Control::PreviousFinding,
        "< >",
        ("", ""),
        "the finding before; the next one",
    ),
    playing(&[(KeyCode::Char('>'), NONE)], Control::NextFinding, "", ("", ""), ""),
    playing(
        &[(KeyCode::Char('0'), NONE)],
        Control::Seek(0),
        "0 - 9",
        ("", ""),
        "the beginning; one tenth of the recording; and so on",
    ),
    playing(&[(KeyCode::Char('1'), NONE)], Control::Seek(1), "", ("", ""), ""),
    playing(&[(KeyCode::Char('2'), NONE)], Control::Seek(2), "", ("", ""), ""),
    playing(&[(KeyCode::Char('3'), NONE)], Control::Seek(3), "", ("", ""), ""),
    playing(&[(KeyCode::Char('4'), NONE)], Control::Seek(4), "", ("", ""), ""),
    playing(&[(KeyCode::Char('5'), NONE)], Control::Seek(5), "", ("", ""), ""),
    playing(&[(KeyCode::Char('6'), NONE)], Control::Seek(6), "", ("", ""), ""),
    playing(&[(KeyCode::Char('7'), NONE)], Control::Seek(7), "", ("", ""), ""),
    playing(&[(KeyCode::Char('8'), NONE)], Control::Seek(8), "", ("", ""), ""),
    playing(&[(KeyCode::Char('9'), NONE)], Control::Seek(9), "", ("", ""), ""),
];

const fn playing(
    keys: &'static [(KeyCode, KeyModifiers)],
    control: Control,
    label: &'static str,
    hint: (&'static str, &'static str),
    help: &'static str,
) -> Binding {
    Binding { keys, action: Action::Play(control), label, hint, help, places: &[Place::List, Place::Detail] }
}

const fn looking(
    keys: &'static [(KeyCode, KeyModifiers)],
    look: Look,
    label: &'static str,
    hint: (&'static str, &'static str),
    help: &'static str,
) -> Binding {
    Binding { keys, action: Action::Look(look), label, hint, help, places: &[Place::Detail] }
}

/// All keys of a view, of a recording or not.
pub(super) fn bindings(of_recording: bool) -> impl Iterator<Item = &'static Binding> {
    BINDINGS.iter().chain(if of_recording { PLAYING } else { LIVE }).chain(CHART)
}

/// What a key asks for.
pub(super) fn action(key: KeyEvent, of_recording: bool) -> Option<Action> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    // Shift is in the character already.
    let modifiers = key.modifiers.difference(KeyModifiers::SHIFT);
    bindings(of_recording)
        .find(|binding| binding.keys.contains(&(key.code, modifiers)))
        .map(|binding| binding.action)
}

/// What is hinted at in one place. What plays a recording comes first, and takes the place of what matters live.
pub(super) fn hints(place: Place, of_recording: bool) -> impl Iterator<Item = &'static Binding> {
    let (first, then) = if of_recording { (PLAYING, BINDINGS) } else { (BINDINGS, LIVE) };
    let is_hinted = move |binding: &&Binding| {
        let replaced = of_recording && binding.action == Action::NextInTrouble;
        !binding.hint.0.is_empty() && !replaced && binding.places.contains(&place)
    };
    first.iter().chain(then).chain(CHART).filter(is_hinted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things() {
        for of_recording in [false, true] {
            let keys: Vec<_> = bindings(of_recording).flat_map(|binding| binding.keys).collect();
            for (index, key) in keys.iter().enumerate() {
                assert!(!keys[..index].contains(key), "{key:?}");
            }
        }
    }

    #[test]
    fn what_is_hinted_at_has_a_word() {
        for place in [Place::List, Place::Detail] {
            assert!(
                hints(place, true).all(|binding| !binding.hint.0.is_empty() && !binding.hint.1.is_empty())
            );
        }
        let named = |binding: &&Binding| binding.help.is_empty() == binding.label.is_empty();
        assert!(bindings(false).chain(bindings(true)).all(|binding| named(&binding)));
    }

    #[test]
    fn keys_are_found_with_their_modifiers() {
        let key = |code, modifiers| action(KeyEvent::new(code, modifiers), false);
        assert_eq!(key(KeyCode::Char('q'), NONE), Some(Action::Quit));
        assert_eq!(key(KeyCode::Char('c'), CTRL), Some(Action::Quit));
        assert_eq!(key(KeyCode::Char('c'), NONE), None);
        assert_eq!(key(KeyCode::Char('G'), KeyModifiers::SHIFT), Some(Action::Bottom));
        let mut release = KeyEvent::new(KeyCode::Char('q'), NONE);
        release.kind = KeyEventKind::Release;
        assert_eq!(action(release, false), None);
        let space = KeyEvent::new(KeyCode::Char(' '), NONE);
        assert_eq!(action(space, true), Some(Action::Play(Control::Pause)));
        assert_eq!(action(space, false), None, "what happens now is not played");
    }
}
