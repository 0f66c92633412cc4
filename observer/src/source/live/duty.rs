//! What the observer's threads go on being allowed to do once everything is attached.
//!
//! Capabilities belong to threads (capabilities(7)). Each keeps those of its duty and gives up all others.
//! docs/PRIVILEGES.md says what each is for.

use std::fs;
use std::sync::mpsc::sync_channel;
use std::thread::{self, JoinHandle};

use anyhow::Context as _;
use rustix::process::{geteuid, nice};

use super::kernel::Kernel;
use super::perf;
use super::server::{Place, Server};
use crate::privilege::{Capabilities, Capability, keep, takes_any};

/// A thread by what it does as long as the observer runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Duty {
    /// Asks for sockets in every network namespace; new ones come at any time.
    Diag,
    /// Looks up whose sockets they are.
    Owners,
    /// Attaches the program that follows reads when a window closes, and takes it out again.
    Reads,
    /// The same for servers' waits, and reads those that are under way from `/proc`.
    Waits,
}

impl Duty {
    /// The name of its thread.
    const fn name(self) -> &'static str {
        match self {
            Self::Diag => "diag",
            Self::Owners => "owners",
            Self::Reads => "reads",
            Self::Waits => "waits",
        }
    }

    /// What it cannot be done without.
    fn takes(self) -> Capabilities {
        use Capability::{Bpf, DacReadSearch, Perfmon, SysAdmin, SysPtrace};
        let mut takes = match self {
            Self::Diag => vec![SysAdmin, SysPtrace, DacReadSearch],
            Self::Owners => vec![SysPtrace, DacReadSearch],
            Self::Reads => vec![Bpf, Perfmon, DacReadSearch],
            Self::Waits => vec![Bpf, Perfmon, SysPtrace, DacReadSearch],
        };
        let attaches = matches!(self, Self::Reads | Self::Waits);
        takes.extend((attaches && perf::takes_sys_admin()).then_some(SysAdmin));
        Capabilities::of(&takes)
    }

    /// Whether everybody else on its CPU comes first: nothing that is foretold waits for it.
    fn can_wait(self) -> bool {
        self == Self::Owners
    }
}

/// The niceness of a thread that can wait; 19 is the highest there is.
const NICE: i32 = 10;

/// Starts the thread of a duty. It does `prepare` with all that the calling thread may do, `work` with what the duty
/// takes.
///
/// # Errors
///
/// When no thread can be started, or it cannot give up the rest.
pub(super) fn spawn<T>(
    duty: Duty,
    prepare: impl FnOnce() -> T + Send + 'static,
    work: impl FnOnce(T) + Send + 'static,
) -> anyhow::Result<JoinHandle<()>> {
    let (ready, told) = sync_channel(1);
    let name = duty.name();
    let begin = move || {
        let prepared = prepare();
        if duty.can_wait() {
            // Of the calling thread only (setpriority(2), "C library/kernel differences"); where it is refused all are equal.
            let _ = nice(NICE);
        }
        let kept = keep(duty.takes(), Capabilities::NONE);
        let goes_on = kept.is_ok();
        // Who starts it waits for this.
        let _ = ready.send(kept);
        if goes_on {
            work(prepared);
        }
    };
    let started = thread::Builder::new().name(name.to_owned()).spawn(begin);
    let thread = started.with_context(|| format!("starting the thread {name}"))?;
    told.recv().with_context(|| format!("the thread {name} has ended"))??;
    Ok(thread)
}

/// What the thread takes that reads what the kernel programs tell, and asks servers.
///
/// # Errors
///
/// When it cannot be tried.
pub(super) fn reading(kernel: Option<&Kernel>, servers: &[Server]) -> anyhow::Result<Capabilities> {
    let mut takes = Vec::new();
    if let Some(kernel) = kernel {
        // Until Linux 5.19 even a map that is open, where kernel.unprivileged_bpf_disabled is set.
        takes.extend(takes_any(|| kernel.can_be_read())?.then_some(Capability::Bpf));
        // Whether a server has died is seen by its process, which a /proc mounted with hidepid hides.
        takes.extend(takes_any(|| fs::metadata("/proc/1/statm").is_ok())?.then_some(Capability::SysPtrace));
    }
    // Many a server has its socket in a directory of its own.
    let asks_here = servers.iter().any(|server| matches!(server.place(), Place::Socket(_)));
    takes.extend(asks_here.then_some(Capability::DacReadSearch));
    Ok(Capabilities::of(&takes))
}

/// What rests with that thread: as root it starts those that hold the sessions at servers, and they become nobody. They may
/// no more than who starts them (`no_new_privs`).
pub(super) fn handing_on(servers: &[Server]) -> Capabilities {
    if servers.is_empty() || !geteuid().is_root() {
        return Capabilities::NONE;
    }
    Capabilities::of(&[Capability::SetGid, Capability::SetUid])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_prepares_with_everything_and_works_with_what_it_takes() {
        let before = Capabilities::effective().unwrap();
        let (tell, told) = sync_channel(2);
        let prepared = || Capabilities::effective().unwrap();
        let thread = spawn(Duty::Owners, prepared, move |prepared| {
            tell.send((prepared, Capabilities::effective().unwrap())).unwrap();
        });
        let (prepared, working) = told.recv().unwrap();
        thread.unwrap().join().unwrap();
        assert_eq!(prepared, before);
        assert!(!working.has(Capability::SysAdmin) && !working.has(Capability::NetAdmin));
        assert_eq!(working.has(Capability::SysPtrace), before.has(Capability::SysPtrace));
        assert_eq!(Capabilities::effective().unwrap(), before, "of others nothing changes");
    }
}
