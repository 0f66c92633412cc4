//! Reads a capture, pcap or pcapng, and judges what it holds.

#![no_main]

use std::num::NonZeroUsize;

use observer_fuzz::source::pcap::{PcapOptions, Reader};
use observer_core::{Config, EventKind, SourceEvent};
use observer_fuzz::Judge;

/// Few, so that they are given up too.
const CONNECTIONS: NonZeroUsize = NonZeroUsize::new(4).unwrap();

libfuzzer_sys::fuzz_target!(|capture: &[u8]| {
    let options = PcapOptions { ports: vec![3306, 3307], max_connections: CONNECTIONS };
    let Ok(mut reader) = Reader::new(capture, options) else { return };
    let mut judge = Judge::new(Config { max_connections: CONNECTIONS.get(), ..Config::default() });
    let mut gap = false;
    for event in &mut reader {
        match event {
            Ok(event) => {
                gap |= matches!(event.kind, EventKind::Source(SourceEvent::Degraded { .. }));
                judge.take(&event);
            }
            // It names the byte; nothing is read beyond it.
            Err(_) => gap = true,
        }
    }
    let unread = capture.len() as u64 - reader.offset();
    assert!(gap || unread == 0, "{unread} bytes were passed over in silence");
    judge.finish();
});
