//! The whole screen, put together from its regions.

use observer_core::{Connection, Timestamp, Tracker, headline};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::{Clear, Widget};

use super::canvas::put;
use super::detail::Detail;
use super::events::Events;
use super::header::Header;
use super::help::Help;
use super::keys::{Place, hints};
use super::layout::Page;
use super::list::List;
use super::playback::Bar;
use super::screen::Screen;
use super::sentence::Sentence;
use super::{theme, words};
use crate::text::width;

/// The screen at one moment.
pub(super) struct Picture<'a> {
    pub(super) screen: &'a Screen,
    pub(super) tracker: &'a Tracker,
    pub(super) now: Timestamp,
}

impl Widget for &Picture<'_> {
    fn render(self, area: Rect, picture: &mut Buffer) {
        let Picture { screen, tracker, now } = *self;
        let regions = screen.regions();
        let selected = screen.selected().and_then(|id| tracker.connection(id));
        Header {
            place: &screen.place,
            degraded: &screen.degraded,
            log: &screen.log,
            filter: screen.arrangement.words(),
            overview: &screen.overview,
            events_lost: tracker.events_lost(),
            playback: screen.playback.as_ref(),
        }
        .render(regions.header, picture);
        self.sentence(regions.sentence, picture);
        if regions.sentence == area {
            self.notice(
                Rect { y: area.bottom().saturating_sub(1), height: area.height.min(1), ..area },
                picture,
            );
            return;
        }
        if screen.help {
            let middle = regions.list.union(regions.detail).union(regions.events);
            Help { of_recording: screen.playback.is_some() }
                .render(Rect { x: area.x, width: area.width, ..middle }, picture);
        } else {
            if regions.list.height > 0 {
                let series = |connection: &Connection| screen.series(connection);
                let rows = screen.visible();
                List {
                    tracker,
                    rows,
                    selected: screen.selected(),
                    arrangement: &screen.arrangement,
                    series: &series,
                    now,
                }
                .render(regions.list, picture);
            }
            if let Some(connection) = selected {
                let (series, config) = (screen.series(connection), tracker.config());
                Detail { connection, series, config, span: screen.span(), now }
                    .render(regions.detail, picture);
            }
            let only = selected.filter(|_| screen.page == Page::Detail);
            Events { list: &screen.events, only, now }.render(regions.events, picture);
        }
        if let Some(playback) = &screen.playback {
            Bar { playback }.render(regions.bar, picture);
        }
        if !self.notice(regions.hints, picture) {
            self.hints(regions.hints, picture);
        }
    }
}

impl Picture<'_> {
    /// On the page of one connection its own sentence, else what matters most of all.
    fn sentence(&self, area: Rect, picture: &mut Buffer) {
        let Picture { screen, tracker, now } = *self;
        let only = screen.selected().filter(|_| screen.page == Page::Detail);
        let (sign, text) = if let Some(connection) = only.and_then(|id| tracker.connection(id)) {
            (words::sign(connection), words::sentence(connection, now))
        } else {
            let headline = headline(tracker, now);
            let subject = headline.connection.and_then(|id| tracker.connection(id));
            (subject.map_or((" ", Style::new()), words::sign), headline.text)
        };
        Sentence { sign, text: &text }.render(area, picture);
    }

    /// Says what there is to say in answer to a key; whether there is something.
    fn notice(&self, area: Rect, picture: &mut Buffer) -> bool {
        let Some(notice) = &self.screen.notice else { return false };
        Clear.render(area, picture);
        let cells = area.width.saturating_sub(2);
        put(picture, area, area.x + 1, cells, &notice.words(cells.into()), notice.style);
        true
    }

    fn hints(&self, area: Rect, picture: &mut Buffer) {
        let place =
            if self.screen.page == Page::Detail || self.screen.help { Place::Detail } else { Place::List };
        let cells = |text| u16::try_from(width(text)).unwrap_or(0);
        let all = || hints(place, self.screen.playback.is_some()).map(|binding| binding.hint);
        let needed: u16 = all().map(|(keys, word)| cells(keys) + cells(word) + 4).sum();
        // Closer together where they would not all have room.
        let gap = if needed <= area.width + 2 { 3 } else { 2 };
        let mut x = area.x + 1;
        for (keys, word) in all() {
            let (label, hint) = (cells(keys), cells(word));
            if x + label + 1 + hint > area.right() {
                break;
            }
            put(picture, area, x, label, keys, theme::ACCENT);
            put(picture, area, x + label + 1, hint, word, theme::DIM);
            x += label + 1 + hint + gap;
        }
    }
}
