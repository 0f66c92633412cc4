//! What the observer of a machine has to do without.

use std::collections::BTreeSet;

/// What happens to a machine while the story is played in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing.
    None,
    /// Somebody sets the wall clock to the year 2001, and later to 2037.
    Clock,
    /// Segments are lost, repeated, late and out of order (`sch_netem`).
    Wire,
    /// It is suspended to memory for a while, in the middle of all.
    Sleep,
}

impl Fault {
    /// What the machine's first process calls it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Clock => "clock",
            Self::Wire => "wire",
            Self::Sleep => "sleep",
        }
    }
}

/// A machine's surroundings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variant {
    /// Everything is there, and mounted.
    Plain,
    /// The kernel's type information is out of sight.
    NoBtf,
    /// Neither cgroup v2 nor tracefs is mounted, as on a host of the first cgroup version; root mounts both for itself.
    NotMounted,
    /// cgroup v2 is not mounted, and cannot be for want of `CAP_SYS_ADMIN`.
    NoCgroup,
    /// The same of tracefs, as in a container or a service with the capabilities that are needed.
    NoTracefs,
}

/// What the doctor finds missing without `CAP_SYS_ADMIN`.
const UNPRIVILEGED: [&str; 2] = ["CAP_SYS_ADMIN", "network namespaces"];
/// The same without tracefs.
const TRACEPOINTS: [&str; 9] = [
    "tracepoint sock:inet_sock_set_state",
    "tracepoint syscalls:sys_enter_poll",
    "tracepoint syscalls:sys_enter_ppoll",
    "tracepoint syscalls:sys_exit_poll",
    "tracepoint syscalls:sys_exit_ppoll",
    "tracepoint tcp:tcp_destroy_sock",
    "tracepoint tcp:tcp_rcv_space_adjust",
    "tracepoint tcp:tcp_receive_reset",
    "tracepoint tcp:tcp_send_reset",
];
/// The programs that stand on cgroup v2.
const CGROUP_PROGRAMS: [&str; 2] = ["cgroup_skb/egress", "cgroup_skb/ingress"];

impl Variant {
    pub(super) const ALL: [Self; 5] =
        [Self::Plain, Self::NoBtf, Self::NotMounted, Self::NoCgroup, Self::NoTracefs];

    /// What the machine's first process calls it.
    pub(super) fn without(self) -> &'static str {
        match self {
            Self::Plain => "nothing",
            Self::NoBtf => "btf",
            Self::NotMounted => "mounts",
            Self::NoCgroup => "cgroup",
            Self::NoTracefs => "tracefs",
        }
    }

    /// What people call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "everything there",
            Self::NoBtf => "no BTF; the clock is set",
            Self::NotMounted => "cgroup v2, tracefs not mounted; losses on the wire",
            Self::NoCgroup => "no cgroup v2",
            Self::NoTracefs => "no tracefs; suspended for a while",
        }
    }

    /// What happens there. One to a machine, so that there need not be more of them.
    pub(super) fn fault(self) -> Fault {
        match self {
            Self::Plain | Self::NoCgroup => Fault::None,
            Self::NoBtf => Fault::Clock,
            Self::NotMounted => Fault::Wire,
            Self::NoTracefs => Fault::Sleep,
        }
    }

    /// The parts that the observer says it is without, in that order.
    pub(super) fn degraded(self) -> &'static [&'static str] {
        match self {
            // BTF is not used; what is not mounted is mounted for the observer alone.
            Self::Plain | Self::NoBtf | Self::NotMounted => &[],
            Self::NoCgroup => &["kernel programs", "other network namespaces"],
            Self::NoTracefs => &["tracefs", "other network namespaces"],
        }
    }

    /// The checks of the doctor that fail.
    pub(super) fn failed_checks(self) -> BTreeSet<&'static str> {
        let checks: &[&[&str]] = match self {
            Self::Plain | Self::NoBtf | Self::NotMounted => &[],
            // Nothing is attached when what matters most is not.
            Self::NoCgroup => &[&["cgroup v2"], &CGROUP_PROGRAMS, &TRACEPOINTS, &UNPRIVILEGED],
            Self::NoTracefs => &[&["tracefs"], &TRACEPOINTS, &UNPRIVILEGED],
        };
        checks.iter().copied().flatten().copied().collect()
    }

    /// How many kernel programs there are then.
    pub(super) fn programs(self) -> usize {
        let of = |are_there: bool, programs: usize| if are_there { programs } else { 0 };
        of(self.has_cgroup_programs(), CGROUP_PROGRAMS.len()) + of(self.has_tracepoints(), TRACEPOINTS.len())
    }

    /// Whether there is what the programs on the cgroup need. All others are there with them only.
    pub(super) fn has_cgroup_programs(self) -> bool {
        self != Self::NoCgroup
    }

    /// Whether there is what the programs on tracepoints need.
    pub(super) fn has_tracepoints(self) -> bool {
        self.has_cgroup_programs() && self != Self::NoTracefs
    }
}
