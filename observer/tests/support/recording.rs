//! Logs of scripted observations, as files.

use std::path::Path;

use observer::log::{Header, LogFile};
use observer_core::{Config, Event};

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
