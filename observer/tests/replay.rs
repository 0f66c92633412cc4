//! `observer replay` in a terminal, as lines, and following a log that is being written.

#![expect(clippy::unwrap_used, reason = "a replay that cannot be seen is a failure")]

mod support;

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use observer::demo::{Client, ClientOptions, Server, ServerOptions};
use observer::source::live::ObservationClock;
use observer_core::Event;
use support::place::Place;
use support::process::Process;
use support::pty::{Pty, observer};
use support::recording::write_log;
use support::story::{Story, at, together};
use tempfile::TempDir;

/// One client recovers, the other is lost.
fn story() -> Vec<Event> {
    let lost = Story::of("10.2.7.31:51844", 1000)
        .stream(1500, 8_000, 1_200_000, 3_100_000)
        .zero_window(8_800)
        .probes([9_030, 9_480, 10_400, 12_200, 15_800, 23_000, 37_400, 66_200]);
    let recovered = Story::of("10.2.7.31:51846", 2000)
        .stream(2500, 8_000, 1_200_000, 3_100_000)
        .zero_window(9_000)
        .probes([9_230, 9_690])
        .window_update(20_000, 800_000)
        .stream(20_500, 100_000, 1_200_000, 3_100_000);
    together([lost, recovered])
}

fn log(events: &[Event]) -> (TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("log");
    write_log(&path, "db1", events);
    (place, path)
}

fn watch(path: &Path, options: &[&str]) -> Pty {
    Pty::spawn(observer(&[&["replay", path.to_str().unwrap()], options].concat()), 100, 24)
}

#[test]
fn keys_pause_seek_and_step() {
    let (_place, path) = log(&story());
    let mut pty = watch(&path, &[]);
    pty.wait_for("REPLAY 14:03:0");
    // From the first event, at 1 s, to the last, at 99.5 s: five tenths are at 50.25 s.
    pty.type_keys(" 5");
    pty.wait_for("REPLAY 14:03:50.2 1x PAUSED");
    pty.wait_for("10.2.7.31:51844 has stopped reading. mysqld drops it in 18.6 s");
    pty.type_keys(">");
    // 80 % of 60 s after the window closed at 8.8 s.
    pty.wait_for("REPLAY 14:03:56.8 1x PAUSED");
    pty.type_keys(">");
    pty.wait_for("REPLAY 14:04:08.8 1x PAUSED");
    pty.wait_for("mysqld has probably dropped 10.2.7.31:51844");
    // Back before the loss: it has not happened.
    pty.type_keys("<");
    pty.wait_for("REPLAY 14:03:56.8 1x PAUSED");
    pty.wait_for("10.2.7.31:51844 has stopped reading");
    pty.type_keys("\x1b[D");
    pty.wait_for("REPLAY 14:03:51.8");
    pty.type_keys("\x1b[C");
    pty.wait_for("REPLAY 14:03:56.8");
    // The probe before, at 37.4 s, and the one after it, at 66.2 s.
    pty.type_keys(",");
    pty.wait_for("REPLAY 14:03:37.4");
    pty.type_keys(".");
    pty.wait_for("REPLAY 14:04:06.2");
    pty.type_keys("]]");
    pty.wait_for("REPLAY 14:04:06.2 4x PAUSED");
    pty.type_keys("[");
    pty.wait_for("2x PAUSED");
    pty.type_keys("0");
    pty.wait_for("REPLAY 14:03:01.0");
    pty.type_keys("?");
    pty.wait_for("the finding before; the next one");
    pty.type_keys("q");
    let end = pty.wait_for_end();
    assert_eq!(end.status, 0);
    end.assert_restored();
}

#[test]
fn at_its_end_the_last_picture_stays_and_space_begins_again() {
    let (_place, path) = log(&story());
    let mut pty = watch(&path, &["--speed", "1000", "--fail-on", "lost"]);
    pty.wait_for("REPLAY 14:04:39.5 1000x");
    pty.type_keys(" [[[[[[[[[[[");
    pty.wait_for("REPLAY 14:03:0");
    pty.type_keys("q");
    // What was found once was found.
    assert_eq!(pty.wait_for_end().status, 1);
}

#[test]
fn a_recording_on_standard_input_can_be_had_in_lines_only() {
    let (_place, path) = log(&story());
    let lines = |from: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_observer"));
        command.args(["replay", "--plain"]).arg(from).stdin(File::open(&path).unwrap()).output().unwrap()
    };
    let (piped, read) = (lines(Path::new("-")), lines(&path));
    assert_eq!(piped.status.code(), Some(0));
    assert_eq!(String::from_utf8(piped.stdout).unwrap(), String::from_utf8(read.stdout).unwrap());
    let end = Pty::spawn(observer(&["replay", "/dev/null"]), 100, 24).wait_for_end();
    assert_eq!(end.status, 2);
    assert!(end.contents.contains("the file is empty") && !end.saw_alternate_screen, "{}", end.contents);
}

#[test]
fn the_status_tells_what_was_found_also_where_nobody_reads_it() {
    let place = Place::new().log("log", &story());
    // The loss is not the first that is found.
    for (fail_on, status) in [(&["--fail-on", "lost"][..], 1), (&["--fail-on", "notice"], 1), (&[], 0)] {
        let end = place.run_unread(&[&["replay", "--plain", "log"], fail_on].concat());
        assert_eq!(end, (String::new(), status), "{fail_on:?}");
    }
}

/// The story as it happens now, cut in two: what is in the log at first, and what is written later.
fn now() -> (String, String) {
    let began = UNIX_EPOCH + Duration::from_micros(at(40_000).as_micros().unsigned_abs());
    let since = SystemTime::now().duration_since(began).unwrap();
    let mut events = story();
    // The window of one is closed for 31 s, that of the other is open.
    events.retain(|event| event.at < at(40_000));
    for event in &mut events {
        event.at = event.at + since;
    }
    let (_place, path) = log(&events);
    let text = std::fs::read_to_string(path).unwrap();
    let cut = text.match_indices('\n').map(|(end, _)| end + 1).nth(60).unwrap();
    let (head, tail) = text.split_at(cut);
    (head.to_owned(), tail.to_owned())
}

#[test]
fn a_log_that_is_being_written_is_followed() {
    let (head, tail) = now();
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("log");
    std::fs::write(&path, head).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_observer"))
        .args(["replay", "--plain", "--follow"])
        .arg(&path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    // A line that is not whole yet waits for its end.
    let mut log = OpenOptions::new().append(true).open(&path).unwrap();
    let (torn, rest) = tail.split_at(tail.find('\n').unwrap() - 20);
    log.write_all(torn.as_bytes()).unwrap();
    log.flush().unwrap();
    log.write_all(rest.as_bytes()).unwrap();
    for expected in ["has stopped reading", "has stopped reading", "reads again", "  warning  "] {
        let line = lines.next().unwrap();
        assert!(line.contains(expected), "{expected}: {line}");
    }
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let talk = String::from_utf8(output.stderr).unwrap();
    assert!(talk.contains("following") && !talk.contains("could not be read"), "{talk}");
}

/// What a running observer finds, whoever follows its log is told in the same words.
#[test]
fn the_log_of_a_running_observer_is_followed() {
    let place = tempfile::tempdir().unwrap();
    let log = place.path().join("log");
    let clock = ObservationClock::new().unwrap();
    let options = ServerOptions { listen: (Ipv4Addr::LOCALHOST, 0).into(), ..ServerOptions::default() };
    let server = Server::start(options, clock, |_| {}).unwrap();
    let mut live = Command::new(env!("CARGO_BIN_EXE_observer"));
    live.args(["live", "--plain", "--no-kernel", "--poll", "0.2"]);
    live.args(["--port", &server.address().port().to_string(), "--log"]).arg(&log);
    let mut live = Process::spawn("observer live", &mut live).unwrap();
    live.wait_stderr("its beginning", |line| line.contains("watching ").then_some(())).unwrap();
    let mut follower = Command::new(env!("CARGO_BIN_EXE_observer"));
    let mut follower =
        Process::spawn("observer replay", follower.args(["replay", "--plain", "--follow"]).arg(&log))
            .unwrap();
    follower.wait_stderr("its beginning", |line| line.contains("following ").then_some(())).unwrap();

    let mut client = Client::connect(server.address(), &ClientOptions::default()).unwrap();
    // So many rows are more than all buffers between the two hold.
    client.query("SELECT id LIMIT 400000").unwrap();
    client.read_rows(1).unwrap();
    let found = [&live, &follower].map(|process| {
        let stalled = |line: &str| line.contains("has stopped reading").then(|| line.to_owned());
        process.wait_stdout("the stall", stalled).unwrap()
    });
    assert_eq!(found[0], found[1]);
    for process in [&mut live, &mut follower] {
        process.signal(Signal::SIGTERM).unwrap();
        assert_eq!(process.wait().unwrap().code(), Some(0), "{:?}", process.stderr.all());
    }
}

#[test]
fn a_log_that_is_followed_is_seen_as_if_it_were_live() {
    let (head, tail) = now();
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("log");
    std::fs::write(&path, head).unwrap();
    let mut pty = watch(&path, &["--follow"]);
    pty.wait_for("10.2.7.31:51846");
    OpenOptions::new().append(true).open(&path).unwrap().write_all(tail.as_bytes()).unwrap();
    pty.wait_for("10.2.7.31:51844 has stopped reading. mysqld drops it in");
    assert!(!pty.contents().contains("REPLAY"), "{}", pty.contents());
    // A log only grows: what becomes shorter is another file.
    OpenOptions::new().write(true).open(&path).unwrap().set_len(100).unwrap();
    let end = pty.wait_for_end();
    assert_eq!(end.status, 2);
    assert!(end.contents.contains("has become shorter"), "{}", end.contents);
    end.assert_restored();
}
