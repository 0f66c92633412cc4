//! Whether what was seen in a machine is what it has to be.

use std::collections::BTreeSet;

use super::seen::Seen;
use super::sleep::SLEEP;
use super::variant::{Fault, Variant};

/// Resident memory of the observer, in MiB.
const RESIDENT_MIB: f64 = 15.0;
/// Its CPU time by time, while nothing happens and while the story is played.
const IDLE_SHARE: f64 = 0.01;
const STORY_SHARE: f64 = 0.02;

/// What the programs on the cgroup tell of a connection that is lost, and what those on tracepoints do.
const OF_CGROUP_PROGRAMS: [&str; 8] = [
    "syn",
    "greeting",
    "login",
    "zero_window",
    "zero_window_probe",
    "zero_window_probe_ack",
    "window_update",
    "fin",
];
const OF_TRACEPOINTS: [&str; 3] = ["state", "server_waits", "server_wait_ends"];

/// The least of [`SLEEP`] that the clocks of a machine show, which tell its beginning and end by whole seconds.
const ASLEEP: f64 = SLEEP.as_secs_f64() - 2.0;
const DAY: f64 = 86_400.0;

/// Everything that is not as it has to be, each in a line.
pub(super) fn misses(variant: Variant, seen: &Seen) -> Vec<String> {
    let mut misses = Vec::new();
    if let Some(stuck) = &seen.stuck {
        misses.push(format!("the machine {}", stuck.trim_end()));
    }
    surroundings(variant, seen, &mut misses);
    fault(variant.fault(), seen, &mut misses);
    parts(variant, seen, &mut misses);
    statuses(variant, seen, &mut misses);
    events(variant, seen, &mut misses);
    verdicts(seen, &mut misses);
    costs(seen, &mut misses);
    misses
}

/// The machine was without what it is to be without, and what the observer mounts is nobody else's.
fn surroundings(variant: Variant, seen: &Seen, misses: &mut Vec<String>) {
    let without = |variants: &[Variant]| variants.contains(&variant);
    let mounted = |fs_type: &str| seen.mounts.lines().any(|mount| mount.split(' ').nth(2) == Some(fs_type));
    for (what, there, missing) in [
        ("BTF", seen.btf, without(&[Variant::NoBtf])),
        ("cgroup v2", mounted("cgroup2"), without(&[Variant::NotMounted, Variant::NoCgroup])),
        ("tracefs", mounted("tracefs"), without(&[Variant::NotMounted, Variant::NoTracefs])),
    ] {
        if there == missing {
            misses.push(format!("{what} was {}there", if there { "" } else { "not " }));
        }
    }
}

/// It did happen. The story has to end as ever.
fn fault(fault: Fault, seen: &Seen, misses: &mut Vec<String>) {
    let happened = match fault {
        Fault::None => true,
        Fault::Clock => ["2001", "2037"].iter().all(|year| seen.fault.contains(year)),
        // `Sent 5 bytes 1 pkt (dropped 7, overlimits 0 requeues 0)`
        Fault::Wire => {
            seen.fault.contains("netem")
                && seen.fault.contains("(dropped ")
                && !seen.fault.contains("(dropped 0")
                // Out of order, and what had come before.
                && ["TCPOFOQueue", "TCPDSACKOldSent"].iter().all(|name| tcp_counter(&seen.fault, name) > Some(0))
        }
        Fault::Sleep => slept(&seen.fault).is_some_and(|seconds| seconds >= ASLEEP),
    };
    if !happened {
        misses.push(format!("{fault:?} did not happen: {:?}", seen.fault));
    }
    if fault == Fault::Sleep {
        let last = seen.findings.last().and_then(|finding| second_of_day(finding["at"].as_str()?));
        let end = seen.fault.lines().find_map(|line| second_of_day(line.strip_prefix("end ")?));
        let behind = last.zip(end).map(|(last, end)| (end - last).rem_euclid(DAY));
        if behind.is_none_or(|behind| behind < ASLEEP) {
            misses.push(format!("what is told after the sleep is {behind:?} s behind the wall clock"));
        }
    }
}

/// A counter of /proc/net/netstat, which has the names in one line and the values in the next.
fn tcp_counter(netstat: &str, name: &str) -> Option<u64> {
    let mut lines = netstat.lines().filter_map(|line| line.strip_prefix("TcpExt: "));
    let (names, values) = (lines.next()?.split(' '), lines.next()?.split(' '));
    names.zip(values).find(|(known, _)| *known == name)?.1.parse().ok()
}

/// The second of its day in `2026-11-23T07:00:00.250000Z`.
fn second_of_day(time: &str) -> Option<f64> {
    let (_, clock) = time.strip_suffix('Z')?.split_once('T')?;
    clock.split(':').try_fold(0.0, |seconds, part| Some(seconds * 60.0 + part.parse::<f64>().ok()?))
}

/// How much longer the machine slept than it was awake, by `before MONOTONIC BOOTTIME` and the same after it, in seconds.
fn slept(fault: &str) -> Option<f64> {
    let asleep = |when| {
        let clocks = fault.lines().find_map(|line| line.strip_prefix(when))?;
        let (awake, all) = clocks.trim().split_once(' ')?;
        Some(all.parse::<f64>().ok()? - awake.parse::<f64>().ok()?)
    };
    Some(asleep("after")? - asleep("before")?)
}

/// What is missing is named: by the doctor, on the observer's output and in the log; and nothing else is.
fn parts(variant: Variant, seen: &Seen, misses: &mut Vec<String>) {
    let missing: BTreeSet<_> = seen.checks(false).collect();
    let wanted = variant.failed_checks();
    if missing != wanted {
        misses.push(format!("the doctor misses {missing:?} and not {wanted:?}"));
    }
    let degraded: Vec<_> = seen.degraded().collect();
    if degraded != variant.degraded() {
        misses.push(format!("in the log, missing is {degraded:?} and not {:?}", variant.degraded()));
    }
    for part in variant.degraded() {
        if !seen.lines.contains(&format!("observer: Without {part} (")) {
            misses.push(format!("the output does not say that it is without {part}"));
        }
    }
    if seen.programs.len() != variant.programs() {
        misses.push(format!("kernel programs are {:?} and not {}", seen.programs, variant.programs()));
    }
}

fn statuses(variant: Variant, seen: &Seen, misses: &mut Vec<String>) {
    let doctors = if variant.degraded().is_empty() { "0" } else { "1" };
    for (command, wanted) in [("doctor", doctors), ("live", "0"), ("demo", "0")] {
        let status = seen.statuses.get(command).map_or("", String::as_str);
        if status != wanted {
            misses.push(format!("observer {command} ended with {status:?} and not {wanted}"));
        }
    }
}

/// A program that is attached and silent is as good as none: of the client that is lost each kind has told what it sees, and
/// none has that is not there.
fn events(variant: Variant, seen: &Seen, misses: &mut Vec<String>) {
    let of_export = seen.clients.get("export").and_then(|client| seen.events.get(client));
    let has = |event: &str| of_export.is_some_and(|events| events.contains(event));
    for (told_by, wanted) in [
        (&OF_CGROUP_PROGRAMS[..], variant.has_cgroup_programs()),
        (&OF_TRACEPOINTS, variant.has_tracepoints()),
    ] {
        for event in told_by.iter().filter(|event| has(event) != wanted) {
            misses.push(format!("of export, {event} was {}told", if wanted { "not " } else { "" }));
        }
    }
}

/// One client is lost, one recovers, and of the others nothing is said.
fn verdicts(seen: &Seen, misses: &mut Vec<String>) {
    for (part, wanted) in [("export", "net_write_timeout"), ("report", "recovered")] {
        let kind = seen.verdict(part).map(|verdict| &verdict["kind"]);
        if kind.is_none_or(|kind| kind != wanted) {
            misses.push(format!("the verdict on {part} is {kind:?} and not {wanted}"));
        }
    }
    for part in ["dashboard", "lookup"] {
        let Some(client) = seen.clients.get(part) else {
            misses.push(format!("{part} was not in the story"));
            continue;
        };
        for finding in seen.findings.iter().filter(|finding| finding["client"] == client.as_str()) {
            misses.push(format!("of {part}, which had no trouble, it finds {}", finding["finding"]));
        }
    }
    let lost = |finding: &&serde_json::Value| finding["severity"] == "lost";
    let lost: BTreeSet<_> =
        seen.findings.iter().filter(lost).filter_map(|lost| lost["client"].as_str()).collect();
    let wanted: BTreeSet<_> = seen.clients.get("export").map(String::as_str).into_iter().collect();
    if lost != wanted {
        misses.push(format!("it calls {lost:?} lost and not {wanted:?}"));
    }
    if seen.report["lost_events"] != 0 {
        misses.push(format!("{} events were lost", seen.report["lost_events"]));
    }
}

fn costs(seen: &Seen, misses: &mut Vec<String>) {
    let usage = &seen.usage;
    for (what, measured, limit) in [
        ("resident memory in MiB", usage.resident, RESIDENT_MIB),
        ("CPU while nothing happened", usage.idle, IDLE_SHARE),
        ("CPU during the story", usage.story, STORY_SHARE),
    ] {
        if measured > limit {
            misses.push(format!("{what} was {measured:.3}, more than {limit}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_time_of_a_day() {
        assert_eq!(second_of_day("2026-11-23T07:01:02.250000Z"), Some(25_262.25));
        assert_eq!(second_of_day("07:01:02"), None);
    }

    #[test]
    fn a_sleep_is_the_time_that_one_clock_counts_and_the_other_does_not() {
        let asleep = slept("before 20.500000000 20.50\nafter 20.750000000 35.75\nend 2026-11-23T07:00:00Z\n");
        assert_eq!(asleep, Some(15.0));
        assert_eq!(slept("before 20.500000000 20.50\n"), None);
    }
}
