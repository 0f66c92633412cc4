//! How it ends: by a signal, by a reader that has seen enough, by kill -9.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::process::ExitStatusExt as _;

use aya::maps::loaded_maps;
use aya::programs::{loaded_links, loaded_programs};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use observer::log::{Gap, Line, Reader};

use crate::harness::{AS_THEY_ARE, Place, command, eventually, said, start, stop, whole_log};
use crate::support::connection::Connection;
use crate::support::privilege::is_root;
use crate::support::process::Process;

/// Objects of the kernel, by kind and id.
type Objects = HashSet<(&'static str, u32)>;

/// What a process holds open of BPF, from what the kernel says of its file descriptors.
fn held_by(process: Pid) -> Objects {
    let files = fs::read_dir(format!("/proc/{process}/fdinfo")).unwrap();
    let texts = files.filter_map(|file| fs::read_to_string(file.ok()?.path()).ok());
    let object = |line: &str| {
        let (name, id) = line.split_once(':')?;
        let kind = ["prog_id", "map_id", "link_id"].into_iter().find(|&kind| kind == name)?;
        Some((kind, id.trim().parse().ok()?))
    };
    texts.flat_map(|text| text.lines().filter_map(object).collect::<Vec<_>>()).collect()
}

/// Everything of BPF that the kernel has.
fn loaded() -> Objects {
    let programs = loaded_programs().filter_map(Result::ok).map(|program| ("prog_id", program.id()));
    let maps = loaded_maps().filter_map(Result::ok).map(|map| ("map_id", map.id()));
    let links = loaded_links().filter_map(Result::ok).map(|link| ("link_id", link.id()));
    programs.chain(maps).chain(links).collect()
}

fn count(objects: &Objects, kind: &str) -> usize {
    objects.iter().filter(|object| object.0 == kind).count()
}

/// Other programs come and go on this host, so those that are this observer's are counted, not all.
#[test]
fn no_end_leaves_anything_in_the_kernel() {
    if !is_root("no_end_leaves_anything_in_the_kernel", "loading kernel programs") {
        return;
    }
    for (signal, code) in [(Signal::SIGKILL, None), (Signal::SIGTERM, Some(0))] {
        let place = Place::new();
        let mut process = start(&place.observer(AS_THEY_ARE, &["live", "--plain", "--port", "1"]));
        let held = held_by(process.pid());
        // Two programs on the cgroup and nine on tracepoints, each by a link but for those that are attached only while a
        // window is closed: the one that follows reads and the four at system calls. Maps as the object has them.
        let [programs, links, maps] = ["prog_id", "link_id", "map_id"].map(|kind| count(&held, kind));
        assert_eq!((programs, links, maps > 0), (11, 6, true), "{held:?}");
        let loaded_now = loaded();
        assert!(held.is_subset(&loaded_now), "{held:?} are not all in {loaded_now:?}");
        process.signal(signal).unwrap();
        assert_eq!(process.wait().unwrap().code(), code, "{signal}");
        // The kernel frees them when the last CPU has left them: soon after, but not at once.
        eventually("the kernel's freeing of everything", || loaded().is_disjoint(&held));
    }
}

#[test]
fn after_kill_9_the_log_has_everything_that_was_told() {
    let place = Place::new();
    let mut connection = Connection::open(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    let (port, log) = (connection.port().to_string(), place.path("log"));
    let options = ["live", "--plain", "--no-kernel", "--poll", "0.1", "--port", &port, "--log"];
    let options = [&options[..], &[log.to_str().unwrap()]].concat();
    let mut process = start(&place.observer(AS_THEY_ARE, &options));
    connection.stall();
    let client = connection.flow().client;
    process.wait_stdout("the stall", |line| line.contains(&client.to_string()).then_some(())).unwrap();
    process.signal(Signal::SIGKILL).unwrap();
    assert_eq!(process.wait().unwrap().signal(), Some(9));

    let text = fs::read(&log).unwrap();
    let end = text.iter().rposition(|&byte| byte == b'\n').unwrap() + 1;
    let lines = whole_log(&text[..end]);
    let is_told = |line: &Line| matches!(line, Line::Finding(finding) if finding.flow.is_some_and(|flow| flow.client == client));
    assert!(lines.iter().any(is_told), "{lines:#?}");

    // Torn in the middle of its last line, as a crash of the host may leave it: the reader says which.
    let torn = &text[..end - 5];
    let reader = Reader::new(torn).unwrap();
    let read: Vec<_> = reader.map(Result::unwrap).collect();
    let [whole @ .., Line::Gap(gap)] = &read[..] else { panic!("no gap is told") };
    assert_eq!(whole, &lines[..lines.len() - 1]);
    let because = "cut off: the end of the line is missing".to_owned();
    assert_eq!(*gap, Gap { line: lines.len() as u64 + 1, because });
}

/// Standard output is a closed pipe: that is no error, and hides nothing of what was found.
#[test]
fn a_reader_that_has_seen_enough() {
    for (fail_on, status) in [(&[][..], 0), (&["--fail-on", "notice"], 1)] {
        let place = Place::new();
        let mut connection = Connection::open(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let (port, log) = (connection.port().to_string(), place.path("log"));
        let options = ["live", "--plain", "--no-kernel", "--poll", "0.1", "--port", &port, "--log"];
        let options = [&options[..], &[log.to_str().unwrap()], fail_on].concat();
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let mut command = command(&place.observer(AS_THEY_ARE, &options));
        let mut process = Process::spawn_into(writer.into(), "observer", &mut command).unwrap();
        said(&process, "observer: watching ");
        connection.stall();
        let code = process.wait().unwrap().code();
        let talk = process.stderr.all();
        assert_eq!(code, Some(status), "{talk:#?}");
        assert!(!talk.iter().any(|line| line.contains("standard output")), "{talk:#?}");
        let found = |line: &Line| matches!(line, Line::Finding(_));
        assert!(whole_log(&fs::read(&log).unwrap()).iter().any(found));
    }
}

/// A full disk under standard output is another matter: nobody would be told.
#[test]
fn standard_output_that_cannot_be_written_is_an_error() {
    let place = Place::new();
    let mut connection = Connection::open(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    let port = connection.port().to_string();
    let options = ["live", "--plain", "--no-kernel", "--poll", "0.1", "--port", &port];
    let words = place.observer(&["sh", "-c", "exec \"$@\" > /dev/full", "sh"], &options);
    let mut process: Process = start(&words);
    connection.stall();
    assert_eq!(process.wait().unwrap().code(), Some(2));
    let talk = process.stderr.all();
    let error = "observer: writing to standard output: No space left on device (os error 28)";
    assert_eq!(talk.last().map(String::as_str), Some(error), "{talk:#?}");
}

/// A log in a pipe whose reader goes away: the observation is what matters.
#[test]
fn a_log_whose_reader_is_gone() {
    let place = Place::new();
    let pipe = place.path("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || File::open(pipe).unwrap()
    });
    let options = ["live", "--plain", "--no-kernel", "--poll", "0.1", "--port", "1", "--log"];
    let process = start(&place.observer(AS_THEY_ARE, &[&options[..], &[pipe.to_str().unwrap()]].concat()));
    drop(reader.join().unwrap());
    said(&process, "observer: writing the log: Broken pipe");
    stop(process);
}
