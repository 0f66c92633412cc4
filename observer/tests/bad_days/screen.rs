//! Terminals that are of little use, or gone.

use std::fs;

use nix::sys::signal::Signal;

use crate::harness::{Place, eventually, whole_log};
use crate::support::pty::{Pty, observer};

const QUIET: [&str; 4] = ["live", "--no-kernel", "--port", "1"];

/// A terminal that does not know its size yet, as in a container that was entered just now, and a tiny one.
#[test]
fn a_terminal_without_room_works_and_shows_the_view_once_there_is_some() {
    for (columns, rows) in [(0, 0), (1, 1)] {
        let mut pty = Pty::spawn(observer(&QUIET), columns, rows);
        pty.wait_for_view();
        pty.resize(80, 24);
        pty.wait_for("Connections");
        pty.resize(columns, rows);
        pty.type_keys("q");
        let end = pty.wait_for_end();
        assert_eq!(end.status, 0, "{columns}x{rows}");
        end.assert_restored();
    }
}

#[test]
fn a_small_terminal_has_the_sentence_that_matters_most() {
    let mut pty = Pty::spawn(observer(&QUIET), 30, 5);
    pty.wait_for("No connections.");
    pty.type_keys("q");
    assert_eq!(pty.wait_for_end().status, 0);
}

#[test]
fn a_dumb_terminal_gets_lines() {
    let mut command = observer(&QUIET);
    command.env("TERM", "dumb");
    let mut pty = Pty::spawn(command, 80, 24);
    pty.wait_for("observer: watching ");
    pty.signal(Signal::SIGTERM);
    let end = pty.wait_for_end();
    assert_eq!(end.status, 0);
    assert!(!end.saw_alternate_screen);
}

#[test]
fn the_log_is_whole_when_the_terminal_goes() {
    let place = Place::new();
    let log = place.path("log");
    let mut pty = Pty::spawn(observer(&[&QUIET[..], &["--log", log.to_str().unwrap()]].concat()), 80, 24);
    pty.wait_for("Connections");
    eventually("the first poll in the log", || fs::read_to_string(&log).unwrap().lines().count() > 1);
    pty.hang_up();
    assert!(!whole_log(&fs::read(&log).unwrap()).is_empty());
}
