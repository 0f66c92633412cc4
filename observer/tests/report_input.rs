//! What `observer report` reads: files and standard input, compressed too, and files that are not what they should be.

#![expect(clippy::unwrap_used, reason = "a report that cannot be made is a failure")]

mod support;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use support::capture::{Capture, Format};
use support::endings::full_stall;
use support::place::Place;

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

#[test]
fn standard_input_is_a_file_too() {
    let place = Place::new().log("log", &full_stall().events);
    let log = File::open(place.path().join("log")).unwrap();
    let output = place.command(&["report", "-"]).stdin(log).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let report = String::from_utf8(output.stdout).unwrap();
    // Lines are broken elsewhere.
    let words = |report: &str| report.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(words(&report).replace("standard input", "log"), words(&place.report(&["log"])));
}

/// What is wrong with a file, where, and what the user can do.
#[test]
fn a_bad_file_is_status_2_and_says_where() {
    let place = Place::new().log("log", &full_stall().events);
    let log = fs::read_to_string(place.path().join("log")).unwrap();
    let (header, rest) = log.split_once('\n').unwrap();
    let place = place
        .file("empty", b"")
        .file("noise", b"\x7fELF\x02\x01\x01")
        .file("packed", b"\x1f\x8b\x08\x00")
        .file("torn header", &header.as_bytes()[..100])
        .file("newer", log.replace("observer.log/1", "observer.log/2").as_bytes())
        .file("no header", rest.as_bytes())
        .file("not json", format!("{header}\n{{\"type\":\n{rest}").as_bytes())
        .file("no time", log.replacen("\"at\":", "\"when\":", 1).as_bytes())
        .file("short capture", b"\xd4\xc3\xb2\xa1\x02\0\x04\0");
    for (file, reasons) in [
        ("empty", &["reading empty: ", "empty"][..]),
        ("noise", &["reading noise: ", "no capture"]),
        ("packed", &["reading packed: ", "decompressing", "cut off"]),
        (".", &["reading .: ", "directory"]),
        ("missing", &["reading missing: ", "No such file"]),
        ("/proc/self/mem", &["reading /proc/self/mem: ", "error"]),
        ("torn header", &["reading torn header: ", "line 1: cut off"]),
        ("newer", &["reading newer: ", "line 1: ", "\"observer.log/2\"", "newer one"]),
        ("no header", &["reading no header: ", "line 1: "]),
        ("not json", &["reading not json: ", "line 2: "]),
        ("no time", &["reading no time: ", "line 2: ", "missing field `at`"]),
        ("short capture", &["reading short capture: "]),
    ] {
        for command in [&["report"][..], &["report", "--format", "json"], &["replay"]] {
            let (stdout, stderr, status) = place.run(&[command, &[file]].concat());
            assert_eq!((stdout.as_str(), status), ("", 2), "{command:?} {file}: {stderr}");
            for reason in reasons {
                assert!(
                    stderr.starts_with("observer: ") && stderr.contains(reason),
                    "{command:?} {file}: {stderr}"
                );
            }
        }
    }
}

#[test]
fn a_gap_is_counted_and_seen_and_does_not_hide_the_rest() {
    let place = Place::new().log("log", &full_stall().events);
    let log = fs::read_to_string(place.path().join("log")).unwrap();
    let (head, tail) = log.split_at(log.find('\n').unwrap() + 1);
    let newer = format!("{head}{{\"type\":\"event\",\"event\":\"stars_aligned\"}}\n{tail}");
    let place = place.file("torn", &log.as_bytes()[..log.len() - 30]).file("newer", newer.as_bytes());
    let line = log.lines().count();
    for (file, gap) in [
        ("torn", format!("torn, line {line}, could not be read: cut off")),
        ("newer", "newer, line 2, could not be read: unknown kind `stars_aligned`".to_owned()),
    ] {
        let report = place.report(&[file]);
        let told = report.split_whitespace().collect::<Vec<_>>().join(" ").replace("! ", "");
        assert!(told.contains("1 event was lost (1 in the log)") && told.contains(&gap), "{report}");
        assert!(told.contains("10.2.7.31:51844"), "{report}");
        let json: serde_json::Value =
            serde_json::from_str(&place.report(&[file, "--format", "json"])).unwrap();
        assert_eq!(json["lost_events"], 1);
        assert_eq!(json["source"]["files"][0]["lines_not_read"], 1);
        let (lines, ..) = place.run(&["replay", "--plain", file]);
        assert!(lines.contains("1 event was lost in the log"), "{lines}");
    }
}

#[test]
fn a_log_of_an_older_observer_is_read() {
    let place = Place::new();
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/observer-log-1.jsonl");
    let report: serde_json::Value =
        serde_json::from_str(&place.report(&[fixture, "--format", "json"])).unwrap();
    assert_eq!((&report["lost_events"], &report["connections_seen"]), (&0.into(), &1.into()));
    let connection = &report["connections"][0];
    assert_eq!(connection["client"], "127.0.0.1:47716");
    assert_eq!(connection["net_write_timeout"]["seconds"], 12.0);
    assert_eq!(connection["thread_id"], 3);
}

#[test]
fn of_several_files_none_is_read_once_only() {
    let place = Place::new().log("log", &full_stall().events);
    let mut child =
        place.command(&["report", "log", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may have ended before it reads.
    let _ = child.stdin.take().unwrap().write_all(b"{}");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("save it to a file first"));
}
