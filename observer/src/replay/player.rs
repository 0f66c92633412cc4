//! The loop over keys, time and recording.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::ops::ControlFlow;
use std::pin::pin;
use std::time::Duration;

use anyhow::Context as _;
use crossterm::event::Event as Input;
use futures_util::{Stream, StreamExt as _};
use observer_core::{Config, Event, EventKind, Severity, SocketEventKind, Timestamp};
use ratatui::backend::Backend;
use tokio::time::Instant;

use super::clock::Clock;
use super::{Extent, Judging};
use crate::command::Outcome;
use crate::output::Output as _;
use crate::source::recording::Recording;
use crate::view::{Control, Playback, Speed, View};

/// Pictures are this far apart at least.
const FRAME: Duration = Duration::from_millis(100);
/// So much is judged before keys are looked at again.
const AT_ONCE: usize = 2_000;
/// How far the arrow keys go.
const JUMP: Duration = Duration::from_secs(5);
/// Events that one can step back to; from those before one goes on to the beginning.
const STEPS_BACK: usize = 1_000;

/// What is played, and its way to the world.
pub struct Parts<B: Backend, I, S, R> {
    /// Opens the recording at its beginning, again and again.
    pub open: R,
    /// How long it is.
    pub extent: Extent,
    /// What the judgement is told.
    pub config: Config,
    /// The severity from which on a finding makes the outcome be `Found`.
    pub fail_on: Option<Severity>,
    /// How fast at first.
    pub speed: Speed,
    /// Where it is seen.
    pub view: View<B>,
    /// What the user does.
    pub inputs: I,
    /// Comes when the program is told to end.
    pub stop: S,
}

/// Plays until the user or a signal ends it. At the end of the recording the last picture stays.
///
/// # Errors
///
/// When the recording cannot be read, or the terminal fails.
pub async fn play<B, I, S, R>(parts: Parts<B, I, S, R>) -> anyhow::Result<Outcome>
where
    B: Backend<Error: Send + Sync + 'static>,
    I: Stream<Item = io::Result<Input>>,
    S: Future<Output = ()>,
    R: Fn() -> anyhow::Result<Recording>,
{
    let Parts { open, extent, config, fail_on, speed, view, inputs, stop } = parts;
    let (mut inputs, mut stop) = (pin!(inputs), pin!(stop));
    let judging = Judging::new(open()?, config.clone(), fail_on)?;
    let clock = Clock::new(extent.start, extent.end, speed);
    let events = VecDeque::new();
    let mut player = Player {
        open,
        extent,
        config,
        fail_on,
        judging,
        clock,
        view,
        events,
        found: Outcome::Clean,
        drawn_at: None,
    };
    loop {
        player.advance()?;
        player.draw()?;
        tokio::select! {
            biased;
            () = &mut stop => break,
            input = inputs.next() => match input {
                Some(input) => if player.input(input.context("reading the keys")?)?.is_break() { break },
                // The terminal is gone.
                None => break,
            },
            () = tokio::time::sleep(player.wait().unwrap_or_default()), if player.wait().is_some() => {}
        }
    }
    Ok(player.outcome())
}

struct Player<B: Backend, R> {
    open: R,
    extent: Extent,
    config: Config,
    fail_on: Option<Severity>,
    judging: Judging,
    clock: Clock,
    view: View<B>,
    /// When the last events of note were, oldest first, each moment once.
    events: VecDeque<Timestamp>,
    /// What was found before the recording was set back.
    found: Outcome,
    drawn_at: Option<Instant>,
}

impl<B, R> Player<B, R>
where
    B: Backend<Error: Send + Sync + 'static>,
    R: Fn() -> anyhow::Result<Recording>,
{
    fn outcome(&self) -> Outcome {
        if self.found == Outcome::Found { Outcome::Found } else { self.judging.outcome() }
    }

    /// Takes what has happened by now, or a part of it.
    fn advance(&mut self) -> anyhow::Result<()> {
        let now = self.clock.now();
        for _ in 0..AT_ONCE {
            if !self.is_behind(now) {
                return self.arrive(now);
            }
            self.step()?;
        }
        Ok(())
    }

    /// Takes all that has happened by `now`, however much that is: for what must not be answered halfway there.
    fn catch_up(&mut self, now: Timestamp) -> anyhow::Result<()> {
        while self.is_behind(now) {
            self.step()?;
        }
        self.arrive(now)
    }

    /// What has happened by `now` was taken: what follows from the time alone.
    fn arrive(&mut self, now: Timestamp) -> anyhow::Result<()> {
        if self.judging.next_at().is_none() && now >= self.extent.end {
            self.judging.finish(&mut self.view)
        } else {
            self.judging.pass(now, &mut self.view)
        }
    }

    /// The moment of what is seen: that of the clock, or on the way there how far the judgement is.
    fn seen(&self, now: Timestamp) -> Timestamp {
        if self.is_behind(now) { self.judging.reached().max(self.extent.start).min(now) } else { now }
    }

    fn is_behind(&self, now: Timestamp) -> bool {
        self.judging.next_at().is_some_and(|at| at <= now)
    }

    /// Takes the next thing; whether it was an event of note.
    fn step(&mut self) -> anyhow::Result<bool> {
        let Some(event) = self.judging.step(&mut self.view)?.filter(is_of_note) else { return Ok(false) };
        if self.events.back() < Some(&event.at) {
            if self.events.len() == STEPS_BACK {
                self.events.pop_front();
            }
            self.events.push_back(event.at);
        }
        Ok(true)
    }

    /// How long nothing needs to be done.
    fn wait(&self) -> Option<Duration> {
        if self.is_behind(self.clock.now()) {
            return Some(Duration::ZERO);
        }
        // A clock that runs is seen to run.
        let moves = !self.clock.is_paused() && !self.clock.has_ended();
        let next = self.judging.next_at().and_then(|at| self.clock.until(at));
        (moves || self.view.is_stale())
            .then(|| next.map_or(FRAME, |next| next.min(FRAME)).max(self.until_frame()))
    }

    fn until_frame(&self) -> Duration {
        self.drawn_at.map_or(Duration::ZERO, |drawn_at| FRAME.saturating_sub(drawn_at.elapsed()))
    }

    fn draw(&mut self) -> anyhow::Result<()> {
        let now = self.seen(self.clock.now());
        let Extent { start, end, ref findings } = self.extent;
        self.view.show_playback(Playback {
            now,
            extent: (start, end),
            speed: self.clock.speed(),
            paused: self.clock.is_paused(),
            findings: findings.clone(),
        });
        if self.view.is_stale() && self.until_frame().is_zero() {
            self.drawn_at = Some(Instant::now());
            self.view.draw(self.judging.tracker(), now)?;
        }
        Ok(())
    }

    fn input(&mut self, input: Input) -> anyhow::Result<ControlFlow<()>> {
        if let Some(control) = self.view.control(&input) {
            return self.control(control).map(ControlFlow::Continue);
        }
        let now = self.clock.now();
        if self.view.asks_for_report(&input) {
            self.catch_up(now)?;
            // What is selected may be another connection by then.
            self.view.draw(self.judging.tracker(), now)?;
        }
        let flow = self.view.input(input, self.judging.tracker(), self.seen(now));
        // While a key had the program stopped, the recording stood still too.
        self.clock.set(now);
        Ok(flow)
    }

    fn control(&mut self, control: Control) -> anyhow::Result<()> {
        let now = self.clock.now();
        let Extent { start, end, findings } = self.extent.clone();
        match control {
            // At the end, going on means going on from the beginning.
            Control::Pause if self.clock.has_ended() => {
                self.seek(start)?;
                self.clock.pause(false);
            }
            Control::Pause => self.clock.pause(!self.clock.is_paused()),
            Control::Slower => self.clock.hurry(0.5),
            Control::Faster => self.clock.hurry(2.0),
            Control::Back => self.seek((now - JUMP).max(start))?,
            Control::Forward => self.seek((now + JUMP).min(end))?,
            Control::Seek(thousandths) => {
                self.seek(start + end.since(start) * thousandths.into() / 1000)?;
            }
            Control::PreviousEvent => {
                self.catch_up(now)?;
                let before = self.events.iter().rev().find(|at| **at < now).copied();
                self.stand_at(before.unwrap_or(start))?;
            }
            Control::NextEvent => self.next_event()?,
            Control::PreviousFinding => {
                let before = findings.iter().rev().find(|(at, _)| *at < now);
                self.stand_at(before.map_or(start, |(at, _)| *at))?;
            }
            Control::NextFinding => {
                let next = findings.iter().find(|(at, _)| *at > now);
                self.stand_at(next.map_or(end, |(at, _)| *at))?;
            }
        }
        Ok(())
    }

    fn stand_at(&mut self, at: Timestamp) -> anyhow::Result<()> {
        self.clock.pause(true);
        self.seek(at)
    }

    /// Goes to another time. What lies between is judged on the way there; a time that has passed means judging all
    /// again from the beginning.
    fn seek(&mut self, to: Timestamp) -> anyhow::Result<()> {
        if to < self.clock.now() {
            self.found = self.outcome();
            self.judging = Judging::new((self.open)()?, self.config.clone(), self.fail_on)?;
            self.events.clear();
            self.view.restart();
        }
        self.clock.set(to);
        Ok(())
    }

    fn next_event(&mut self) -> anyhow::Result<()> {
        self.clock.pause(true);
        let now = self.clock.now();
        while let Some(at) = self.judging.next_at() {
            let of_note = self.step()?;
            if of_note && at > now {
                self.clock.set(at);
                return Ok(());
            }
        }
        self.clock.set(self.extent.end);
        Ok(())
    }
}

/// Whether an event is one, and not the sampling of counters.
fn is_of_note(event: &Event) -> bool {
    match &event.kind {
        EventKind::Socket(socket) => {
            !matches!(socket.kind, SocketEventKind::Wire(_) | SocketEventKind::Socket(_))
        }
        EventKind::Source(_) => false,
    }
}
