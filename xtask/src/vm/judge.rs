//! Whether what was seen in a machine is what it has to be.

use std::collections::BTreeSet;

use super::seen::Seen;
use super::variant::{Fault, Variant};

/// Resident memory of the observer, in MiB.
const RESIDENT_MIB: f64 = 15.0;
/// Its CPU time by time, while nothing happens and while the story is played.
const IDLE_SHARE: f64 = 0.01;
const STORY_SHARE: f64 = 0.02;

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
        }
    };
    if !happened {
        misses.push(format!("{fault:?} did not happen: {:?}", seen.fault));
    }
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
