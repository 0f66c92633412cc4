//! A recording on its way through the judgement to an output.

use observer_core::{Config, Event, EventKind, Severity, SourceEvent, Timestamp, Tracker};

use crate::app::counts;
use crate::command::Outcome;
use crate::output::{Output, is_broken_pipe};
use crate::progress::Progress;
use crate::source::recording::{Moment, Recording};

/// The judgement of a recording, as far as it has been read.
#[derive(Debug)]
pub struct Judging {
    recording: Recording,
    /// What comes next.
    next: Option<Moment>,
    tracker: Tracker,
    /// The furthest moment that was judged.
    reached: Timestamp,
    /// Whether somebody still takes findings.
    is_told: bool,
    fail_on: Option<Severity>,
    outcome: Outcome,
}

impl Judging {
    /// Begins at the beginning of `recording`.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn new(mut recording: Recording, config: Config, fail_on: Option<Severity>) -> anyhow::Result<Self> {
        let next = recording.next().transpose()?;
        let tracker = Tracker::new(config);
        let (reached, outcome) = (Timestamp::EPOCH, Outcome::Clean);
        Ok(Self { recording, next, tracker, reached, is_told: true, fail_on, outcome })
    }

    /// The judgement.
    pub fn tracker(&self) -> &Tracker {
        &self.tracker
    }

    /// The recording.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    /// The furthest moment that was judged.
    pub fn reached(&self) -> Timestamp {
        self.reached
    }

    /// Whether something was found that counts for the exit status.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// When the next thing happens; `None` at the end.
    pub fn next_at(&self) -> Option<Timestamp> {
        self.next.as_ref().map(Moment::at)
    }

    /// Takes the next thing, if there is one, and gives it.
    ///
    /// # Errors
    ///
    /// When the recording cannot be read on, or the output fails.
    pub fn step(&mut self, output: &mut impl Output) -> anyhow::Result<Option<Event>> {
        let following = self.recording.next().transpose()?;
        let Some(moment) = std::mem::replace(&mut self.next, following) else { return Ok(None) };
        self.reached = self.reached.max(moment.at());
        let Moment::Event(event) = moment else { return Ok(None) };
        let about = self.tracker.handle_event(&event);
        output.event(&event, about, &self.tracker);
        self.tell(output)?;
        Ok(Some(event))
    }

    /// Lets time pass; not beyond what comes next.
    ///
    /// # Errors
    ///
    /// When the output fails.
    pub fn pass(&mut self, now: Timestamp, output: &mut impl Output) -> anyhow::Result<()> {
        // Nothing fell due for an observer that did not run.
        let did_not_run = matches!(
            self.next,
            Some(Moment::Event(Event { kind: EventKind::Source(SourceEvent::Resumed { .. }), .. }))
        );
        if !did_not_run {
            self.tracker.handle_timeout(now);
        }
        self.reached = self.reached.max(now);
        self.tell(output)
    }

    /// There is nothing more: what follows from that is told.
    ///
    /// # Errors
    ///
    /// When the output fails.
    pub fn finish(&mut self, output: &mut impl Output) -> anyhow::Result<()> {
        self.tracker.handle_timeout(self.reached);
        self.tracker.finish();
        self.tell(output)
    }

    /// Whether nothing that comes can make a difference: nobody hears of it, and the outcome is known.
    fn is_settled(&self) -> bool {
        !self.is_told && (self.fail_on.is_none() || self.outcome == Outcome::Found)
    }

    /// When whoever read the output has seen enough, no more is told, but what is found still counts for the outcome.
    fn tell(&mut self, output: &mut impl Output) -> anyhow::Result<()> {
        while let Some(finding) = self.tracker.poll() {
            if counts(&finding, self.fail_on) {
                self.outcome = Outcome::Found;
            }
            if !self.is_told {
                continue;
            }
            match output.finding(&finding, &self.tracker) {
                Err(error) if is_broken_pipe(&error) => self.is_told = false,
                told => told?,
            }
        }
        Ok(())
    }
}

/// Judges all of a recording, as fast as can be.
///
/// # Errors
///
/// When it cannot be read to its end, or the output fails otherwise than by nobody reading it any more. What was found
/// before has been told.
pub fn lines(
    recording: Recording,
    config: Config,
    fail_on: Option<Severity>,
    output: &mut impl Output,
) -> anyhow::Result<Outcome> {
    let mut progress = Progress::begin();
    let mut judging = Judging::new(recording, config, fail_on)?;
    while judging.next.is_some() && !judging.is_settled() {
        judging.step(output)?;
        progress.step(|| judging.recording.how_far("judging"));
    }
    judging.finish(output)?;
    Ok(judging.outcome)
}
