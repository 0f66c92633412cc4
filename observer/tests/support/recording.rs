//! Logs of scripted observations, as files.

use std::path::Path;

use observer::log::{Header, LogFile, SCHEMA};
use observer_core::{Config, Event};

use super::story::at;

/// The first line of such a log, written on `host`.
pub(crate) fn header(host: &str) -> Header {
    let config = Config::default();
    Header {
        schema: SCHEMA.to_owned(),
        version: "0.1.0".to_owned(),
        host: host.to_owned(),
        kernel: "6.1.0".to_owned(),
        started_at: at(0),
        clock_offset: 0.0,
        ports: vec![3306],
        net_write_timeout: config.net_write_timeout,
        server_timeouts: config.server_timeouts,
        warning_share: config.warning_share,
        critical_share: config.critical_share,
        max_connections: config.max_connections,
        sources: vec!["kernel programs".to_owned()],
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
