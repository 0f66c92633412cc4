//! Which regions a screen of a given size has, and where.

use ratatui::layout::Rect;

/// The regions of a screen, those without room empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Regions {
    /// One line: the program, the host, the counts.
    pub(super) header: Rect,
    /// One line, two on narrow screens, all there is on the smallest: what matters most.
    pub(super) sentence: Rect,
    /// The connections, with their title and column heads.
    pub(super) list: Rect,
    /// The selected connection.
    pub(super) detail: Rect,
    /// What happened, with its title.
    pub(super) events: Rect,
    /// One line, of a recording only: how far it has been played.
    pub(super) bar: Rect,
    /// One line: the keys.
    pub(super) hints: Rect,
}

impl Regions {
    /// What lies between the sentence and the last lines: list, detail and events.
    pub(super) fn middle(&self) -> Rect {
        let Self { list, detail, events, .. } = *self;
        Rect { height: list.height + detail.height + events.height, ..list }
    }
}

/// What fills the middle of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// The list of connections, on large screens with the selected connection below.
    List,
    /// The selected connection alone.
    Detail,
}

/// From this size on there is room for more than the sentence.
const SMALLEST: (u16, u16) = (40, 8);
/// From this height on there is room for events.
const WITH_EVENTS: u16 = 20;
/// Below this width the sentence may need a second line.
const ONE_LINE: u16 = 80;
/// From this size on there is room for list and detail together.
const COMBINED: (u16, u16) = (120, 34);

/// Divides `area`.
pub(super) fn regions(area: Rect, page: Page, of_recording: bool) -> Regions {
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        return Regions { sentence: area, ..Regions::default() };
    }
    let line = |y: u16| Rect { y: area.y + y, height: 1, ..area };
    let combined = area.width >= COMBINED.0 && area.height >= COMBINED.1 && page == Page::List;
    // Of a large screen the list gets as much as the detail, whose chart grows with it.
    let events = match area.height {
        ..WITH_EVENTS => 0,
        height if combined => 1 + 5 + (height - COMBINED.1) / 8,
        _ => 1 + 5,
    };
    let sentence = if area.width < ONE_LINE { 2 } else { 1 };
    let head = 1 + sentence;
    let bar = u16::from(of_recording);
    let middle = area.height - head - events - bar - 1;
    let detail = match page {
        Page::Detail => middle,
        Page::List if combined => middle / 2 + 3,
        Page::List => 0,
    };
    let block = |y: u16, height: u16| Rect { y: area.y + y, height, ..area };
    Regions {
        header: line(0),
        sentence: block(1, sentence),
        list: block(head, middle - detail),
        detail: block(head + middle - detail, detail),
        events: block(head + middle, events),
        bar: block(area.height - 1 - bar, bar),
        hints: line(area.height - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(width: u16, height: u16, page: Page) -> Regions {
        regions(Rect::new(0, 0, width, height), page, false)
    }

    #[test]
    fn regions_cover_the_screen_without_overlap() {
        for width in [40, 79, 80, 119, 120, 300] {
            for height in [8, 15, 19, 20, 24, 33, 34, 40, 100] {
                for (page, of_recording) in
                    [(Page::List, false), (Page::Detail, false), (Page::List, true), (Page::Detail, true)]
                {
                    let r = regions(Rect::new(0, 0, width, height), page, of_recording);
                    let parts = [r.header, r.sentence, r.list, r.detail, r.events, r.bar, r.hints];
                    let mut next = 0;
                    for part in parts.into_iter().filter(|part| part.height > 0) {
                        assert_eq!(part.y, next, "{width}x{height} {page:?}: {r:?}");
                        assert_eq!(part.width, width);
                        next = part.bottom();
                    }
                    assert_eq!(next, height, "{width}x{height} {page:?}: {r:?}");
                }
            }
        }
    }

    #[test]
    fn breakpoints() {
        assert!(at(120, 34, Page::List).detail.height > 0);
        assert_eq!(at(119, 34, Page::List).detail.height, 0);
        assert_eq!(at(120, 33, Page::List).detail.height, 0);
        assert!(at(80, 20, Page::List).events.height > 0);
        assert_eq!(at(80, 19, Page::List).events.height, 0);
        assert_eq!(at(39, 24, Page::List).sentence, Rect::new(0, 0, 39, 24));
        assert_eq!(at(80, 7, Page::List).sentence, Rect::new(0, 0, 80, 7));
        assert_eq!(at(0, 0, Page::List).sentence, Rect::ZERO);
    }
}
