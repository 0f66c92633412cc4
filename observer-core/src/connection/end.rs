//! What is known at one end of a connection.

use std::num::NonZeroU64;

use crate::connection::{SocketReading, WireReading};
use crate::event::Process;
use crate::owner::{Owner, Owners};
use crate::sample::TcpState;
use crate::time::Timestamp;

/// What is known at one end of a connection.
#[derive(Clone, Debug, Default)]
pub struct EndView {
    /// The socket cookie, once an event carried one; the kernel gives no socket the cookie 0.
    pub cookie: Option<NonZeroU64>,
    /// The process that opened or accepted the connection, where it was seen.
    pub process: Option<Box<Process>>,
    /// The processes that have the socket open, or had it when it was last looked at.
    pub owners: Option<Box<Owners>>,
    /// The newest counters of the kernel programs, with their time.
    pub wire: Option<Box<(Timestamp, WireReading)>>,
    /// The newest socket diagnostics, with their time.
    pub socket: Option<Box<(Timestamp, SocketReading)>>,
    /// The socket's state, where the socket itself was seen and not only its packets.
    pub state: Option<TcpState>,
    /// When its last change of state was told: diagnostics from before it say nothing of the state any more.
    pub(crate) state_since: Timestamp,
    /// Whether this end has sent its FIN.
    pub(crate) finished: bool,
    /// Whether the socket is gone from the kernel.
    pub(crate) gone: bool,
}

impl EndView {
    /// The process that acts at this end, as far as it is known: the one that read last, while that was followed; else
    /// the one that opened the connection, as long as it has the socket; else one that has it.
    pub fn holder(&self) -> Option<&Process> {
        let reader = || Some(&self.wire.as_ref()?.1.last_read.as_ref()?.process);
        let owners = self.owners.as_deref().map_or(&[][..], |owners| &owners.processes);
        let opener = self.process.as_deref();
        let has_it = |process: &Process| owners.iter().any(|owner| owner.process.pid == process.pid);
        reader()
            .or_else(|| opener.filter(|opener| owners.is_empty() || has_it(opener)))
            .or_else(|| owners.first().map(|owner| &owner.process))
    }

    /// What more is known of [`holder`](Self::holder).
    pub fn holder_details(&self) -> Option<&Owner> {
        self.owners.as_ref()?.process(self.holder()?.pid)
    }

    /// Whether this end is on this host.
    pub fn is_local(&self) -> bool {
        self.cookie.is_some() || self.state.is_some() || self.wire.is_some()
    }

    /// Whether this end is on this host and its socket not known to be gone.
    pub(crate) fn is_alive(&self) -> bool {
        self.is_local() && !self.gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32) -> Process {
        Process { pid, tid: None, comm: "python3".to_owned() }
    }

    fn owners(pids: &[u32]) -> Owners {
        Owners { processes: pids.iter().map(|pid| Owner::unknown(*pid)).collect(), ..Owners::default() }
    }

    #[test]
    fn the_opener_counts_as_long_as_it_has_the_socket() {
        let holder = |end: &EndView| end.holder().map(|process| process.pid);
        let mut end = EndView::default();
        assert_eq!(holder(&end), None);
        end.owners = Some(Box::new(owners(&[7, 8])));
        assert_eq!(holder(&end), Some(7), "one that has it");
        end.process = Some(Box::new(process(8)));
        assert_eq!(holder(&end), Some(8), "the one that opened it");
        assert!(end.holder_details().is_some());
        end.owners = Some(Box::new(owners(&[7])));
        assert_eq!(holder(&end), Some(7), "it was passed on");
        end.owners = Some(Box::new(owners(&[])));
        assert_eq!(holder(&end), Some(8), "who has it is not known");
        assert!(end.holder_details().is_none());
    }
}
