//! Reads an event log, judges what it holds, and reports on it.

#![no_main]

use observer_core::{Event, EventKind, LossPoint, SourceEvent, Timestamp};
use observer_fuzz::log::{Line, Reader};
use observer_fuzz::{Judge, reported};

libfuzzer_sys::fuzz_target!(|log: &[u8]| {
    let told = judged(log);
    let reported = reported(log, &[]);
    assert_eq!(told.is_some(), reported.is_some(), "what is an error to the one is none to the other");
    assert!(told <= reported, "{told:?} were lost, {reported:?} are told");
});

/// How many observations are missing; `None` when there is an error, which names the line.
fn judged(log: &[u8]) -> Option<u64> {
    let reader = Reader::new(log).ok()?;
    let mut judge = Judge::new(reader.header().config());
    let (mut lines, mut now) = (1, Timestamp::EPOCH);
    for line in reader {
        match line.ok()? {
            Line::Event(event) => {
                now = event.at;
                judge.take(&event);
            }
            Line::Gap(_) => {
                let lost = SourceEvent::EventsLost { count: 1, lost_by: LossPoint::Log };
                judge.take(&Event { at: now, kind: EventKind::Source(lost) });
            }
            Line::Header(_) | Line::Finding(_) => {}
        }
        lines += 1;
    }
    let there = log.split_inclusive(|byte| *byte == b'\n').count();
    assert_eq!(lines, there, "lines were passed over in silence");
    Some(judge.finish())
}
