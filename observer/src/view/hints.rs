//! The last line: the keys that matter here.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

use super::canvas::put;
use super::keys::{Hint, Keyboard, Place, hints};
use super::theme;
use crate::text::width;

/// The region.
pub(super) struct Hints {
    pub(super) place: Place,
    pub(super) keyboard: Keyboard,
    /// Picture or player stands still.
    pub(super) standing: bool,
}

/// Cells between two hints, where there is room and where there is little.
const GAPS: (u16, u16) = (3, 2);

impl Widget for &Hints {
    fn render(self, area: Rect, picture: &mut Buffer) {
        let (hints, gap) = self.fitting(area.width.saturating_sub(1));
        let mut x = area.x + 1;
        for hint in hints {
            let (keys, word) = (hint.keys, hint.word(self.standing));
            put(picture, area, x, cells(keys), keys, theme::ACCENT);
            x += cells(keys) + 1;
            put(picture, area, x, cells(word), word, theme::DIM);
            x += cells(word) + gap;
        }
    }
}

impl Hints {
    /// The hints that there is room for, without those of the highest rank, and the gap between them.
    fn fitting(&self, room: u16) -> (Vec<Hint>, u16) {
        let mut hints: Vec<_> = hints(self.place, self.keyboard).collect();
        let needed = |hints: &[Hint], gap| {
            let each = hints.iter().map(|hint| cells(hint.keys) + 1 + cells(hint.word(self.standing)) + gap);
            each.sum::<u16>().saturating_sub(gap)
        };
        if needed(&hints, GAPS.0) <= room {
            return (hints, GAPS.0);
        }
        while needed(&hints, GAPS.1) > room {
            let Some(last) = hints.iter().map(|hint| hint.rank).max() else { break };
            hints.retain(|hint| hint.rank < last);
        }
        (hints, GAPS.1)
    }
}

fn cells(text: &str) -> u16 {
    u16::try_from(width(text)).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(place: Place, room: u16) -> String {
        let keyboard = Keyboard { of_recording: false, typing: place == Place::Typing };
        let mut picture = Buffer::empty(Rect::new(0, 0, room, 1));
        Hints { place, keyboard, standing: false }.render(picture.area, &mut picture);
        let line: String = picture.content.iter().map(ratatui::buffer::Cell::symbol).collect();
        line.trim().to_owned()
    }

    #[test]
    fn what_matters_least_makes_room() {
        assert!(
            line(Place::List, 200)
                .contains("n next stalled   space pause   r report   t theme   ? help   q quit")
        );
        let usual = line(Place::List, 80);
        assert!(usual.ends_with("space pause  r report  ? help  q quit"), "{usual}");
        assert_eq!(line(Place::List, 31), "space pause  ? help  q quit");
        assert_eq!(line(Place::Detail, 26), "esc back  ? help  q quit");
        assert_eq!(line(Place::List, 10), "");
    }

    #[test]
    fn while_the_filter_is_typed_its_keys_are_shown() {
        assert_eq!(line(Place::Typing, 60), "↵ keep   esc no filter   bksp erase   ctrl-u erase all");
    }

    #[test]
    fn what_stands_still_is_to_go_on() {
        for of_recording in [false, true] {
            let keyboard = Keyboard { of_recording, typing: false };
            let mut picture = Buffer::empty(Rect::new(0, 0, 80, 1));
            Hints { place: Place::List, keyboard, standing: true }.render(picture.area, &mut picture);
            let line: String = picture.content.iter().map(ratatui::buffer::Cell::symbol).collect();
            assert!(line.contains("space go on") && !line.contains("pause"), "{line}");
        }
    }
}
