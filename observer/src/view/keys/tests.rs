use super::table::{CTRL, NONE};
use super::*;

const KEYBOARDS: [Keyboard; 4] = [
    Keyboard { of_recording: false, typing: false },
    Keyboard { of_recording: true, typing: false },
    Keyboard { of_recording: false, typing: true },
    Keyboard { of_recording: true, typing: true },
];

fn of(code: KeyCode, modifiers: KeyModifiers, keyboard: Keyboard) -> Option<Action> {
    action(KeyEvent::new(code, modifiers), keyboard)
}

#[test]
fn no_key_means_two_things() {
    for keyboard in KEYBOARDS.into_iter().filter(|keyboard| !keyboard.typing) {
        let keys: Vec<_> = bindings(keyboard).flat_map(|binding| binding.keys).collect();
        for (index, key) in keys.iter().enumerate() {
            assert!(!keys[..index].contains(key), "{key:?}");
        }
    }
}

#[test]
fn who_has_a_label_has_a_help_and_who_has_none_is_one_of_a_pair() {
    for keyboard in KEYBOARDS {
        let mut before = None;
        for binding in bindings(keyboard) {
            assert_eq!(binding.help.is_empty(), binding.label.is_empty(), "{}", binding.label);
            assert!(!binding.label.is_empty() || before.is_some(), "the first has no help");
            before = Some(binding);
        }
    }
}

#[test]
fn every_hint_is_shown_somewhere_and_has_both_words() {
    for keyboard in KEYBOARDS {
        for hint in bindings(keyboard).filter_map(|binding| binding.hint) {
            assert!(!hint.keys.is_empty() && !hint.word(false).is_empty() && !hint.places.is_empty());
        }
        for place in [Place::List, Place::Detail] {
            let words: Vec<_> = hints(place, keyboard).map(|hint| hint.word(false)).collect();
            assert!(words.contains(&"help") && words.contains(&"quit"), "{words:?}");
        }
    }
}

#[test]
fn keys_are_found_with_their_modifiers() {
    let live = KEYBOARDS[0];
    assert_eq!(of(KeyCode::Char('q'), NONE, live), Some(Action::Quit));
    assert_eq!(of(KeyCode::Char('c'), CTRL, live), Some(Action::Quit));
    assert_eq!(of(KeyCode::Char('c'), NONE, live), None);
    assert_eq!(of(KeyCode::Char('G'), KeyModifiers::SHIFT, live), Some(Action::Bottom));
    let mut release = KeyEvent::new(KeyCode::Char('q'), NONE);
    release.kind = KeyEventKind::Release;
    assert_eq!(action(release, live), None);
}

#[test]
fn space_stops_the_picture_of_now_and_the_player_of_a_recording() {
    assert_eq!(of(KeyCode::Char(' '), NONE, KEYBOARDS[0]), Some(Action::Pause));
    assert_eq!(of(KeyCode::Char(' '), NONE, KEYBOARDS[1]), Some(Action::Play(Control::Pause)));
}

#[test]
fn while_the_filter_is_typed_every_letter_is_one_and_the_other_keys_are_as_ever() {
    for typing in &KEYBOARDS[2..] {
        for letter in ('!'..='~').chain([' ', 'ß']) {
            for modifiers in [NONE, KeyModifiers::SHIFT] {
                let typed = Some(Action::Type(Typing::Letter(letter)));
                assert_eq!(of(KeyCode::Char(letter), modifiers, *typing), typed);
            }
        }
        let typed = |code| of(code, NONE, *typing);
        assert_eq!(typed(KeyCode::Enter), Some(Action::Type(Typing::Keep)));
        assert_eq!(typed(KeyCode::Esc), Some(Action::Type(Typing::Drop)));
        assert_eq!(typed(KeyCode::Backspace), Some(Action::Type(Typing::Erase)));
        assert_eq!(of(KeyCode::Char('u'), CTRL, *typing), Some(Action::Type(Typing::EraseAll)));
        assert_eq!(typed(KeyCode::Down), Some(Action::Down));
        assert_eq!(of(KeyCode::Char('c'), CTRL, *typing), Some(Action::Quit));
        assert_eq!(of(KeyCode::Char('q'), KeyModifiers::ALT, *typing), None);
    }
}
