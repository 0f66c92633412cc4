//! The keys and the mouse of the program itself in a pseudo-terminal, over a log that is followed as if it were live.

#![expect(clippy::unwrap_used, reason = "what cannot be written or watched is a failure")]

mod support;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use observer_core::Event;
use support::pty::{Pty, command, observer};
use support::recording::write_log;
use support::scenes::{calm, stalled};
use support::story::{at, events_lost, together};
use tempfile::TempDir;

/// The left button.
const LEFT: u8 = 0;
/// The wheel, away from the user.
const WHEEL_UP: u8 = 64;

/// A log that is being written.
struct Log {
    _place: TempDir,
    path: PathBuf,
}

impl Log {
    /// Four connections that are well and one that has stopped reading 20 s ago.
    fn of_now() -> Self {
        let mut stories = calm();
        stories.push(stalled());
        let mut events = together(stories);
        events.retain(|event| event.at < at(38_800));
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("log");
        write_log(&path, "db1", &as_of_now(events));
        Self { _place: place, path }
    }

    /// Something more happens.
    fn append(&self, events: Vec<Event>) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("more");
        write_log(&path, "db1", &as_of_now(events));
        let text = std::fs::read_to_string(path).unwrap();
        let (_header, lines) = text.split_once('\n').unwrap();
        OpenOptions::new().append(true).open(&self.path).unwrap().write_all(lines.as_bytes()).unwrap();
    }

    fn words<'a>(&'a self, options: &[&'a str]) -> Vec<&'a str> {
        [&["replay", "--follow", path(&self.path)], options].concat()
    }

    fn watch(&self, options: &[&str]) -> Pty {
        let mut pty = Pty::spawn(observer(&self.words(options)), 100, 24);
        pty.wait_for("10.2.7.31:51844 has stopped reading");
        // The last thing of note that has happened.
        pty.wait_for("ZeroWindowProbe 6 so far");
        pty
    }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The story with 38.8 s of it behind us.
fn as_of_now(mut events: Vec<Event>) -> Vec<Event> {
    let began = UNIX_EPOCH + Duration::from_micros(at(38_800).as_micros().unsigned_abs());
    let since = SystemTime::now().duration_since(began).unwrap();
    for event in &mut events {
        event.at = event.at + since;
    }
    events
}

fn quit(mut pty: Pty) {
    pty.type_keys("q");
    let end = pty.wait_for_end();
    assert_eq!(end.status, 0);
    end.assert_restored();
}

#[test]
fn a_filter_is_typed_kept_and_taken_away() {
    let log = Log::of_now();
    let mut pty = log.watch(&[]);
    pty.type_keys("/8.22");
    pty.wait_for("/8.22_");
    pty.wait_for("esc no filter");
    pty.wait_until("the filtered list", |pty| !pty.contents().contains("10.2.8.17:39021"));
    assert!(pty.contents().contains("10.2.8.22:60214"), "{}", pty.contents());
    pty.type_keys("\r");
    pty.wait_for("? help");
    assert!(pty.contents().contains("/8.22 "), "{}", pty.contents());
    pty.type_keys("\x1b");
    pty.wait_for("10.2.8.17:39021");
    quit(pty);
}

#[test]
fn the_list_is_sorted_and_the_theme_changed() {
    let log = Log::of_now();
    let mut pty = log.watch(&["--sort", "-stalled", "--theme", "light"]);
    pty.wait_for("▴STALLED");
    pty.type_keys("s");
    pty.wait_for("TIMEOUT IN ▾");
    assert!(pty.has_colour());
    pty.type_keys("t");
    pty.wait_until("no colour", |pty| !pty.has_colour());
    pty.type_keys("t");
    pty.wait_until("colours again", Pty::has_colour);
    quit(pty);
}

#[test]
fn a_paused_picture_stands_while_the_observation_goes_on() {
    let log = Log::of_now();
    let mut pty = log.watch(&[]);
    pty.type_keys(" ");
    pty.wait_for("PAUSED ");
    log.append(vec![events_lost(38_900, 12)]);
    // There may be others: the clock of the stalled one runs.
    pty.wait_until("the loss", |pty| pty.contents().contains("■ ") && pty.contents().contains(" since"));
    assert!(pty.contents().contains("0 lost"), "{}", pty.contents());
    // The page of the connection is that of then, too.
    pty.type_keys("\r");
    pty.wait_for("‹ 10.2.0.5:3306 → 10.2.7.31:51844");
    assert!(pty.contents().contains("0 lost"), "{}", pty.contents());
    pty.type_keys(" ");
    pty.wait_for("12 lost");
    assert!(!pty.contents().contains("PAUSED"), "{}", pty.contents());
    quit(pty);
}

#[test]
fn a_click_selects_and_another_opens() {
    let log = Log::of_now();
    let mut pty = log.watch(&[]);
    assert!(pty.has_mouse_presses());
    pty.press_button(LEFT, "10.2.8.22:60214");
    pty.wait_for("›  10.2.8.22:60214");
    pty.press_button(LEFT, "10.2.8.22:60214");
    pty.wait_for("‹ 10.2.0.5:3306 → 10.2.8.22:60214");
    pty.wait_for("esc back");
    pty.press_button(WHEEL_UP, "wnd │");
    pty.wait_for("zoomed");
    pty.press_button(LEFT, "‹");
    pty.wait_for("›  10.2.8.22:60214");
    pty.wait_for("↵ open");
    pty.press_button(LEFT, "CLIENT");
    pty.wait_for("CLIENT ▾");
    quit(pty);
}

#[test]
fn the_mouse_is_the_terminals_where_that_is_wanted() {
    let log = Log::of_now();
    let pty = log.watch(&["--no-mouse"]);
    assert!(!pty.has_mouse());
    quit(pty);
}

#[test]
fn a_storm_of_sizes_keys_and_clicks_does_no_harm() {
    let log = Log::of_now();
    let mut pty = log.watch(&[]);
    for (round, size) in (0..300_u16).map(|round| (round, (round * 7 % 130, round * 5 % 50))) {
        pty.resize(size.0, size.1);
        pty.type_keys(
            ["j", "\r", "\x1b", "?", "\x1b[<0;4;5M", "\x1b[<65;9;9M", " ", "+"][usize::from(round % 8)],
        );
    }
    pty.resize(100, 24);
    pty.wait_for("q quit");
    quit(pty);
}

/// The shell has job control, as a user's shell has.
#[test]
fn ctrl_z_gives_the_terminal_back_and_fg_takes_it_again() {
    let log = Log::of_now();
    let script =
        "set -m; \"$@\"; echo \"stopped with $?\"; read -r answer; fg >/dev/null; echo \"ended with $?\"";
    let words = [&["sh", "-c", script, "sh", env!("CARGO_BIN_EXE_observer")], &log.words(&[])[..]].concat();
    let mut pty = Pty::spawn(command(&words), 100, 24);
    pty.wait_for("10.2.7.31:51844");
    pty.type_keys("\x1a");
    // SIGTSTP is 20 on Linux; a shell adds 128.
    pty.wait_for("stopped with 148");
    assert!(!pty.shows_view() && !pty.has_mouse(), "{}", pty.contents());
    pty.type_keys("\r");
    pty.wait_for("10.2.7.31:51844");
    assert!(pty.has_mouse_presses());
    pty.type_keys("q");
    let end = pty.wait_for_end();
    assert!(end.contents.contains("ended with 0"), "{}", end.contents);
    end.assert_restored();
}
