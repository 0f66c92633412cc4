//! What the view remembers from one picture to the next. It changes in the task's loop only; drawing reads it.

use std::ops::ControlFlow;

use observer_core::{
    Config, Connection, ConnectionId, End, Event, EventKind, Finding, SocketEventKind, SocketRef,
    SourceEvent, Timestamp, Tracker,
};
use ratatui::layout::Rect;

use super::arrange::Arrangement;
use super::chart::{self, Look, Span};
use super::events::EventList;
use super::keys::Action;
use super::layout::{Page, Regions, regions};
use super::list;
use super::overview::{Overview, counts_down, is_in_trouble};
use super::playback::Playback;
use super::reports::Notice;
use super::series::{Histories, Series};
use crate::log;
use crate::text::safe;

/// The state of the screen.
#[derive(Debug)]
pub(super) struct Screen {
    /// Host and ports.
    pub(super) place: String,
    pub(super) page: Page,
    /// The page of keys lies over the middle.
    pub(super) help: bool,
    /// The connection the user has chosen; until then the first is selected, whichever that is.
    chosen: Option<ConnectionId>,
    /// The first connection on the screen.
    top: usize,
    pub(super) overview: Overview,
    pub(super) arrangement: Arrangement,
    pub(super) events: EventList,
    histories: Histories,
    /// What part of time the chart shows, and of which connection.
    span: (Option<ConnectionId>, Span),
    pub(super) degraded: Vec<String>,
    pub(super) log: log::Status,
    /// What is said in answer to the last key, in place of the keys.
    pub(super) notice: Option<Notice>,
    /// Of a recording, how far it has been played.
    pub(super) playback: Option<Playback>,
    config: Config,
    area: Rect,
}

impl Screen {
    pub(super) fn new(place: &str, config: Config) -> Self {
        Self {
            place: safe(place).into_owned(),
            page: Page::List,
            help: false,
            chosen: None,
            top: 0,
            overview: Overview::default(),
            arrangement: Arrangement::default(),
            events: EventList::default(),
            histories: Histories::new(config.max_connections),
            span: (None, Span::default()),
            degraded: Vec::new(),
            log: log::Status::default(),
            notice: None,
            playback: None,
            config,
            area: Rect::ZERO,
        }
    }

    /// Forgets what was observed; what the user has chosen stays. A recording that is played again makes the same
    /// connections again.
    pub(super) fn restart(&mut self) {
        self.overview = Overview::default();
        self.events = EventList::default();
        self.histories.clear();
        self.degraded.clear();
    }

    /// Takes an event; whether there is something new to see.
    pub(super) fn observe(&mut self, event: &Event) -> bool {
        match &event.kind {
            EventKind::Socket(socket) => {
                let SocketRef { flow, seen_at, .. } = socket.socket;
                if matches!(socket.kind, SocketEventKind::ZeroWindow { by: End::Client, .. }) {
                    self.histories.refine(flow);
                }
                let timeout = self.config.net_write_timeout_of(flow.server).duration;
                let Some(series) = self.histories.of_event(flow, timeout) else {
                    return self.events.observe(event);
                };
                let sample = matches!(socket.kind, SocketEventKind::Wire(_) | SocketEventKind::Socket(_));
                if sample {
                    series.observe(event)
                } else {
                    series.tells(seen_at) && (self.events.observe(event) | series.observe(event))
                }
            }
            EventKind::Source(SourceEvent::Degraded { part, .. }) => {
                let part = safe(part).into_owned();
                if !self.degraded.contains(&part) {
                    self.degraded.push(part);
                }
                true
            }
            EventKind::Source(_) => false,
        }
    }

    /// Takes a finding.
    pub(super) fn find(&mut self, finding: &Finding) {
        self.events.find(finding);
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
    pub(super) fn prepare(&mut self, tracker: &Tracker, area: Rect) {
        self.area = area;
        self.overview = Overview::of(tracker, &self.arrangement);
        if self.histories.len() > 2 * tracker.len() + 16 {
            let flows: std::collections::HashSet<_> = tracker.connections().map(Connection::flow).collect();
            self.histories.retain(|flow| flows.contains(&flow));
        }
        // A connection that is gone takes its page with it.
        if self.chosen.is_some_and(|id| tracker.connection(id).is_none()) {
            (self.chosen, self.page) = (None, Page::List);
        }
        // One that the filter hides is not selected; its page stays while it is open.
        if self.page == Page::List && self.chosen.is_some_and(|id| !self.overview.order.contains(&id)) {
            self.chosen = None;
        }
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
    pub(super) fn look(&mut self, look: Look, tracker: &Tracker, now: Timestamp) {
        let Some(connection) = self.selected().and_then(|id| tracker.connection(id)) else { return };
        let Some(series) = self.histories.get(connection.flow()) else { return };
        let mut span = self.span();
        span.look(look, chart::whole(connection, series, now));
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

    /// The history of a connection.
    pub(super) fn series(&self, connection: &Connection) -> Option<&Series> {
        self.histories.get(connection.flow())
    }

    /// Does what a key asks for; `Break` to quit.
    pub(super) fn act(&mut self, action: Action, tracker: &Tracker) -> ControlFlow<()> {
        let page = self.rows().max(2) - 1;
        match action {
            Action::Quit => return ControlFlow::Break(()),
            Action::Help => self.help = !self.help,
            Action::Back if self.help => self.help = false,
            Action::Back if self.page == Page::List => self.arrangement.clear(),
            Action::Back => self.page = Page::List,
            Action::Sort => self.arrangement.sort_by_next(),
            Action::Reverse => self.arrangement.reversed = !self.arrangement.reversed,
            Action::Filter if self.page == Page::List && !self.help => self.arrangement.begin_typing(),
            Action::Open => {
                self.chosen = self.selected();
                self.page = if self.chosen.is_some() { Page::Detail } else { Page::List };
            }
            // What plays a recording is not the screen; the chart has been told already, and the report is written. A
            // filter is typed where it can be seen.
            Action::Filter | Action::Report | Action::Redraw | Action::Play(_) | Action::Look(_) => {}
            Action::Up => self.select(|position, _| position.saturating_sub(1)),
            Action::Down => self.select(|position, _| position + 1),
            Action::PageUp => self.select(|position, _| position.saturating_sub(page)),
            Action::PageDown => self.select(|position, _| position + page),
            Action::Top if self.page == Page::List => self.chosen = None,
            Action::Top => self.select(|_, _| 0),
            Action::Bottom => self.select(|_, count| count),
            Action::NextInTrouble => self.select_next_in_trouble(tracker),
        }
        ControlFlow::Continue(())
    }

    fn rows(&self) -> usize {
        list::rows(self.regions().list.height)
    }

    fn position(&self) -> Option<usize> {
        let selected = self.selected()?;
        self.overview.order.iter().position(|&id| id == selected)
    }

    /// Selects the connection at the position that `to` makes of the present one and the count.
    fn select(&mut self, to: impl Fn(usize, usize) -> usize) {
        let count = self.overview.order.len();
        let position = to(self.position().unwrap_or(0), count).min(count.saturating_sub(1));
        self.chosen = self.overview.order.get(position).copied();
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
