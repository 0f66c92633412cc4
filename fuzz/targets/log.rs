//! Reads an event log, and judges what it holds.

#![no_main]

use observer_fuzz::log::{Line, Reader};
use observer_fuzz::Judge;

libfuzzer_sys::fuzz_target!(|log: &[u8]| {
    let Ok(reader) = Reader::new(log) else { return };
    let mut judge = Judge::new(reader.header().config());
    let mut lines = 1;
    for line in reader {
        match line {
            Ok(Line::Event(event)) => judge.take(&event),
            Ok(Line::Header(_) | Line::Finding(_)) => {}
            // It names the line; nothing is read beyond it.
            Err(_) => return judge.finish(),
        }
        lines += 1;
    }
    assert_eq!(lines, log.split(|byte| *byte == b'\n').count() - 1, "lines were passed over in silence");
    judge.finish();
});
