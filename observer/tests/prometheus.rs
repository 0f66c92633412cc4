//! Debian's own Prometheus and Alertmanager: they take the rules and the routes, one scrapes a running `observer record`, and
//! the other tells of what it has lost.

#![expect(clippy::unwrap_used, reason = "the helpers belong to the tests: a panic is a test that failed")]

mod support;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use observer::demo::{Client, ClientOptions, Server, ServerOptions};
use observer::source::live::ObservationClock;
use serde_json::Value;
use support::http::{Listener, get};
use support::privilege::is_root;
use support::process::{PATIENCE, Process, run};

const DASHBOARD: &str = include_str!("../../packaging/grafana/observer.json");
const PACKAGING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/prometheus");
/// So many rows are more than all buffers between the two hold.
const ENDLESS: &str = "SELECT id LIMIT 400000";

/// One of their programs; without the set-up the test is skipped by name and reason. Under CI it must run.
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
fn the_routes_are_sound_and_lead_where_they_should() {
    let Some(amtool) = program("the_routes_are_sound_and_lead_where_they_should", "amtool") else { return };
    let of_routes = |args: &[&str]| {
        let output = Command::new(&amtool).args(args).current_dir(PACKAGING).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    of_routes(&["check-config", "alertmanager.yml"]);
    let rules = std::fs::read_to_string(Path::new(PACKAGING).join("observer.rules.yml")).unwrap();
    let severities: BTreeSet<_> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("severity: ")).collect();
    assert_eq!(severities, BTreeSet::from(["critical", "warning"]));
    for (severity, receiver) in [("critical", "on-call"), ("warning", "tickets")] {
        let label = format!("severity={severity}");
        let test = ["config", "routes", "test", "--config.file=alertmanager.yml", &label];
        assert_eq!(of_routes(&test).trim(), receiver, "{severity}");
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

/// A port of this host that was free a moment ago.
fn free() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// A server, and an observer that serves metrics of its connections.
struct Host {
    server: Server,
    metrics: String,
    _observer: Process,
}

impl Host {
    fn start(place: &Path, net_write_timeout: u64) -> Self {
        let options = ServerOptions {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            net_write_timeout: Duration::from_secs(net_write_timeout),
            ..ServerOptions::default()
        };
        let server = Server::start(options, ObservationClock::new().unwrap(), |_| {}).unwrap();
        let mut observer = Command::new(env!("CARGO_BIN_EXE_observer"));
        observer.args(["record", "--no-kernel", "--poll", "0.2", "--metrics", "127.0.0.1:0"]);
        observer.args(["--net-write-timeout", &net_write_timeout.to_string()]);
        observer.args(["--port", &server.address().port().to_string(), "--directory"]).arg(place.join("log"));
        let observer = Process::spawn("observer record", &mut observer).unwrap();
        let metrics = observer.wait_stderr("its address", |line| {
            line.split_once("http://")?.1.strip_suffix("/metrics").map(str::to_owned)
        });
        Self { server, metrics: metrics.unwrap(), _observer: observer }
    }

    /// A client that reads a row and no more.
    fn stall(&self) -> Client {
        let mut client = Client::connect(self.server.address(), &ClientOptions::default()).unwrap();
        client.query(ENDLESS).unwrap();
        client.read_rows(1).unwrap();
        client
    }

    /// Prometheus, which scrapes it every second; `more` is added to what it is told.
    fn scraped_by(&self, program: &Path, place: &Path, more: &str) -> (Process, SocketAddr) {
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{PACKAGING}/observer.rules.yml]\n\
             scrape_configs: [{{job_name: observer, static_configs: [{{targets: ['{}']}}]}}]\n{more}",
            self.metrics
        );
        std::fs::write(place.join("prometheus.yml"), config).unwrap();
        let address = free();
        let mut prometheus = Command::new(program);
        prometheus.current_dir(place).args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
        prometheus.arg(format!("--web.listen-address={address}"));
        let prometheus = Process::spawn("prometheus", &mut prometheus).unwrap();
        prometheus.wait_stderr("readiness", |line| line.contains("ready to receive").then_some(())).unwrap();
        (prometheus, address)
    }
}

#[test]
fn prometheus_scrapes_a_stall_of_a_running_observer() {
    let name = "prometheus_scrapes_a_stall_of_a_running_observer";
    let Some(program) = program(name, "prometheus") else { return };
    let place = tempfile::tempdir().unwrap();
    let host = Host::start(place.path(), 60);
    let (_prometheus, address) = host.scraped_by(&program, place.path(), "");

    let _client = host.stall();
    let stalled = "observer_connections{phase=%22stalled%22}";
    let value = |sample: &Value| sample["value"][1].as_str().unwrap().to_owned();
    wait_for("the stall", || query(address, stalled).iter().any(|sample| value(sample) == "1").then_some(()));
    let of_server = query(address, "observer_server_longest_stall_seconds");
    assert_eq!(of_server[0]["metric"]["server"], host.server.address().to_string(), "{of_server:?}");
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

#[test]
fn a_connection_that_is_lost_is_told_to_who_is_on_call() {
    let name = "a_connection_that_is_lost_is_told_to_who_is_on_call";
    let programs = ["prometheus", "prometheus-alertmanager"].map(|each| program(name, each));
    let [Some(prometheus), Some(alertmanager)] = programs else { return };
    // Alertmanager reads its templates from where Debian installs them, and nowhere else.
    if !is_root(name, "a mount namespace") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let told = Listener::start(&[]);
    let routes = std::fs::read_to_string(Path::new(PACKAGING).join("alertmanager.yml")).unwrap();
    assert!(routes.contains("//127.0.0.1:9095/"), "{routes}");
    let routes = routes.replace("127.0.0.1:9095", &told.address.to_string());
    std::fs::write(place.path().join("alertmanager.yml"), routes).unwrap();
    let address = free();
    let shared = alertmanager.ancestors().nth(2).unwrap().join("share");
    let script = "mount -t overlay -o \"lowerdir=$0:/usr/share\" overlay /usr/share; exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-ec", script]).arg(shared).arg(alertmanager).current_dir(place.path());
    command.args(["--config.file=alertmanager.yml", "--storage.path=alerts", "--cluster.listen-address="]);
    command.arg(format!("--web.listen-address={address}"));
    let alertmanager = Process::spawn("alertmanager", &mut command).unwrap();
    alertmanager.wait_stderr("readiness", |line| line.contains("Listening on").then_some(())).unwrap();

    let host = Host::start(place.path(), 2);
    let to = format!("alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{address}']}}]}}]}}\n");
    let (_prometheus, prometheus) = host.scraped_by(&prometheus, place.path(), &to);
    // An increase is one of what was there before.
    wait_for("two scrapes", || {
        let scrapes = query(prometheus, "count_over_time(observer_findings_total{finding=%22lost%22}[1m])");
        scrapes.iter().any(|count| count["value"][1] != "1").then_some(())
    });
    let _client = host.stall();

    // The stall that was near its timeout may be told before, to others.
    let request =
        std::iter::repeat_with(|| told.next()).find(|request| request.head[0].starts_with("POST /on-call "));
    let message: Value = serde_json::from_slice(&request.unwrap().body).unwrap();
    let alerts = message["alerts"].as_array().unwrap();
    assert_eq!(alerts.len(), 1, "{message:#}");
    assert_eq!(alerts[0]["labels"]["alertname"], "MySQLConnectionLost", "{message:#}");
    assert_eq!(alerts[0]["labels"]["instance"], host.metrics, "{message:#}");
    assert_eq!((&message["receiver"], &message["status"]), (&"on-call".into(), &"firing".into()));
}
