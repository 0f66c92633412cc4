//! A recording that somebody still writes, as a source like any other: it is judged and seen as if it were live.
//!
//! What stands in the file already goes by at once. Until it has, the time is that of the last event that was judged;
//! from then on it is now.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use observer_core::{ConnectionId, Event, Timestamp, Tracker};
use tokio::sync::{mpsc, oneshot};

use crate::app;
use crate::listener::Listener;
use crate::log::FLUSH_AFTER;
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

    /// The clock that goes with it, and what has to hear of the events for that; `now` is the time that it is.
    pub fn keep_time<N: Fn() -> Timestamp>(
        &self,
        now: N,
    ) -> (impl Listener + use<N>, impl Fn() -> Timestamp + use<N>) {
        let judged = Rc::<Judged>::default();
        let noting = Noting(judged.clone());
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

/// Notes what went by.
struct Noting(Rc<Judged>);

impl Listener for Noting {
    fn event(&mut self, event: &Event, _about: Option<ConnectionId>, _tracker: &Tracker) {
        self.0.events.update(|count| count + 1);
        self.0.last.update(|last| last.max(event.at));
    }
}
