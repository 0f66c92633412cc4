//! The search for sockets in the open files of all processes.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// Files looked at of one process, at most: a server may have a hundred thousand.
const MAX_FILES: usize = 1 << 20;
/// Processes kept of one socket, beyond which they are only counted.
const MAX_KEPT: usize = 64;

/// Who has which socket open.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// By inode: the processes, and how many more there are.
    holders: HashMap<u32, (Vec<u32>, u32)>,
    /// Processes whose files may not be seen.
    pub(super) hidden: usize,
}

impl Found {
    /// The processes that have the socket of this inode open, and how many more.
    pub(super) fn of(&self, inode: u32) -> (&[u32], u32) {
        self.holders.get(&inode).map_or((&[], 0), |(pids, more)| (pids, *more))
    }
}

/// Looks at the files of every process for the sockets with these inodes. Of all network namespaces the inodes are
/// different: they are those of one file system (`sock_mnt`, net/socket.c).
pub(super) fn search(wanted: &HashSet<u32>) -> Found {
    let mut found = Found::default();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    for process in processes {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        match holds(&process.path().join("fd"), wanted) {
            Ok(inodes) => {
                for inode in inodes {
                    let (pids, more) = found.holders.entry(inode).or_default();
                    if pids.len() < MAX_KEPT { pids.push(pid) } else { *more += 1 }
                }
            }
            // That is also what is said of a process that ends at this moment (`proc_pid_readlink`, fs/proc/base.c).
            Err(ErrorKind::PermissionDenied) if process.path().exists() => found.hidden += 1,
            // It is gone.
            Err(_) => {}
        }
    }
    found
}

/// Which of the sockets are among these open files; one may be open several times.
fn holds(files: &Path, wanted: &HashSet<u32>) -> Result<HashSet<u32>, ErrorKind> {
    let mut held = HashSet::new();
    for file in fs::read_dir(files).map_err(|error| error.kind())?.flatten().take(MAX_FILES) {
        let inode = match fs::read_link(file.path()) {
            Ok(link) => link.to_str().and_then(inode),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return Err(error.kind()),
            // It has been closed since.
            Err(_) => None,
        };
        held.extend(inode.filter(|inode| wanted.contains(inode)));
    }
    Ok(held)
}

/// The inode of `socket:[4711]`.
fn inode(link: &str) -> Option<u32> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::AsRawFd as _;

    use super::*;

    #[test]
    fn finds_the_sockets_of_this_process_and_no_others() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let twice = socket.try_clone().unwrap();
        let link = fs::read_link(format!("/proc/self/fd/{}", twice.as_raw_fd())).unwrap();
        let own = inode(link.to_str().unwrap()).unwrap();
        let found = search(&HashSet::from([own, u32::MAX]));
        assert_eq!(found.of(own), (&[std::process::id()][..], 0));
        assert_eq!(found.of(u32::MAX), (&[][..], 0));
    }

    #[test]
    fn other_files_are_no_sockets() {
        assert_eq!(inode("socket:[4711]"), Some(4711));
        for link in ["pipe:[4711]", "/tmp/socket:[1]", "socket:[]", "socket:[-1]", "socket:[99999999999]"] {
            assert_eq!(inode(link), None, "{link}");
        }
    }
}
