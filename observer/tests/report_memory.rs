//! How much memory `observer report` takes for a capture: as much for a short one as for a long one.

#![expect(clippy::unwrap_used, reason = "a report that cannot be made is a failure")]

mod support;

use std::io::BufWriter;
use std::process::{Command, Stdio};

use nix::sys::resource::{UsageWho, getrusage};
use support::capture::{Capture, Format};

/// Packets with rows in the short one, each acknowledged. Of a connection only so much of the past is kept, and it is full by
/// then.
const ROWS: u32 = 20_000;

/// How much longer the long one is.
const TIMES: u32 = 20;

/// KiB. A byte for each packet more were 740 of them; the same program at the same work differs by some dozens.
const MORE: i64 = 512;

/// Reports of a capture that is written as it is read.
fn report(rows: u32) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_observer"))
        .args(["report", "--all", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pipe = BufWriter::new(child.stdin.take().unwrap());
    let mut capture = Capture::begin(Format::Pcap, pipe).unwrap();
    capture.stream(rows).unwrap();
    drop(capture.end().unwrap());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    String::from_utf8(output.stdout).unwrap()
}

/// The most memory that any child of this process has had resident until now, in KiB (getrusage(2)).
fn most_resident() -> i64 {
    getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss()
}

/// The only test of this process, for its children are counted together.
#[test]
fn a_long_capture_takes_no_more_memory_than_a_short_one() {
    let short = report(ROWS);
    let before = most_resident();
    let long = report(ROWS * TIMES);
    let more = most_resident() - before;
    for report in [&short, &long] {
        assert!(report.contains("1 connection was seen"), "{report}");
    }
    println!("{before} KiB, then {more} more");
    assert!(more <= MORE, "{before} KiB for {ROWS} rows, and {more} more for {TIMES} times as many");
}
