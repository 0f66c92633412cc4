//! The program itself in a pseudo-terminal: it starts, takes keys, ends, and gives the terminal back.

mod support;

use portable_pty::CommandBuilder;
use support::pty::{Pty, observer};

/// Options with which the program needs no privilege and sees no connection of anybody.
const QUIET: [&str; 4] = ["live", "--no-kernel", "--port", "1"];

#[test]
fn starts_takes_keys_and_quits() {
    let mut pty = Pty::spawn(observer(&QUIET), 80, 24);
    pty.wait_for("Connections");
    pty.type_keys("?");
    pty.wait_for("this page");
    pty.type_keys("\x1b");
    pty.wait_for("No MySQL connection yet");
    pty.type_keys("q");
    let end = pty.wait_for_end();
    assert_eq!(end.status, 0);
    end.assert_restored();
}

#[test]
fn ctrl_c_and_signals_end_it_and_restore_the_terminal() {
    let mut pty = Pty::spawn(observer(&QUIET), 80, 24);
    pty.wait_for("Connections");
    pty.type_keys("\x03");
    let end = pty.wait_for_end();
    assert_eq!(end.status, 0);
    end.assert_restored();

    for signal in [nix::sys::signal::Signal::SIGTERM, nix::sys::signal::Signal::SIGINT] {
        let mut pty = Pty::spawn(observer(&QUIET), 80, 24);
        pty.wait_for("Connections");
        pty.signal(signal);
        let end = pty.wait_for_end();
        assert_eq!(end.status, 0, "{signal}");
        end.assert_restored();
    }
}

#[test]
fn any_size_and_any_change_of_it_will_do() {
    let mut pty = Pty::spawn(observer(&QUIET), 1, 1);
    pty.resize(80, 24);
    pty.wait_for("Connections");
    for size in [(0, 0), (1, 1), (39, 7), (300, 90), (2, 60), (200, 1), (120, 40)] {
        pty.resize(size.0, size.1);
    }
    pty.wait_for("q quit");
    pty.type_keys("q");
    assert_eq!(pty.wait_for_end().status, 0);
}

#[test]
fn a_closed_terminal_ends_it() {
    let mut pty = Pty::spawn(observer(&QUIET), 80, 24);
    pty.wait_for("Connections");
    pty.hang_up();
}

#[test]
fn ascii_and_no_colour_where_the_environment_says_so() {
    let mut command = observer(&QUIET);
    command.env("LC_ALL", "C");
    command.env("NO_COLOR", "1");
    let mut pty = Pty::spawn(command, 80, 24);
    pty.wait_for("q quit");
    pty.type_keys("?");
    pty.wait_for("this page");
    assert!(pty.contents().is_ascii(), "{}", pty.contents());
    assert!(!pty.has_colour());
    pty.type_keys("q");
    assert_eq!(pty.wait_for_end().status, 0);
}

#[test]
fn a_log_that_cannot_be_written_is_said_before_the_terminal_is_taken() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing/log");
    let pty = Pty::spawn(observer(&["--log", missing.to_str().unwrap()]), 200, 24);
    let end = pty.wait_for_end();
    assert_eq!(end.status, 2);
    assert!(end.contents.contains("observer: writing the log to"), "{}", end.contents);
    assert!(!end.saw_alternate_screen);
}

/// Set for the child of the test below: where it panics.
const PANICS: &str = "OBSERVER_TEST_PANICS";

/// This test program itself takes over its terminal and panics.
#[test]
fn a_panic_anywhere_ends_the_program_restores_the_terminal_and_is_readable() {
    if let Some(place) = std::env::var_os(PANICS) {
        observer::panic_hook::install();
        let (_guard, mut terminal) = observer::view::terminal::take(true).unwrap();
        terminal.draw(|frame| frame.render_widget("the view", frame.area())).unwrap();
        match place.to_str().unwrap() {
            "the view" => panic!("on purpose"),
            "a thread" => std::thread::spawn(|| panic!("on purpose")).join().unwrap_err(),
            "a task" => tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
                let task = tokio::spawn(async { panic!("on purpose") });
                task.await.unwrap_err();
                unreachable!("the program goes on without its task")
            }),
            place => unreachable!("{place}"),
        };
        unreachable!("the program goes on without its thread");
    }
    for place in ["the view", "a thread", "a task"] {
        let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
        let test = "a_panic_anywhere_ends_the_program_restores_the_terminal_and_is_readable";
        command.args(["--exact", test, "--nocapture"]);
        command.env(PANICS, place);
        command.env("RUST_BACKTRACE", "0");
        let end = Pty::spawn(command, 80, 40).wait_for_end();
        assert_eq!(end.status, 101, "{place}");
        end.assert_restored();
        assert_eq!(end.contents.matches("on purpose").count(), 1, "{place}: {}", end.contents);
        assert!(!end.contents.contains("goes on without"), "{place}: {}", end.contents);
    }
}
