//! The processes whose waits are followed, as many as the kernel's list has room for.

use std::collections::HashMap;
use std::fs;

use aya::maps::{HashMap as KernelHashMap, MapData, MapError};

/// What the programs look at to tell whom they follow.
pub(super) trait List {
    /// Puts a process on it; `false` where there is no room.
    fn add(&mut self, pid: u32) -> bool;
    /// Takes it off.
    fn remove(&mut self, pid: u32);
}

impl List for KernelHashMap<MapData, u32, u8> {
    fn add(&mut self, pid: u32) -> bool {
        self.insert(pid, 1, 0).is_ok()
    }

    fn remove(&mut self, pid: u32) {
        let _: Result<(), MapError> = Self::remove(self, &pid);
    }
}

/// They, and what each is called.
pub(super) struct Servers<L> {
    list: L,
    names: HashMap<u32, String>,
}

impl<L: List> Servers<L> {
    /// Nobody yet.
    pub(super) fn new(list: L) -> Self {
        Self { list, names: HashMap::new() }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether this one is followed.
    pub(super) fn has(&self, pid: u32) -> bool {
        self.names.contains_key(&pid)
    }

    /// What it is called.
    pub(super) fn name(&self, pid: u32) -> String {
        self.names.get(&pid).cloned().unwrap_or_default()
    }

    /// Follows this one too; `false` where there is no room. Those that are not among the `wanted` make room for it: their
    /// clients read again, or they have ended.
    pub(super) fn follow(&mut self, pid: u32, wanted: &[u32]) -> bool {
        if !self.list.add(pid) {
            let list = &mut self.list;
            self.names.retain(|pid, _| {
                wanted.contains(pid) || {
                    list.remove(*pid);
                    false
                }
            });
            if !self.list.add(pid) {
                return false;
            }
        }
        let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        self.names.insert(pid, comm.trim_end().to_owned());
        true
    }

    /// Follows nobody any more.
    pub(super) fn clear(&mut self) {
        for (pid, _) in self.names.drain() {
            self.list.remove(pid);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Has room for three.
    impl List for HashSet<u32> {
        fn add(&mut self, pid: u32) -> bool {
            let has_room = self.len() < 3;
            has_room && self.insert(pid)
        }

        fn remove(&mut self, pid: u32) {
            Self::remove(self, &pid);
        }
    }

    #[test]
    fn those_whose_clients_read_again_make_room_and_without_any_it_is_told() {
        let mut servers = Servers::new(HashSet::new());
        assert!([1, 2, 3].into_iter().all(|pid| servers.follow(pid, &[1, 2, 3])));
        assert!(!servers.follow(4, &[1, 2, 3, 4]), "all of them are wanted");
        assert_eq!((servers.len(), servers.has(4)), (3, false));
        assert!(servers.follow(4, &[1, 3, 4]));
        assert!(servers.has(1) && !servers.has(2) && servers.has(4));
        servers.clear();
        assert!(servers.len() == 0 && servers.list.is_empty());
    }

    #[test]
    fn a_process_is_called_as_the_kernel_calls_it() {
        let mut servers = Servers::new(HashSet::new());
        let this = std::process::id();
        assert!(servers.follow(this, &[this]));
        assert_eq!(servers.name(this), fs::read_to_string("/proc/self/comm").unwrap().trim_end());
    }
}
