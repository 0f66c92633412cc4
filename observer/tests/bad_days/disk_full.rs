//! The disk of the log is full for a while: the observation goes on, and what is lost is named, counted, and admitted
//! by the log itself.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use nix::unistd::Pid;
use observer::log::Line;
use observer_core::{Event, EventKind, LossPoint, SourceEvent};

use crate::harness::{AS_THEY_ARE, Place, mounts_changed_by, said, start, stop, whole_log};
use crate::support::connection::Connection;
use crate::support::privilege::is_root;
use crate::support::pty::{self, Pty};

/// A small disk that only one process sees, and where it is for that process.
struct Disk {
    place: Place,
    surroundings: Vec<String>,
}

impl Disk {
    fn new() -> Self {
        let place = Place::new();
        let disk = place.path("disk");
        fs::create_dir(&disk).unwrap();
        let surroundings = mounts_changed_by(&format!("mount -t tmpfs -o size=64k none {}", disk.display()));
        Self { place, surroundings }
    }

    /// The words that run the program with its log there.
    fn observer(&self, options: &[&str]) -> Vec<String> {
        let log = self.place.path("disk/log");
        self.place.observer(&self.surroundings, &[options, &["--log", log.to_str().unwrap()]].concat())
    }

    /// A file on the disk, as everybody can reach it as long as the process runs.
    fn path(&self, process: Pid, name: &str) -> PathBuf {
        let within = self.place.path("disk").join(name);
        PathBuf::from(format!("/proc/{process}/root")).join(within.strip_prefix("/").unwrap())
    }

    fn fill(&self, process: Pid) {
        let mut other = File::create(self.path(process, "other")).unwrap();
        loop {
            match other.write_all(&[0; 512]) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return,
                Err(error) => panic!("filling the disk: {error}"),
            }
        }
    }

    fn make_room(&self, process: Pid) {
        fs::remove_file(self.path(process, "other")).unwrap();
    }
}

/// The number before `text`.
fn count_before(line: &str, text: &str) -> u64 {
    let before = line.split(text).next().unwrap_or_default();
    before.rsplit(' ').next().and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("{line}"))
}

#[test]
fn the_observation_goes_on_and_the_loss_is_counted_and_admitted() {
    if !is_root("the_observation_goes_on_and_the_loss_is_counted_and_admitted", "mounting a small disk") {
        return;
    }
    let disk = Disk::new();
    let mut connection = Connection::open(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    let (port, client) = (connection.port().to_string(), connection.flow().client.to_string());
    let options = ["live", "--plain", "--no-kernel", "--poll", "0.1", "--port", &port];
    let process = start(&disk.observer(&options));
    let mut log = File::open(disk.path(process.pid(), "log")).unwrap();

    disk.fill(process.pid());
    let why = said(&process, "observer: writing the log: ");
    assert!(why.contains("No space left on device"), "{why}");
    assert!(why.ends_with("; the observation goes on without it"), "{why}");
    connection.stall();
    process
        .wait_stdout("the stall", |line| {
            (line.contains(&client) && line.contains("  notice  ")).then_some(())
        })
        .unwrap();

    disk.make_room(process.pid());
    said(&process, "observer: the log is written again; ");
    let talk = stop(process);
    let last = talk.last().unwrap();
    let missing = count_before(last, " events are missing in the log");
    assert!(missing > 0, "{last}");

    // The disk went with the process, but for the file that is open.
    let mut text = Vec::new();
    log.read_to_end(&mut text).unwrap();
    assert_eq!(admitted(&text), missing, "{talk:#?}");
}

/// What the log says that it lacks.
fn admitted(log: &[u8]) -> u64 {
    let losses = whole_log(log).into_iter().map(|line| match line {
        Line::Event(Event {
            kind: EventKind::Source(SourceEvent::EventsLost { count, lost_by: LossPoint::Log }),
            ..
        }) => count,
        _ => 0,
    });
    losses.sum()
}

#[test]
fn a_disk_that_stays_full_is_the_last_word() {
    if !is_root("a_disk_that_stays_full_is_the_last_word", "mounting a small disk") {
        return;
    }
    let disk = Disk::new();
    let options = ["live", "--plain", "--no-kernel", "--poll", "0.1", "--port", "1"];
    let process = start(&disk.observer(&options));
    let mut log = File::open(disk.path(process.pid(), "log")).unwrap();
    disk.fill(process.pid());
    said(&process, "observer: writing the log: No space left on device");
    let talk = stop(process);
    let missing = count_before(talk.last().unwrap(), " events are missing in the log");
    assert!(missing > 0, "{talk:#?}");
    let mut text = Vec::new();
    log.read_to_end(&mut text).unwrap();
    // The last of its room may have been enough for an admission.
    assert!(admitted(&text) <= missing, "{talk:#?}");
}

/// The log, or the directory it is in, is removed while it is written: what is written is lost, and counted.
#[test]
fn a_log_that_is_removed_is_told() {
    let place = Place::new();
    let directory = place.path("logs");
    fs::create_dir(&directory).unwrap();
    let log = directory.join("log");
    let options = ["live", "--plain", "--no-kernel", "--poll", "0.1", "--port", "1", "--log"];
    let options = [&options[..], &[log.to_str().unwrap()]].concat();
    let process = start(&place.observer(AS_THEY_ARE, &options));
    fs::remove_dir_all(&directory).unwrap();
    let why = said(&process, "observer: writing the log: ");
    assert!(why.ends_with("the file was removed; the observation goes on without it"), "{why}");
    let talk = stop(process);
    assert!(count_before(talk.last().unwrap(), " events are missing in the log") > 0, "{talk:#?}");
}

#[test]
fn the_screen_says_so() {
    if !is_root("the_screen_says_so", "mounting a small disk") {
        return;
    }
    let disk = Disk::new();
    let words = disk.observer(&["live", "--no-kernel", "--poll", "0.1", "--port", "1"]);
    let mut screen = Pty::spawn(pty::command(&words), 100, 24);
    screen.wait_for("Connections");
    disk.fill(screen.pid());
    screen.wait_for("log not written");
    disk.make_room(screen.pid());
    screen.wait_for("log lacks ");
    screen.type_keys("q");
    let end = screen.wait_for_end();
    assert_eq!(end.status, 0);
    end.assert_restored();
    assert!(end.contents.contains(" events are missing in the log"), "{}", end.contents);
}
