//! Alerts: to a real listener and by a real command.

#![expect(clippy::unwrap_used, reason = "the helpers belong to the tests: a panic is a test that failed")]

mod support;

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command as Program;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, getsockname, socket};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use observer::alert::{
    Alerts, Command, Counts, Courier, Headers, MOST_WAITING, Origin, Outcome, Patience, Policy, Way, Webhook,
};
use observer::demo::{Client, ClientOptions, Server, ServerOptions};
use observer::listener::Listener as _;
use observer::source::live::ObservationClock;
use observer_core::{Config, Finding, Severity, Tracker};
use serde_json::Value;
use support::connection::Connection;
use support::http::{Answer, CERTIFICATE, Listener, Request};
use support::process::{PATIENCE, Process};
use support::scenes;
use support::story::at;

/// So many rows are more than all buffers between the two hold.
const ENDLESS: &str = "SELECT id LIMIT 400000";

/// The findings about a client that is lost.
fn findings() -> Vec<Finding> {
    let mut tracker = Tracker::new(Config::default());
    let mut findings = Vec::new();
    for event in scenes::lost().events {
        tracker.handle_event(&event);
        findings.extend(std::iter::from_fn(|| tracker.poll()));
    }
    tracker.handle_timeout(at(120_000));
    findings.extend(std::iter::from_fn(|| tracker.poll()));
    findings
}

/// Tells all that `findings` are worth, by one courier, and waits for what becomes of it.
fn tell(courier: impl Courier + 'static, policy: Policy, findings: &[Finding]) -> Arc<Counts> {
    let counts = Arc::<Counts>::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let origin = Origin { host: "db1".to_owned(), version: "0.1.0".to_owned() };
        let courier: Box<dyn Courier> = Box::new(courier);
        let (mut alerts, at_work) = Alerts::start(policy, origin, [courier], Arc::clone(&counts));
        let tracker = Tracker::new(Config::default());
        for finding in findings {
            alerts.finding(finding, &tracker);
        }
        drop(alerts);
        at_work.finish().await;
    });
    counts
}

/// The loss alone.
fn one_alert(courier: impl Courier + 'static) -> Arc<Counts> {
    tell(courier, Policy::new(Severity::Lost, 60), &findings())
}

fn webhook(listener: &Listener, attempts: u32) -> Webhook {
    let patience =
        Patience { timeout: Duration::from_millis(500), attempts, pause: Duration::from_millis(10) };
    Webhook::new(&format!("http://{}/hook", listener.address), Headers::new(), patience).unwrap()
}

#[test]
fn a_post_that_fails_is_tried_again_whatever_the_failure_is() {
    let listener = Listener::start(&[Answer::Status(500), Answer::Hang, Answer::Close, Answer::Status(429)]);
    let counts = one_alert(webhook(&listener, 5));
    let first = listener.next();
    assert_eq!(first.head[0], "POST /hook HTTP/1.1");
    for _ in 1..5 {
        assert_eq!(listener.next().body, first.body);
    }
    assert_eq!(listener.others(), 0);
    assert_eq!(counts.of(Way::Url, Outcome::Delivered), 1);
}

#[test]
fn what_is_refused_or_fails_too_often_is_given_up_and_counted() {
    for (answers, posts) in
        [(&[Answer::Status(404)][..], 1), (&[Answer::Status(302)], 1), (&[Answer::Status(503); 3], 3)]
    {
        let listener = Listener::start(answers);
        let counts = one_alert(webhook(&listener, 3));
        for _ in 0..posts {
            listener.next();
        }
        assert_eq!(listener.others(), 0, "{answers:?}");
        let became = [Outcome::Delivered, Outcome::Failed].map(|outcome| counts.of(Way::Url, outcome));
        assert_eq!(became, [0, 1], "{answers:?}");
    }
}

#[test]
fn a_listener_that_is_not_there_is_a_failure() {
    // A port that is bound and not listened at.
    let bound = socket(AddressFamily::Inet, SockType::Stream, SockFlag::empty(), None).unwrap();
    bind(bound.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
    let address: SockaddrIn = getsockname(bound.as_raw_fd()).unwrap();
    let patience =
        Patience { timeout: Duration::from_secs(30), attempts: 2, pause: Duration::from_millis(10) };
    let nobody = Webhook::new(&format!("http://{address}/"), Headers::new(), patience).unwrap();
    assert_eq!(one_alert(nobody).of(Way::Url, Outcome::Failed), 1);
}

#[test]
fn the_message_is_the_finding_and_where_it_comes_from() {
    let listener = Listener::start(&[]);
    let findings = findings();
    tell(webhook(&listener, 1), Policy::new(Severity::Critical, 1), &findings);
    let message: Value = serde_json::from_slice(&listener.next().body).unwrap();
    let critical = findings.iter().find(|finding| finding.kind.severity() == Severity::Critical).unwrap();
    assert_eq!(message["schema"], "observer.alert/1");
    assert_eq!((&message["host"], &message["version"]), (&"db1".into(), &"0.1.0".into()));
    assert_eq!(message["sentence"], critical.sentence());
    assert_eq!((&message["severity"], &message["held_back"]), (&"critical".into(), &0.into()));
    // And every field of the log's.
    for (name, value) in serde_json::to_value(critical).unwrap().as_object().unwrap() {
        assert_eq!(&message[name], value, "{name}");
    }
}

#[test]
fn the_documents_example_is_what_is_sent() {
    let document = include_str!("../../docs/ALERTS.md");
    let example = document.split("```json\n").nth(1).unwrap().lines().next().unwrap();
    let finding: Finding = serde_json::from_str(example).unwrap();
    let listener = Listener::start(&[]);
    tell(webhook(&listener, 1), Policy::new(Severity::Critical, 1), &[finding]);
    assert_eq!(String::from_utf8(listener.next().body).unwrap().trim_end(), example);
}

#[test]
fn what_was_held_back_is_told_in_the_next_and_a_full_queue_drops() {
    let findings = findings();
    let lost = findings.iter().find(|finding| finding.kind.severity() == Severity::Lost).unwrap();
    let nth = |number: u64, seconds: u64| Finding {
        at: lost.at + Duration::from_secs(seconds),
        connection: Some(observer_core::ConnectionId(number)),
        ..lost.clone()
    };
    let listener = Listener::start(&[]);
    let several = [nth(1, 0), nth(2, 0), nth(3, 0), nth(4, 60)];
    let counts = tell(webhook(&listener, 1), Policy::new(Severity::Lost, 1), &several);
    let held_back = || serde_json::from_slice::<Value>(&listener.next().body).unwrap()["held_back"].clone();
    assert_eq!([held_back(), held_back()], [0, 2]);
    assert_eq!(counts.held_back(), 2);

    // All come at once, before the courier can take any of them.
    let flood: Vec<_> = (0..MOST_WAITING as u64 + 5).map(|number| nth(number, 0)).collect();
    let counts = tell(webhook(&listener, 1), Policy::new(Severity::Lost, 600), &flood);
    assert_eq!(counts.of(Way::Url, Outcome::Dropped), 5);
    assert_eq!(counts.of(Way::Url, Outcome::Delivered), MOST_WAITING as u64);
}

fn command(line: &str, time_limit: Duration) -> Command {
    Command { line: line.to_owned(), time_limit }
}

#[test]
fn a_command_has_the_message_on_its_standard_input() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("alerts");
    let counts = one_alert(command(&format!("cat >> {}", file.display()), Duration::from_secs(30)));
    let message: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(message["finding"], "lost");
    assert_eq!(counts.of(Way::Command, Outcome::Delivered), 1);
}

#[test]
fn a_command_that_fails_does_not_read_or_does_not_end_is_no_trouble() {
    for line in ["exit 3", "kill -9 $$", "/nonexistent"] {
        let counts = one_alert(command(line, Duration::from_secs(30)));
        assert_eq!(counts.of(Way::Command, Outcome::Failed), 1, "{line}");
    }
    for line in ["true", "exec < /dev/null", "yes | head -c 1000000", "sleep 5 & true"] {
        let counts = one_alert(command(line, Duration::from_secs(30)));
        assert_eq!(counts.of(Way::Command, Outcome::Delivered), 1, "{line}");
    }
}

#[test]
fn a_command_is_ended_at_its_time_limit_with_what_it_has_started() {
    let place = tempfile::tempdir().unwrap();
    let fifo = place.path().join("fifo");
    mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    let line = format!("sleep 300 > {} & wait", fifo.display());
    // It comes to its end when nobody holds it open for writing any more.
    let (sender, ended) = mpsc::channel();
    thread::spawn(move || sender.send(std::fs::read(fifo)));
    let counts = one_alert(command(&line, Duration::from_millis(500)));
    assert_eq!(counts.of(Way::Command, Outcome::Failed), 1);
    assert_eq!(ended.recv_timeout(PATIENCE).unwrap().unwrap(), b"");
}

#[test]
fn an_https_server_is_trusted_by_its_certificate_alone() {
    let listener = Listener::start_tls(&[]);
    let url = format!("https://localhost:{}/hook", listener.address.port());
    // The host's own certificates do not know it; where there are none at all, that is said.
    let patience = Patience { timeout: Duration::from_secs(30), attempts: 1, pause: Duration::ZERO };
    match Webhook::new(&url, Headers::new(), patience) {
        Ok(webhook) => assert_eq!(one_alert(webhook).of(Way::Url, Outcome::Failed), 1),
        Err(error) => assert!(error.to_string().contains("ca-certificates"), "{error:#}"),
    }
    assert_eq!(listener.others(), 0);

    let place = tempfile::tempdir().unwrap();
    let mut connection = Connection::open(Ipv4Addr::LOCALHOST.into(), 0);
    let mut program = Program::new(env!("CARGO_BIN_EXE_observer"));
    program.env("SSL_CERT_FILE", CERTIFICATE).args(["record", "--no-kernel", "--poll", "0.2"]);
    program.args(["--alert-level", "notice", "--alert-url", &url, "--port", &connection.port().to_string()]);
    let process = Process::spawn("observer record", program.arg("--directory").arg(place.path().join("log")));
    let process = process.unwrap();
    process.wait_stderr("the beginning", |line| line.contains("recording ").then_some(())).unwrap();
    connection.stall();
    let stalled =
        |request: &Request| String::from_utf8_lossy(&request.body).contains("\"finding\":\"stalled\"");
    // Others tell what is missing without privilege.
    while !stalled(&listener.next()) {}
}

#[test]
fn a_running_observer_tells_of_trouble_and_of_its_end() {
    let place = tempfile::tempdir().unwrap();
    let clock = ObservationClock::new().unwrap();
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let options =
        ServerOptions { listen, net_write_timeout: Duration::from_secs(60), ..ServerOptions::default() };
    let server = Server::start(options, clock, |_| {}).unwrap();
    // The first post fails.
    let listener = Listener::start(&[Answer::Status(500)]);
    let header = place.path().join("header");
    std::fs::write(&header, "Authorization: Bearer hunter2\n").unwrap();
    std::fs::set_permissions(&header, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut program = Program::new(env!("CARGO_BIN_EXE_observer"));
    program.args(["record", "--no-kernel", "--poll", "0.2", "--port", &server.address().port().to_string()]);
    // A tenth of the minute is critical.
    program.args(["--net-write-timeout", "60", "--warn-at", "5", "--critical-at", "10", "--directory"]);
    program.arg(place.path().join("log"));
    program.args(["--alert-command", "echo said on the side; cat > /dev/null"]);
    program.args(["--alert-url", &format!("http://{}/secret", listener.address), "--alert-header-file"]);
    let mut process = Process::spawn("observer record", program.arg(&header)).unwrap();
    process.wait_stderr("the beginning", |line| line.contains("recording ").then_some(())).unwrap();

    let mut client = Client::connect(server.address(), &ClientOptions::default()).unwrap();
    client.query(ENDLESS).unwrap();
    client.read_rows(1).unwrap();
    let (first, again) = (listener.next(), listener.next());
    assert_eq!(first.body, again.body);
    for field in ["content-type: application/json", "authorization: Bearer hunter2"] {
        assert!(again.head.iter().any(|line| line == field), "{field}: {:?}", again.head);
    }
    let trouble: Value = serde_json::from_slice(&again.body).unwrap();
    assert_eq!((&trouble["finding"], &trouble["severity"]), (&"critical".into(), &"critical".into()));
    assert_eq!(trouble["client"], client.address().to_string());
    process
        .wait_stderr("the command", |line| line.contains("alert command: said on the side").then_some(()))
        .unwrap();

    client.read_rows(u64::MAX).unwrap();
    let recovery: Value = serde_json::from_slice(&listener.next().body).unwrap();
    assert_eq!(recovery["finding"], "recovered", "{recovery:#}");
    assert_eq!(recovery["connection"], trouble["connection"]);

    process.signal(nix::sys::signal::Signal::SIGTERM).unwrap();
    assert_eq!(process.wait().unwrap().code(), Some(0));
    let said = process.stderr.all().join("\n");
    assert!(!said.contains("hunter2") && !said.contains("/secret"), "{said}");
}
