//! Debian's own Prometheus: it takes the rules, and scrapes a running `observer record`.

#![expect(clippy::unwrap_used, reason = "the helpers belong to the tests: a panic is a test that failed")]

mod support;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use observer::demo::{Client, ClientOptions, Server, ServerOptions};
use observer::source::live::ObservationClock;
use serde_json::Value;
use support::http::get;
use support::process::{PATIENCE, Process, run};

const DASHBOARD: &str = include_str!("../../packaging/grafana/observer.json");
const PACKAGING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/prometheus");
/// So many rows are more than all buffers between the two hold.
const ENDLESS: &str = "SELECT id LIMIT 400000";

/// One of Prometheus' programs; without the set-up the test is skipped by name and reason. Under CI it must run.
fn program(test: &str, name: &str) -> Option<PathBuf> {
    let cache = std::env::var_os("OBSERVER_E2E").map(PathBuf::from);
    let program = cache.map(|cache| cache.join("prometheus/usr/bin").join(name)).filter(|path| path.exists());
    if program.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{test} needs Prometheus, and nothing is skipped under CI");
        // Not by `eprintln`, which the test harness keeps to itself when a test passes.
        let line = format!("skipped: {test}: it needs Prometheus (cargo xtask setup, and OBSERVER_E2E)\n");
        std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).expect("standard error is open");
    }
    program
}

#[test]
fn the_rules_are_sound_and_fire_when_they_should() {
    let Some(promtool) = program("the_rules_are_sound_and_fire_when_they_should", "promtool") else { return };
    for args in [
        &["check", "rules", "observer.rules.yml"][..],
        &["check", "config", "observer.scrape.yml"],
        &["test", "rules", "observer.rules.test.yml"],
    ] {
        run(Command::new(&promtool).args(args).current_dir(PACKAGING)).unwrap();
    }
}

#[test]
fn every_rule_has_a_test() {
    let file = |name| std::fs::read_to_string(Path::new(PACKAGING).join(name)).unwrap();
    let (rules, tests) = (file("observer.rules.yml"), file("observer.rules.test.yml"));
    let alerts: Vec<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() >= 5, "{alerts:?}");
    for alert in alerts {
        // Once when it is silent and once when it is not.
        let tested = tests.lines().filter(|line| line.trim() == format!("- alertname: {alert}"));
        assert!(tested.count() >= 2, "{alert}");
    }
}

/// What Prometheus has for a query.
fn query(prometheus: SocketAddr, query: &str) -> Vec<Value> {
    let answer = get(prometheus, &format!("/api/v1/query?query={query}"));
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["status"], "success", "{query}: {answer}");
    answer["data"]["result"].as_array().unwrap().clone()
}

/// The panels of the dashboard, each with its queries and their legends.
fn panels() -> Vec<(Value, Vec<(String, String)>)> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    panels
        .map(|panel| {
            let targets = panel["targets"].as_array().into_iter().flatten();
            let queries = targets.map(|target| (text(&target["expr"]), text(&target["legendFormat"])));
            (panel.clone(), queries.collect())
        })
        .collect()
}

/// A query as Grafana sends it: with its variables filled in, for an hour and all instances.
fn filled_in(query: &str) -> String {
    let query = query.replace("$__range", "1h").replace("$__rate_interval", "1m").replace("$instance", ".*");
    assert!(!query.contains('$'), "{query}");
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    query.bytes().map(encode).collect()
}

/// Every query of the dashboard has an answer, and its legend names labels that the answer has.
fn every_panel_shows_something(prometheus: SocketAddr) {
    for (panel, queries) in panels() {
        for (text, legend) in queries {
            let answer = wait_for(&format!("an answer of {}", panel["title"]), || {
                Some(query(prometheus, &filled_in(&text))).filter(|answer| !answer.is_empty())
            });
            let labels = legend.split("{{").skip(1).filter_map(|rest| Some(rest.split_once("}}")?.0.trim()));
            for label in labels {
                let of_answer = &answer[0]["metric"];
                assert!(of_answer.get(label).is_some(), "{text}: no {label} in {of_answer}");
            }
        }
    }
}

#[test]
fn the_dashboard_is_laid_out_without_overlaps() {
    let panels = panels();
    assert!(panels.len() > 10, "{}", panels.len());
    let place = |panel: &Value| ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
    for (index, (panel, queries)) in panels.iter().enumerate() {
        let [x, y, w, h] = place(panel);
        // Grafana's grid has 24 columns.
        assert!(w > 0 && h > 0 && x + w <= 24, "{panel}");
        assert!(panel["type"] == "row" || !queries.is_empty(), "{panel}");
        for (other, _) in &panels[index + 1..] {
            let [ox, oy, ow, oh] = place(other);
            let apart = x + w <= ox || ox + ow <= x || y + h <= oy || oy + oh <= y;
            assert!(apart && panel["id"] != other["id"], "{} and {}", panel["title"], other["title"]);
        }
    }
}

/// Asks until `wanted` is there.
fn wait_for<T>(what: &str, mut wanted: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = wanted() {
            return found;
        }
        // Prometheus has nothing to tell one by.
        assert!(begun.elapsed() < PATIENCE, "{what} did not come");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn prometheus_scrapes_a_stall_of_a_running_observer() {
    let name = "prometheus_scrapes_a_stall_of_a_running_observer";
    let Some(program) = program(name, "prometheus") else { return };
    let place = tempfile::tempdir().unwrap();
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let options =
        ServerOptions { listen, net_write_timeout: Duration::from_secs(60), ..ServerOptions::default() };
    let server = Server::start(options, ObservationClock::new().unwrap(), |_| {}).unwrap();
    let mut observer = Command::new(env!("CARGO_BIN_EXE_observer"));
    observer.args(["record", "--no-kernel", "--poll", "0.2", "--metrics", "127.0.0.1:0"]);
    observer
        .args(["--port", &server.address().port().to_string(), "--directory"])
        .arg(place.path().join("log"));
    let observer = Process::spawn("observer record", &mut observer).unwrap();
    let metrics = observer
        .wait_stderr("its address", |line| {
            line.split_once("http://")?.1.strip_suffix("/metrics").map(str::to_owned)
        })
        .unwrap();

    let config = format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{PACKAGING}/observer.rules.yml]\n\
         scrape_configs: [{{job_name: observer, static_configs: [{{targets: ['{metrics}']}}]}}]\n"
    );
    std::fs::write(place.path().join("prometheus.yml"), config).unwrap();
    // One that was free a moment ago.
    let address = TcpListener::bind(listen).unwrap().local_addr().unwrap();
    let mut prometheus = Command::new(program);
    prometheus.current_dir(place.path()).args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
    prometheus.arg(format!("--web.listen-address={address}"));
    let prometheus = Process::spawn("prometheus", &mut prometheus).unwrap();
    prometheus.wait_stderr("readiness", |line| line.contains("ready to receive").then_some(())).unwrap();

    let mut client = Client::connect(server.address(), &ClientOptions::default()).unwrap();
    client.query(ENDLESS).unwrap();
    client.read_rows(1).unwrap();
    let stalled = "observer_connections{phase=%22stalled%22}";
    let value = |sample: &Value| sample["value"][1].as_str().unwrap().to_owned();
    wait_for("the stall", || query(address, stalled).iter().any(|sample| value(sample) == "1").then_some(()));
    let of_server = query(address, "observer_server_longest_stall_seconds");
    assert_eq!(of_server[0]["metric"]["server"], server.address().to_string(), "{of_server:?}");
    // What a scrape says of itself is there with it.
    assert_eq!(value(&query(address, "up{job=%22observer%22}")[0]), "1");
    assert!(
        value(&query(address, "process_resident_memory_bytes{job=%22observer%22}")[0])
            .parse::<f64>()
            .unwrap()
            > 1e6
    );
    // The rules are evaluated by it, and none of them is in error.
    wait_for("the rules", || {
        let rules: Value = serde_json::from_str(&get(address, "/api/v1/rules")).unwrap();
        let rules = rules["data"]["groups"][0]["rules"].as_array().unwrap().clone();
        assert!(rules.len() >= 5 && rules.iter().all(|rule| rule["health"] != "err"), "{rules:?}");
        rules.iter().all(|rule| rule["health"] == "ok").then_some(())
    });
    every_panel_shows_something(address);
}
