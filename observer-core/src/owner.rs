//! Whose a socket is.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::event::Process;
use crate::sample::is_zero;
use crate::time::Timestamp;

/// The processes that have a socket open. A socket that was inherited over a `fork`, or passed over a Unix socket
/// (`SCM_RIGHTS`, unix(7)), has several, or others than the one that opened it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owners {
    /// User id of the socket: whoever made it; `None` where only a process is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// That user's name on this host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// At most [`Self::MAX`] of the processes, first of all the one that was last seen to open or read it. Empty where
    /// none could be found.
    ///
    /// One process may have thousands of sockets: what is known of it is kept once.
    pub processes: Vec<Arc<Owner>>,
    /// Processes beyond them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u32,
}

impl Owners {
    /// Processes told of one socket.
    pub const MAX: usize = 4;

    /// Puts what was found later in the place of what is known. Of a socket whose processes have all gone, the last
    /// ones stay known.
    pub(crate) fn update(&mut self, later: &Self) {
        if !later.processes.is_empty() {
            self.processes = later.processes.iter().take(Self::MAX).cloned().collect();
            let cut = later.processes.len().saturating_sub(Self::MAX);
            self.more = later.more.saturating_add(u32::try_from(cut).unwrap_or(u32::MAX));
        }
        if later.uid.is_some() {
            (self.uid, self.user) = (later.uid, later.user.clone());
        }
    }

    /// What is known of one process.
    pub fn process(&self, pid: u32) -> Option<&Owner> {
        self.processes.iter().map(Arc::as_ref).find(|owner| owner.process.pid == pid)
    }
}

/// A process that has a socket open. None of the texts is cleaned for a terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Its id and name.
    #[serde(flatten)]
    pub process: Process,
    /// When it was started: a process id is given again to another.
    pub started_at: Timestamp,
    /// The beginning of its command line, at most 256 bytes, what may be a secret replaced by `***`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Its effective user id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// That user's name on this host; `None` in a container, which has users of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The systemd unit: `mysql.service`, `session-3.scope`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The container by its runtime and the beginning of its id: `docker 3f4ac0a1b2c3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The uid of the Kubernetes pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// Its cgroup (cgroups(7)), as seen from the observer's own: at most 256 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<String>,
    /// Inode of its network namespace, as in `lsns -t net`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netns: Option<u64>,
}

impl Owner {
    /// Where it belongs to, the most telling of what is known: its container, its unit, or another cgroup than the
    /// root.
    pub fn place(&self) -> Option<&str> {
        let cgroup = self.cgroup.as_deref().filter(|cgroup| *cgroup != "/");
        self.container.as_deref().or(self.unit.as_deref()).or(cgroup)
    }
}

#[cfg(test)]
impl Owner {
    /// One of which nothing but its id is known.
    pub(crate) fn unknown(pid: u32) -> Arc<Self> {
        Arc::new(Self {
            process: Process { pid, tid: None, comm: "python3".to_owned() },
            started_at: Timestamp::EPOCH,
            command: None,
            uid: None,
            user: None,
            unit: None,
            container: None,
            pod: None,
            cgroup: None,
            netns: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_gone_stays_known_until_another_is_found() {
        let mut owners =
            Owners { processes: vec![Owner::unknown(1), Owner::unknown(2)], more: 7, ..Owners::default() };
        let (uid, user) = (Some(33), Some("www-data".to_owned()));
        owners.update(&Owners { uid, user, ..Owners::default() });
        assert_eq!((owners.processes.len(), owners.more, owners.uid), (2, 7, Some(33)));
        owners.update(&Owners { processes: vec![Owner::unknown(3)], ..Owners::default() });
        assert_eq!((owners.processes.len(), owners.more, owners.uid), (1, 0, Some(33)));
        assert!(owners.process(3).is_some() && owners.process(1).is_none());
    }

    #[test]
    fn a_log_that_names_too_many_takes_no_more_room() {
        let mut owners = Owners::default();
        let later =
            Owners { processes: (0..100).map(Owner::unknown).collect(), more: u32::MAX, ..Owners::default() };
        owners.update(&later);
        assert_eq!((owners.processes.len(), owners.more), (Owners::MAX, u32::MAX));
    }

    #[test]
    fn the_container_tells_more_than_its_unit_and_the_root_nothing() {
        let mut owner = Owner::clone(&Owner::unknown(1));
        owner.cgroup = Some("/".to_owned());
        assert_eq!(owner.place(), None);
        owner.cgroup = Some("/test".to_owned());
        assert_eq!(owner.place(), Some("/test"));
        owner.unit = Some("app.service".to_owned());
        assert_eq!(owner.place(), Some("app.service"));
        owner.container = Some("docker 3f4ac0a1b2c3".to_owned());
        assert_eq!(owner.place(), Some("docker 3f4ac0a1b2c3"));
    }
}
