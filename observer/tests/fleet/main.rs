//! Many hosts: `packaging/fleet/*.sql`, asked by DuckDB of logs that three hosts have written.
//!
//! It runs where the set-up is: `cargo xtask setup`, and its place in `OBSERVER_E2E`.

#![expect(clippy::unwrap_used, reason = "a question that cannot be asked is a failure")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::{Compression, write::GzEncoder};
use observer::log::LogFile;
use observer_core::{Account, Connector, End, Event, SocketEventKind, Statement, StatementKind, TcpState};
use serde_json::{Value, json};

mod shipped;
#[path = "../support/mod.rs"]
mod support;
mod thousands;

use support::recording::{header, write_log};
use support::replayed::replayed;
use support::story::{Story, at, events_lost, together};

const SQL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/fleet");
const PART: &str = "observer-20240504T140300Z-000001.jsonl";
const STATEMENT: &str = "SELECT id, name FROM orders WHERE region = ?";

/// Runs the files it is told of, and prints the rows that each but the first gives as a line of JSON.
const RUN: &str = "
import duckdb, json, sys
database = duckdb.connect()
database.execute(open(sys.argv[1]).read())
for name in sys.argv[2:]:
    rows = database.execute(open(name).read())
    names = [column[0] for column in rows.description]
    print(json.dumps([dict(zip(names, row)) for row in rows.fetchall()], default=str))
";

/// What the set-up has installed at `path`; `None` where it is missing, which is told. Under CI it must be there.
fn installed(test: &str, path: &str) -> Option<PathBuf> {
    let place = std::env::var_os("OBSERVER_E2E").map(|cache| PathBuf::from(cache).join(path));
    if place.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "{test} needs OBSERVER_E2E, and nothing is skipped under CI"
        );
        let line =
            format!("skipped: {test}: {path} needs `cargo xtask setup`, and its place in OBSERVER_E2E\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
    place
}

/// Python with DuckDB.
fn python(test: &str) -> Option<PathBuf> {
    installed(test, "duckdb/bin/python")
}

/// The directories of a fleet.
struct Fleet(tempfile::TempDir);

impl Fleet {
    fn new() -> Self {
        let fleet = Self(tempfile::tempdir().unwrap());
        // Both ends of one connection record: its client reads a row and sleeps for two minutes.
        let lost = |end| {
            let story = Story::of("10.2.7.31:51844", 1000).seen_at(end);
            let stalled = asks(story, "etl", 1500)
                .stream(1500, 8_000, 1_200_000, 3_100_000)
                .zero_window(8_800)
                .socket(8_900, 1_130_000, 1_190_000)
                .probes([9_030, 9_480, 66_200]);
            let (from, to) = (TcpState::Established, TcpState::FinWait1);
            let gave_up = SocketEventKind::State { from, to, process: None };
            let given_up = if end == End::Server { stalled.then(68_850, gave_up) } else { stalled };
            given_up.window_update(128_800, 800_000).fin_by_server(128_900)
        };
        let owned = {
            let mut story = lost(End::Client);
            story.events.extend(Story::of("10.2.7.31:51844", 1000).owned(1_400).events.pop());
            story
        };
        fleet.host("app1", &together([owned]));
        fleet.host("db1", &together([lost(End::Server)]));
        // In the week after that another reads on in time, at a host that could not keep up.
        let late = asks(Story::of("10.2.8.40:40112", 1000), "report", 1500)
            .stream(1500, 8_000, 1_200_000, 3_100_000)
            .zero_window(8_800)
            .probes([9_030, 9_480, 38_000])
            .window_update(50_800, 3_000_000)
            .stream(51_000, 60_000, 4_000_000, 3_100_000);
        let mut events = late.events;
        events.push(events_lost(60_000, 12));
        fleet.host("app2", &events);
        fleet.change("app2", "2024-05-04T", "2024-05-09T");
        fleet.compress("app1");
        // A host that writes at this moment.
        let torn = fs::read_to_string(fleet.part("db1")).unwrap() + "{\"type\":\"finding\",\"at";
        fs::write(fleet.part("db1"), torn).unwrap();
        fleet
    }

    fn part(&self, host: &str) -> PathBuf {
        self.0.path().join(host).join(PART)
    }

    /// A host records these events, and keeps a bundle of them.
    fn host(&self, host: &str, events: &[Event]) {
        let (part, bundle) = (self.part(host), self.0.path().join(host).join("incidents/20240504T140408Z-x"));
        fs::create_dir_all(&bundle).unwrap();
        let judged = bundle.join("events.jsonl");
        write_log(&judged, host, events);
        let mut log = LogFile::create(&part).unwrap().begin(&header(host)).unwrap();
        for event in events {
            log.event(event, event.at);
        }
        for finding in replayed(&judged).unwrap() {
            log.finding(&finding, finding.at);
        }
        log.flush(at(0));
        let mut report = Command::new(env!("CARGO_BIN_EXE_observer"));
        let report = report.args(["report", "--format", "json"]).arg(&judged).output().unwrap();
        fs::write(bundle.join("report.json"), report.stdout).unwrap();
    }

    fn change(&self, host: &str, from: &str, to: &str) {
        let log = fs::read_to_string(self.part(host)).unwrap().replace(from, to);
        fs::write(self.part(host), log).unwrap();
    }

    /// As one that was fetched before and after that.
    fn compress(&self, host: &str) {
        let part = self.part(host);
        let packed = fs::File::create(part.with_extension("jsonl.gz")).unwrap();
        let mut packed = GzEncoder::new(packed, Compression::fast());
        packed.write_all(&fs::read(&part).unwrap()).unwrap();
        packed.finish().unwrap();
    }

    /// The rows of one question.
    fn ask(&self, python: &Path, question: &str) -> Value {
        ask(self.0.path(), python, question)
    }
}

/// The rows of one question about the hosts that have directories in `place`.
fn ask(place: &Path, python: &Path, question: &str) -> Value {
    let [rows] = ask_all(place, python, [question]);
    rows
}

/// The rows of several.
fn ask_all<const N: usize>(place: &Path, python: &Path, questions: [&str; N]) -> [Value; N] {
    let files = ["load"].into_iter().chain(questions).map(|name| format!("{SQL}/{name}.sql"));
    let output = Command::new(python).current_dir(place).args(["-c", RUN]).args(files).output().unwrap();
    assert!(output.status.success(), "{questions:?}: {}", String::from_utf8_lossy(&output.stderr));
    let rows = output.stdout.split_inclusive(|byte| *byte == b'\n');
    let rows: Vec<_> = rows.map(|rows| serde_json::from_slice(rows).unwrap()).collect();
    rows.try_into().unwrap()
}

/// Its client logs in as `user`, and asks for something large.
fn asks(story: Story, user: &str, millis: u64) -> Story {
    let connector = Connector { name: Some("pymysql".to_owned()), ..Connector::default() };
    let account = Account {
        user: Some(user.to_owned()),
        database: Some("shop".to_owned()),
        connector: Some(connector),
    };
    let login = SocketEventKind::Login { capabilities: 0, tls: false, account: Some(Box::new(account)) };
    let statement = Statement {
        sent_at: at(millis),
        command: StatementKind::Query,
        length: 61,
        text: Some(STATEMENT.to_owned()),
        cut: false,
        cursor: false,
        in_result: Some(true),
    };
    story.greeting(millis).then(millis, login).then(millis, SocketEventKind::Statement(Box::new(statement)))
}

/// The columns `names` of `rows`, a list each.
fn columns(rows: &Value, names: &[&str]) -> Value {
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| {
        names.iter().map(|name| row.get(name).unwrap_or_else(|| panic!("{name}: {row}")).clone()).collect()
    })
    .collect::<Vec<Value>>()
    .into()
}

#[test]
fn every_question_has_its_answer() {
    let Some(python) = python("every_question_has_its_answer") else { return };
    let fleet = Fleet::new();
    let answer = |question: &str, names: &[&str]| columns(&fleet.ask(&python, question), names);
    assert_eq!(
        answer("services", &["account", "schema", "connector", "place", "stalls", "lost", "hosts"]),
        json!([
            ["etl", "shop", "pymysql", "etl.service", 1, 1, 1],
            ["report", "shop", "pymysql", null, 1, 0, 1],
        ])
    );
    assert_eq!(
        answer("statements", &["statement", "stalls", "lost", "longest", "accounts"]),
        json!([[STATEMENT, 2, 1, 42.0, ["etl", "report"]]])
    );
    assert_eq!(
        answer("closeness", &["share", "stalls", "assumed"]),
        json!([["4 lost", 1, 1], ["2 from 50 %", 1, 1]])
    );
    assert_eq!(
        answer("weeks", &["week", "account", "stalls", "lost"]),
        json!([["2024-04-29", "etl", 1, 1], ["2024-05-06", "report", 1, 0]])
    );
    assert_eq!(
        answer("servers", &["server", "server_program", "stalls", "lost", "seen", "clients", "timeouts"]),
        json!([["10.2.0.5:3306", "mysqld", 2, 1, 1, 2, [60.0]]])
    );
    // What waits at the server is known to the server's host, what waits at the client to the client's.
    assert_eq!(
        answer("bytes", &["account", "lost", "queued", "unread"]),
        json!([["etl", 1, 1_190_000, 1_130_000]])
    );
    assert_eq!(
        answer("hosts", &["host", "lost_by", "events"]),
        json!([["app2", "ring_buffer", 12], ["app1", null, 0], ["db1", null, 0]])
    );
    let incidents = answer("incidents", &["directory", "client", "account", "verdict"]);
    for row in [
        json!(["app1", "10.2.7.31:51844", "etl", "net_write_timeout"]),
        json!(["db1", "10.2.7.31:51844", "etl", "net_write_timeout"]),
    ] {
        assert!(incidents.as_array().unwrap().contains(&row), "{incidents:#}");
    }
}

#[test]
fn where_nothing_was_an_incident_yet_there_are_none() {
    let Some(python) = python("where_nothing_was_an_incident_yet_there_are_none") else { return };
    let fleet = Fleet::new();
    let report = fleet.0.path().join("db1/incidents/20240504T140408Z-x/report.json");
    let whole = fs::read_to_string(&report).unwrap();
    fs::write(&report, &whole[..whole.len() / 2]).unwrap();
    let directories = || columns(&fleet.ask(&python, "incidents"), &["directory"]);
    assert_eq!(directories(), json!([["app2"], ["app1"]]), "one is being copied");
    for host in ["app1", "app2", "db1"] {
        fs::remove_dir_all(fleet.0.path().join(host).join("incidents")).unwrap();
    }
    assert_eq!(directories(), json!([]));
}

#[test]
fn the_example_of_the_document_runs() {
    let Some(python) = python("the_example_of_the_document_runs") else { return };
    let fleet = Fleet::new();
    std::os::unix::fs::symlink(Path::new(SQL).parent().unwrap(), fleet.0.path().join("packaging")).unwrap();
    let document = include_str!("../../../docs/FLEET.md");
    let example = document.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let output = Command::new(python).current_dir(fleet.0.path()).args(["-c", example]).output().unwrap();
    let (said, table) = (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success() && table.contains("etl.service"), "{said}{table}");
}

/// The names in the lists of columns of a file.
fn fields(sql: &str) -> BTreeSet<&str> {
    let of_lines = sql.split("columns = {").skip(1).map(|rest| rest.split("})").next().unwrap());
    let of_documents =
        sql.split("json_transform(content, '").skip(1).map(|rest| rest.split("')").next().unwrap());
    let lists = of_lines.chain(of_documents);
    lists
        .flat_map(|list| list.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'))
        .filter(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        .collect()
}

#[test]
fn every_field_that_is_read_is_one_of_the_formats() {
    let log = include_str!("../../../docs/LOG-FORMAT.md");
    let report = include_str!("../../../docs/REPORT-FORMAT.md");
    let read = |name: &str| fs::read_to_string(format!("{SQL}/{name}.sql")).unwrap();
    for (file, document, at_least) in [("load", log, 30), ("incidents", report, 9)] {
        let sql = read(file);
        let fields = fields(&sql);
        assert!(fields.len() >= at_least, "{fields:?}");
        let is_known = |name: &&str| {
            [format!("\"{name}\":"), format!("`{name}`")].iter().any(|name| document.contains(name))
        };
        let unknown: Vec<_> = fields.iter().filter(|name| !is_known(name)).collect();
        assert!(unknown.is_empty(), "{file}.sql reads what the format does not have: {unknown:?}");
    }
}

#[test]
fn every_question_is_told_of() {
    let document = include_str!("../../../docs/FLEET.md");
    for entry in fs::read_dir(SQL).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(document.contains(&name), "docs/FLEET.md does not name {name}");
    }
}
