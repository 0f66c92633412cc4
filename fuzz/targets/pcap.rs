//! Reads a capture, pcap or pcapng, judges what it holds, and reports on it.

#![no_main]

use std::num::NonZeroUsize;

use observer_core::{Config, EventKind, SourceEvent};
use observer_fuzz::source::pcap::{PcapOptions, Reader};
use observer_fuzz::{Judge, reported};

const PORTS: [u16; 2] = [3306, 3307];

/// Few, so that they are given up too.
const CONNECTIONS: NonZeroUsize = NonZeroUsize::new(4).unwrap();

libfuzzer_sys::fuzz_target!(|capture: &[u8]| {
    let options = PcapOptions {
        ports: PORTS.to_vec(),
        max_connections: CONNECTIONS,
        statements: observer_fuzz::mysql::Statements::default(),
    };
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
    reported(capture, &PORTS);
});
