//! Metrics: what is exported of scripted observations, what the documents say of it, and who may ask for it.

#![expect(clippy::unwrap_used, reason = "what is not as it has to be is a failure")]
#![expect(clippy::float_cmp, reason = "counts are whole numbers, which floats hold exactly")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;

use observer::alert::{Counts, Outcome, Way};
use observer::listener::Listener as _;
use observer::log::Status;
use observer::metrics::{self, Exposition, Gatherer, MOST_CONNECTIONS, MOST_SERVERS, bind, serve};
use observer_core::{Config, End, Event, EventKind, SocketEventKind, SourceEvent, Tracker};
use support::http::{ask, get};
use support::process::PATIENCE;
use support::scenes;
use support::story::{Story, at, degraded, events_lost, together};

const DOCUMENT: &str = include_str!("../../docs/METRICS.md");
const RULES: &str = include_str!("../../packaging/prometheus/observer.rules.yml");
const DASHBOARD: &str = include_str!("../../packaging/grafana/observer.json");

/// A host whose metrics are gathered.
struct Host {
    tracker: Tracker,
    gatherer: Gatherer,
    alerts: Arc<Counts>,
    exposition: Exposition,
}

impl Host {
    fn new() -> Self {
        let (gatherer, figures) = Gatherer::new();
        let alerts = Arc::<Counts>::default();
        let exposition = Exposition::new(figures, Arc::clone(&alerts));
        Self { tracker: Tracker::new(Config::default()), gatherer, alerts, exposition }
    }

    /// Everything of which there can be figures.
    fn with_everything() -> Self {
        let mut host = Self::new();
        let mut stories = scenes::troubled();
        stories.push(scenes::closing());
        let mut events = together(stories);
        events.extend([degraded(82_000), events_lost(82_001, 12)]);
        host.observe(&events);
        host.poll(83_000);
        host
    }

    fn observe(&mut self, events: &[Event]) {
        for event in events {
            let about = self.tracker.handle_event(event);
            self.gatherer.event(event, about, &self.tracker);
            while let Some(finding) = self.tracker.poll() {
                self.gatherer.finding(&finding, &self.tracker);
            }
        }
    }

    fn poll(&mut self, millis: u64) {
        let kind =
            EventKind::Source(SourceEvent::SocketsPolled { period: std::time::Duration::from_secs(1) });
        self.observe(&[Event { at: at(millis), kind }]);
    }

    fn text(&self) -> String {
        self.exposition.text().unwrap()
    }

    /// All samples, by name and labels as they are written.
    fn samples(&self) -> BTreeMap<String, f64> {
        let text = self.text();
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        samples
            .map(|line| line.rsplit_once(' ').unwrap())
            .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
            .collect()
    }

    fn sample(&self, name: &str) -> f64 {
        *self.samples().get(name).unwrap_or_else(|| panic!("no {name} in\n{}", self.text()))
    }
}

#[test]
fn a_stall_is_measured_and_counted() {
    let mut host = Host::new();
    let events = scenes::stalled().events;
    // Half of the timeout is used 48 s after the beginning.
    let (before, after): (Vec<_>, Vec<_>) = events.into_iter().partition(|event| event.at < at(40_000));
    host.observe(&before);
    host.poll(40_000);
    let server = |name: &str| format!("{name}{{server=\"10.2.0.5:3306\"}}");
    assert!((host.sample(&server("observer_server_longest_stall_seconds")) - 21.2).abs() < 0.001);
    let left = host.sample(&server("observer_server_least_time_left_seconds"));
    let used = host.sample(&server("observer_server_timeout_used_ratio"));
    assert!((left - 60.0 * (1.0 - used)).abs() < 0.001 && (37.0..40.0).contains(&left), "{left} {used}");
    assert_eq!(host.sample("observer_connections{phase=\"stalled\"}"), 1.0);
    assert_eq!(host.sample("observer_findings_total{finding=\"stalled\",severity=\"notice\"}"), 1.0);
    assert_eq!(host.sample("observer_findings_total{finding=\"lost\",severity=\"lost\"}"), 0.0);

    host.observe(&after);
    host.poll(85_000);
    assert_eq!(host.sample("observer_connections{phase=\"stalled\"}"), 0.0);
    assert_eq!(host.sample("observer_connections{phase=\"lost\"}"), 1.0);
    assert_eq!(host.sample("observer_findings_total{finding=\"lost\",severity=\"lost\"}"), 1.0);
    // The server waits no more.
    assert_eq!(host.sample(&server("observer_server_longest_stall_seconds")), 0.0);
    assert!(!host.samples().contains_key(&server("observer_server_least_time_left_seconds")));
}

#[test]
fn aborts_are_counted_by_their_verdict() {
    let mut host = Host::new();
    let story =
        Story::of("10.2.7.31:51844", 1000).stream(1500, 8_000, 1_200_000, 3_100_000).zero_window(8_800);
    let story = story
        .probes([9_030, 9_480])
        .then(68_800, SocketEventKind::Reset { by: End::Server })
        .then(68_800, SocketEventKind::Destroyed);
    host.observe(&story.events);
    host.poll(80_000);
    let verdicts = ["net_write_timeout", "killed", "recovered"]
        .map(|verdict| host.sample(&format!("observer_verdicts_total{{verdict=\"{verdict}\"}}")));
    assert_eq!(verdicts, [1.0, 0.0, 0.0]);
}

#[test]
fn what_is_lost_is_counted_where_it_is_lost() {
    let mut host = Host::with_everything();
    assert_eq!(host.sample("observer_events_lost_total{place=\"ring_buffer\"}"), 12.0);
    assert_eq!(host.sample("observer_events_lost_total{place=\"log\"}"), 0.0);
    assert_eq!(host.sample("observer_unread_lost_bytes_total"), 2_200_000.0);
    assert_eq!(host.sample("observer_log_failing"), 0.0);
    host.gatherer.log_status(&Status { failing: Some("No space left".to_owned()), events_missing: 3 });
    assert_eq!(host.sample("observer_log_failing"), 1.0);
    assert_eq!(host.sample("observer_log_events_missing_total"), 3.0);
    host.alerts.count(Way::Url, Outcome::Failed);
    assert_eq!(host.sample("observer_alerts_total{way=\"url\",outcome=\"failed\"}"), 1.0);
}

#[test]
fn servers_without_end_do_not_make_series_without_end() {
    let mut host = Host::new();
    for number in 0..100_u8 {
        let mut events = Story::of("10.2.7.31:51844", 1000 + u64::from(number)).events;
        for event in &mut events {
            if let EventKind::Socket(event) = &mut event.kind {
                event.socket.flow.server = SocketAddr::from((Ipv4Addr::new(10, 3, 0, number), 3306));
                event.socket.cookie = Some(u64::from(number));
            }
        }
        host.observe(&events);
    }
    host.poll(2000);
    let samples = host.samples();
    let servers: Vec<_> =
        samples.iter().filter(|(name, _)| name.starts_with("observer_server_connections{")).collect();
    assert_eq!(servers.len(), MOST_SERVERS + 1);
    assert_eq!(servers.iter().map(|(_, count)| **count).sum::<f64>(), 100.0);
    assert_eq!(host.sample("observer_server_connections{server=\"other\"}"), 36.0);
}

/// The names of all metrics as they are queried, with their types and labels.
fn exported() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let host = Host::with_everything();
    let text = host.text();
    let types = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .map(|line| line.split_once(' ').unwrap());
    let mut metrics = BTreeMap::new();
    for (name, kind) in types {
        let suffix = BTreeMap::from([("counter", "_total"), ("info", "_info")]).get(kind).copied();
        metrics.insert(format!("{name}{}", suffix.unwrap_or_default()), (kind.to_owned(), BTreeSet::new()));
    }
    for sample in host.samples().keys() {
        let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
        let names =
            labels.split(',').filter_map(|label| label.split_once('=')).map(|(name, _)| name.to_owned());
        metrics.get_mut(name).unwrap().1.extend(names);
    }
    metrics
}

#[test]
fn the_document_lists_every_metric_with_its_type_and_labels() {
    let code = |cell: &str| cell.trim().split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let mut listed = BTreeMap::new();
    for row in
        DOCUMENT.lines().filter(|line| line.starts_with("| `observer_") || line.starts_with("| `process_"))
    {
        let cells: Vec<_> = row.split('|').skip(1).collect();
        let [name] = code(cells[0]).try_into().unwrap();
        let labels: BTreeSet<_> = code(cells[2]).into_iter().collect();
        assert!(listed.insert(name, (cells[1].trim().to_owned(), labels)).is_none(), "twice: {row}");
    }
    assert_eq!(listed, exported());
}

#[test]
fn rules_and_dashboard_name_only_what_is_exported() {
    let exported = exported();
    for text in [RULES, DASHBOARD] {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let named: BTreeSet<_> =
            words.filter(|word| word.starts_with("observer_") || word.starts_with("process_")).collect();
        assert!(named.len() > 4, "{named:?}");
        let unknown: Vec<_> = named.iter().filter(|name| !exported.contains_key(**name)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
    // Every figure is somewhere on the dashboard.
    let absent: Vec<_> = exported.keys().filter(|name| !DASHBOARD.contains(name.as_str())).collect();
    assert!(absent.is_empty(), "{absent:?}");
    serde_json::from_str::<serde_json::Value>(DASHBOARD).unwrap();
}

#[test]
fn the_text_is_what_prometheus_takes() {
    let text = Host::with_everything().text();
    assert!(text.ends_with("# EOF\n"));
    assert!(
        text.contains(&format!("observer_build_info{{version=\"{}\"}} 1\n", env!("CARGO_PKG_VERSION"))),
        "{text}"
    );
    // Of this process; that it uses some of each is certain.
    let host = Host::new();
    for name in ["process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"] {
        assert!(host.sample(name) > 0.0, "{name}");
    }
}

fn served() -> metrics::Serving {
    let listener = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    serve(listener, Host::with_everything().exposition).unwrap()
}

#[test]
fn only_the_metrics_are_served_and_only_read() {
    let serving = served();
    assert!(get(serving.address, "/metrics").contains("\nobserver_connections{"));
    assert!(get(serving.address, "/").contains("/metrics"));
    for (head, status) in [
        ("GET /metrics/../etc/passwd HTTP/1.1", "404"),
        ("POST /metrics HTTP/1.1", "405"),
        ("DELETE / HTTP/1.1", "405"),
        ("nonsense", "400"),
    ] {
        let answer = ask(serving.address, head).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{head}: {answer}");
    }
}

#[test]
fn scrapers_that_say_nothing_or_too_much_are_got_rid_of() {
    let serving = served();
    let mut silent: Vec<_> =
        (0..MOST_CONNECTIONS).map(|_| TcpStream::connect(serving.address).unwrap()).collect();
    silent[0].write_all(b"GET /metrics HT").unwrap();
    // It waits until one of those has had its time.
    assert!(get(serving.address, "/metrics").contains("\nobserver_connections{"));
    for stream in &mut silent {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // Closed, with a word or without.
        stream.read_to_end(&mut Vec::new()).unwrap();
    }
    let endless = format!("GET /metrics HTTP/1.1\r\nX-Long: {}", "x".repeat(100_000));
    // It is refused; whether that is heard depends on how much was still under way.
    let refused = ask(serving.address, &endless).map_or(true, |answer| answer.starts_with("HTTP/1.1 431 "));
    assert!(refused);
}

#[test]
fn an_address_that_is_taken_is_told_with_what_can_be_done() {
    let serving = served();
    let error = bind(serving.address).unwrap_err();
    let said = format!("{error:#}");
    assert!(said.contains("--metrics") && said.contains("in use"), "{said}");
}
