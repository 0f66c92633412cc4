//! What the program is allowed to do while it runs, and that it needs no more: the table of docs/PRIVILEGES.md.

use std::fs;

use nix::unistd::Pid;
use observer::log::Line;
use observer_core::{Event, EventKind, SocketEventKind};
use rustix::thread::CapabilitySet;

use crate::harness::{
    AS_THEY_ARE, Place, command, eventually, mounts_changed_by, said, start, stop, whole_log,
};
use crate::support::privilege::is_root;
use crate::support::process::Process;

/// All it takes to miss nothing, as who is not root.
const NAMED: &str = "-all,+bpf,+net_admin,+perfmon,+dac_read_search,+sys_ptrace,+sys_admin";

/// What the kernel programs take, and nothing of what attribution does.
const ALONE: &str = "-all,+bpf,+net_admin,+perfmon";

/// A host with tracefs, and a user without a name that has these capabilities and no others.
fn with_capabilities(capabilities: &str) -> Vec<String> {
    let mut words = mounts_changed_by("mount -t tracefs tracefs /sys/kernel/tracing");
    words.extend(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"].map(str::to_owned));
    words.extend(["inh-caps", "ambient-caps", "bounding-set"].map(|set| format!("--{set}={capabilities}")));
    words.push("--".to_owned());
    words
}

/// The same host, and root with these capabilities and no others.
fn root_with_capabilities(capabilities: &str) -> Vec<String> {
    let mut words = mounts_changed_by("mount -t tracefs tracefs /sys/kernel/tracing");
    words.push("setpriv".to_owned());
    words.extend(["inh-caps", "bounding-set"].map(|set| format!("--{set}={capabilities}")));
    words.push("--".to_owned());
    words
}

/// A line of a thread's `status` in `/proc`.
fn status(process: Pid, thread: &str, field: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{process}/task/{thread}/status")).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(":\t"))?;
    Some(value.to_owned())
}

/// What every thread may do at most, by name, in the order of names.
fn permitted(process: Pid) -> Vec<(String, CapabilitySet)> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap().flatten();
    let mut permitted: Vec<_> = threads
        .filter_map(|thread| {
            // One that has ended meanwhile has nothing any more.
            let thread = thread.file_name().into_string().unwrap();
            let field = |name| status(process, &thread, name);
            assert_eq!(field("NoNewPrivs").as_deref().unwrap_or("1"), "1", "{:?}", field("Name"));
            let set = u64::from_str_radix(&field("CapPrm")?, 16).unwrap();
            Some((field("Name")?, CapabilitySet::from_bits_retain(set)))
        })
        .collect();
    permitted.sort_by(|one, other| one.0.cmp(&other.0));
    permitted
}

/// The main thread, which reads what others have sent.
fn assert_main_may_do_nothing(process: &Process) {
    let pid = process.pid();
    let set = u64::from_str_radix(&status(pid, &pid.to_string(), "CapPrm").unwrap(), 16).unwrap();
    // Before Linux 5.19 it takes CAP_BPF to read an open map.
    let set = CapabilitySet::from_bits_retain(set);
    assert!(CapabilitySet::BPF.contains(set), "{set:?}");
}

/// All threads as they have to be.
fn assert_given_up(process: &Process) {
    assert_main_may_do_nothing(process);
    let files = CapabilitySet::DAC_READ_SEARCH;
    let programs = CapabilitySet::BPF | CapabilitySet::PERFMON;
    let expected = [
        ("diag", CapabilitySet::SYS_ADMIN | CapabilitySet::SYS_PTRACE | files),
        ("owners", CapabilitySet::SYS_PTRACE | files),
        ("reads", programs | files),
        ("waits", programs | CapabilitySet::SYS_PTRACE | files),
    ];
    let expected = expected.map(|(name, set)| (name.to_owned(), set));
    // The one that has loaded the programs may still be on its way out.
    eventually("no thread but these", || {
        let others = permitted(process.pid()).into_iter().filter(|(name, _)| name != "observer");
        let named_so = permitted(process.pid()).iter().filter(|(name, _)| name == "observer").count();
        others.eq(expected.clone()) && named_so == 1
    });
}

#[test]
fn root_gives_up_what_is_no_longer_needed() {
    if !is_root("root_gives_up_what_is_no_longer_needed", "having capabilities to give up") {
        return;
    }
    let place = Place::new();
    let process = start(&place.observer(AS_THEY_ARE, &["live", "--plain", "--port", "1"]));
    assert_given_up(&process);
    stop(process);
}

/// The story is a stall from its beginning to the server's end, which takes every part that is there.
#[test]
fn with_the_named_capabilities_nothing_is_missing() {
    if !is_root("with_the_named_capabilities_nothing_is_missing", "giving capabilities to another user") {
        return;
    }
    let place = Place::new();
    let log = place.path("log");
    let options = ["demo", "--plain", "--log", log.to_str().unwrap()];
    let words = place.observer(&with_capabilities(NAMED), &options);
    let mut process = Process::spawn("the demo", &mut command(&words)).unwrap();
    said(&process, "observer: watching ");
    assert_main_may_do_nothing(&process);
    assert!(process.wait().unwrap().success(), "{:?}", process.stderr.all());
    let (found, told) = (process.stdout.all(), process.stderr.all());
    assert!(!told.iter().any(|line| line.contains("Without ")), "{told:#?}");
    assert!(found.iter().any(|line| line.contains("mysqld has dropped")), "{found:#?}");
    // Polling alone tells that too; the server's own wait is what its thread has to be seen at.
    let is_up = |line: &Line| {
        let Line::Event(Event { kind: EventKind::Socket(event), .. }) = line else { return false };
        event.kind == SocketEventKind::ServerWaitEnds { timed_out: true }
    };
    assert!(whole_log(&fs::read(&log).unwrap()).iter().any(is_up), "nothing is logged of its wait");
}

/// The three that the kernel programs take are enough for a stall from its beginning to the server's end, as another user
/// and as root. What attribution takes beside them is named, one by one; and nothing is left once all is attached but what
/// the threads keep that attach later.
#[test]
fn with_the_capabilities_of_the_kernel_programs_alone_a_stall_is_found() {
    let test = "with_the_capabilities_of_the_kernel_programs_alone_a_stall_is_found";
    if !is_root(test, "giving capabilities to another user") {
        return;
    }
    let place = Place::new();
    let surroundings = [with_capabilities(ALONE), root_with_capabilities(ALONE)];
    let demo = |words: &Vec<String>| {
        let words = place.observer(words, &["demo", "--plain"]);
        Process::spawn("the demo", &mut command(&words)).unwrap()
    };
    // They play beside each other.
    let processes = surroundings.each_ref().map(demo);
    for (words, process) in surroundings.iter().zip(&processes) {
        let output = command(&place.observer(words, &["doctor", "--json"])).output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let checks = report["checks"].as_array().unwrap();
        let with = |part: &str, ok: bool| -> Vec<&str> {
            let checks = checks.iter().filter(|check| check["ok"] == ok);
            checks.map(|check| check["name"].as_str().unwrap()).filter(|name| name.contains(part)).collect()
        };
        assert_eq!(with("CAP_", true), ["CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON"]);
        assert_eq!(with("CAP_", false), ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"]);
        assert_eq!(with("cgroup_skb", false), [""; 0], "the programs on packets");
        // Tracefs is root's.
        let is_root = !words.iter().any(|word| word.starts_with("--reuid"));
        let tracepoints = with("tracepoint", true).len() + with("tracepoint", false).len();
        assert_eq!(with("tracepoint", is_root).len(), tracepoints, "{report:#}");

        said(process, "observer: watching ");
        said(process, "Without other network namespaces (to enter them needs CAP_SYS_ADMIN");
        assert_main_may_do_nothing(process);
        // The actors of the demo are no part of what observes.
        let observing = permitted(process.pid()).into_iter().filter(|(name, _)| !name.starts_with("demo"));
        for (name, kept) in observing {
            let attaches = ["reads", "waits"].contains(&name.as_str());
            let programs = CapabilitySet::BPF | CapabilitySet::PERFMON;
            let most = if attaches { programs } else { CapabilitySet::BPF };
            assert!(most.contains(kept), "{name} keeps {kept:?}");
        }
    }
    for process in &processes {
        for told in ["has stopped reading with", "has kept mysqld waiting for", "mysqld has dropped"] {
            process.wait_stdout(told, |line| line.contains(told).then_some(())).unwrap();
        }
    }
}

/// Each of them is named for what is lost without it.
#[test]
fn without_one_of_them_the_doctor_names_it() {
    if !is_root("without_one_of_them_the_doctor_names_it", "giving capabilities to another user") {
        return;
    }
    let place = Place::new();
    for name in ["bpf", "net_admin", "perfmon", "dac_read_search", "sys_ptrace", "sys_admin"] {
        let others = with_capabilities(&NAMED.replace(&format!(",+{name}"), ""));
        let output = command(&place.observer(&others, &["doctor", "--json"])).output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let missing = report["checks"].as_array().unwrap().iter().filter(|check| check["ok"] == false);
        let names: Vec<&str> = missing.map(|check| check["name"].as_str().unwrap()).collect();
        let own = format!("CAP_{}", name.to_uppercase());
        // CAP_SYS_ADMIN stands for these two.
        let is_replaced = ["bpf", "perfmon"].contains(&name);
        assert_eq!(names.contains(&own.as_str()), !is_replaced, "{name}: {names:?}");
        assert_eq!(names.is_empty(), is_replaced, "{name}: {names:?}");
    }
}

/// What comes from anybody is read with no rights at all.
#[test]
fn a_report_is_made_as_nobody() {
    if !is_root("a_report_is_made_as_nobody", "having rights to give up") {
        return;
    }
    let place = Place::new();
    let words = place.observer(AS_THEY_ARE, &["report", "-"]);
    let mut process = Process::spawn("the report", &mut command(&words)).unwrap();
    let (pid, thread) = (process.pid(), process.pid().to_string());
    // It waits for the first bytes.
    eventually("the sandbox", || status(pid, &thread, "CapPrm").is_some_and(|set| set == "0000000000000000"));
    for field in ["Uid", "Gid"] {
        assert_eq!(status(pid, &thread, field).unwrap(), "65534\t65534\t65534\t65534");
    }
    assert_eq!(status(pid, &thread, "Groups").unwrap().trim(), "");
    process.say("neither a capture nor a log").unwrap();
    let code = process.wait().unwrap().code();
    let told = process.stderr.all();
    assert_eq!(code, Some(2), "{told:?}");
    assert!(told.iter().any(|line| line.contains("the file is no capture")), "{told:?}");
}

/// A file that root alone may read is open before root becomes nobody.
#[test]
fn a_report_of_a_file_of_roots_own() {
    if !is_root("a_report_of_a_file_of_roots_own", "being root") {
        return;
    }
    let place = Place::new();
    let log = place.path("log");
    let process = start(
        &place.observer(AS_THEY_ARE, &["live", "--plain", "--port", "1", "--log", log.to_str().unwrap()]),
    );
    stop(process);
    for other in ["report", "replay"] {
        let words = [other, log.to_str().unwrap(), "--plain"];
        let words = &words[..if other == "report" { 2 } else { 3 }];
        let output = command(&place.observer(AS_THEY_ARE, words)).output().unwrap();
        assert!(output.status.success(), "{other}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
