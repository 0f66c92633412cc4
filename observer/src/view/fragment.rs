//! A finding in the few words that fit into a line of the event list, beside the client it speaks of.

use observer_core::{
    Bytes, End, Finding, FindingKind, LossPoint, TimeRange, TimeoutSource, Timestamp, WriteClock,
};

use crate::text::short;

/// The kind of a finding: at most 15 cells.
pub(super) fn label(kind: &FindingKind) -> &'static str {
    match kind {
        FindingKind::Stalled { .. } => "stalled",
        FindingKind::Warning { .. } => "warning",
        FindingKind::Critical { .. } => "critical",
        FindingKind::Lost { seen: true, .. } => "lost",
        FindingKind::Lost { seen: false, .. } => "lost?",
        FindingKind::Recovered { .. } => "recovered",
        FindingKind::ServerClosed { .. } => "server closed",
        FindingKind::ClientClosed { .. } => "client closed",
        FindingKind::Closed { .. } => "closed",
        FindingKind::Verdict(_) => "verdict",
        FindingKind::EventsLost { .. } => "events lost",
        FindingKind::Degraded { .. } => "degraded",
    }
}

/// What the finding says beyond its kind and its client. Not cleaned for a terminal.
pub(super) fn fragment(finding: &Finding) -> String {
    match &finding.kind {
        FindingKind::Stalled { clock, queued, unread, .. } => {
            let waiting = match (queued, unread) {
                (Some(queued), _) => format!(", {} queued", Bytes(*queued)),
                (None, Some(unread)) => format!(", {} unread", Bytes(*unread)),
                (None, None) => String::new(),
            };
            let condition = match clock.timeout.source {
                TimeoutSource::Assumed => format!(" if {} s", clock.timeout.duration.as_secs()),
                _ => String::new(),
            };
            format!("{} left{condition}{waiting}", short(clock.left(finding.at)))
        }
        FindingKind::Warning { clock, .. } | FindingKind::Critical { clock, .. } => used(clock, finding.at),
        FindingKind::Lost { seen: true, .. } => "the server has given up".to_owned(),
        FindingKind::Lost { .. } => "probably, not seen yet".to_owned(),
        FindingKind::Recovered { stalled_for, .. } => format!("reads again after {}", short(*stalled_for)),
        FindingKind::ServerClosed { reset, unread, fails_at } => {
            let unread = unread.map_or_else(String::new, |unread| format!(", {} unread", Bytes(unread)));
            let fails = fails_at.map_or_else(String::new, |fails_at| {
                format!(", fails in {}", short(fails_at.since(finding.at)))
            });
            format!("{}{unread}{fails}", if *reset { "RST" } else { "FIN" })
        }
        FindingKind::ClientClosed { reset } => (if *reset { "RST" } else { "FIN" }).to_owned(),
        FindingKind::Closed { by, troubled_for } => {
            let by = match by {
                Some(End::Client) => "by the client",
                Some(End::Server) => "by the server",
                None => "without a word",
            };
            let after =
                troubled_for.map_or_else(String::new, |time| format!(", {} after ZeroWindow", short(time)));
            format!("{by}{after}")
        }
        FindingKind::Verdict(verdict) => verdict.kind.to_string(),
        FindingKind::EventsLost { count, lost_by, .. } => format!("{count} {}", place(*lost_by)),
        FindingKind::Degraded { part, because, .. } => format!("no {part}: {because}"),
    }
}

fn used(clock: &WriteClock, at: Timestamp) -> String {
    let TimeRange { earliest, .. } = clock.started;
    let what = match clock.timeout.source {
        TimeoutSource::Assumed => "assumed",
        _ => "used",
    };
    format!("{} of {} s {what}", short(at.since(earliest)), clock.timeout.duration.as_secs())
}

fn place(place: LossPoint) -> &'static str {
    match place {
        LossPoint::RingBuffer => "in the ring buffer",
        LossPoint::ConnectionMap => "in the connection map",
        LossPoint::Decoder => "not understood",
        LossPoint::Capture => "in the capture",
        LossPoint::Log => "in the log",
        LossPoint::Tracker => "connections given up",
        LossPoint::Limit => "said too fast",
    }
}
