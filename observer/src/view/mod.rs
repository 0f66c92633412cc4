//! The terminal view: a list of connections by time left, the selected one with its chart, and what happened.
//!
//! One file is one region of the screen. [`View`] is the only thing that changes: it takes events, findings and
//! keys, and draws when there is something new to see.

mod arrange;
mod canvas;
mod chart;
mod columns;
mod detail;
mod events;
mod filter;
mod fragment;
mod header;
mod help;
mod hints;
mod input;
mod keys;
mod layout;
mod list;
mod mouse;
mod observed;
mod order;
mod overview;
mod pause;
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

use self::arrange::Arrangement;
use self::keys::Action;
use self::observed::{Observed, Scene};
use self::pause::Paused;
use self::picture::Picture;
use self::reports::{Notice, Reports};
use self::screen::Screen;
use crate::log;
use crate::output::{Output, WhenSourceEnds};

pub use self::arrange::{LONGEST_FILTER, Wishes};
pub use self::columns::Columns;
pub use self::input::inputs;
pub use self::keys::Control;
pub use self::order::{Order, Sort};
pub use self::playback::{Playback, Speed};
pub use self::theme::{Abilities, Theme};

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
    observed: Observed,
    reports: Reports,
    /// The picture stands still.
    paused: Option<Box<Paused>>,
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
            screen: Screen::new(place),
            observed: Observed::new(config.clone()),
            reports: Reports::new(place, config),
            paused: None,
            stale: true,
            anew: false,
            drawn_at: Timestamp::EPOCH,
            moves: None,
        }
    }

    /// The view with its list as the user wants it.
    #[must_use]
    pub fn arranged(mut self, wishes: Wishes) -> Self {
        self.screen.arrangement = Arrangement::new(wishes);
        self
    }

    /// Writes reports into `directory` in place of the working directory.
    #[must_use]
    pub fn with_reports_in(mut self, directory: PathBuf) -> Self {
        self.reports.directory = directory;
        self
    }

    /// What an input asks of the playing of a recording, if it does: not while it is a letter of the filter.
    pub fn control(&self, input: &Input) -> Option<Control> {
        match self.action(input) {
            Some(Action::Play(control)) => Some(control),
            _ => None,
        }
    }

    /// Whether an input asks for a report, which tells of the moment that is shown.
    pub fn asks_for_report(&self, input: &Input) -> bool {
        self.action(input) == Some(Action::Report)
    }

    fn action(&self, input: &Input) -> Option<Action> {
        match input {
            Input::Key(key) => keys::action(*key, self.screen.keyboard()),
            Input::Mouse(mouse) => mouse::action(*mouse, &self.screen),
            _ => None,
        }
    }

    /// Lets the picture stand still, or go on with the present.
    fn pause(&mut self, tracker: &Tracker, now: Timestamp) {
        self.paused = match self.paused.take() {
            Some(_) => None,
            None => Some(Box::new(Paused::at(Scene { observed: &self.observed, tracker, now }))),
        };
    }

    /// Writes the report of the selected connection as it is now, also where the picture stands still.
    fn report(&mut self, tracker: &Tracker, now: Timestamp) {
        let selected = self.screen.selected().filter(|_| self.screen.help.is_none());
        self.screen.notice = selected.map(|id| match tracker.connection(id) {
            Some(connection) => self.reports.write(connection, now, tracker),
            None => Notice::forgotten(),
        });
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
        self.observed.clear();
        self.reports.restart();
        self.screen.restart();
        self.stale = true;
    }

    /// The terminal it draws on.
    pub fn terminal(&self) -> &Terminal<B> {
        &self.terminal
    }
}

impl<B: Backend<Error: Send + Sync + 'static>> Output for View<B> {
    type Input = Input;

    fn event(&mut self, event: &Event, about: Option<ConnectionId>, tracker: &Tracker) {
        self.reports.event(event, about, tracker);
        let is_news = self.observed.observe(event);
        self.stale |= is_news && self.paused.is_none();
    }

    fn finding(&mut self, finding: &Finding, tracker: &Tracker) -> anyhow::Result<()> {
        self.reports.finding(finding, tracker);
        self.observed.find(finding);
        if let Some(paused) = &mut self.paused {
            paused.miss(finding);
        }
        self.stale = true;
        Ok(())
    }

    fn log_status(&mut self, status: &log::Status) {
        self.stale |= self.screen.log_status(status);
    }

    fn input(&mut self, input: Input, tracker: &Tracker, now: Timestamp) -> ControlFlow<()> {
        if let Input::Resize(..) = input {
            // What a terminal has lost while it was smaller is drawn again, even if it has its old size by now.
            (self.stale, self.anew) = (true, true);
        }
        let Some(action) = self.action(&input) else { return ControlFlow::Continue(()) };
        self.stale = true;
        // What was said has been read.
        self.screen.notice = None;
        match action {
            Action::Report => self.report(tracker, now),
            Action::Pause => self.pause(tracker, now),
            Action::Theme => self.abilities.theme = self.abilities.theme.next(),
            Action::Redraw => self.anew = true,
            Action::Suspend => {
                terminal::suspend();
                self.anew = true;
            }
            action => {
                let scene = scene(self.paused.as_deref(), &self.observed, tracker, now);
                return self.screen.act(action, scene);
            }
        }
        ControlFlow::Continue(())
    }

    fn next_draw(&self) -> Option<Timestamp> {
        let wait = if self.stale { Some(FRAME) } else { self.moves };
        wait.map(|wait| self.drawn_at + wait)
    }

    fn draw(&mut self, tracker: &Tracker, now: Timestamp) -> anyhow::Result<()> {
        let Self { terminal, screen, abilities, observed, paused, .. } = self;
        observed.tidy(tracker);
        let scene = scene(paused.as_deref(), observed, tracker, now);
        let mark = paused.as_ref().map(|paused| paused.mark(now));
        if std::mem::take(&mut self.anew) {
            // Clears through the backend; `Terminal::clear` would ask the terminal for its cursor and wait.
            let size = terminal.size().context("asking for the size of the terminal")?;
            terminal.resize(size.into()).context("clearing the terminal")?;
        }
        terminal
            .draw(|frame| {
                screen.prepare(scene, frame.area());
                frame.render_widget(&Picture { screen, scene, paused: mark.as_ref() }, frame.area());
                abilities.apply(frame.buffer_mut());
            })
            .context("drawing on the terminal")?;
        self.stale = false;
        self.drawn_at = now;
        self.moves = match &self.paused {
            // How long it stands is said in seconds.
            Some(_) => Some(SLOW),
            None if self.screen.counts_down(tracker) => Some(FRAME),
            None => self.screen.ages(tracker).then_some(SLOW),
        };
        Ok(())
    }

    fn when_source_ends(&self) -> WhenSourceEnds {
        WhenSourceEnds::Stay
    }
}

/// What is drawn and what keys act on: the present, or what was when the picture was stopped.
fn scene<'a>(
    paused: Option<&'a Paused>,
    observed: &'a Observed,
    tracker: &'a Tracker,
    now: Timestamp,
) -> Scene<'a> {
    paused.map_or(Scene { observed, tracker, now }, Paused::scene)
}
