//! What a thread of the observer is allowed to do (capabilities(7)).

use std::fmt;

use anyhow::Context as _;
use rustix::thread::{CapabilitySet, capabilities, capability_is_in_bounding_set, set_capabilities};

/// The capabilities that are of use, by their numbers in `include/uapi/linux/capability.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Capability {
    /// Write to the directories of others.
    DacOverride = 1,
    /// Look into the directories of others: tracefs, and the open files of processes.
    DacReadSearch = 2,
    /// Become another group.
    SetGid = 6,
    /// Become another user.
    SetUid = 7,
    /// Attach kernel programs to the network.
    NetAdmin = 12,
    /// See which namespaces the processes of others are in, and what they have open.
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
            Self::DacOverride => "CAP_DAC_OVERRIDE",
            Self::DacReadSearch => "CAP_DAC_READ_SEARCH",
            Self::SetGid => "CAP_SETGID",
            Self::SetUid => "CAP_SETUID",
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
pub struct Capabilities(CapabilitySet);

impl Capabilities {
    /// No capability.
    pub const NONE: Self = Self(CapabilitySet::empty());

    /// The effective set of the calling thread.
    ///
    /// # Errors
    ///
    /// When the kernel does not tell: a filter of system calls forbids the question.
    pub fn effective() -> anyhow::Result<Self> {
        let sets = capabilities(None).context("asking for the capabilities in effect")?;
        Ok(Self(sets.effective))
    }

    /// Whether the capability is in the set.
    pub fn has(self, capability: Capability) -> bool {
        self.0.contains(Self::of(&[capability]).0)
    }

    /// A set of these.
    pub fn of(capabilities: &[Capability]) -> Self {
        let bits = capabilities.iter().fold(0, |bits, capability| bits | 1 << (*capability as u8));
        Self(CapabilitySet::from_bits_retain(bits))
    }

    /// What is in either set.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The set, with what stands for those of it that the calling thread has not: before Linux 5.8 there was only
    /// CAP_SYS_ADMIN for CAP_BPF and CAP_PERFMON, and it has stood for these two ever since.
    fn or_what_stands_for_it(self, permitted: CapabilitySet) -> CapabilitySet {
        let missing = Self(self.0 - permitted);
        let stands = [Capability::Bpf, Capability::Perfmon].into_iter().any(|one| missing.has(one));
        let more = if stands { Self::of(&[Capability::SysAdmin]).0 } else { CapabilitySet::empty() };
        (self.0 | more) & permitted
    }
}

/// Gives up, for the calling thread and for ever, every capability but `kept`; those of it that `resting` has too are
/// not in effect until [`with`] they are needed.
///
/// # Errors
///
/// When the kernel refuses: a filter of system calls forbids it.
pub(crate) fn keep(kept: Capabilities, resting: Capabilities) -> anyhow::Result<()> {
    let doing = "giving up the capabilities that are no longer needed";
    let mut sets = capabilities(None).context(doing)?;
    sets.permitted = kept.or_what_stands_for_it(sets.permitted);
    sets.effective = sets.permitted - resting.0;
    sets.inheritable = CapabilitySet::empty();
    set_capabilities(None, sets).context(doing)
}

/// Whether root has the capability where nobody has taken it from root for ever, as a container does or a service manager.
pub(super) fn can_be_roots(capability: Capability) -> bool {
    capability_is_in_bounding_set(Capabilities::of(&[capability]).0).unwrap_or(true)
}

/// Does `work` with a capability in effect that the calling thread has kept resting; without it where it has not.
pub(crate) fn with<T>(capability: Capability, work: impl FnOnce() -> T) -> T {
    let Ok(resting) = capabilities(None) else { return work() };
    let mut awake = resting;
    awake.effective |= Capabilities::of(&[capability]).0 & resting.permitted;
    if awake == resting || set_capabilities(None, awake).is_err() {
        return work();
    }
    let done = work();
    // Nothing takes less permission than this.
    let _ = set_capabilities(None, resting);
    done
}

/// Whether `works` does, but not without any capability.
///
/// # Errors
///
/// When that cannot be tried: a filter of system calls forbids it.
pub(crate) fn takes_any(works: impl Fn() -> bool) -> anyhow::Result<bool> {
    let doing = "trying what works without capabilities";
    let usual = capabilities(None).context(doing)?;
    let mut none = usual;
    none.effective = CapabilitySet::empty();
    set_capabilities(None, none).context(doing)?;
    let works_without = works();
    set_capabilities(None, usual).context(doing)?;
    Ok(!works_without && works())
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_set_has_what_it_is_made_of() {
        let set = Capabilities::of(&[Capability::NetAdmin, Capability::SysAdmin]);
        assert_eq!(set.0, CapabilitySet::NET_ADMIN | CapabilitySet::SYS_ADMIN);
        assert!(set.has(Capability::NetAdmin) && !set.has(Capability::Bpf));
        let all = [Capability::DacOverride, Capability::DacReadSearch, Capability::SysPtrace];
        let others = [Capability::Perfmon, Capability::Bpf];
        assert_eq!(
            Capabilities::of(&[&all[..], &others].concat()).0,
            CapabilitySet::DAC_OVERRIDE
                | CapabilitySet::DAC_READ_SEARCH
                | CapabilitySet::SYS_PTRACE
                | CapabilitySet::PERFMON
                | CapabilitySet::BPF
        );
    }

    #[test]
    fn the_one_that_stands_for_others_is_kept_in_their_place_only() {
        let wanted = Capabilities::of(&[Capability::Bpf, Capability::SysPtrace]);
        let (bpf, admin) = (CapabilitySet::BPF, CapabilitySet::SYS_ADMIN);
        assert_eq!(wanted.or_what_stands_for_it(bpf | admin), bpf);
        assert_eq!(wanted.or_what_stands_for_it(admin | CapabilitySet::CHOWN), admin);
        assert_eq!(wanted.or_what_stands_for_it(CapabilitySet::CHOWN), CapabilitySet::empty());
    }

    /// It has to work for who has none, too; with root's it shows more.
    #[test]
    fn a_thread_gives_up_its_own_and_no_other_thread_s() {
        let before = capabilities(None).unwrap();
        let resting = thread::spawn(|| {
            let kept = Capabilities::of(&[Capability::DacOverride, Capability::SysPtrace]);
            let had = capabilities(None).unwrap().permitted;
            keep(kept, Capabilities::of(&[Capability::DacOverride])).unwrap();
            let sets = capabilities(None).unwrap();
            assert_eq!(sets.permitted, kept.0 & had);
            assert!(!Capabilities::effective().unwrap().has(Capability::DacOverride));
            let awake = with(Capability::DacOverride, || capabilities(None).unwrap().effective);
            assert_eq!(awake, kept.0 & had);
            assert_eq!(capabilities(None).unwrap(), sets, "it rests again");
            keep(Capabilities::NONE, Capabilities::NONE).unwrap();
            with(Capability::SysPtrace, || capabilities(None).unwrap())
        });
        let after = resting.join().unwrap();
        assert_eq!((after.permitted, after.effective), (CapabilitySet::empty(), CapabilitySet::empty()));
        assert_eq!(capabilities(None).unwrap(), before);
    }

    #[test]
    fn what_works_without_takes_none_and_what_never_works_too() {
        let before = capabilities(None).unwrap();
        assert!(!takes_any(|| true).unwrap());
        assert!(!takes_any(|| false).unwrap());
        let has_any = || !capabilities(None).unwrap().effective.is_empty();
        assert_eq!(takes_any(has_any).unwrap(), !before.effective.is_empty());
        assert_eq!(capabilities(None).unwrap(), before);
    }
}
