//! The kernel programs and what they stand on, by doing what the live view does: each is loaded and attached, and
//! taken out again.

use aya::maps::MapType;
use aya::sys::{SyscallError, is_map_supported};

use super::report::Check;
use crate::privilege::{Capabilities, Capability};
use crate::source::live::{
    Attempt, Cgroup, Degradation, Kernel, LiveOptions, Tracefs, WITHOUT_ALL, tracepoints,
};

/// The part that is missing when tracefs can be neither found nor mounted.
const TRACEFS_PART: &str = "tracefs";

/// cgroup v2, tracefs, the ring buffer, and each program.
pub(super) fn checks(ports: &[u16]) -> anyhow::Result<Vec<Check>> {
    let live =
        LiveOptions { ports: ports.to_vec(), max_connections: 1, ring_bytes: 4096, ..LiveOptions::default() };
    let options = live.kernel_options();
    options.check()?;
    let remedy = if may_load(Capabilities::effective()?) { None } else { Some("run with sudo") };
    let tried = Tried::of(Kernel::load(&options), remedy);
    let mut checks = vec![cgroup(&tried)?, tracefs(&tried)?, ring_buffer(is_map_supported(MapType::RingBuf))];
    for program in ["cgroup_skb/egress", "cgroup_skb/ingress"] {
        checks.push(tried.check(program, None, WITHOUT_ALL));
    }
    for tracepoint in tracepoints() {
        let part = tracepoint.part();
        checks.push(tried.check(&part, tried.without(&[&part, TRACEFS_PART]), tracepoint.without));
    }
    Ok(checks)
}

/// Whether more permission would change nothing.
fn may_load(effective: Capabilities) -> bool {
    let has = |capability| effective.has(capability);
    has(Capability::NetAdmin)
        && (has(Capability::SysAdmin) || has(Capability::Bpf) && has(Capability::Perfmon))
}

/// What became of the attempt to load and attach everything.
struct Tried {
    /// Why nothing could be loaded.
    refused: Option<Degradation>,
    /// What was done without.
    degraded: Vec<Degradation>,
    /// What the user can do about either.
    remedy: Option<&'static str>,
}

impl Tried {
    /// The programs themselves are taken out of the kernel here.
    fn of(attempt: Attempt, remedy: Option<&'static str>) -> Self {
        let mut degraded: Vec<_> = attempt.steps.into_iter().filter_map(|step| step.outcome.err()).collect();
        // The last step that was tried says why there is nothing.
        let refused = if attempt.kernel.is_none() { degraded.pop() } else { None };
        Self { refused, degraded, remedy }
    }

    /// Why one of these parts was done without.
    fn without(&self, parts: &[&str]) -> Option<&Degradation> {
        self.degraded.iter().find(|missing| parts.contains(&missing.part.as_str()))
    }

    fn check(&self, name: &str, missing: Option<&Degradation>, without: &str) -> Check {
        match self.refused.as_ref().or(missing) {
            None => Check::ok(name, "loaded and attached"),
            Some(Degradation { because, .. }) => Check::missing(name, because, without, self.remedy),
        }
    }
}

fn cgroup(tried: &Tried) -> anyhow::Result<Check> {
    const NAME: &str = "cgroup v2";
    Ok(match Cgroup::find()? {
        Some(Cgroup { path, whole_host: true }) => Check::ok(NAME, path.display().to_string()),
        Some(Cgroup { path, whole_host: false }) => Check::missing(
            NAME,
            format!("only a part of it is seen, on {}", path.display()),
            "connections of processes outside that part",
            "run it in the host's cgroup namespace (for a container --cgroupns=host), with the whole of it mounted",
        ),
        None if tried.refused.is_none() => Check::ok(NAME, "not mounted; mounted for the observer alone"),
        None => Check::missing(NAME, "not mounted", WITHOUT_ALL, "mount -t cgroup2 cgroup2 /sys/fs/cgroup"),
    })
}

fn tracefs(tried: &Tried) -> anyhow::Result<Check> {
    const NAME: &str = "tracefs";
    let can_be_mounted = tried.refused.is_none() && tried.without(&[TRACEFS_PART]).is_none();
    Ok(match Tracefs::find()? {
        Some(tracefs) => Check::ok(NAME, tracefs.path().display().to_string()),
        None if can_be_mounted => Check::ok(NAME, "not mounted; mounted for the observer alone"),
        None => Check::missing(
            NAME,
            "not mounted",
            "the tracepoints: who opens, reads and closes",
            "mount -t tracefs tracefs /sys/kernel/tracing",
        ),
    })
}

/// By whether a small one could be made.
fn ring_buffer(made: Result<bool, SyscallError>) -> Check {
    const NAME: &str = "ring buffer";
    let missing = |why: &str, remedy| Check::missing(NAME, why, WITHOUT_ALL, remedy);
    match made {
        Ok(true) => Check::ok(NAME, "can be made"),
        Ok(false) => missing("the kernel has none", "use a kernel from 5.8 on"),
        Err(error) => missing(&format!("cannot be made: {}", error.io_error), "run with sudo"),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// No kernel that the programs are for lacks it: here older ones have their say.
    #[test]
    fn a_ring_buffer_that_is_missing_is_told_with_what_is_lost_without_it() {
        let refused = || io::Error::from(io::ErrorKind::PermissionDenied);
        let missing = [
            (Ok(false), "the kernel has none", "use a kernel from 5.8 on"),
            (
                Err(SyscallError { call: "bpf_map_create", io_error: refused() }),
                "cannot be made: permission denied",
                "run with sudo",
            ),
        ];
        for (made, why, remedy) in missing {
            let Check { ok, found, without, remedy: told, .. } = ring_buffer(made);
            assert_eq!((ok, found.as_str(), told.as_deref()), (false, why, Some(remedy)));
            assert_eq!(without.as_deref(), Some(WITHOUT_ALL));
        }
    }
}
