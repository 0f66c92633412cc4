//! What the user can ask of the playing of a recording, and by which keys.

use crossterm::event::{KeyCode, KeyModifiers};

use super::table::{BOTH, NONE, letter};
use super::{Action, Binding};

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
    /// To so many thousandths of the recording.
    Seek(u16),
}

/// The keys.
pub(super) const TABLE: &[Binding] = &[
    on(&[letter(' ')], Control::Pause)
        .help("space", "pause; go on")
        .hint(1, "space", "pause", BOTH)
        .standing("go on"),
    on(&[letter('[')], Control::Slower).help("[ ]", "slower; faster").hint(3, "[ ]", "speed", BOTH),
    on(&[letter(']')], Control::Faster),
    on(&[(KeyCode::Left, NONE)], Control::Back).help("← →", "5 s back; forward").hint(2, "←→", "seek", BOTH),
    on(&[(KeyCode::Right, NONE)], Control::Forward),
    on(&[letter(',')], Control::PreviousEvent).help(", .", "the event before; the next one"),
    on(&[letter('.')], Control::NextEvent),
    on(&[letter('<')], Control::PreviousFinding).help("< >", "the finding before; the next one"),
    on(&[letter('>')], Control::NextFinding),
    on(&[letter('0')], Control::Seek(0)).help("0 - 9", "to so many tenths of the recording"),
    on(&[letter('1')], Control::Seek(100)),
    on(&[letter('2')], Control::Seek(200)),
    on(&[letter('3')], Control::Seek(300)),
    on(&[letter('4')], Control::Seek(400)),
    on(&[letter('5')], Control::Seek(500)),
    on(&[letter('6')], Control::Seek(600)),
    on(&[letter('7')], Control::Seek(700)),
    on(&[letter('8')], Control::Seek(800)),
    on(&[letter('9')], Control::Seek(900)),
];

const fn on(keys: &'static [(KeyCode, KeyModifiers)], control: Control) -> Binding {
    Binding::new(keys, Action::Play(control))
}
