//! Which process a server's socket belongs to, by its inode.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// Walking through all processes of a host is dear: it is done so often at most for sockets that stand still.
const WALKS: u8 = 3;

/// The owners of the sockets that were asked for.
#[derive(Default)]
pub(super) struct Owners {
    sockets: HashMap<u32, Owner>,
}

enum Owner {
    Process(u32),
    /// Not found so often.
    Unknown(u8),
}

impl Owners {
    /// The processes of these sockets. Of others nothing is remembered.
    pub(super) fn of(&mut self, inodes: &[u32]) -> Vec<u32> {
        self.sockets.retain(|inode, _| inodes.contains(inode));
        let sought: Vec<u32> = inodes.iter().copied().filter(|inode| self.is_sought(*inode)).collect();
        if !sought.is_empty() {
            let known: Vec<u32> = self.processes();
            let mut found = search(&known, &sought);
            if found.len() < sought.len() {
                let rest: Vec<u32> = processes().filter(|pid| !known.contains(pid)).collect();
                found.extend(search(&rest, &sought));
            }
            for inode in sought {
                let owner = self.sockets.entry(inode).or_insert(Owner::Unknown(0));
                match (found.get(&inode), &mut *owner) {
                    (Some(pid), _) => *owner = Owner::Process(*pid),
                    (None, Owner::Unknown(walks)) => *walks = walks.saturating_add(1),
                    (None, Owner::Process(_)) => {}
                }
            }
        }
        self.processes()
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
        for _ in 0..5 {
            assert_eq!(owners.of(&[inode, u32::MAX]), [std::process::id()]);
        }
        assert!(!owners.is_sought(u32::MAX));
        assert!(owners.of(&[]).is_empty() && owners.sockets.is_empty());
    }
}
