//! Hears what happens and keeps the figures up to date.

use std::time::{Duration, Instant};

use observer_core::{ConnectionId, Event, EventKind, Finding, SourceEvent, Timestamp, Tracker};
use tokio::sync::watch;

use super::Figures;
use crate::listener::Listener;
use crate::log;

/// Connections are looked at so often at most: less than the shortest usual time between two polls, after each of which
/// there is something new.
const REFRESH_AFTER: Duration = Duration::from_millis(500);

/// Keeps [`Figures`] up to date for whoever exports them.
#[derive(Debug)]
pub struct Gatherer {
    figures: watch::Sender<Figures>,
    /// When connections were looked at last.
    refreshed: Timestamp,
}

impl Gatherer {
    /// It, and the figures for whoever exports them.
    pub fn new() -> (Self, watch::Receiver<Figures>) {
        let (figures, receiver) = watch::channel(Figures::default());
        (Self { figures, refreshed: Timestamp::EPOCH }, receiver)
    }
}

impl Listener for Gatherer {
    fn event(&mut self, event: &Event, _about: Option<ConnectionId>, tracker: &Tracker) {
        if let EventKind::Source(SourceEvent::SocketsPolled { period }) = event.kind {
            self.figures.send_modify(|figures| figures.polled = Some((Instant::now(), period)));
        }
        if event.at.since(self.refreshed) >= REFRESH_AFTER {
            self.refreshed = event.at;
            self.figures.send_modify(|figures| figures.take_stock(tracker, event.at));
        }
    }

    fn finding(&mut self, finding: &Finding, _tracker: &Tracker) {
        self.figures.send_modify(|figures| figures.count(finding));
    }

    fn log_status(&mut self, status: &log::Status) {
        self.figures.send_if_modified(|figures| {
            let changed = figures.log != *status;
            if changed {
                figures.log = status.clone();
            }
            changed
        });
    }
}
