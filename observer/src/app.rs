//! The one task that everything goes through: it owns the judgement, the log and the output.
//!
//! There is nothing to lock, because there is nobody to share with. Everything that is not computed comes in
//! through [`Parts`], the clock included, so a test runs the whole program on a clock of its own.

use std::future::Future;
use std::io;
use std::ops::ControlFlow;
use std::pin::pin;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::{Stream, StreamExt as _};
use observer_core::{
    Config, Event, EventKind, Finding, FindingKind, Severity, SourceEvent, Timestamp, Tracker,
};
use tokio::sync::mpsc;

use crate::command::Outcome;
use crate::listener::Listeners;
use crate::log::{Sink, Writer};
use crate::output::{Output, WhenSourceEnds, is_broken_pipe};

/// A deadline is let pass so much late. Events that were stamped before it are in by then, as a rule. That it passed is
/// an event itself, and so in the log, for those that come later still: a replay sees the same in the same order.
pub const GRACE: Duration = Duration::from_millis(20);

/// An observer that lets a deadline pass so late did not run meanwhile: it was stopped (SIGSTOP), or starved. Where it was only
/// busy, what falls due is told a second later than it could be, and with the same times.
const STOPPED: Duration = Duration::from_millis(200);

/// So long it then looks at what has happened, before anything falls due: the connections in trouble are looked at at once, and
/// again after a fifth of a second.
const LOOKS_FOR: Duration = Duration::from_secs(1);

/// At the end the source has so long to tell what it still knows. Reading a full ring buffer takes a tenth of it.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What the program is made of, and its way to the world.
pub struct Parts<O, I, S, E, C, L> {
    /// Observations, oldest first. The source has ended when the sender is gone.
    pub events: mpsc::Receiver<Vec<Event>>,
    /// What the user does: keys, a new size of the terminal.
    pub inputs: I,
    /// Comes when the program is told to end: a signal.
    pub stop: S,
    /// Tells the source that the end has come, and is over when all it still knew is in `events`.
    pub last_words: E,
    /// Now, on the observation clock.
    pub clock: C,
    /// Who is shown it.
    pub output: O,
    /// Who else hears of it.
    pub listeners: Listeners,
    /// The record, where one is kept.
    pub log: Option<Writer<L>>,
    /// What the judgement is told.
    pub config: Config,
    /// How late events may come: [`GRACE`], or more where they take a longer way.
    pub grace: Duration,
    /// The severity from which on a finding makes the [`Outcome`] be `Found`.
    pub fail_on: Option<Severity>,
}

/// What is left to say when it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// What the exit status says.
    pub outcome: Outcome,
    /// Events that the log should have and has not.
    pub missing_in_log: u64,
}

/// Runs until the user or a signal ends it, the source has ended and the output has no more use, or whoever reads the
/// output has seen enough.
///
/// # Errors
///
/// When the output or the user's terminal fails. A log that fails is told and does not end the observation.
pub async fn run<O, I, S, E, C, L>(parts: Parts<O, I, S, E, C, L>) -> anyhow::Result<Ended>
where
    O: Output,
    I: Stream<Item = io::Result<O::Input>>,
    S: Future<Output = ()>,
    E: Future<Output = ()>,
    C: Fn() -> Timestamp,
    L: Sink,
{
    let Parts { mut events, inputs, stop, last_words, clock, output, listeners, log, config, grace, fail_on } =
        parts;
    let tracker = Tracker::new(config);
    let outcome = Outcome::Clean;
    let mut app = App {
        tracker,
        output,
        is_shown: true,
        listeners,
        log,
        clock,
        grace,
        fail_on,
        outcome,
        was_stopped: false,
    };
    let served = app.serve(&mut events, inputs, stop).await;
    // Where the output has failed too: what was lost in the last second is still for the log and for who else hears.
    let heard = app.hear_out(&mut events, last_words).await.and_then(|()| app.finish());
    let served = served.and(heard);
    // However it ended, the log gets what is still to be written.
    if let Some(log) = &mut app.log {
        log.flush((app.clock)());
    }
    app.tell_log_status();
    if let Err(error) = served
        && !is_broken_pipe(&error)
    {
        return Err(error);
    }
    let missing_in_log = app.log.as_ref().map_or(0, |log| log.status().events_missing);
    Ok(Ended { outcome: app.outcome, missing_in_log })
}

/// Whether a finding counts for the exit status. Of the observation itself, only what was lost weighs: the rest is no
/// finding about the host.
pub fn counts(finding: &Finding, fail_on: Option<Severity>) -> bool {
    let about_the_host = !matches!(finding.kind, FindingKind::Degraded { .. });
    about_the_host && fail_on.is_some_and(|level| finding.kind.severity() >= level)
}

struct App<O, C, L> {
    tracker: Tracker,
    output: O,
    /// Whether the output takes findings: the first that it does not take is the last.
    is_shown: bool,
    listeners: Listeners,
    log: Option<Writer<L>>,
    clock: C,
    grace: Duration,
    fail_on: Option<Severity>,
    outcome: Outcome,
    /// Whether a deadline was late when it was looked at last.
    was_stopped: bool,
}

impl<O: Output, C: Fn() -> Timestamp, L: Sink> App<O, C, L> {
    async fn serve(
        &mut self,
        events: &mut mpsc::Receiver<Vec<Event>>,
        inputs: impl Stream<Item = io::Result<O::Input>>,
        stop: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        let (mut inputs, mut stop) = (pin!(inputs), pin!(stop));
        let mut source_runs = true;
        loop {
            let wait = self.wake_at().map(|at| at.since((self.clock)()));
            tokio::select! {
                biased;
                () = &mut stop => return Ok(()),
                input = inputs.next() => match input {
                    Some(input) => match self.input(input)? {
                        ControlFlow::Continue(()) => {}
                        ControlFlow::Break(()) => return Ok(()),
                    },
                    // The terminal is gone.
                    None => return Ok(()),
                },
                batch = events.recv(), if source_runs => match batch {
                    Some(batch) => self.observe((self.clock)(), &batch)?,
                    None => match self.output.when_source_ends() {
                        WhenSourceEnds::End => return Ok(()),
                        WhenSourceEnds::Stay => source_runs = false,
                    },
                },
                () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => {
                    // What the source has delivered by now comes before the deadline.
                    self.catch_up(events)?;
                }
            }
            self.do_what_is_due()?;
        }
    }

    /// Takes what the source still has to say: what was lost since it last told of losses must not go with it.
    async fn hear_out(
        &mut self,
        events: &mut mpsc::Receiver<Vec<Event>>,
        last_words: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        let (mut last_words, mut shown) = (pin!(tokio::time::timeout(LAST_WORDS, last_words)), Ok(()));
        loop {
            tokio::select! {
                biased;
                _ = &mut last_words => return shown.and(self.catch_up(events)),
                Some(batch) = events.recv() => shown = shown.and(self.observe((self.clock)(), &batch)),
            }
        }
    }

    /// Takes what the source has delivered by now, and no more than that.
    fn catch_up(&mut self, events: &mut mpsc::Receiver<Vec<Event>>) -> anyhow::Result<()> {
        let mut shown = Ok(());
        for _ in 0..events.len() {
            let Ok(batch) = events.try_recv() else { break };
            shown = shown.and(self.observe((self.clock)(), &batch));
        }
        shown
    }

    /// Tells the verdicts that waited for what becomes of others.
    fn finish(&mut self) -> anyhow::Result<()> {
        self.tracker.finish();
        self.tell_findings((self.clock)())
    }

    fn input(&mut self, input: io::Result<O::Input>) -> anyhow::Result<ControlFlow<()>> {
        let input = input.context("reading the keys")?;
        Ok(self.output.input(input, &self.tracker, (self.clock)()))
    }

    /// When the next deadline is let pass.
    fn deadline(&self) -> Option<Timestamp> {
        self.tracker.poll_timeout().map(|at| at + self.grace)
    }

    /// The next moment at which something falls due by itself.
    fn wake_at(&self) -> Option<Timestamp> {
        let deadline = self.deadline();
        let flush = self.log.as_ref().and_then(Writer::flush_due);
        [deadline, flush, self.output.next_draw()].into_iter().flatten().min()
    }

    /// Done after everything that happens, so that neither a flood of events nor one of keys can keep it waiting.
    fn do_what_is_due(&mut self) -> anyhow::Result<()> {
        let now = (self.clock)();
        if self.deadline().is_some_and(|at| at <= now) {
            let kind = EventKind::Source(SourceEvent::TimePassed);
            self.observe(now, &[Event { at: now - self.grace, kind }])?;
        }
        if let Some(log) = self.log.as_mut().filter(|log| log.flush_due().is_some_and(|at| at <= now)) {
            log.flush(now);
        }
        self.tell_log_status();
        if self.output.next_draw().is_some_and(|at| at <= now) {
            self.output.draw(&self.tracker, now)?;
        }
        Ok(())
    }

    /// What the judgement has to know before all else, if it did not run in time.
    fn resumed(&mut self, now: Timestamp) -> Option<Event> {
        let was_stopped = self.deadline().is_some_and(|at| at + STOPPED <= now);
        // Where it never runs in time, what falls due has to pass all the same.
        let again = std::mem::replace(&mut self.was_stopped, was_stopped);
        let kind = EventKind::Source(SourceEvent::Resumed { looks_for: STOPPED + LOOKS_FOR });
        // What others have seen in the last moments, before it goes on itself, waits too.
        (was_stopped && !again).then(|| Event { at: now - self.grace - STOPPED, kind })
    }

    /// Whatever the output does, all of it is judged, and told to everybody else.
    fn observe(&mut self, now: Timestamp, batch: &[Event]) -> anyhow::Result<()> {
        let mut shown = Ok(());
        let resumed = self.resumed(now);
        for event in resumed.iter().chain(batch) {
            if let Some(log) = &mut self.log {
                log.event(event, now);
            }
            let about = self.tracker.handle_event(event);
            for listener in &mut self.listeners {
                listener.event(event, about, &self.tracker);
            }
            self.output.event(event, about, &self.tracker);
            shown = shown.and(self.tell_findings(now));
        }
        shown
    }

    /// Fails once, when the output does.
    fn tell_findings(&mut self, now: Timestamp) -> anyhow::Result<()> {
        let mut shown = Ok(());
        while let Some(finding) = self.tracker.poll() {
            if counts(&finding, self.fail_on) {
                self.outcome = Outcome::Found;
            }
            if let Some(log) = &mut self.log {
                log.finding(&finding, now);
            }
            for listener in &mut self.listeners {
                listener.finding(&finding, &self.tracker);
            }
            if self.is_shown {
                shown = self.output.finding(&finding, &self.tracker);
                self.is_shown = shown.is_ok();
            }
        }
        shown
    }

    fn tell_log_status(&mut self) {
        if let Some(log) = &self.log {
            for listener in &mut self.listeners {
                listener.log_status(log.status());
            }
            self.output.log_status(log.status());
        }
    }
}
