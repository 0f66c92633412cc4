//! Observations of one connection that follow each other, as observer was restarted, are told as one, with the time between
//! them.

#![expect(clippy::unwrap_used, reason = "a report that cannot be made is a failure")]

mod support;

use observer::report::{self, Options, Report};
use observer::source::recording::Source;
use observer_core::{End, Event, EventKind, SocketEventKind};
use serde_json::{Value, json};
use support::recording::write_log;
use support::story::{Story, at};

const CLIENT: &str = "10.2.7.31:51844";

/// The client stops reading for two minutes, reads on and fails.
fn story(client: &str) -> Vec<Event> {
    let story = Story::of(client, 1000)
        .greeting(1010)
        .stream(1500, 8_000, 1_200_000, 3_100_000)
        .zero_window(8_800)
        .probes([9_030, 9_480, 10_400, 12_200, 15_800, 23_000])
        .socket(30_000, 896_000, 0)
        .probes([37_400])
        .socket(60_000, 896_000, 0)
        .probes([66_200])
        .socket(69_500, 896_000, 0);
    story
        .window_update(128_800, 800_000)
        .stream(128_900, 130_000, 500_000, 800_000)
        .fin_by_server(130_100)
        .socket(130_200, 300_000, 0)
        .then(131_000, SocketEventKind::Destroyed)
        .events
}

/// What of it is observed from one moment to another.
fn between(events: &[Event], from: u64, to: u64) -> Vec<Event> {
    events.iter().filter(|event| (at(from)..at(to)).contains(&event.at)).cloned().collect()
}

/// The same from another socket of the same addresses.
fn with_cookie(mut events: Vec<Event>, other: u64) -> Vec<Event> {
    for event in &mut events {
        let EventKind::Socket(socket) = &mut event.kind else { continue };
        socket.socket.cookie = Some(other);
    }
    events
}

/// The report, and the directory of the logs, `0` and `1`.
fn report_of(logs: &[Vec<Event>]) -> (Report, String) {
    let directory = tempfile::tempdir().unwrap();
    let sources: Vec<_> = logs
        .iter()
        .enumerate()
        .map(|(number, events)| {
            let path = directory.path().join(number.to_string());
            write_log(&path, "db1", events);
            Source::open(&path).unwrap()
        })
        .collect();
    let report = report::build(&sources, &Options::default()).unwrap();
    (report, format!("{}/", directory.path().display()))
}

fn json_of(logs: &[Vec<Event>]) -> Value {
    let mut json = Vec::new();
    report::json(&report_of(logs).0, &mut json).unwrap();
    serde_json::from_slice(&json).unwrap()
}

fn text_of(logs: &[Vec<Event>]) -> String {
    let ((report, place), mut text) = (report_of(logs), Vec::new());
    report::text(&report, &mut text).unwrap();
    String::from_utf8(text).unwrap().replace(&place, "")
}

fn accounts(report: &Value) -> &[Value] {
    report["connections"].as_array().unwrap()
}

#[test]
fn a_restart_in_the_middle_of_a_stall_is_a_gap_in_one_account() {
    let story = story(CLIENT);
    let whole = json_of(std::slice::from_ref(&story));
    let logs = [between(&story, 0, 31_000), between(&story, 60_000, 200_000)];
    let report = json_of(&logs);
    let [account] = accounts(&report) else { panic!("{report:#}") };
    assert_eq!(report["connections_seen"], 1);
    let gap = json!([{"from": at(30_000).to_string(), "to": at(60_000).to_string()}]);
    assert_eq!(account["not_observed"], gap, "{account:#}");
    // What each side has seen: the beginning, and the end.
    for field in ["thread_id", "server_version", "opened_at", "closed_at", "last_seen"] {
        assert_eq!(account[field], whole["connections"][0][field], "{field}: {account:#}");
    }
    let starts: Vec<_> = account["stalls"].as_array().unwrap().iter().map(|stall| &stall["start"]).collect();
    assert_eq!(starts[0], &json!(at(8_800).to_string()));
    assert!(account["stalls"][0]["end"].is_string(), "nobody saw whether it went on: {account:#}");
    let missing = account["missing"].as_array().unwrap();
    assert!(missing.iter().any(|line| line.as_str().unwrap().contains("was not observed from 14:03:30.000")));
    insta::assert_snapshot!(text_of(&logs));
}

#[test]
fn the_order_of_the_files_does_not_matter() {
    let story = story(CLIENT);
    let logs = [between(&story, 60_000, 200_000), between(&story, 0, 31_000)];
    let report = json_of(&logs);
    let [account] = accounts(&report) else { panic!("{report:#}") };
    assert_eq!(account["not_observed"][0]["from"], json!(at(30_000).to_string()));
}

#[test]
fn trouble_that_is_over_after_the_restart_is_told_as_over() {
    // Seen before the restart at 40 % of its time, and then reading to the end.
    let recovered = Story::of(CLIENT, 1000)
        .greeting(1010)
        .stream(1500, 8_000, 1_200_000, 3_100_000)
        .zero_window(8_800)
        .probes([9_030, 9_480, 10_400])
        .socket(35_000, 896_000, 0)
        .window_update(40_000, 800_000)
        .stream(50_000, 55_000, 500_000, 800_000);
    let quit = SocketEventKind::Fin { by: End::Client, seq: observer_core::SeqNumber(1061), in_result: None };
    let events = recovered.then(56_000, quit).then(56_100, SocketEventKind::Destroyed).events;
    let report = json_of(&[between(&events, 0, 36_000), between(&events, 50_000, 60_000)]);
    let [account] = accounts(&report) else { panic!("{report:#}") };
    assert_eq!(account["closed_at"], json!(at(56_100).to_string()), "{account:#}");
    assert_eq!(account["verdict"]["kind"], "client_closed", "{account:#}");
}

#[test]
fn a_loss_before_the_restart_stays_one() {
    let story = story(CLIENT);
    let report = json_of(&[between(&story, 0, 70_000), between(&story, 128_000, 200_000)]);
    let [account] = accounts(&report) else { panic!("{report:#}") };
    assert_eq!(account["verdict"]["kind"], "net_write_timeout", "{account:#}");
}

#[test]
fn another_connection_of_the_same_addresses_is_another() {
    let story = story(CLIENT);
    let (before, after) = (between(&story, 0, 31_000), between(&story, 60_000, 200_000));
    for (logs, what) in [
        ([before.clone(), with_cookie(after.clone(), 99)], "another socket"),
        ([story.clone(), after], "it was closed"),
        ([before, self::story(CLIENT)], "it was opened"),
    ] {
        let report = json_of(&logs);
        assert!(
            accounts(&report).iter().all(|account| account["not_observed"] == json!([])),
            "{what}: {report:#}"
        );
    }
}

#[test]
fn in_the_chart_no_line_is_drawn_across_the_gap() {
    let story = story(CLIENT);
    let page = |logs: &[Vec<Event>]| {
        let mut page = Vec::new();
        report::html(&report_of(logs).0, &mut page).unwrap();
        String::from_utf8(page).unwrap()
    };
    let pieces = |page: &str| {
        let (_, path) = page.split_once("<path class=\"acknowledged\" d=\"").unwrap();
        path.split_once('"').unwrap().0.matches('M').count()
    };
    let broken = page(&[between(&story, 0, 31_000), between(&story, 60_000, 200_000)]);
    assert_eq!((pieces(&page(std::slice::from_ref(&story))), pieces(&broken)), (1, 2));
    assert!(broken.contains("not observed for 30.0 s"), "{broken}");
}
