//! The report about a file that was made up.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;

use nix::sys::memfd::{MFdFlags, memfd_create};
use serde_json::Value;

use crate::report::{self, Options, Report};
use crate::source::recording::{self, Source};

/// Reports on a file that holds `bytes`, in every form, to the last connection; how many observations the report says
/// were lost. `None` when there is no report but an error, in one line.
///
/// # Panics
///
/// When the report would do something to a terminal.
pub fn reported(bytes: &[u8], ports: &[u16]) -> Option<u64> {
    let file = memfd_create("made-up", MFdFlags::empty()).expect("there is memory for a file");
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    File::from(file.try_clone().expect("there is another number for it")).write_all(bytes).expect("it fits");
    let reading = recording::Options { ports: ports.to_vec(), ..recording::Options::default() };
    let options = Options { reading, all: true, ..Options::default() };
    let report = report::build(&[Source::open(&path).ok()?], &options).ok()?;
    let written = |form: fn(&Report, &mut Vec<u8>) -> std::io::Result<()>| {
        let mut text = Vec::new();
        form(&report, &mut text).expect("there is memory for it");
        let text = String::from_utf8(text).expect("it is text");
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
        text
    };
    written(report::text);
    written(report::markdown);
    written(report::html);
    let json: Value = serde_json::from_str(&written(report::json)).expect("it is JSON");
    Some(json["lost_events"].as_u64().expect("it is a count"))
}
