//! Logs of scripted observations, as files.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::path::Path;

use observer::log::{Header, LogFile};
use observer::output::Output;
use observer::replay;
use observer::source::recording::{Given, Options, Recording, Source};
use observer_core::{Config, Event, Finding, Timestamp, Tracker};

use super::story::at;

/// The first line of such a log, written on `host`.
pub(crate) fn header(host: &str) -> Header {
    Header {
        version: "0.1.0".to_owned(),
        host: host.to_owned(),
        kernel: "6.1.0".to_owned(),
        started_at: at(0),
        ports: vec![3306],
        sources: vec!["kernel programs".to_owned()],
        ..Header::of(&Config::default())
    }
}

/// Writes a log of `events`.
pub(crate) fn write_log(path: &Path, host: &str, events: &[Event]) {
    let mut log = LogFile::create(path).unwrap().begin(&header(host)).unwrap();
    for event in events {
        log.event(event, event.at);
    }
    log.flush(at(0));
    assert_eq!(log.status().events_missing, 0);
}

/// What `observer replay` finds in a log.
pub(crate) fn replayed(log: &Path) -> Vec<Finding> {
    let recording = Recording::open(&Source::open(log).unwrap(), &Options::default()).unwrap();
    let config = Given::default().config(recording.origin());
    let mut found = Found(Vec::new());
    replay::lines(recording, config, None, &mut found).unwrap();
    found.0
}

/// Keeps what is found.
struct Found(Vec<Finding>);

impl Output for Found {
    type Input = Infallible;

    fn finding(&mut self, finding: &Finding, _tracker: &Tracker) -> anyhow::Result<()> {
        self.0.push(finding.clone());
        Ok(())
    }

    fn input(&mut self, input: Infallible, _tracker: &Tracker, _now: Timestamp) -> ControlFlow<()> {
        match input {}
    }
}
