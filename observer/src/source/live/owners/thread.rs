//! The thread that looks for owners, and what it may take of a CPU.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use observer_core::Event;
use tokio::sync::mpsc::Sender;

use super::asks::{Ask, Asker};
use super::holders::Holders;
use crate::source::live::duty::{self, Duty};
use crate::source::live::{ObservationClock, cpu_time};

/// Two searches are never closer together.
const PERIOD: Duration = Duration::from_secs(2);

/// A search is followed by at least this many times as much rest as it took of CPU time: it never takes more than a
/// fiftieth of one CPU, however many processes there are.
const REST: u32 = 49;

/// As much CPU time processes that open connections may take within a [`SHARE_PERIOD`]. Of those beyond it, the
/// search finds the ones that live on.
const SHARE: Duration = Duration::from_millis(50);
const SHARE_PERIOD: Duration = Duration::from_secs(1);

/// Batches that are taken in one turn with the first.
const AT_ONCE: usize = 32;

/// Who asks again so soon waits so long: while connections come by the thousand this thread is not to be woken up for each,
/// on a CPU that somebody else has a use for.
const PAUSE: Duration = Duration::from_millis(10);

/// Starts the thread. It waits for room in `events`, and ends when that is closed or nobody can ask any more.
///
/// # Errors
///
/// When no thread can be started.
pub(in crate::source::live) fn spawn(
    clock: ObservationClock,
    events: Sender<Vec<Event>>,
) -> anyhow::Result<Asker> {
    let (asker, asks) = Asker::channel();
    duty::spawn(Duty::Owners, || (), move |()| run(clock, &asks, &events))?;
    Ok(asker)
}

fn run(clock: ObservationClock, asks: &Receiver<Vec<Ask>>, events: &Sender<Vec<Event>>) {
    let mut holders = Holders::new(clock);
    let mut next_search = Instant::now();
    let mut share = Share::new();
    let mut asked_at = Instant::now();
    loop {
        let asked = if holders.wants_search() {
            asks.recv_timeout(next_search.saturating_duration_since(Instant::now()))
        } else {
            asks.recv().map_err(RecvTimeoutError::from)
        };
        let mut found = Vec::new();
        match asked {
            Ok(asked) => {
                sleep(PAUSE.saturating_sub(asked_at.elapsed()));
                for ask in asked.into_iter().chain(asks.try_iter().take(AT_ONCE).flatten()) {
                    found.extend(match ask {
                        Ask::Opened { .. } => share.spend(|may_read| holders.take(ask, may_read)),
                        _ => holders.take(ask, true),
                    });
                }
                asked_at = Instant::now();
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if holders.wants_search() && Instant::now() >= next_search {
            let before = cpu_time();
            holders.search(&mut found);
            let took = cpu_time().saturating_sub(before);
            next_search = Instant::now() + PERIOD.max(took * REST);
        }
        if !found.is_empty() && events.blocking_send(found).is_err() {
            return;
        }
    }
}

/// Keeps the reading of single processes within [`SHARE`].
struct Share {
    began: Instant,
    spent: Duration,
}

impl Share {
    fn new() -> Self {
        Self { began: Instant::now(), spent: Duration::ZERO }
    }

    /// Does `work`, which is told whether it may take time.
    fn spend<T>(&mut self, work: impl FnOnce(bool) -> T) -> T {
        if self.began.elapsed() >= SHARE_PERIOD {
            *self = Self::new();
        }
        let before = cpu_time();
        let done = work(self.spent < SHARE);
        self.spent += cpu_time().saturating_sub(before);
        done
    }
}
