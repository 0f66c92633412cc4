//! Who asked for what, in all forms of a report and on the connection's page.

#![expect(clippy::unwrap_used, reason = "a report that cannot be made is a failure")]

mod support;

use std::process::Command;

use crossterm::event::KeyCode;
use observer_core::{Account, Connector, ServerSession, SocketEventKind, Statement, StatementKind};
use serde_json::{Value, json};
use support::recording::write_log;
use support::scenes::stalled;
use support::screen::Screen;
use support::story::{Story, at};

/// When the client logs in.
const LOGIN: u64 = 1_100;

fn logged_in(tls: bool, account: Option<Account>) -> SocketEventKind {
    SocketEventKind::Login { capabilities: 0x0018_a20d, tls, account: account.map(Box::new) }
}

/// Somebody who does not mean well: with an escape sequence in the name.
fn account() -> Account {
    let text = |text: &str| Some(text.to_owned());
    let connector =
        Connector { name: text("pymysql"), version: text("1.1.1"), program: text("etl.py"), pid: Some(4711) };
    Account { user: text("app\u{1b}[2J"), database: text("shop"), connector: Some(connector) }
}

fn statement() -> SocketEventKind {
    SocketEventKind::Statement(Box::new(Statement {
        sent_at: at(7_000),
        command: StatementKind::Query,
        length: 61,
        text: Some("SELECT id FROM orders WHERE region = ?".to_owned()),
        cut: false,
        cursor: false,
        in_result: Some(true),
    }))
}

/// What a server tells of a session: the user as it has it, and the digest of the statement.
fn told() -> SocketEventKind {
    SocketEventKind::ServerSession(Box::new(ServerSession {
        thread_id: 8812,
        version: "8.4.3".to_owned(),
        user: "app_rw".to_owned(),
        command: "Query".to_owned(),
        statement: Some("SELECT `id` FROM `orders`\u{1b}[2J".to_owned()),
        ..ServerSession::default()
    }))
}

/// A connection that was opened just before.
fn opened() -> Story {
    Story::of("10.2.7.31:51844", 1000)
}

/// Its client waits for a statement, and stops reading for two minutes.
fn stalls(story: Story) -> Story {
    let story = story.stream(1500, 8_000, 1_200_000, 3_100_000).zero_window(8_800);
    story
        .then(9_000, statement())
        .probes([9_030, 9_480, 66_200])
        .window_update(128_800, 800_000)
        .fin_by_server(128_900)
}

fn report(story: &Story, format: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    write_log(&log, "db1", &story.events);
    let output = Command::new(env!("CARGO_BIN_EXE_observer"))
        .args(["report", "--format", format])
        .arg(&log)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_report_says_who_asked_for_what() {
    let story = stalls(opened().then(LOGIN, logged_in(false, Some(account()))));
    for format in ["text", "markdown"] {
        let report = report(&story, format);
        let line = report.split_whitespace().collect::<Vec<_>>().join(" ").replace('\\', "");
        for words in [
            "logged in as app\u{fffd}[2J, schema shop, with pymysql 1.1.1 (program etl.py, pid 4711)",
            "waited for \"SELECT id FROM orders WHERE region = ?\"",
            "In PyMySQL, Cursor and DictCursor take the whole result at once",
        ] {
            assert!(line.contains(words), "{words} is not in {report}");
        }
    }
    let report: Value = serde_json::from_str(&report(&story, "json")).unwrap();
    let connection = &report["connections"][0];
    assert_eq!(connection["account"]["user"], "app\u{fffd}[2J");
    assert_eq!(connection["account"]["connector"]["pid"], 4711);
    assert_eq!(connection["statement"]["text"], "SELECT id FROM orders WHERE region = ?");
    assert_eq!(connection["statement"]["in_result"], true);
    assert_eq!(connection["hidden"], json!(null));
}

#[test]
fn a_report_says_why_it_is_not_known() {
    let story = opened().then(LOGIN, logged_in(true, None));
    let story = story.stream(1500, 8_000, 1_200_000, 3_100_000).zero_window(8_800).probes([9_030, 66_200]);
    let text = report(&story, "text");
    for words in ["who logged in is not known: TLS hides it", "what it waited for is not known: TLS hides it"]
    {
        assert!(text.contains(words), "{words} is not in {text}");
    }
    let report: Value = serde_json::from_str(&report(&story, "json")).unwrap();
    assert_eq!(report["connections"][0]["hidden"], "tls");
}

#[test]
fn what_only_the_server_tells_is_its_word() {
    let story = opened().then(LOGIN, logged_in(true, None));
    let story = story.stream(1500, 8_000, 1_200_000, 3_100_000).zero_window(8_800).then(9_010, told());
    let story = story.probes([9_030, 9_480]);
    let text = report(&story, "text");
    for words in [
        "logged in as app_rw, as the server told",
        "waited for \"SELECT `id` FROM `orders`\u{fffd}[2J\", as the server told",
        "a result was under way when it was last seen",
    ] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
    assert!(!text.contains("not known: TLS"), "{text}");
    let report: Value = serde_json::from_str(&report(&story, "json")).unwrap();
    let connection = &report["connections"][0];
    assert_eq!(connection["told_by_server"]["user"], "app_rw");
    assert_eq!(connection["told_by_server"]["statement"], "SELECT `id` FROM `orders`\u{fffd}[2J");
    assert_eq!(connection["result_in_flight"], true);
    let mut screen = Screen::after((300, 100), &story.events, 10_000);
    screen.press(KeyCode::Enter);
    let picture = screen.picture();
    for words in ["app_rw, as the server told", "SELECT `id` FROM `orders`", "under way"] {
        assert!(picture.contains(words), "{words} is not in {picture}");
    }
}

#[test]
fn what_the_wire_has_told_the_server_does_not_repeat() {
    let account = Account { user: Some("app_rw".to_owned()), ..Account::default() };
    let mut story = stalls(opened().then(LOGIN, logged_in(false, Some(account)))).then(9_010, told());
    story.events.sort_by_key(|event| event.at);
    let report = report(&story, "markdown");
    assert_eq!(report.matches("as the server told").count(), 0, "{report}");
    assert_eq!(report.matches("as app").count(), 2, "as a fact and as evidence: {report}");
}

#[test]
fn the_page_of_a_connection_says_it_too() {
    let story = stalled().then(9_900, logged_in(false, Some(account()))).then(9_950, statement());
    let mut screen = Screen::after((120, 40), &story.events, 20_000);
    screen.press(KeyCode::Enter);
    let picture = screen.picture();
    for words in ["app\u{fffd}[2J", "shop", "pymysql 1.1.1", "SELECT id FROM"] {
        assert!(picture.contains(words), "{words} is not in {picture}");
    }
}
