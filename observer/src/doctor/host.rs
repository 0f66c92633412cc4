//! What needs no kernel program to find out: the kernel, the permissions, socket diagnostics.

use anyhow::Context as _;
use nix::sys::utsname::uname;

use super::report::{Check, NamespaceSockets, Report};
use crate::privilege::{Capabilities, Capability};
use crate::source::live::diag::{self, SocketCount, Survey};

/// The oldest kernel on which the kernel programs are known to load.
const OLDEST_KERNEL: (u32, u32) = (5, 10);

/// The kernel's version. What it can do is tried by the other checks.
pub(super) fn kernel() -> anyhow::Result<Check> {
    let name = uname().context("asking for the kernel's version")?;
    let release = name.release().to_string_lossy().into_owned();
    Ok(match version(&release) {
        Some(version) if version < OLDEST_KERNEL => Check::missing(
            "kernel",
            format!("{release}, older than {}.{}", OLDEST_KERNEL.0, OLDEST_KERNEL.1),
            "perhaps the kernel programs, and some counters of sockets",
            "use a newer kernel",
        ),
        _ => Check::ok("kernel", release),
    })
}

/// `6.18.44-cloud-amd64` is (6, 18).
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// The capabilities in effect, each by itself.
pub(super) fn capabilities() -> anyhow::Result<Vec<Check>> {
    let effective = Capabilities::effective()?;
    let needed = [
        (Capability::Bpf, "the kernel programs: windows, probes, FIN and RST the moment they pass"),
        (Capability::NetAdmin, "the kernel programs that see segments"),
        (Capability::Perfmon, "the kernel programs on tracepoints: who opens, reads and closes"),
        (Capability::SysAdmin, "socket diagnostics of other network namespaces, such as containers"),
        (
            Capability::SysPtrace,
            "which network namespaces the processes of others are in, and which sockets they have open",
        ),
        (
            Capability::DacReadSearch,
            "which sockets the processes of others have open; as another user than root all tracepoints too",
        ),
    ];
    Ok(needed.map(|(capability, without)| capability_check(effective, capability, without)).into())
}

fn capability_check(effective: Capabilities, capability: Capability, without: &str) -> Check {
    // Before 5.8 there was only CAP_SYS_ADMIN, and it has stood for these two ever since (capabilities(7)).
    let by_sys_admin =
        matches!(capability, Capability::Bpf | Capability::Perfmon) && effective.has(Capability::SysAdmin);
    if effective.has(capability) {
        Check::ok(capability.to_string(), "in effect")
    } else if by_sys_admin {
        Check::ok(capability.to_string(), format!("by {}", Capability::SysAdmin))
    } else {
        Check::missing(capability.to_string(), "not in effect", without, "run with sudo")
    }
}

/// Socket diagnostics, and the sockets they show now.
pub(super) fn sockets(ports: &[u16], report: &mut Report) -> anyhow::Result<()> {
    let Survey { own, others, incomplete } = diag::survey(ports)?;
    let asked = others.len() + 1;
    report.checks.push(match &own {
        Ok(_) => Check::ok("socket diagnostics", "netlink answers"),
        Err(why) => Check::missing(
            "socket diagnostics",
            why,
            "unread and unsent bytes, and the connections that are open already",
            "modprobe tcp_diag inet_diag",
        ),
    });
    report.checks.push(match incomplete {
        None => Check::ok("network namespaces", format!("{asked} asked")),
        Some(why) => Check::missing(
            "network namespaces",
            why,
            "socket diagnostics of connections in these",
            "run with sudo",
        ),
    });
    let own = own.ok().map(|count| (None, count));
    let others = others.into_iter().map(|(path, count)| (Some(path.display().to_string()), count));
    let with_sockets = own.into_iter().chain(others).filter(|(_, count)| *count != SocketCount::default());
    report.sockets = with_sockets
        .map(|(namespace, SocketCount { clients, servers })| NamespaceSockets { namespace, clients, servers })
        .collect();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_versions() {
        assert_eq!(version("6.18.44-cloud-amd64"), Some((6, 18)));
        assert_eq!(version("5.10"), Some((5, 10)));
        assert_eq!(version("7.2-rc1"), Some((7, 2)));
        assert_eq!(version("unknown"), None);
        assert_eq!(version(""), None);
    }
}
