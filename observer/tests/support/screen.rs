//! The view on a screen of cells.

use std::sync::Arc;

use crossterm::event::{Event as Input, KeyCode, KeyEvent, KeyModifiers, MouseEvent, MouseEventKind};
use observer::output::Output as _;
use observer::view::{Abilities, Playback, Speed, Theme, View, Wishes};
use observer_core::{Config, Event, Timestamp, Tracker};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::story::at;

/// A terminal that can show everything.
pub(crate) const ALL: Abilities = Abilities { theme: Theme::Dark, unicode: true };
/// The program without its task: events go in, pictures come out.
pub(crate) struct Screen {
    pub(crate) tracker: Tracker,
    pub(crate) view: View<TestBackend>,
    pub(crate) now: Timestamp,
}

impl Screen {
    pub(crate) fn new(size: (u16, u16), abilities: Abilities) -> Self {
        let terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
        let view = View::new(terminal, abilities, "db1:3306", Config::default());
        Self { tracker: Tracker::new(Config::default()), view, now: at(0) }
    }

    /// With a list as somebody wants it.
    pub(crate) fn arranged(size: (u16, u16), wishes: Wishes) -> Self {
        let Self { tracker, view, now } = Self::new(size, ALL);
        Self { tracker, view: view.arranged(wishes), now }
    }

    /// Everything up to `now` has happened.
    pub(crate) fn after(size: (u16, u16), events: &[Event], now: u64) -> Self {
        let mut screen = Self::new(size, ALL);
        screen.happen(events, at(now));
        screen
    }

    pub(crate) fn happen(&mut self, events: &[Event], now: Timestamp) {
        for event in events.iter().filter(|event| event.at <= now) {
            let about = self.tracker.handle_event(event);
            self.view.event(event, about, &self.tracker);
            self.tell();
        }
        self.tracker.handle_timeout(now);
        self.tell();
        self.now = now;
    }

    fn tell(&mut self) {
        while let Some(finding) = self.tracker.poll() {
            self.view.finding(&finding, &self.tracker).unwrap();
        }
    }

    pub(crate) fn press(&mut self, code: KeyCode) {
        // Keys act on what is on the screen.
        self.draw();
        let key = Input::Key(KeyEvent::from(code));
        assert!(self.view.input(key, &self.tracker, self.now).is_continue());
    }

    /// From here on it is a recording of 100 s that is played.
    pub(crate) fn play(&mut self) {
        let (now, extent) = (self.now, (at(0), at(100_000)));
        let playback = Playback { now, extent, speed: Speed(1.0), paused: false, findings: Arc::new([]) };
        self.view.show_playback(playback);
    }

    /// Does something with the mouse in a cell, counted from 0.
    pub(crate) fn mouse(&mut self, kind: MouseEventKind, (column, row): (u16, u16)) {
        self.draw();
        let mouse = Input::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE });
        assert!(self.view.input(mouse, &self.tracker, self.now).is_continue());
    }

    pub(crate) fn draw(&mut self) {
        self.view.draw(&self.tracker, self.now).unwrap();
    }

    pub(crate) fn picture(&mut self) -> String {
        self.draw();
        self.view.terminal().backend().to_string()
    }
}
