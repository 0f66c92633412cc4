//! `observer record`, as a service manager runs it: real connections on loopback, polled, which needs no privilege.

#![expect(clippy::unwrap_used, reason = "the helpers belong to the tests: a panic is a test that failed")]

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use observer::demo::{Client, ClientOptions, Server, ServerOptions};
use observer::record::{Part, parts};
use observer::source::live::ObservationClock;
use tempfile::TempDir;

mod support;

use support::process::{PATIENCE, Process};

const TIMEOUT: Duration = Duration::from_secs(2);
/// So many rows are more than all buffers between the two hold.
const ENDLESS: &str = "SELECT id LIMIT 400000";

/// A server, and an observer that records its connections.
struct Recorder {
    place: TempDir,
    server: Server,
    process: Option<Process>,
}

impl Recorder {
    fn start() -> Self {
        let clock = ObservationClock::new().unwrap();
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let options = ServerOptions { listen, net_write_timeout: TIMEOUT, ..ServerOptions::default() };
        let server = Server::start(options, clock, |_| {}).unwrap();
        let mut recorder = Self { place: tempfile::tempdir().unwrap(), server, process: None };
        recorder.start_again(&[]);
        recorder
    }

    fn start_again(&mut self, variables: &[(&str, &str)]) {
        let mut command = self.command();
        command.envs(variables.iter().copied());
        let process = Process::spawn("observer record", &mut command).unwrap();
        process.wait_stderr("the beginning", |line| line.contains("recording ").then_some(())).unwrap();
        self.process = Some(process);
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_observer"));
        command.args(["record", "--no-kernel", "--poll", "0.2", "--net-write-timeout", "2", "--directory"]);
        command.arg(self.directory()).args(["--port", &self.server.address().port().to_string()]);
        command
    }

    fn directory(&self) -> PathBuf {
        self.place.path().join("log")
    }

    fn process(&self) -> &Process {
        self.process.as_ref().unwrap()
    }

    /// A client that reads a row and then nothing.
    fn stall(&self) -> Client {
        let mut client = Client::connect(self.server.address(), &ClientOptions::default()).unwrap();
        client.query(ENDLESS).unwrap();
        client.read_rows(1).unwrap();
        client
    }

    fn finds(&self, what: &str, about: &Client) {
        let client = about.address().to_string();
        let found = |line: &str| (line.contains(&client) && line.contains(what)).then_some(());
        self.process().wait_stdout(what, found).unwrap();
    }

    /// Waits until the names of the parts are as `wanted`.
    fn wait_parts(&self, wanted: impl Fn(&[Part]) -> bool) -> Vec<Part> {
        let begun = Instant::now();
        loop {
            let parts = parts(&self.directory()).unwrap();
            if wanted(&parts) {
                return parts;
            }
            // inotify would tell of it, for more code than a test is worth.
            assert!(begun.elapsed() < PATIENCE, "{parts:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn stop(&mut self) -> Vec<String> {
        let mut process = self.process.take().unwrap();
        process.signal(Signal::SIGTERM).unwrap();
        let status = process.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{:?}", process.stderr.all());
        process.stderr.all()
    }

    fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.signal(Signal::SIGKILL).unwrap();
        process.wait().unwrap();
    }

    /// What `observer report` says of the directory.
    fn report(&self) -> serde_json::Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_observer"));
        let output = command.args(["report", "--format", "json"]).arg(self.directory()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// What a report says of a client's connection, once for every observation of it.
fn verdicts(report: &serde_json::Value, client: SocketAddr) -> Vec<&str> {
    let connections = report["connections"].as_array().unwrap();
    let of_client = connections.iter().filter(|c| c["client"] == client.to_string());
    of_client.map(|connection| connection["verdict"]["kind"].as_str().unwrap()).collect()
}

#[test]
fn a_stall_across_two_parts_is_one_account() {
    let mut recorder = Recorder::start();
    let mut client = recorder.stall();
    recorder.finds("net_write_timeout", &client);
    // logrotate and administrators ask for a new part so.
    recorder.process().signal(Signal::SIGHUP).unwrap();
    let parts = recorder.wait_parts(|parts| parts.len() == 2 && parts[0].is_compressed());
    assert_eq!(parts.iter().map(Part::number).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(parts[0].observation(), parts[1].observation());
    recorder.finds("dropped", &client);
    let address = client.address();
    assert!(client.read_rows(u64::MAX).is_err(), "the server gave up");
    drop(client);
    recorder.stop();
    assert_eq!(verdicts(&recorder.report(), address), ["net_write_timeout"]);
}

#[test]
fn a_restart_is_a_gap_in_one_account() {
    let mut recorder = Recorder::start();
    let client = recorder.stall();
    let address = client.address().to_string();
    recorder.finds("stopped reading", &client);
    recorder.stop();
    recorder.start_again(&[]);
    // The second observation has seen it.
    let has_seen = |part: &Part| {
        let log = fs::read_to_string(recorder.directory().join(part.name()));
        log.is_ok_and(|log| log.contains(&address))
    };
    recorder.wait_parts(|parts| parts.len() == 2 && has_seen(&parts[1]));
    recorder.stop();
    let report = recorder.report();
    let connections = report["connections"].as_array().unwrap();
    let accounts: Vec<_> = connections.iter().filter(|c| c["client"] == address).collect();
    let [account] = accounts[..] else { panic!("{report:#}") };
    let [gap] = &account["not_observed"].as_array().unwrap()[..] else { panic!("{account:#}") };
    assert!(gap["from"].as_str() < gap["to"].as_str(), "{gap}");
    // Its beginning is what the first has seen.
    assert!(account["first_seen"].as_str() < gap["from"].as_str(), "{account:#}");
}

#[test]
fn who_follows_a_recording_follows_it_into_the_next_part() {
    let mut recorder = Recorder::start();
    let mut command = Command::new(env!("CARGO_BIN_EXE_observer"));
    command.args(["replay", "--follow", "--plain"]).arg(recorder.directory());
    let mut follower = Process::spawn("observer replay", &mut command).unwrap();
    follower.wait_stderr("the beginning", |line| line.contains("following ").then_some(())).unwrap();
    let client = recorder.stall();
    let client_address = client.address().to_string();
    let sees = |what: &str| {
        let found = |line: &str| (line.contains(&client_address) && line.contains(what)).then_some(());
        follower.wait_stdout(what, found).unwrap();
    };
    sees("stopped reading");
    recorder.process().signal(Signal::SIGHUP).unwrap();
    recorder.wait_parts(|parts| parts.len() == 2);
    sees("dropped");
    follower.signal(Signal::SIGINT).unwrap();
    assert_eq!(follower.wait().unwrap().code(), Some(0), "{:?}", follower.stderr.all());
    recorder.stop();
}

#[test]
fn what_a_crash_left_is_put_in_order_and_told() {
    let mut recorder = Recorder::start();
    let client = recorder.stall();
    recorder.finds("dropped", &client);
    recorder.kill();
    let part = parts(&recorder.directory()).unwrap().pop().unwrap();
    let path = recorder.directory().join(part.name());
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"type\":\"event\",\"at").unwrap();
    recorder.start_again(&[]);
    // The first observation is compressed, the second goes on.
    recorder.wait_parts(|parts| parts.len() == 2 && parts[0].is_compressed() && !parts[1].is_compressed());
    let said = recorder.stop();
    assert!(said.iter().any(|line| line.contains("ended in the middle of a line (19 bytes)")), "{said:?}");
    let report = recorder.report();
    assert_eq!(report["lost_events"], 1, "{report:#}");
    // The second observation meets a connection that has nothing to write any more.
    assert_eq!(verdicts(&report, client.address())[0], "net_write_timeout", "{report:#}");
}

#[test]
fn an_incident_is_kept_with_all_that_is_known_of_it() {
    let mut recorder = Recorder::start();
    let (mut lost, mut fine) = (recorder.stall(), recorder.stall());
    let fine_address = fine.address();
    fine.read_rows(u64::MAX).unwrap();
    fine.quit().unwrap();
    recorder.finds("dropped", &lost);
    let address = lost.address();
    assert!(lost.read_rows(u64::MAX).is_err(), "the server gave up");
    drop(lost);
    recorder.stop();

    let incidents = recorder.directory().join("incidents");
    let names: Vec<_> = fs::read_dir(&incidents).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let [name] = &names[..] else { panic!("{names:?}") };
    let name = name.to_str().unwrap();
    assert!(name.ends_with(&address.to_string().replace(':', "-")), "{name}");
    let content = |name: &str| fs::read_to_string(incidents.join(&names[0]).join(name)).unwrap();
    let told: serde_json::Value = serde_json::from_str(&content("report.json")).unwrap();
    assert_eq!(verdicts(&told, address), ["net_write_timeout"]);
    assert!(content("report.md").contains(&address.to_string()));
    assert!(content("report.html").contains("</svg>"), "there is a chart");
    let host: serde_json::Value = serde_json::from_str(&content("host.json")).unwrap();
    assert!(host["settings"][0]["name"].is_string(), "{host:#}");

    // Its events tell the same by themselves, and nothing of the other.
    let events = content("events.jsonl");
    assert!(events.contains(&address.to_string()) && !events.contains(&fine_address.to_string()));
    let mut command = Command::new(env!("CARGO_BIN_EXE_observer"));
    let path = incidents.join(&names[0]).join("events.jsonl");
    let output = command.args(["report", "--format", "json"]).arg(path).output().unwrap();
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(verdicts(&told, address), ["net_write_timeout"]);
}

#[test]
fn what_is_an_incident_is_a_matter_of_its_level() {
    let mut recorder = Recorder::start();
    recorder.stop();
    recorder.start_again(&[("OBSERVER_INCIDENT_LEVEL", "notice")]);
    let client = recorder.stall();
    recorder.finds("stopped reading", &client);
    recorder.stop();
    let incidents = fs::read_dir(recorder.directory().join("incidents")).unwrap();
    let names: Vec<_> = incidents.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let of_client = client.address().to_string().replace(':', "-");
    assert!(matches!(&names[..], [name] if name.ends_with(&of_client)), "{names:?}");
}

#[test]
fn two_do_not_record_in_one_directory() {
    let mut recorder = Recorder::start();
    let output = recorder.command().output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("another observer records there") && said.contains("--directory"), "{said}");
    recorder.stop();
}

#[test]
fn a_directory_that_is_removed_is_made_again() {
    let mut recorder = Recorder::start();
    fs::remove_dir_all(recorder.directory()).unwrap();
    let begun = Instant::now();
    while !recorder.directory().exists() {
        assert!(begun.elapsed() < PATIENCE, "it is not made again");
        std::thread::sleep(Duration::from_millis(20));
    }
    let client = recorder.stall();
    recorder.finds("dropped", &client);
    recorder.stop();
    assert_eq!(verdicts(&recorder.report(), client.address()), ["net_write_timeout"]);
}

#[test]
fn a_service_manager_hears_that_it_runs_and_that_it_ends() {
    let mut recorder = Recorder::start();
    recorder.stop();
    let path = recorder.place.path().join("notify");
    let heard = UnixDatagram::bind(&path).unwrap();
    heard.set_read_timeout(Some(PATIENCE)).unwrap();
    let path = path.to_str().unwrap().to_owned();
    recorder.start_again(&[("NOTIFY_SOCKET", &path), ("WATCHDOG_USEC", "200000")]);
    let hear = || {
        let mut buffer = [0; 256];
        let count = heard.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..count]).trim().to_owned()
    };
    assert_eq!([hear(), hear(), hear()], ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]);
    recorder.stop();
    assert!(std::iter::repeat_with(hear).any(|told| told == "STOPPING=1"));
}
