//! The terminal view: a list of connections by time left, the selected one with its chart, and what happened.
//!
//! One file is one region of the screen. [`View`] is the only thing that changes: it takes events, findings and
//! keys, and draws when there is something new to see.

mod arrange;
mod canvas;
mod chart;
mod detail;
mod events;
mod fragment;
mod header;
mod help;
mod input;
mod keys;
mod layout;
mod list;
mod overview;
mod picture;
mod playback;
mod reports;
mod screen;
mod sentence;
mod series;
pub mod terminal;
mod theme;
mod words;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use crossterm::event::Event as Input;
use observer_core::{Config, ConnectionId, Event, Finding, Timestamp, Tracker};
use ratatui::Terminal;
use ratatui::backend::Backend;

use self::keys::Action;
use self::picture::Picture;
use self::reports::Reports;
use self::screen::Screen;
use crate::log;
use crate::output::{Output, WhenSourceEnds};

pub use self::input::inputs;
pub use self::keys::Control;
pub use self::playback::{Playback, Speed};
pub use self::theme::Abilities;

/// Pictures are this far apart at least.
const FRAME: Duration = Duration::from_millis(100);
/// Pictures are this far apart where only ages move.
const SLOW: Duration = Duration::from_secs(1);

/// The view on one terminal.
#[derive(Debug)]
pub struct View<B: Backend> {
    terminal: Terminal<B>,
    abilities: Abilities,
    screen: Screen,
    reports: Reports,
    /// There is something new to see.
    stale: bool,
    /// The whole terminal is to be drawn, not what has changed only.
    anew: bool,
    drawn_at: Timestamp,
    /// How soon the picture changes by time alone.
    moves: Option<Duration>,
}

impl<B: Backend> View<B> {
    /// A view that calls what it watches `place`: `db1:3306`.
    pub fn new(terminal: Terminal<B>, abilities: Abilities, place: &str, config: Config) -> Self {
        Self {
            terminal,
            abilities,
            screen: Screen::new(place, config.clone()),
            reports: Reports::new(place, config),
            stale: true,
            anew: false,
            drawn_at: Timestamp::EPOCH,
            moves: None,
        }
    }

    /// Writes reports into `directory` in place of the working directory.
    #[must_use]
    pub fn with_reports_in(mut self, directory: PathBuf) -> Self {
        self.reports.directory = directory;
        self
    }

    /// What an input asks of the playing of a recording, if it does: not while it is a letter of the filter.
    pub fn control(&self, input: &Input) -> Option<Control> {
        let Input::Key(key) = input else { return None };
        if self.screen.arrangement.is_typing() {
            return None;
        }
        match keys::action(*key, true) {
            Some(Action::Play(control)) => Some(control),
            _ => None,
        }
    }

    /// Shows how far a recording has been played.
    pub fn show_playback(&mut self, playback: Playback) {
        self.stale |= self.screen.playback.as_ref() != Some(&playback);
        self.screen.playback = Some(playback);
    }

    /// Whether there is something new to see.
    pub fn is_stale(&self) -> bool {
        self.stale
    }

    /// Forgets what was observed, to see a recording from its beginning again. What the user has chosen stays.
    pub fn restart(&mut self) {
        self.screen.restart();
        self.reports.restart();
        self.stale = true;
    }

    /// The terminal it draws on.
    pub fn terminal(&self) -> &Terminal<B> {
        &self.terminal
    }
}

impl<B: Backend> View<B> {
    /// Writes the report of the selected connection, where the user can see which that is.
    fn report(&mut self, tracker: &Tracker, now: Timestamp) {
        let selected = self.screen.selected().filter(|_| !self.screen.help);
        if let Some(connection) = selected.and_then(|id| tracker.connection(id)) {
            self.screen.notice = Some(self.reports.write(connection, now, tracker));
        }
    }
}

impl<B: Backend<Error: Send + Sync + 'static>> Output for View<B> {
    type Input = Input;

    fn event(&mut self, event: &Event, about: Option<ConnectionId>, tracker: &Tracker) {
        self.reports.event(event, about, tracker);
        self.stale |= self.screen.observe(event);
    }

    fn finding(&mut self, finding: &Finding, tracker: &Tracker) -> anyhow::Result<()> {
        self.reports.finding(finding, tracker);
        self.screen.find(finding);
        self.stale = true;
        Ok(())
    }

    fn log_status(&mut self, status: &log::Status) {
        self.stale |= self.screen.log_status(status);
    }

    fn input(&mut self, input: Input, tracker: &Tracker, now: Timestamp) -> ControlFlow<()> {
        match input {
            Input::Key(key) => {
                // What was said has been read.
                self.stale |= self.screen.notice.take().is_some();
                if self.screen.arrangement.is_typing() && keys::types(key, &mut self.screen.arrangement) {
                    self.stale = true;
                    return ControlFlow::Continue(());
                }
                let of_recording = self.screen.playback.is_some();
                let Some(action) = keys::action(key, of_recording) else { return ControlFlow::Continue(()) };
                self.stale = true;
                self.anew |= action == Action::Redraw;
                if let Action::Look(look) = action {
                    self.screen.look(look, tracker, now);
                }
                if action == Action::Report {
                    self.report(tracker, now);
                }
                self.screen.act(action, tracker)
            }
            Input::Resize(..) => {
                self.stale = true;
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn next_draw(&self) -> Option<Timestamp> {
        let wait = if self.stale { Some(FRAME) } else { self.moves };
        wait.map(|wait| self.drawn_at + wait)
    }

    fn draw(&mut self, tracker: &Tracker, now: Timestamp) -> anyhow::Result<()> {
        let Self { terminal, screen, abilities, .. } = self;
        if std::mem::take(&mut self.anew) {
            // Clears through the backend; `Terminal::clear` would ask the terminal for its cursor and wait.
            let size = terminal.size().context("asking for the size of the terminal")?;
            terminal.resize(size.into()).context("clearing the terminal")?;
        }
        terminal
            .draw(|frame| {
                screen.prepare(tracker, frame.area());
                frame.render_widget(&Picture { screen, tracker, now }, frame.area());
                abilities.apply(frame.buffer_mut());
            })
            .context("drawing on the terminal")?;
        self.stale = false;
        self.drawn_at = now;
        self.moves = if self.screen.counts_down(tracker) {
            Some(FRAME)
        } else {
            self.screen.ages(tracker).then_some(SLOW)
        };
        Ok(())
    }

    fn when_source_ends(&self) -> WhenSourceEnds {
        WhenSourceEnds::Stay
    }
}
