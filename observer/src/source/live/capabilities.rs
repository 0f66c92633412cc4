//! What the observer is allowed to do (capabilities(7)).

use std::fmt;
use std::fs;

use anyhow::Context as _;

/// The capabilities that are of use, by their numbers in `include/uapi/linux/capability.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Capability {
    /// Attach kernel programs to the network.
    NetAdmin = 12,
    /// See which namespaces the processes of others are in.
    SysPtrace = 19,
    /// Enter other network namespaces; stands for [`Self::Bpf`] and [`Self::Perfmon`] too.
    SysAdmin = 21,
    /// Attach kernel programs to tracepoints.
    Perfmon = 38,
    /// Load kernel programs.
    Bpf = 39,
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NetAdmin => "CAP_NET_ADMIN",
            Self::SysPtrace => "CAP_SYS_PTRACE",
            Self::SysAdmin => "CAP_SYS_ADMIN",
            Self::Perfmon => "CAP_PERFMON",
            Self::Bpf => "CAP_BPF",
        })
    }
}

/// A set of capabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities(u64);

impl Capabilities {
    /// The effective set of the calling thread.
    ///
    /// # Errors
    ///
    /// When `/proc` is not mounted.
    pub fn effective() -> anyhow::Result<Self> {
        const STATUS: &str = "/proc/thread-self/status";
        let status = fs::read_to_string(STATUS).with_context(|| format!("reading {STATUS}"))?;
        Self::parse(&status).with_context(|| format!("{STATUS} has no line CapEff"))
    }

    fn parse(status: &str) -> Option<Self> {
        let set = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
        u64::from_str_radix(set.trim(), 16).ok().map(Self)
    }

    /// Whether the capability is in the set.
    pub fn has(self, capability: Capability) -> bool {
        self.0 >> (capability as u8) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_effective_set() {
        let set = Capabilities::parse("CapPrm:\tffffffffffffffff\nCapEff:\t0000000000201000\nCapBnd:\t0\n")
            .unwrap();
        assert!(set.has(Capability::NetAdmin) && set.has(Capability::SysAdmin));
        assert!(
            !set.has(Capability::SysPtrace) && !set.has(Capability::Perfmon) && !set.has(Capability::Bpf)
        );
        assert_eq!(Capabilities::parse("CapEff:\tmany"), None);
        assert_eq!(Capabilities::parse(""), None);
    }
}
