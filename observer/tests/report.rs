//! `observer report` as it is called: what it says of scripted observations, in all forms.

mod support;

use std::process::Stdio;
use std::time::Duration;

use observer::text::width;
use observer_core::{End, Event, EventKind, SeqNumber, SocketEventKind};
use support::endings::{full_stall, greeting, killed, mariadb, recovered};
use support::place::Place;
use support::story::{Story, degraded, events_lost, together};

/// Everything a story can end in, and what was lost of it.
fn stories() -> [(&'static str, Vec<Event>); 5] {
    let mut incomplete = together([recovered()]);
    incomplete.insert(0, degraded(0));
    incomplete.push(events_lost(24_000, 12));
    [
        ("full_stall", full_stall().events),
        ("mariadb", mariadb().events),
        ("recovered", recovered().events),
        ("killed", killed().events),
        ("events_lost", incomplete),
    ]
}

#[test]
fn stories_in_three_forms() {
    for (story, events) in stories() {
        let place = Place::new().log("log", &events);
        for format in ["text", "markdown", "json"] {
            let report = place.report(&["log", "--format", format]);
            insta::assert_snapshot!(format!("{story}_{format}"), report);
        }
    }
}

#[test]
fn the_status_tells_what_was_found_also_where_nobody_reads_it() {
    let place = Place::new().log("log", &full_stall().events);
    for format in ["text", "markdown", "html", "json"] {
        for (fail_on, status) in [(&["--fail-on", "lost"][..], 1), (&[], 0)] {
            let end = place.run_unread(&[&["report", "log", "--format", format], fail_on].concat());
            assert_eq!(end, (String::new(), status), "{format}");
        }
    }
}

#[test]
fn text_fits_a_screen_and_its_picture_is_ascii() {
    for (story, events) in stories() {
        let report = Place::new().log("log", &events).report(&["log", "--all"]);
        for line in report.lines() {
            assert!(width(line) <= 78, "{story}: {line}");
        }
        let picture = report
            .lines()
            .skip_while(|line| !line.starts_with("  seconds"))
            .take_while(|line| !line.is_empty());
        let picture: Vec<_> = picture.collect();
        assert!(picture.len() >= 4 || story == "killed", "{report}");
        assert!(picture.iter().all(|line| line.is_ascii()), "{picture:#?}");
    }
}

#[test]
fn what_is_missing_stands_before_what_is_said() {
    let mut events = full_stall().events;
    events.insert(0, degraded(0));
    events.push(events_lost(129_500, 12));
    let place = Place::new().log("log", &events);
    let before = |report: &str, what: &str, than: &str| {
        let [what, than] =
            [what, than].map(|text| report.find(text).unwrap_or_else(|| panic!("{text}: {report}")));
        assert!(what < than, "{report}");
    };
    for format in ["text", "markdown"] {
        let report = place.report(&["log", "--format", format]);
        before(&report, "12 events were lost", "10.2.7.31:51844");
        before(&report, "Without kernel programs", "10.2.7.31:51844");
    }
    let report = place.report(&["log", "--format", "json"]);
    before(&report, "\"lost_events\": 12", "\"connections\"");
    before(&report, "\"degraded\"", "\"connections\"");
}

/// The server's host tells the same story, by a clock that is ahead.
#[test]
fn two_logs_of_a_connection_are_one_account_by_the_first_clock() {
    let ahead = Duration::from_micros(213_400);
    let mut at_server = full_stall().seen_at(End::Server).events;
    // Its own socket has other states.
    at_server.retain(|event| {
        let EventKind::Socket(socket) = &event.kind else { return true };
        !matches!(socket.kind, SocketEventKind::State { .. } | SocketEventKind::Destroyed)
    });
    for event in &mut at_server {
        event.at = event.at + ahead;
    }
    let place = Place::new().log("client", &full_stall().events).log("server", &at_server);
    let report = place.report(&["client", "server"]);
    assert!(report.contains("1 connection was seen"), "{report}");
    let told = report.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("seen at the client's socket and at the server's socket"), "{report}");
    assert!(told.contains("times of server shifted by -0.213400 s to those of client"), "{report}");
    insta::assert_snapshot!("joined", report);
    let other_way_round = place.report(&["server", "client", "--format", "json"]);
    assert!(other_way_round.contains("\"shifted_by\": 0.2134"), "{other_way_round}");
}

#[test]
fn logs_with_nothing_in_common_are_told_side_by_side() {
    let place = Place::new().log("one", &full_stall().events).log("two", &recovered().events);
    let report = place.report(&["one", "two"]);
    assert!(report.contains("2 connections were seen") && !report.contains("shifted"), "{report}");
    for client in ["10.2.7.31:51844", "10.2.7.31:51846"] {
        assert!(report.contains(client), "{report}");
    }
}

#[test]
fn the_same_log_twice_is_told_once() {
    let place = Place::new().log("log", &full_stall().events);
    let connections = |report: &str| -> serde_json::Value {
        serde_json::from_str::<serde_json::Value>(report).unwrap()["connections"].take()
    };
    let once = place.report(&["log", "--format", "json"]);
    let twice = place.report(&["log", "log", "--format", "json"]);
    assert_eq!(connections(&once), connections(&twice));
}

#[test]
fn one_client_can_be_picked_and_all_can_be_told() {
    let quiet = Story::of("10.2.7.40:51000", 500).stream(1000, 3000, 1_200_000, 3_100_000);
    let events = together([full_stall(), mariadb(), quiet]);
    let place = Place::new().log("log", &events);
    assert!(!place.report(&["log"]).contains("10.2.7.40"));
    assert!(place.report(&["log", "--all"]).contains("10.2.7.40"));
    let picked = place.report(&["log", "--client", "10.2.7.31:51850"]);
    assert!(picked.contains("1 connection was seen") && picked.contains("10.2.7.31:51850"), "{picked}");
    let host = place.report(&["log", "--client", "10.2.7.31"]);
    assert!(host.contains("2 connections were seen"), "{host}");
}

#[test]
fn the_exit_status_is_asked_for() {
    let place = Place::new().log("lost", &full_stall().events).log("recovered", &recovered().events);
    for (log, level, expected) in [
        ("lost", "lost", 1),
        ("recovered", "lost", 0),
        ("recovered", "notice", 1),
        ("recovered", "warning", 0),
    ] {
        for command in [&["report"][..], &["replay", "--plain"]] {
            let (.., status) = place.run(&[command, &[log, "--fail-on", level]].concat());
            assert_eq!(status, expected, "{command:?} {log} --fail-on {level}");
        }
    }
}

#[test]
fn a_timeout_can_be_given_afterwards() {
    let place = Place::new().log("log", &recovered().events);
    assert!(
        place.report(&["log"]).contains("60.0 s (assumed")
            || place.report(&["log"]).contains("60 s (assumed")
    );
    let report = place.report(&["log", "--net-write-timeout", "8"]);
    assert!(report.contains("8 s (given to observer)"), "{report}");
}

/// The rest of its result had fitted into the server's send buffer: nothing but the goodbye shows that it was not lost.
#[test]
fn a_deadline_that_was_none_is_not_told() {
    let stalled = Story::of("10.2.7.31:51844", 1000)
        .greeting(1010)
        .stream(1500, 8_000, 1_200_000, 3_100_000)
        .zero_window(9_000)
        .probes([9_230, 9_700]);
    let bye = SocketEventKind::Command { length: 1, text: "\u{1}".to_owned() };
    let went_on = stalled
        .clone()
        .window_update(30_000, 800_000)
        .then(30_001, bye)
        .then(30_002, SocketEventKind::Fin { by: End::Client, seq: SeqNumber(1100), in_result: None })
        .fin_by_server(30_003);
    let place = Place::new()
        .log("stalled", &stalled.then(30_000, SocketEventKind::ZeroWindowProbeAck { by: End::Client }).events)
        .log("went on", &went_on.events);
    for (log, verdict, is_told) in [("stalled", "net_write_timeout", true), ("went on", "recovered", false)] {
        let report = place.report(&[log, "--all", "--net-write-timeout", "6", "--format", "json"]);
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        let connection = &report["connections"][0];
        assert_eq!(connection["verdict"]["kind"], verdict);
        let moments = connection["moments"].as_array().unwrap();
        assert_eq!(moments.iter().any(|moment| moment["what"] == "deadline"), is_told, "{moments:?}");
    }
}

#[test]
fn what_others_wrote_controls_nothing() {
    let hostile = "9.7\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}\n|<script>";
    let story = full_stall().then(1011, greeting(hostile));
    let place = Place::new().log("log", &story.events);
    for format in ["text", "markdown", "json"] {
        let report = place.report(&["log", "--format", format]);
        assert!(report.contains("owned"), "{report}");
        let shown = |c: char| c == '\n' || !c.is_control() && c != '\u{202e}';
        assert!(report.chars().all(shown), "{report:?}");
    }
    assert!(!place.report(&["log", "--format", "markdown"]).contains("<script>"));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let place = Place::new().log("log", &full_stall().events);
    for format in ["text", "markdown", "html", "json"] {
        let mut child = place
            .command(&["report", "log", "--format", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{format}");
    }
}
