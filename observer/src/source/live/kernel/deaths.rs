//! Whether a server closed a connection, or died and left that to the kernel.
//!
//! On the wire both are a FIN. But a process that ends gives its memory back before its files are closed (`do_exit`,
//! kernel/exit.c): when the state of its sockets changes, `/proc/PID/statm` shows no memory any more, or the process is
//! no longer there.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use observer_core::{Event, EventKind, SocketEvent, SocketEventKind, TcpState, Timestamp, Vantage};

/// Of a process that has lived at some moment nothing else is asked for so long: a server that ends many connections
/// is not to be looked at for each.
const TRUSTED: Duration = Duration::from_millis(1);

/// What is told later than this says nothing: after a shutdown a process is gone too.
const LATE: Duration = Duration::from_millis(200);

/// The inode of the first pid namespace, whose process ids the kernel programs tell (`PROC_PID_INIT_INO`,
/// include/linux/proc_ns.h).
const FIRST_NAMESPACE: u64 = 0xEFFF_FFFC;

/// Looks at the processes that close a server's sockets.
#[derive(Debug)]
pub(super) struct Deaths {
    /// Whether process ids mean here what they mean to the kernel, and `/proc` hides no process.
    processes_are_known: bool,
    /// The process looked at last, which lived then.
    alive: Option<(u32, Timestamp)>,
}

impl Deaths {
    pub(super) fn new() -> Self {
        // With hidepid, see proc(5), a process of another is as if it were gone.
        let none_is_hidden = fs::metadata("/proc/1/statm").is_ok();
        Self { processes_are_known: ids_are_known() && none_is_hidden, alive: None }
    }

    /// What `event`, read just now, means if it is the end of a connection by its server.
    pub(super) fn look(&mut self, event: &Event, now: Timestamp) -> Option<Event> {
        let EventKind::Socket(SocketEvent { socket, kind }) = &event.kind else { return None };
        let SocketEventKind::State { from: TcpState::Established, to, process: Some(process) } = kind else {
            return None;
        };
        let closes = socket.seen_at == Vantage::Server && *to != TcpState::CloseWait;
        if !closes || !self.processes_are_known || now.since(event.at) > LATE {
            return None;
        }
        if self.alive.is_some_and(|(pid, at)| pid == process.pid && event.at <= at + TRUSTED) {
            return None;
        }
        if !has_ended(&fs::read_to_string(Path::new("/proc").join(process.pid.to_string()).join("statm"))) {
            self.alive = Some((process.pid, now));
            return None;
        }
        let kind = SocketEventKind::ProcessEnds { pid: process.pid };
        Some(Event { at: event.at, kind: EventKind::Socket(SocketEvent { socket: *socket, kind }) })
    }
}

/// Whether process ids mean here what they mean to the kernel programs.
pub(super) fn ids_are_known() -> bool {
    let namespace = fs::metadata("/proc/self/ns/pid").map(|namespace| namespace.ino());
    namespace.is_ok_and(|inode| inode == FIRST_NAMESPACE)
}

/// Whether what was read of a process's memory is that of one that ends: its size is 0 pages, or it is gone.
fn has_ended(statm: &io::Result<String>) -> bool {
    match statm {
        Ok(statm) => statm.split_ascii_whitespace().next() == Some("0"),
        Err(error) => error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(nix::libc::ESRCH),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_ends_has_no_memory() {
        let own = fs::read_to_string("/proc/self/statm");
        assert!(!has_ended(&own));
        assert!(has_ended(&Ok("0 0 0 0 0 0 0\n".to_owned())));
        assert!(has_ended(&fs::read_to_string("/proc/4294967295/statm")));
        assert!(!has_ended(&Err(ErrorKind::PermissionDenied.into())));
        assert!(!has_ended(&Ok(String::new())));
    }

    #[test]
    fn a_zombie_has_ended() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep starts");
        let statm = format!("/proc/{}/statm", child.id());
        assert!(!has_ended(&fs::read_to_string(&statm)));
        child.kill().expect("it can be killed");
        // Its end is waited for, and it is not taken away yet.
        let id = nix::sys::wait::Id::Pid(nix::unistd::Pid::from_raw(child.id().cast_signed()));
        let flags = nix::sys::wait::WaitPidFlag::WEXITED | nix::sys::wait::WaitPidFlag::WNOWAIT;
        nix::sys::wait::waitid(id, flags).expect("it ends");
        assert!(has_ended(&fs::read_to_string(&statm)));
        child.wait().expect("it has ended");
        assert!(has_ended(&fs::read_to_string(&statm)));
    }
}
