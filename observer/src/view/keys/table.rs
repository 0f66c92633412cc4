//! The keys of every view. Those of a recording are with what they do, in [`playing`](super::playing).

use crossterm::event::{KeyCode, KeyModifiers};

use super::{Action, Binding, Hint, Place, Typing};
use crate::view::chart::Look;

pub(super) const NONE: KeyModifiers = KeyModifiers::NONE;
pub(super) const CTRL: KeyModifiers = KeyModifiers::CONTROL;

const LIST_ONLY: &[Place] = &[Place::List];
const DETAIL_ONLY: &[Place] = &[Place::Detail];
const BACK: &[Place] = &[Place::Detail, Place::Help];
const EVERYWHERE: &[Place] = &[Place::List, Place::Detail, Place::Help];
pub(super) const BOTH: &[Place] = &[Place::List, Place::Detail];
const TYPING_ONLY: &[Place] = &[Place::Typing];

/// A key that is a letter.
pub(super) const fn letter(letter: char) -> (KeyCode, KeyModifiers) {
    (KeyCode::Char(letter), NONE)
}

const fn key(code: KeyCode) -> (KeyCode, KeyModifiers) {
    (code, NONE)
}

const fn ctrl(letter: char) -> (KeyCode, KeyModifiers) {
    (KeyCode::Char(letter), CTRL)
}

impl Binding {
    pub(super) const fn new(keys: &'static [(KeyCode, KeyModifiers)], action: Action) -> Self {
        Self { keys, action, label: "", help: "", hint: None }
    }

    /// With a line in the help.
    pub(super) const fn help(self, label: &'static str, help: &'static str) -> Self {
        Self { label, help, ..self }
    }

    /// With a place in the hint line. The lower the `rank`, the longer it keeps it.
    pub(super) const fn hint(
        self,
        rank: u8,
        keys: &'static str,
        word: &'static str,
        places: &'static [Place],
    ) -> Self {
        Self { hint: Some(Hint { keys, word, standing: None, rank, places }), ..self }
    }

    /// With another word in the hint line while picture or player stands still.
    pub(super) const fn standing(self, word: &'static str) -> Self {
        let hint = match self.hint {
            Some(hint) => Some(Hint { standing: Some(word), ..hint }),
            None => None,
        };
        Self { hint, ..self }
    }
}

/// The keys of list and page.
pub(super) const LIST: &[Binding] = &[
    Binding::new(&[key(KeyCode::Up), letter('k')], Action::Up)
        .help("↑↓ kj", "select the connection above; below"),
    Binding::new(&[key(KeyCode::Down), letter('j')], Action::Down).hint(3, "↑↓", "select", LIST_ONLY),
    Binding::new(&[key(KeyCode::PageUp)], Action::PageUp).help("PgUp/Dn", "one page up; down"),
    Binding::new(&[key(KeyCode::PageDown)], Action::PageDown),
    Binding::new(&[key(KeyCode::Home), letter('g')], Action::Top)
        .help("Home g", "select whichever is first, now and later"),
    Binding::new(&[key(KeyCode::End), letter('G')], Action::Bottom)
        .help("End G", "select the last connection"),
    Binding::new(&[key(KeyCode::Enter)], Action::Open)
        .help("↵", "look at the selected connection")
        .hint(2, "↵", "open", LIST_ONLY),
    Binding::new(&[key(KeyCode::Esc), key(KeyCode::Backspace)], Action::Back)
        .help("esc", "back to the list; close the help")
        .hint(0, "esc", "back", BACK),
    Binding::new(&[letter('s')], Action::Sort)
        .help("s", "sort by the next column; S: the other way round")
        .hint(5, "s", "sort", LIST_ONLY),
    Binding::new(&[letter('S')], Action::Reverse),
    Binding::new(&[letter('/')], Action::Filter)
        .help("/", "limit the list to what has this text; esc: all")
        .hint(4, "/", "filter", LIST_ONLY),
    Binding::new(&[letter('n')], Action::NextInTrouble)
        .help("n", "select the next connection that stands still")
        .hint(8, "n", "next stalled", BOTH),
];

/// The keys of the chart.
pub(super) const CHART: &[Binding] = &[
    Binding::new(&[letter('+'), letter('=')], Action::Look(Look::In))
        .help("+ -", "zoom the chart in; out")
        .hint(5, "+-", "zoom", DETAIL_ONLY),
    Binding::new(&[letter('-')], Action::Look(Look::Out)),
    Binding::new(&[letter('h')], Action::Look(Look::Earlier)).help("h l", "pan the chart back; forward"),
    Binding::new(&[letter('l')], Action::Look(Look::Later)),
    Binding::new(&[letter('f')], Action::Look(Look::Follow))
        .help("f", "follow the time again; once more: all of it")
        .hint(6, "f", "follow", DETAIL_ONLY),
];

/// The keys of what happens now besides: of a recording the arrows seek and space stops the player.
pub(super) const LIVE: &[Binding] = &[
    Binding::new(&[letter(' ')], Action::Pause)
        .help("space", "stop the picture, not the observation; go on")
        .hint(1, "space", "pause", BOTH)
        .standing("go on"),
    Binding::new(&[key(KeyCode::Left)], Action::Look(Look::Earlier))
        .help("← →", "pan the chart back; forward")
        .hint(4, "←→", "pan", DETAIL_ONLY),
    Binding::new(&[key(KeyCode::Right)], Action::Look(Look::Later)),
];

/// The keys of the program as a whole.
pub(super) const ALWAYS: &[Binding] = &[
    Binding::new(&[letter('r')], Action::Report)
        .help("r", "write the report of the selected connection")
        .hint(4, "r", "report", BOTH),
    Binding::new(&[letter('t')], Action::Theme)
        .help("t", "colours for a dark screen, a light one, none")
        .hint(9, "t", "theme", BOTH),
    Binding::new(&[ctrl('l')], Action::Redraw).help("ctrl-l", "draw the screen anew"),
    Binding::new(&[ctrl('z')], Action::Suspend)
        .help("ctrl-z", "stop, as in a shell; nothing is observed then"),
    Binding::new(&[letter('?'), key(KeyCode::F(1))], Action::Help)
        .help("?", "this page")
        .hint(0, "?", "help", BOTH),
    Binding::new(&[letter('q'), ctrl('c')], Action::Quit)
        .help("q", "quit; ctrl-c does too")
        .hint(0, "q", "quit", EVERYWHERE),
];

/// The keys while the filter is typed. All letters are letters then, and the other keys are as ever.
pub(super) const TYPING: &[Binding] = &[
    Binding::new(&[key(KeyCode::Enter)], Action::Type(Typing::Keep)).help("↵", "keep the filter").hint(
        0,
        "↵",
        "keep",
        TYPING_ONLY,
    ),
    Binding::new(&[key(KeyCode::Esc)], Action::Type(Typing::Drop)).help("esc", "no filter").hint(
        0,
        "esc",
        "no filter",
        TYPING_ONLY,
    ),
    Binding::new(&[key(KeyCode::Backspace)], Action::Type(Typing::Erase))
        .help("bksp", "one letter less; ctrl-u: all of them")
        .hint(2, "bksp", "erase", TYPING_ONLY),
    Binding::new(&[ctrl('u')], Action::Type(Typing::EraseAll)).hint(3, "ctrl-u", "erase all", TYPING_ONLY),
];
