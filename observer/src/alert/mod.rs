//! Alerts: somebody is told of findings, by a command or by a webhook (docs/ALERTS.md).
//!
//! | file | what it does |
//! |---|---|
//! | `policy` | which findings are told, and how often |
//! | `message` | what is told, as JSON |
//! | `courier` | takes messages where they belong, one after the other; what becomes of them |
//! | `command` | a command that is run |
//! | `webhook` | a URL that is posted to |
//! | `headers` | what is sent with each post, from a file |
//! | `counts` | what became of them all, for the metrics |

mod command;
mod counts;
mod courier;
mod headers;
mod message;
mod policy;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use observer_core::{Finding, Tracker};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

pub use command::Command;
pub use counts::{Counts, Outcome, Way};
pub use courier::{Courier, Delivery, MOST_WAITING};
pub use headers::{Headers, read as read_headers};
pub use message::{Origin, SCHEMA};
pub use policy::{Decision, Policy, QUIET};
pub use webhook::{Patience, Webhook};

use crate::listener::Listener;
use crate::talk::say;

/// At the end of the observation, alerts that are under way have so long.
const LAST_CHANCE: Duration = Duration::from_secs(5);

/// Tells somebody of findings.
#[derive(Debug)]
pub struct Alerts {
    policy: Policy,
    origin: Origin,
    queues: Vec<(Way, mpsc::Sender<Arc<[u8]>>)>,
    counts: Arc<Counts>,
    /// Held back since the last that was told.
    held_back: u64,
    /// Whether the last one found no room in a queue.
    is_full: bool,
}

/// The couriers at work.
#[derive(Debug)]
pub struct AtWork(Vec<JoinHandle<()>>);

impl Alerts {
    /// By these ways, each of which has a courier of its own. It must be called within a runtime.
    pub fn start(
        policy: Policy,
        origin: Origin,
        ways: impl IntoIterator<Item = Box<dyn Courier>>,
        counts: Arc<Counts>,
    ) -> (Self, AtWork) {
        let (mut queues, mut at_work) = (Vec::new(), Vec::new());
        for courier in ways {
            let (sender, queue) = mpsc::channel(MOST_WAITING);
            queues.push((courier.way(), sender));
            at_work.push(tokio::spawn(courier::work(courier, queue, Arc::clone(&counts))));
        }
        (Self { policy, origin, queues, counts, held_back: 0, is_full: false }, AtWork(at_work))
    }

    fn tell(&mut self, finding: &Finding) {
        let message = match self.origin.message(finding, self.held_back) {
            Ok(message) => Arc::<[u8]>::from(message),
            Err(error) => return say(format_args!("an alert could not be written: {error}")),
        };
        self.held_back = 0;
        let mut full = false;
        for (way, queue) in &self.queues {
            if queue.try_send(Arc::clone(&message)).is_err() {
                full = true;
                self.counts.count(*way, Outcome::Dropped);
            }
        }
        // Of those that follow each other without a pause the first is enough.
        if full && !self.is_full {
            say(format_args!("an alert was dropped: {MOST_WAITING} wait already"));
        }
        self.is_full = full;
    }

    fn hold_back(&mut self) {
        if self.held_back == 0 {
            say(format_args!("an alert was held back; the next that is sent tells how many were"));
        }
        self.held_back += 1;
        self.counts.hold_back();
    }
}

impl Listener for Alerts {
    fn finding(&mut self, finding: &Finding, _tracker: &Tracker) {
        match self.policy.decide(finding) {
            Decision::Tell => self.tell(finding),
            Decision::HoldBack => self.hold_back(),
            Decision::Nothing => {}
        }
    }
}

impl AtWork {
    /// Waits for what is under way, but not for long. [`Alerts`] must be gone.
    pub async fn finish(self) {
        let all = async {
            for courier in self.0 {
                // One that has panicked has said so.
                let _ = courier.await;
            }
        };
        if tokio::time::timeout(LAST_CHANCE, all).await.is_err() {
            say(format_args!("alerts that were still under way were given up"));
        }
    }
}
