//! Logs that are sent line by line while they are written: `packaging/fleet/rsyslog-*.conf`, by Debian's rsyslog.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::support::process::{PATIENCE, Process};
use super::{Fleet, PART, ask_all, columns, installed, python};

const HOST: &str = include_str!("../../../packaging/fleet/rsyslog-host.conf");
const COLLECTOR: &str = include_str!("../../../packaging/fleet/rsyslog-collector.conf");

/// An rsyslog out of its package, with everything it writes in a directory of its own.
struct Rsyslog {
    installed: PathBuf,
    place: tempfile::TempDir,
}

impl Rsyslog {
    /// The collector, which writes to `collected`, with its port and the first connection to it. A sender that finds nobody
    /// there waits for half a minute.
    fn collect(&self, collected: &Path) -> (Process, String, TcpStream) {
        // One that was free a moment ago.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let port = free.port().to_string();
        let config = COLLECTOR.replace("/srv/fleet", collected.to_str().unwrap()).replace("10514", &port);
        // Here it is nobody else's business.
        let config = config.replace("type=\"imtcp\"", "type=\"imtcp\" address=\"127.0.0.1\"");
        assert_eq!(config.matches("address=").count(), 1, "{config}");
        let collector = self.run("collector", "", &config);
        let begun = Instant::now();
        loop {
            match TcpStream::connect(free) {
                Ok(connection) => return (collector, port, connection),
                Err(error) => assert!(begun.elapsed() < PATIENCE, "{error}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn run(&self, name: &str, settings: &str, config: &str) -> Process {
        let work = self.place.path().join(name);
        fs::create_dir(&work).unwrap();
        let path = work.join("rsyslog.conf");
        let own = format!("global(workDirectory=\"{}\" {settings})\n{config}", work.display());
        fs::write(&path, own).unwrap();
        let libraries = self.installed.join(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH));
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(self.installed.join("usr/sbin/rsyslogd"));
        command.env("LD_LIBRARY_PATH", &libraries).arg("-M").arg(libraries.join("rsyslog"));
        command.arg("-n").arg("-i").arg(work.join("pid")).arg("-f").arg(&path);
        Process::spawn(name, &mut command).unwrap()
    }
}

/// Waits until a file has this content.
fn wait_for(path: &Path, content: &str) {
    let begun = Instant::now();
    while fs::read_to_string(path).unwrap_or_default() != content {
        // rsyslog has nothing to tell one by.
        assert!(begun.elapsed() < PATIENCE, "{}: {:?}", path.display(), fs::read_to_string(path));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_is_sent_line_by_line_has_the_same_answers() {
    let test = "what_is_sent_line_by_line_has_the_same_answers";
    let (Some(installed), Some(python)) = (installed(test, "rsyslog"), python(test)) else { return };
    let rsyslog = Rsyslog { installed, place: tempfile::tempdir().unwrap() };
    let fleet = Fleet::new();
    let collected = rsyslog.place.path().join("fleet");
    let (_collector, port, _) = rsyslog.collect(&collected);
    let _senders = ["app1", "app2", "db1"].map(|host| {
        let log = fleet.0.path().join(host);
        let config = HOST
            .replace("/var/log/observer", log.to_str().unwrap())
            .replace("logs.example.com", "127.0.0.1")
            .replace("10514", &port);
        rsyslog.run(host, &format!("localHostname=\"{host}\""), &config)
    });
    for host in ["app1", "app2", "db1"] {
        let whole = fs::read_to_string(fleet.part(host)).unwrap();
        // The line that is being written comes when it is whole.
        let (lines, _) = whole.rsplit_once('\n').unwrap();
        wait_for(&collected.join(host).join(PART), &format!("{lines}\n"));
    }

    // What is written meanwhile, with the longest of lines; then the part is finished and compressed.
    let written = fleet.part("app2");
    let long = format!("{{\"type\":\"event\",\"event\":\"x\",\"text\":\"{}\"}}\n", "y".repeat(500_000));
    OpenOptions::new().append(true).open(&written).unwrap().write_all(long.as_bytes()).unwrap();
    let whole = fs::read_to_string(&written).unwrap();
    fleet.compress("app2");
    fs::remove_file(&written).unwrap();
    wait_for(&collected.join("app2").join(PART), &whole);

    // As if the sender had not known whether it arrived.
    fs::write(collected.join("app2").join(PART), whole.repeat(2)).unwrap();

    let of = |place: &Path| {
        let [services, hosts] = ask_all(place, &python, ["services", "hosts"]);
        let services = columns(&services, &["account", "place", "stalls", "lost", "hosts"]);
        (services, columns(&hosts, &["host", "lost_by", "events"]))
    };
    assert_eq!(of(&collected), of(fleet.0.path()));
}

#[test]
fn who_sends_something_else_has_nothing_written() {
    let test = "who_sends_something_else_has_nothing_written";
    let Some(installed) = installed(test, "rsyslog") else { return };
    let rsyslog = Rsyslog { installed, place: tempfile::tempdir().unwrap() };
    let collected = rsyslog.place.path().join("fleet");
    let (_collector, _, mut connection) = rsyslog.collect(&collected);
    for (host, file) in [("..", PART), (".", PART), ("db1", "../x.jsonl"), ("db1", "passwd"), ("db1", PART)] {
        let line = format!("<134>1 2024-05-04T14:03:00.000000Z {host} {file} - - - {{}}\n");
        connection.write_all(line.as_bytes()).unwrap();
    }
    // The last is as it should be, and lines come in their order.
    wait_for(&collected.join("db1").join(PART), "{}\n");
    let mut names: Vec<_> = walk(rsyslog.place.path())
        .into_iter()
        .filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
        .collect();
    assert_eq!(names.pop(), Some(collected.join("db1").join(PART)));
    assert_eq!(names, Vec::<PathBuf>::new());
}

/// All files below a directory.
fn walk(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
