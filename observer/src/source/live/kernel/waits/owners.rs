//! Which process a server's socket belongs to, by its inode.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::source::live::cpu_time;

/// Walking through all processes of a host is dear: it is done so often at most for sockets that stand still.
const WALKS: u8 = 3;
/// And after one comes this many times as much rest as it took of CPU time: clients that stop one after the other cost a
/// tenth of one CPU at most, however many processes there are.
const REST: u32 = 9;

/// The owners of the sockets that were asked for.
#[derive(Default)]
pub(super) struct Owners {
    sockets: HashMap<u32, Owner>,
    /// Before that no walk begins.
    next_walk: Option<Instant>,
}

enum Owner {
    Process(u32),
    /// Not found so often.
    Unknown(u8),
}

impl Owners {
    /// The processes of these sockets, as far as they are known by now. Of others nothing is remembered.
    pub(super) fn of(&mut self, inodes: &[u32]) -> Vec<u32> {
        let may_walk = self.next_walk.is_none_or(|next| next <= Instant::now());
        if let Some(took) = self.look_for(inodes, may_walk) {
            self.next_walk = Some(Instant::now() + took * REST);
        }
        self.processes()
    }

    /// Looks for the sockets that are not known. Gives the CPU time of a walk, if there was one.
    fn look_for(&mut self, inodes: &[u32], may_walk: bool) -> Option<Duration> {
        self.sockets.retain(|inode, _| inodes.contains(inode));
        let sought: Vec<u32> = inodes.iter().copied().filter(|inode| self.is_sought(*inode)).collect();
        if sought.is_empty() {
            return None;
        }
        let known: Vec<u32> = self.processes();
        let mut found = search(&known, &sought);
        let walk = (may_walk && found.len() < sought.len()).then(|| {
            let before = cpu_time();
            let others: Vec<u32> = processes().filter(|pid| !known.contains(pid)).collect();
            found.extend(search(&others, &sought));
            cpu_time().saturating_sub(before)
        });
        for inode in sought {
            let owner = self.sockets.entry(inode).or_insert(Owner::Unknown(0));
            match (found.get(&inode), &mut *owner) {
                (Some(pid), _) => *owner = Owner::Process(*pid),
                (None, Owner::Unknown(walks)) => *walks = walks.saturating_add(u8::from(walk.is_some())),
                (None, Owner::Process(_)) => {}
            }
        }
        walk
    }

    /// Forgets the sockets, not that it has to rest.
    pub(super) fn forget(&mut self) {
        self.sockets.clear();
    }

    fn is_sought(&self, inode: u32) -> bool {
        match self.sockets.get(&inode) {
            None => true,
            Some(Owner::Unknown(walks)) => *walks < WALKS,
            Some(Owner::Process(_)) => false,
        }
    }

    fn processes(&self) -> Vec<u32> {
        let known = self.sockets.values().filter_map(|owner| match owner {
            Owner::Process(pid) => Some(*pid),
            Owner::Unknown(_) => None,
        });
        let mut pids: Vec<u32> = known.collect();
        pids.sort_unstable();
        pids.dedup();
        pids
    }
}

/// The inode of the socket behind a descriptor of a process.
pub(super) fn inode(pid: u32, fd: i32) -> Option<u32> {
    socket(&Path::new("/proc").join(pid.to_string()).join("fd").join(fd.to_string()))
}

/// `socket:[123]`.
fn socket(link: &Path) -> Option<u32> {
    let target = fs::read_link(link).ok()?;
    target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Which of these sockets are open in which of these processes.
fn search(pids: &[u32], inodes: &[u32]) -> HashMap<u32, u32> {
    let mut found = HashMap::new();
    for pid in pids {
        let fds = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        for inode in fds.filter_map(|fd| socket(&fd.path())).filter(|inode| inodes.contains(inode)) {
            found.entry(inode).or_insert(*pid);
        }
        if found.len() == inodes.len() {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::AsRawFd as _;

    use super::*;

    #[test]
    fn the_own_socket_is_found_and_what_is_not_there_is_not_sought_for_ever() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let inode = inode(std::process::id(), listener.as_raw_fd()).unwrap();
        let mut owners = Owners::default();
        assert_eq!(owners.of(&[inode]), [std::process::id()]);
        for _ in 0..WALKS {
            assert!(owners.is_sought(u32::MAX));
            assert!(owners.look_for(&[inode, u32::MAX], true).is_some());
        }
        assert_eq!(owners.look_for(&[inode, u32::MAX], true), None);
        assert_eq!(owners.of(&[inode, u32::MAX]), [std::process::id()]);
        assert!(owners.of(&[]).is_empty() && owners.sockets.is_empty());
    }

    #[test]
    fn a_walk_is_followed_by_rest_also_when_sockets_are_forgotten() {
        let mut owners = Owners::default();
        let before = Instant::now();
        owners.of(&[u32::MAX]);
        let rest_ends = owners.next_walk.unwrap();
        assert!(rest_ends > before);
        owners.forget();
        assert_eq!(owners.next_walk, Some(rest_ends));
        assert_eq!(owners.look_for(&[u32::MAX], false), None);
        assert!(owners.is_sought(u32::MAX), "it was not looked for everywhere");
    }
}
