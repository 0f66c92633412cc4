//! A recording that somebody still writes, as a source like any other: it is judged and seen as if it were live.
//!
//! What stands in the file already goes by at once. Until it has, the time is that of the last event that was judged;
//! from then on it is now.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use observer_core::{ConnectionId, Event, Finding, Timestamp, Tracker};
use tokio::sync::{mpsc, oneshot};

use crate::app;
use crate::log::{FLUSH_AFTER, Status};
use crate::output::{Output, WhenSourceEnds};
use crate::source::recording::{Moment, PERIOD, Recording, Tail};

/// Events that may wait between the reader and the judgement.
const WAITING: usize = 256;

/// How late events come by way of a file: as late as they are written and looked for.
pub const GRACE: Duration = FLUSH_AFTER.saturating_add(PERIOD).saturating_add(app::GRACE);

/// Reads on a thread of its own, which waits for what is written.
#[derive(Debug)]
pub struct Follower {
    /// What was read.
    pub events: mpsc::Receiver<Vec<Event>>,
    /// Comes when it cannot be read on, with the reason.
    pub failed: oneshot::Receiver<anyhow::Error>,
    sent: Arc<AtomicU64>,
    tail: Tail,
}

impl Follower {
    /// Begins. `tail` is that of the recording.
    ///
    /// # Errors
    ///
    /// When no thread can be started.
    pub fn start(recording: Recording, tail: Tail) -> anyhow::Result<Self> {
        let (sender, events) = mpsc::channel(WAITING);
        let (fail, failed) = oneshot::channel();
        let sent = Arc::<AtomicU64>::default();
        let counted = sent.clone();
        thread::Builder::new()
            .name("follow".to_owned())
            .spawn(move || {
                for moment in recording {
                    match moment {
                        Ok(Moment::Event(event)) => {
                            counted.fetch_add(1, Ordering::AcqRel);
                            if sender.blocking_send(vec![event]).is_err() {
                                return;
                            }
                        }
                        Ok(Moment::Reached(_)) => {}
                        // Whoever does not want to know any more has ended before.
                        Err(error) => return drop(fail.send(error)),
                    }
                }
            })
            .context("starting the thread that reads the file")?;
        Ok(Self { events, failed, sent, tail })
    }

    /// Notes what `output` is told, and gives the clock that goes with it; `now` is the time that it is.
    pub fn keep_time<O, N: Fn() -> Timestamp>(
        &self,
        output: O,
        now: N,
    ) -> (Noting<O>, impl Fn() -> Timestamp + use<O, N>) {
        let judged = Rc::<Judged>::default();
        let noting = Noting { output, judged: judged.clone() };
        let (sent, tail, is_live) = (self.sent.clone(), self.tail.clone(), Cell::new(false));
        let clock = move || {
            let (now, last) = (now(), judged.last.get());
            // A pipe does not tell that it has nothing more; that the last event is new does.
            let all = tail.waits() && judged.events.get() == sent.load(Ordering::Acquire);
            if is_live.get() || all || now.since(last) < GRACE {
                is_live.set(true);
                now
            } else {
                last
            }
        };
        (noting, clock)
    }
}

/// How far the judgement is.
#[derive(Debug, Default)]
struct Judged {
    events: Cell<u64>,
    last: Cell<Timestamp>,
}

/// An output that notes what went by.
#[derive(Debug)]
pub struct Noting<O> {
    output: O,
    judged: Rc<Judged>,
}

impl<O: Output> Output for Noting<O> {
    type Input = O::Input;

    fn event(&mut self, event: &Event, about: Option<ConnectionId>, tracker: &Tracker) {
        self.judged.events.update(|count| count + 1);
        self.judged.last.update(|last| last.max(event.at));
        self.output.event(event, about, tracker);
    }

    fn finding(&mut self, finding: &Finding, tracker: &Tracker) -> anyhow::Result<()> {
        self.output.finding(finding, tracker)
    }

    fn log_status(&mut self, status: &Status) {
        self.output.log_status(status);
    }

    fn input(&mut self, input: O::Input, tracker: &Tracker, now: Timestamp) -> ControlFlow<()> {
        self.output.input(input, tracker, now)
    }

    fn next_draw(&self) -> Option<Timestamp> {
        self.output.next_draw()
    }

    fn draw(&mut self, tracker: &Tracker, now: Timestamp) -> anyhow::Result<()> {
        self.output.draw(tracker, now)
    }

    fn when_source_ends(&self) -> WhenSourceEnds {
        self.output.when_source_ends()
    }
}
