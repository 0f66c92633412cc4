//! Where `observer report` reads a capture from: a file, standard input, and both compressed.

#![expect(clippy::unwrap_used, reason = "a report that cannot be made is a failure")]

mod support;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use support::capture::{Capture, Format};

fn capture(format: Format) -> Vec<u8> {
    let mut capture = Capture::begin(format, Vec::new()).unwrap();
    capture.stream(1200).unwrap();
    capture.end().unwrap()
}

/// What is reported of `file`, which is called `capture`, or of standard input.
fn report(place: &Path, file: &str, input: Stdio, form: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_observer"));
    command.current_dir(place).args(["report", "--all", "--format", form, file]).stdin(input);
    let output = command.output().unwrap();
    assert_eq!((String::from_utf8(output.stderr).unwrap().as_str(), output.status.code()), ("", Some(0)));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_capture_from_standard_input_is_reported_as_from_a_file() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("capture");
    for format in [Format::Pcap, Format::PcapNg] {
        let plain = capture(format);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&plain).unwrap();
        let compressed = encoder.finish().unwrap();
        for form in ["text", "json"] {
            fs::write(&path, &plain).unwrap();
            let expected = report(place.path(), "capture", Stdio::null(), form);
            assert!(expected.contains("10.0.0.5:41234"), "{expected}");
            for bytes in [&plain, &compressed] {
                fs::write(&path, bytes).unwrap();
                let of_file = report(place.path(), "capture", Stdio::null(), form);
                assert_eq!(of_file, expected, "{format:?} as a file");
                let input = File::open(&path).unwrap().into();
                let of_input = report(place.path(), "-", input, form);
                assert_eq!(of_input.replace("standard input", "capture"), expected, "{format:?} as input");
            }
        }
    }
}

/// A pipe gives as much as is in it, and cannot be read twice.
#[test]
fn a_capture_may_come_through_a_pipe_in_small_pieces() {
    let place = tempfile::tempdir().unwrap();
    let bytes = capture(Format::PcapNg);
    fs::write(place.path().join("capture"), &bytes).unwrap();
    let expected = report(place.path(), "capture", Stdio::null(), "json");
    let (reader, mut writer) = std::io::pipe().unwrap();
    let piecemeal = std::thread::spawn(move || {
        for piece in bytes.chunks(777) {
            writer.write_all(piece).unwrap();
        }
    });
    let of_pipe = report(place.path(), "-", reader.into(), "json");
    piecemeal.join().unwrap();
    assert_eq!(of_pipe.replace("standard input", "capture"), expected);
}
