//! How long a server waits until it can write: its own `ppoll` (MySQL) or `poll` (MariaDB).
//!
//! These programs slow down the system calls of the whole host, so they are attached only while a server is known to
//! wait. Of any other process they look at its id and no more.
//!
//! Nothing is told when a wait begins: the observer looks into the map now and then, where those that end at once
//! have gone again.

use aya_ebpf::bindings::BPF_ANY;
use aya_ebpf::helpers::bpf_probe_read_user;
use aya_ebpf::helpers::generated::bpf_get_current_pid_tgid;
use aya_ebpf::macros::tracepoint;
use aya_ebpf::programs::TracePointContext;
use observer_common::{Direction, Ends, RecordKind, SHORT_WAIT, Wait, WaitRecord};

use crate::config::field;
use crate::maps::{SERVERS, WAITS};
use crate::report::{header, now, tell};
use crate::tracepoints::read;

/// `include/uapi/asm-generic/poll.h`.
const POLLOUT: i16 = 4;

const NO_ENDS: Ends = Ends { local: [0; 16], remote: [0; 16], local_port: 0, remote_port: 0, reserved: 0 };

/// `struct pollfd` of `include/uapi/asm-generic/poll.h`.
#[derive(Clone, Copy)]
#[repr(C)]
struct PollFd {
    fd: i32,
    events: i16,
    revents: i16,
}

/// `struct __kernel_timespec` of `include/uapi/linux/time_types.h`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

/// `syscalls:sys_enter_ppoll`.
#[tracepoint]
pub fn observer_ppoll(context: TracePointContext) -> u32 {
    let _ = ppoll(&context);
    0
}

/// `syscalls:sys_enter_poll`.
#[tracepoint]
pub fn observer_poll(context: TracePointContext) -> u32 {
    let _ = poll(&context);
    0
}

/// `syscalls:sys_exit_ppoll`.
#[tracepoint]
pub fn observer_ppoll_end(context: TracePointContext) -> u32 {
    let _ = ends(&context, field!(ppoll_result.ret));
    0
}

/// `syscalls:sys_exit_poll`.
#[tracepoint]
pub fn observer_poll_end(context: TracePointContext) -> u32 {
    let _ = ends(&context, field!(poll_result.ret));
    0
}

#[inline(always)]
fn ppoll(context: &TracePointContext) -> Option<()> {
    let thread = server_thread()?;
    let timeout: u64 = read(context, field!(ppoll.timeout))?;
    let waiting_for = waits_for(context, field!(ppoll.ufds), field!(ppoll.nfds));
    begins(thread, waiting_for, || {
        // Without one it waits for as long as it takes.
        // SAFETY: fails rather than faults.
        let timeout = unsafe { bpf_probe_read_user(timeout as *const Timespec) }.ok()?;
        let limits = 0..=i64::from(u32::MAX);
        let valid = limits.contains(&timeout.seconds) && limits.contains(&timeout.nanoseconds);
        valid.then(|| timeout.seconds as u64 * 1_000_000_000 + timeout.nanoseconds as u64)
    })
}

#[inline(always)]
fn poll(context: &TracePointContext) -> Option<()> {
    let thread = server_thread()?;
    let timeout = read::<u64>(context, field!(poll.timeout))? as i32;
    let waiting_for = waits_for(context, field!(poll.ufds), field!(poll.nfds));
    begins(thread, waiting_for, || (timeout >= 0).then(|| timeout as u64 * 1_000_000))
}

/// The calling thread, if it is one of a server that is followed.
#[inline(always)]
fn server_thread() -> Option<u64> {
    // SAFETY: a helper without arguments.
    let thread = unsafe { bpf_get_current_pid_tgid() };
    SERVERS.get_ptr(&((thread >> 32) as u32)).map(|_| thread)
}

/// The one file descriptor that the caller wants to write to.
#[inline(always)]
fn waits_for(context: &TracePointContext, ufds: u16, nfds: u16) -> Option<i32> {
    if read::<u64>(context, nfds)? as u32 != 1 {
        return None;
    }
    let ufds: u64 = read(context, ufds)?;
    // SAFETY: fails rather than faults.
    let PollFd { fd, events, .. } = unsafe { bpf_probe_read_user(ufds as *const PollFd) }.ok()?;
    (events & POLLOUT != 0).then_some(fd)
}

#[inline(always)]
fn begins(thread: u64, waiting_for: Option<i32>, timeout: impl FnOnce() -> Option<u64>) -> Option<()> {
    if let Some(fd) = waiting_for
        && let Some(timeout) = timeout()
    {
        let wait = continued(thread, Wait { at: now(), timeout, fd, interrupted: 0 });
        return WAITS.insert(&thread, &wait, u64::from(BPF_ANY)).ok();
    }
    // The observer may have put in a wait that was over by then.
    WAITS.remove(&thread).ok()
}

/// What a wait is that begins now: the one that was interrupted, if the rest of that one's time is its own. The time in which
/// the process was stopped does not count.
#[inline(always)]
fn continued(thread: u64, wait: Wait) -> Wait {
    let Some(known) = WAITS.get_ptr(&thread) else { return wait };
    // SAFETY: as in `ends`.
    let known = unsafe { *known };
    if known.interrupted == 0 || known.fd != wait.fd || wait.timeout >= known.timeout {
        return wait;
    }
    Wait {
        at: wait.at.wrapping_add(wait.timeout).wrapping_sub(known.timeout),
        timeout: known.timeout,
        ..wait
    }
}

/// Whether this result of a system call is one that the kernel keeps to itself: the call is interrupted, to stop the process
/// (SIGSTOP, suspend, a debugger) or for a handler of its own (`ERESTARTSYS` and others, include/linux/errno.h).
#[inline(always)]
fn is_interrupted(result: i64) -> bool {
    result >= -516 && result <= -512
}

#[inline(always)]
fn ends(context: &TracePointContext, ret: u16) -> Option<()> {
    let thread = server_thread()?;
    // SAFETY: the entry was found just now; the LRU may give its memory to another wait meanwhile, but it stays memory
    // of the map.
    let known = unsafe { &mut *WAITS.get_ptr_mut(&thread)? };
    let result = read(context, ret)?;
    if is_interrupted(result) {
        known.interrupted = 1;
        return None;
    }
    let wait = *known;
    let _ = WAITS.remove(&thread);
    let at = now();
    if at.saturating_sub(wait.at) < SHORT_WAIT {
        return None;
    }
    tell(WaitRecord {
        header: header(at, 0, RecordKind::WaitEnds, Direction::Egress, &NO_ENDS),
        wait,
        tgid: (thread >> 32) as u32,
        tid: thread as u32,
        result,
    });
    Some(())
}
