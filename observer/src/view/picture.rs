//! The whole screen, put together from its regions.

use observer_core::{Connection, headline};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::{Clear, Widget};

use super::canvas::put;
use super::detail::Detail;
use super::events::Events;
use super::header::Header;
use super::help::Help;
use super::hints::Hints;
use super::layout::Page;
use super::list::List;
use super::observed::Scene;
use super::pause::Mark;
use super::playback::Bar;
use super::screen::Screen;
use super::sentence::Sentence;
use super::words;

/// The screen at one moment.
pub(super) struct Picture<'a> {
    pub(super) screen: &'a Screen,
    pub(super) scene: Scene<'a>,
    /// What is said of a picture that stands still.
    pub(super) paused: Option<&'a Mark>,
}

impl Widget for &Picture<'_> {
    fn render(self, area: Rect, picture: &mut Buffer) {
        let Picture { screen, scene: Scene { observed, tracker, now }, paused } = *self;
        let regions = screen.regions();
        let selected = screen.selected().and_then(|id| tracker.connection(id));
        Header {
            place: &screen.place,
            degraded: &observed.degraded,
            log: &screen.log,
            filter: screen.arrangement.words(),
            overview: &screen.overview,
            events_lost: tracker.events_lost(),
            playback: screen.playback.as_ref(),
            paused,
        }
        .render(regions.header, picture);
        self.sentence(regions.sentence, picture);
        if regions.sentence == area {
            let last = area.height.min(1);
            self.notice(Rect { y: area.bottom() - last, height: last, ..area }, picture);
            return;
        }
        if let Some(top) = screen.help {
            Help { keyboard: screen.keyboard(), top }.render(regions.middle(), picture);
        } else {
            if regions.list.height > 0 {
                let series = |connection: &Connection| observed.series(connection);
                let rows = screen.visible();
                List {
                    tracker,
                    rows,
                    selected: screen.selected(),
                    arrangement: &screen.arrangement,
                    known: screen.overview.known,
                    series: &series,
                    now,
                }
                .render(regions.list, picture);
            }
            if let Some(connection) = selected {
                let (series, config) = (observed.series(connection), tracker.config());
                Detail { connection, series, config, span: screen.span(), now }
                    .render(regions.detail, picture);
            }
            let only = selected.filter(|_| screen.page == Page::Detail);
            Events { list: &observed.events, only, now }.render(regions.events, picture);
        }
        if let Some(playback) = &screen.playback {
            Bar { playback }.render(regions.bar, picture);
        }
        let standing = paused.is_some() || screen.playback.as_ref().is_some_and(|playback| playback.paused);
        Hints { place: screen.place_of_keys(), keyboard: screen.keyboard(), standing }
            .render(regions.hints, picture);
        self.notice(regions.hints, picture);
    }
}

impl Picture<'_> {
    /// What there is to say in answer to a key.
    fn notice(&self, area: Rect, picture: &mut Buffer) {
        if let Some(notice) = &self.screen.notice {
            Clear.render(area, picture);
            let cells = area.width.saturating_sub(2);
            put(picture, area, area.x + 1, cells, &notice.words(cells.into()), notice.style);
        }
    }

    /// On the page of one connection its own sentence, else what matters most of all.
    fn sentence(&self, area: Rect, picture: &mut Buffer) {
        let Picture { screen, scene: Scene { tracker, now, .. }, paused } = *self;
        let only = screen.selected().filter(|_| screen.page == Page::Detail);
        let (sign, mut text) = if let Some(connection) = only.and_then(|id| tracker.connection(id)) {
            (words::sign(connection), words::sentence(connection, now))
        } else {
            let headline = headline(tracker, now);
            let subject = headline.connection.and_then(|id| tracker.connection(id));
            (subject.map_or((" ", Style::new()), words::sign), headline.text)
        };
        // Where there is no header, nothing else says that the picture stands still.
        if let Some(paused) = paused.filter(|_| screen.regions().header.is_empty()) {
            text = format!("{}. {text}", paused.text);
        }
        Sentence { sign, text: &text }.render(area, picture);
    }
}
