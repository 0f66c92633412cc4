//! What the user has chosen to see, and where it stands. It changes in the task's loop only; drawing reads it.

use std::ops::ControlFlow;

use observer_core::{Connection, ConnectionId, Tracker};
use ratatui::layout::Rect;

use super::arrange::{Arrangement, Wishes};
use super::chart::{self, Look, Span};
use super::help;
use super::keys::{Action, Keyboard, Place, Typing};
use super::layout::{Page, Regions, regions};
use super::list;
use super::observed::Scene;
use super::overview::{Overview, counts_down, is_in_trouble};
use super::playback::Playback;
use super::reports::Notice;
use crate::log;
use crate::text::safe;

/// The state of the screen.
#[derive(Debug)]
pub(super) struct Screen {
    /// Host and ports.
    pub(super) place: String,
    pub(super) page: Page,
    /// The page of keys lies over the middle, from this line of it on.
    pub(super) help: Option<u16>,
    /// The connection the user has chosen; until then the first is selected, whichever that is.
    chosen: Option<ConnectionId>,
    /// The first connection on the screen.
    top: usize,
    pub(super) overview: Overview,
    pub(super) arrangement: Arrangement,
    /// What part of time the chart shows, and of which connection.
    span: (Option<ConnectionId>, Span),
    pub(super) log: log::Status,
    /// What is said in answer to the last key, in place of the keys.
    pub(super) notice: Option<Notice>,
    /// Of a recording, how far it has been played.
    pub(super) playback: Option<Playback>,
    area: Rect,
}

impl Screen {
    pub(super) fn new(place: &str) -> Self {
        Self {
            place: safe(place).into_owned(),
            page: Page::List,
            help: None,
            chosen: None,
            top: 0,
            overview: Overview::default(),
            arrangement: Arrangement::new(Wishes::default()),
            span: (None, Span::default()),
            log: log::Status::default(),
            notice: None,
            playback: None,
            area: Rect::ZERO,
        }
    }

    /// Forgets what it shows; what the user has chosen stays.
    pub(super) fn restart(&mut self) {
        self.overview = Overview::default();
    }

    /// The keys there are now.
    pub(super) fn keyboard(&self) -> Keyboard {
        Keyboard { of_recording: self.playback.is_some(), typing: self.arrangement.is_typing() }
    }

    /// Which of them are worth a hint.
    pub(super) fn place_of_keys(&self) -> Place {
        match self.page {
            _ if self.arrangement.is_typing() => Place::Typing,
            _ if self.help.is_some() => Place::Help,
            Page::List => Place::List,
            Page::Detail => Place::Detail,
        }
    }

    /// Takes how the writing of the log goes; whether that is news.
    pub(super) fn log_status(&mut self, status: &log::Status) -> bool {
        let news = self.log != *status;
        if news {
            self.log = status.clone();
        }
        news
    }

    /// Brings everything up to date for a picture of `area`.
    pub(super) fn prepare(&mut self, scene: Scene<'_>, area: Rect) {
        let Scene { tracker, now, .. } = scene;
        self.area = area;
        self.overview = Overview::of(tracker, &self.arrangement, now);
        // A connection that is gone takes its page with it.
        if self.chosen.is_some_and(|id| tracker.connection(id).is_none()) {
            (self.chosen, self.page) = (None, Page::List);
        }
        // One that the filter hides is not selected; its page stays while it is open.
        if self.page == Page::List && self.chosen.is_some_and(|id| !self.overview.order.contains(&id)) {
            self.chosen = None;
        }
        self.help = self.help.map(|top| top.min(help::last_top(self.keyboard(), self.regions().middle())));
        let rows = self.rows();
        let last_top = self.overview.order.len().saturating_sub(rows);
        self.top = self.top.min(last_top);
        if let Some(position) = self.position() {
            self.top = self.top.clamp(position.saturating_sub(rows.saturating_sub(1)), position);
        }
    }

    /// The selected connection.
    pub(super) fn selected(&self) -> Option<ConnectionId> {
        self.chosen.or_else(|| self.overview.order.first().copied())
    }

    pub(super) fn regions(&self) -> Regions {
        regions(self.area, self.page, self.playback.is_some())
    }

    /// What part of time the chart of the selected connection shows.
    pub(super) fn span(&self) -> Span {
        let (of, span) = self.span;
        if of == self.selected() { span } else { Span::default() }
    }

    /// Looks at another part of time.
    fn look(&mut self, look: Look, scene: Scene<'_>) {
        let Some(connection) = self.selected().and_then(|id| scene.tracker.connection(id)) else { return };
        let Some(series) = scene.observed.series(connection) else { return };
        let mut span = self.span();
        span.look(look, chart::whole(connection, series, scene.now));
        self.span = (Some(connection.id()), span);
        // Another connection may become the first; this one was chosen.
        self.chosen = Some(connection.id());
    }

    /// The connections on the screen.
    pub(super) fn visible(&self) -> &[ConnectionId] {
        let order = &self.overview.order;
        let top = self.top.min(order.len());
        &order[top..order.len().min(top + self.rows())]
    }

    /// Does what is asked for; `Break` to quit.
    pub(super) fn act(&mut self, action: Action, scene: Scene<'_>) -> ControlFlow<()> {
        match action {
            Action::Quit => return ControlFlow::Break(()),
            Action::Help => {
                // What is typed goes where it can be seen.
                self.arrangement.typed(Typing::Keep);
                self.help = if self.help.is_some() { None } else { Some(0) };
            }
            Action::Back if self.help.is_some() => self.help = None,
            _ if self.help.is_some() => self.turn_help(action),
            Action::Back if self.page == Page::List => self.arrangement.clear(),
            Action::Back => self.page = Page::List,
            Action::Sort => self.arrangement.sort_by_next(),
            Action::SortBy(sort) => self.arrangement.sort_by(sort),
            Action::Reverse => self.arrangement.order.reversed = !self.arrangement.order.reversed,
            Action::Filter if self.page == Page::List => self.arrangement.begin_typing(),
            Action::Type(typing) => self.arrangement.typed(typing),
            Action::Open => self.open(),
            Action::Look(look) => self.look(look, scene),
            // A second click on the same connection, double or not, opens it.
            Action::Point(id) if self.chosen == Some(id) => self.open(),
            Action::Point(id) => self.chosen = Some(id),
            Action::Scroll(lines) => self.scroll(lines.into()),
            // A filter is typed where it can be seen. The others are not the screen's: they play a recording, or concern
            // the terminal.
            Action::Filter
            | Action::Play(_)
            | Action::Pause
            | Action::Report
            | Action::Theme
            | Action::Redraw
            | Action::Suspend => {}
            Action::Up => self.select(|position, _| position.saturating_sub(1)),
            Action::Down => self.select(|position, _| position + 1),
            Action::PageUp => self.select(usize::saturating_sub),
            Action::PageDown => self.select(|position, page| position + page),
            Action::Top if self.page == Page::List => self.chosen = None,
            Action::Top => self.select(|_, _| 0),
            Action::Bottom => self.select(|_, _| usize::MAX),
            Action::NextInTrouble => self.select_next_in_trouble(scene.tracker),
        }
        ControlFlow::Continue(())
    }

    /// Moves the page of keys, which may be longer than the screen; drawing keeps it on it.
    fn turn_help(&mut self, action: Action) {
        let Some(top) = self.help else { return };
        let page = self.regions().middle().height.max(3) - 2;
        self.help = Some(match action {
            Action::Up => top.saturating_sub(1),
            Action::Down => top.saturating_add(1),
            Action::PageUp => top.saturating_sub(page),
            Action::PageDown => top.saturating_add(page),
            Action::Top => 0,
            Action::Bottom => u16::MAX,
            Action::Scroll(lines) => top.saturating_add_signed(lines.into()),
            _ => top,
        });
    }

    fn open(&mut self) {
        self.arrangement.typed(Typing::Keep);
        self.chosen = self.selected();
        self.page = if self.chosen.is_some() { Page::Detail } else { Page::List };
    }

    fn rows(&self) -> usize {
        list::rows(self.regions().list.height)
    }

    fn position(&self) -> Option<usize> {
        let selected = self.selected()?;
        self.overview.order.iter().position(|&id| id == selected)
    }

    /// Selects the connection at the position that `to` makes of the present one and the length of a page.
    fn select(&mut self, to: impl Fn(usize, usize) -> usize) {
        let (page, last) = (self.rows().max(2) - 1, self.overview.order.len().saturating_sub(1));
        let position = to(self.position().unwrap_or(0), page).min(last);
        self.chosen = self.overview.order.get(position).copied();
    }

    /// Moves the list under the selection, which goes with it only where it would leave the screen.
    fn scroll(&mut self, lines: isize) {
        let Some(rows) = self.rows().checked_sub(1) else { return };
        let last_top = self.overview.order.len().saturating_sub(rows + 1);
        self.top = self.top.saturating_add_signed(lines).min(last_top);
        let Some(position) = self.position() else { return };
        let on_screen = position.clamp(self.top, self.top + rows);
        if on_screen != position {
            self.chosen = self.overview.order.get(on_screen).copied();
        }
    }

    fn select_next_in_trouble(&mut self, tracker: &Tracker) {
        let order = &self.overview.order;
        let after = self.position().map_or(0, |position| position + 1);
        let in_trouble = |&&id: &&ConnectionId| tracker.connection(id).is_some_and(is_in_trouble);
        let next = order.iter().skip(after).chain(order).find(in_trouble);
        self.chosen = next.copied().or(self.chosen);
    }

    /// Whether something on the screen changes by time alone, and within a tenth of a second.
    pub(super) fn counts_down(&self, tracker: &Tracker) -> bool {
        // The sentence speaks of one that need not be in the visible part of the list.
        tracker.unsettled().any(counts_down)
            || self.on_screen(tracker).any(|connection| connection.window_closed_since().is_some())
    }

    /// Whether something on the screen changes by time alone, if slowly.
    pub(super) fn ages(&self, tracker: &Tracker) -> bool {
        self.on_screen(tracker).any(|connection| connection.ending().is_some())
    }

    fn on_screen<'a>(&'a self, tracker: &'a Tracker) -> impl Iterator<Item = &'a Connection> {
        let detail = self.selected().filter(|_| self.regions().detail.height > 0);
        self.visible().iter().copied().chain(detail).filter_map(|id| tracker.connection(id))
    }
}
