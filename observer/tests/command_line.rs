//! The program as it is called: exit status, what goes to standard output and what to standard error.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn observer(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_observer"));
    command.args(args).stdin(Stdio::null());
    command
}

/// Runs to its end; standard output, standard error and status.
fn run(args: &[&str]) -> (String, String, i32) {
    let Output { stdout, stderr, status } = observer(args).output().expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
    (text(stdout), text(stderr), status.code().expect("the program exits"))
}

#[test]
fn a_wrong_command_line_is_status_2_and_says_which_part() {
    for (args, part) in [
        (&["--port", "0"][..], "0 is not in 1..=65535"),
        (&["--port", "65536"], "65536 is not in 1..=65535"),
        (&["--net-write-timeout", "0"], "not a number of seconds from 1 to 31536000"),
        (&["--warn-at", "90"], "--critical-at 80 comes before --warn-at 90"),
        (&["--ring-buffer", "3000"], "not a power of two"),
        (&["--fail-on", "panic"], "possible values: notice, warning, critical, lost"),
        (&["--mysql", "db1"], "mysql://USER@HOST:PORT"),
        (&["--mysql", "mysql://db1"], "no user for db1:3306"),
        (&["doctor", "--mysql", "mysql://a@db1/x"], "a schema is of no use here"),
        (&["--mysql-defaults-file", "/nonexistent"], "/nonexistent"),
        (
            &["--columns", "client,wnd"],
            "\"wnd\" is not a column; the columns are client, process, thread, state",
        ),
        (&["demo", "--columns", "client,client"], "client is there twice"),
        (&["--sort", "history"], "one of timeout, client, process, thread, state, window, queued, unread"),
        (&["replay", "log", "--sort=-"], "one of timeout, client, process, thread, state, window, queued"),
        (&["demo", "--theme", "blue"], "possible values: auto, dark, light, mono"),
        (&["--keep-ended", "1.5"], "not a number of seconds from 0 to 86400"),
        (&["--filter", "an address that is longer than any there is"], "longer than 40 letters"),
        (&["watch"], "watch"),
    ] {
        let (stdout, stderr, status) = run(args);
        assert_eq!((stdout.as_str(), status), ("", 2), "{args:?}");
        assert!(stderr.contains(part), "{args:?}: {stderr}");
    }
}

#[test]
fn a_password_on_the_command_line_is_refused_and_not_repeated() {
    for command in ["live", "doctor"] {
        let (stdout, stderr, status) = run(&[command, "--mysql", "mysql://etl:hunter2@127.0.0.1:1"]);
        assert_eq!((stdout.as_str(), status), ("", 2), "{stderr}");
        assert!(stderr.contains("--mysql-defaults-file") && !stderr.contains("hunter2"), "{stderr}");
    }
}

#[test]
fn an_option_file_is_refused_with_the_line_that_is_wrong() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("my.cnf");
    std::fs::write(&path, "[client]\nuser=etl\nport=hunter2\n").expect("a file");
    let (stdout, stderr, status) = run(&["live", "--mysql-defaults-file", path.to_str().expect("UTF-8")]);
    assert_eq!((stdout.as_str(), status), ("", 2), "{stderr}");
    assert!(stderr.contains("my.cnf: line 3") && !stderr.contains("hunter2"), "{stderr}");
}

#[test]
fn a_log_that_cannot_be_begun_is_status_2() {
    for (path, why) in [("/dev/full", "No space left on device"), ("/dev/null/log", "give a path")] {
        let (stdout, stderr, status) = run(&["live", "--plain", "--no-kernel", "--port", "1", "--log", path]);
        assert_eq!((stdout.as_str(), status), ("", 2), "{stderr}");
        assert!(stderr.lines().any(|line| line.starts_with("observer: ") && line.contains(why)), "{stderr}");
    }
}

#[test]
fn without_a_terminal_there_are_lines_and_a_signal_ends_them() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let directory = tempfile::tempdir().expect("a directory");
        let log = directory.path().join("log");
        // The tests themselves may have been started by nohup.
        let mut child = Command::new("env")
            .args(["--default-signal=HUP", env!("CARGO_BIN_EXE_observer")])
            .args(["live", "--no-kernel", "--port", "1", "--log"])
            .arg(&log)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut talk = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut line = String::new();
        talk.read_line(&mut line).expect("the program talks");
        assert!(line.starts_with("observer: watching ") && line.contains(":1;"), "{line}");
        kill(Pid::from_raw(child.id().cast_signed()), signal).expect("the program runs");
        let output = child.wait_with_output().expect("the program ends");
        assert_eq!(output.status.code(), Some(0), "{signal}");
        assert_eq!(output.stdout, b"", "talk on standard output");

        let log = std::fs::File::open(&log).expect("the log is there");
        let reader = observer::log::Reader::new(BufReader::new(log)).expect("the log has a header");
        assert_eq!(reader.header().ports, [1]);
        assert!(reader.into_iter().all(|line| line.is_ok()), "the log is whole");
    }
}

#[test]
fn a_configuration_is_checked_and_shown() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("observer.toml");
    let file = path.to_str().expect("UTF-8");
    std::fs::write(&path, "prot = 3307\nkeep = 4\n").expect("a file");
    let (stdout, stderr, status) = run(&["config", "check", file]);
    assert_eq!((stdout.as_str(), status), ("", 2));
    let lines: Vec<_> = stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{stderr}");
    assert_eq!(lines[0], format!("observer: {file}:1: unknown key prot; did you mean port?"));
    assert!(lines[1].starts_with(&format!("{file}:2: invalid value '4' for '--keep")), "{stderr}");
    for command in [&["doctor", "--config", file][..], &["config", "show", "--config", file]] {
        assert_eq!(run(command).2, 2, "{command:?}");
    }

    // What is wrong for two commands is told once, and what only one of them takes together is found too.
    std::fs::write(&path, "warn-at = 90\nkeep = '1M'\n").expect("a file");
    let (stdout, stderr, status) = run(&["config", "check", file]);
    assert_eq!((stdout.as_str(), status), ("", 2));
    assert_eq!(
        stderr.matches("--critical-at 80 comes before --warn-at 90\n  --warn-at: ").count(),
        1,
        "{stderr}"
    );
    assert!(stderr.contains("--keep is less than two parts") && stderr.contains(":2\n"), "{stderr}");

    std::fs::write(&path, "port = 3307\nkeep = '4G'\n").expect("a file");
    assert_eq!(run(&["config", "check", file]), (format!("{file}: ok\n"), String::new(), 0));
    let (all, stderr, status) = run(&["config", "show", "--config", file, "--theme", "mono"]);
    assert_eq!((stderr.as_str(), status), ("", 0));
    let (of_one, stderr, status) = run(&["config", "show", "record", "--config", file]);
    assert_eq!((stderr.as_str(), status), ("", 0));
    for shown in [&all, &of_one] {
        assert!(shown.contains(&format!("keep = \"4G\"  # {file}:2\n")), "{shown}");
    }
    assert!(all.contains("theme = \"mono\"  # flag\n") && !of_one.contains("theme"), "{all}{of_one}");
    let (example, _, status) = run(&["config", "example"]);
    assert!(status == 0 && example.contains("\n#port = [3306]\n"), "{example}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut child = observer(&["man"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn the_manual_and_the_completions_know_the_options() {
    let (page, _, status) = run(&["man"]);
    assert_eq!(status, 0);
    assert!(page.starts_with(".ie") && page.contains("net\\-write\\-timeout"), "{page}");
    let directory = tempfile::tempdir().expect("a directory");
    let (_, _, status) = run(&["man", "--directory", directory.path().to_str().expect("its name")]);
    assert_eq!(status, 0);
    let written = |name: &str| std::fs::read_to_string(directory.path().join(name)).expect("a page");
    assert_eq!(written("observer.1"), page);
    assert!(written("observer-record.1").contains("keep\\-incidents"));
    assert!(!directory.path().join("observer-man.1").exists(), "what is hidden has no page");
    for shell in ["bash", "zsh", "fish"] {
        let (script, _, status) = run(&["completions", shell]);
        assert_eq!(status, 0);
        assert!(script.contains("net-write-timeout"), "{script}");
    }
}

#[test]
fn version_and_help_go_to_standard_output() {
    for option in ["--version", "--help"] {
        let (stdout, stderr, status) = run(&[option]);
        assert_eq!((stderr.as_str(), status), ("", 0));
        assert!(!stdout.is_empty());
    }
    let mut version = observer(&["--version"]).stdout(Stdio::piped()).spawn().expect("the program starts");
    let mut text = String::new();
    version.stdout.take().expect("a pipe").read_to_string(&mut text).expect("text");
    version.wait().expect("the program ends");
    assert_eq!(text.trim(), concat!("observer ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn under_nohup_it_outlives_its_terminal() {
    // The shell has it ignore SIGHUP, as nohup does.
    let mut child = Command::new("sh")
        .args(["-c", "trap '' HUP; exec \"$0\" live --plain --no-kernel --port 1"])
        .arg(env!("CARGO_BIN_EXE_observer"))
        .stderr(Stdio::piped())
        .spawn()
        .expect("the shell starts");
    let mut talk = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    talk.read_line(&mut line).expect("the program talks");
    let pid = Pid::from_raw(child.id().cast_signed());
    kill(pid, Signal::SIGHUP).expect("the program runs");
    // That it has no handler of its own is what can be seen at once; that it lives on could only be waited for.
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the program runs");
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("proc(5) has it");
    assert_eq!(u64::from_str_radix(mask.trim(), 16).expect("a mask") & 1, 1, "SIGHUP is no longer ignored");
    kill(pid, Signal::SIGTERM).expect("the program runs");
    assert_eq!(child.wait().expect("the program ends").code(), Some(0));
}
