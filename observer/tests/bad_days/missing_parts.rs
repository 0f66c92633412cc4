//! Hosts and users that lack something: each lack has a name, and it reaches the plain talk, the log and the screen.

use std::fs;

use observer::log::Line;
use observer_core::{Event, EventKind, SourceEvent};

use crate::harness::{AS_THEY_ARE, Place, command, mounts_changed_by, said, start, stop, whole_log};
use crate::support::privilege::{NOBODY, is_root};
use crate::support::pty::{self, Pty};

/// CAP_SYS_ADMIN is what mounting takes; all else is there.
const CANNOT_MOUNT: [&str; 3] = ["setpriv", "--bounding-set=-sys_admin", "--"];

/// Runs the program in `surroundings` that lack `part`, and looks at everything that should name it.
fn assert_named(surroundings: &[impl AsRef<str>], part: &str, because: &str) {
    let place = Place::new();
    let log = place.path("log");
    let options = ["live", "--plain", "--port", "1", "--log", log.to_str().unwrap()];
    let process = start(&place.observer(surroundings, &options));
    let sentence = said(&process, &format!("Without {part} ("));
    assert!(sentence.contains(because), "{sentence}");
    said(&process, "`observer doctor` says what can be done about it");
    let talk = stop(process);
    assert_eq!(talk.iter().filter(|line| line.contains("observer doctor")).count(), 1, "{talk:#?}");

    let missing = whole_log(&fs::read(log).unwrap()).into_iter().find_map(|line| match line {
        Line::Event(Event {
            kind: EventKind::Source(SourceEvent::Degraded { part: missing, because, .. }),
            ..
        }) if missing == part => Some(because),
        _ => None,
    });
    let missing = missing.unwrap_or_else(|| panic!("the log does not say that {part} is missing"));
    assert!(missing.contains(because), "{missing}");

    let words = place.observer(surroundings, &["live", "--port", "1"]);
    let mut screen = Pty::spawn(pty::command(&words), 200, 24);
    // The first line says how much is missing, the events say what.
    screen.wait_for(&format!("no {part}"));
    let contents = screen.contents();
    let header = contents.lines().next().unwrap_or_default();
    let missing = if part == "kernel programs" { ":1  polling only  " } else { ":1  1 part missing  " };
    assert!(header.contains(missing), "{contents}");
    screen.type_keys("q");
    assert_eq!(screen.wait_for_end().status, 0);
}

#[test]
fn no_root() {
    let surroundings = if nix::unistd::geteuid().is_root() { NOBODY } else { AS_THEY_ARE };
    assert_named(
        surroundings,
        "kernel programs",
        "no permission for loading the kernel programs (needs root, or CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN)",
    );
}

/// The verifier takes a program from who has CAP_PERFMON that it does not take from others.
#[test]
fn no_cap_perfmon() {
    if !is_root("no_cap_perfmon", "giving up one capability") {
        return;
    }
    assert_named(
        &["setpriv", "--bounding-set=-perfmon,-sys_admin", "--"],
        "kernel programs",
        "no permission for loading observer_egress (needs root, or CAP_BPF, CAP_PERFMON",
    );
}

#[test]
fn no_cap_net_admin() {
    if !is_root("no_cap_net_admin", "giving up one capability") {
        return;
    }
    assert_named(
        &["setpriv", "--bounding-set=-net_admin,-sys_admin", "--"],
        "kernel programs",
        "no permission for attaching observer_egress to ",
    );
}

#[test]
fn no_cgroup_v2() {
    if !is_root("no_cgroup_v2", "changing what is mounted") {
        return;
    }
    let mut surroundings = mounts_changed_by("umount -a -t cgroup2");
    surroundings.extend(CANNOT_MOUNT.map(str::to_owned));
    assert_named(&surroundings, "kernel programs", "cgroup v2 is not mounted: ");
}

#[test]
fn no_tracefs() {
    if !is_root("no_tracefs", "changing what is mounted") {
        return;
    }
    let mut surroundings = mounts_changed_by("umount -a -t tracefs,debugfs");
    surroundings.extend(CANNOT_MOUNT.map(str::to_owned));
    assert_named(&surroundings, "tracefs", "tracefs is not mounted: ");
}

#[test]
fn a_tracepoint_is_missing() {
    if !is_root("a_tracepoint_is_missing", "changing what is mounted") {
        return;
    }
    let surroundings = mounts_changed_by(
        "mount -t tracefs tracefs /sys/kernel/tracing; \
         mount -t tmpfs none /sys/kernel/tracing/events/tcp/tcp_destroy_sock",
    );
    assert_named(
        &surroundings,
        "tracepoint tcp:tcp_destroy_sock",
        "reading /sys/kernel/tracing/events/tcp/tcp_destroy_sock/format: No such file",
    );
}

/// Without it nothing can be found out, so this is an error and no degradation.
#[test]
fn no_proc() {
    if !is_root("no_proc", "changing what is mounted") {
        return;
    }
    let place = Place::new();
    let surroundings = mounts_changed_by("mount -t tmpfs none /proc");
    let output =
        command(&place.observer(&surroundings, &["live", "--plain", "--port", "1"])).output().unwrap();
    let talk = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]), "{talk}");
    assert!(talk.contains("is /proc mounted?"), "{talk}");
}

/// What a user who means it would give, and what looks like it on a host with both hierarchies.
#[test]
fn a_cgroup_that_is_none() {
    let place = Place::new();
    fs::create_dir(place.path("lookalike")).unwrap();
    for file in ["lookalike/cgroup.procs", "lookalike/cgroup.controllers"] {
        fs::write(place.path(file), "").unwrap();
    }
    for (path, why) in [
        (place.path("lookalike"), "is no cgroup v2 directory (it is "),
        (place.path("observer"), "is no cgroup v2 directory (it is "),
        (place.path("missing"), "No such file or directory"),
    ] {
        let options = ["live", "--plain", "--port", "1", "--cgroup", path.to_str().unwrap()];
        for options in [&options[..], &[&options[..], &["--no-kernel"]].concat()] {
            let output = command(&place.observer(AS_THEY_ARE, options)).output().unwrap();
            let talk = String::from_utf8_lossy(&output.stderr);
            assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]), "{talk}");
            assert!(talk.contains(why) && talk.contains(path.to_str().unwrap()), "{talk}");
        }
    }
}
