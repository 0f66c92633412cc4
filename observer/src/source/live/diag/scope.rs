//! Keeps to one cgroup what the kernel tells of every socket.
//!
//! A socket stays in the cgroup it was made in, and the id that the kernel tells of it is the inode of that cgroup's
//! directory (`kernfs_ino` in include/linux/kernfs.h). A cgroup neither moves nor leaves its id to another: on which
//! side one is has to be found out only once, and stays true when the cgroup is gone and its orphans are left.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::os::unix::fs::{DirEntryExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// Directories looked at in one walk, at most. It bounds their depth and what is remembered, too.
const MAX_CGROUPS: usize = 16_384;

/// One cgroup with all below it.
pub(super) struct Scope {
    root: PathBuf,
    /// Whether the cgroup with this id is the observed one or below it.
    settled: HashMap<u64, bool>,
    /// Ids that were not known when they were seen; the next walk finds out.
    unsettled: HashSet<u64>,
    /// One walk is enough for a poll.
    walked: bool,
    /// Why the last walk has not seen every directory.
    incomplete: Option<String>,
    /// Whether this kernel keeps to itself what is in which cgroup.
    untold: bool,
}

impl Scope {
    /// The cgroup at `root`. Nothing is looked at yet.
    pub(super) fn new(root: PathBuf) -> Self {
        Self {
            root,
            settled: HashMap::new(),
            unsettled: HashSet::new(),
            walked: false,
            incomplete: None,
            untold: false,
        }
    }

    /// The poll is over: the next one may walk again.
    pub(super) fn end_poll(&mut self) {
        self.walked = false;
    }

    /// Whether a socket of the cgroup with this id is to be told. One that this poll cannot place waits for the next.
    ///
    /// A socket whose cgroup the kernel does not tell is let through: to show too much and say so is better than to
    /// hide what was asked for.
    pub(super) fn takes(&mut self, cgroup: Option<u64>) -> bool {
        self.untold |= cgroup.is_none();
        cgroup.is_none_or(|id| self.has(id))
    }

    fn has(&mut self, id: u64) -> bool {
        if let Some(&inside) = self.settled.get(&id) {
            return inside;
        }
        if self.unsettled.len() < MAX_CGROUPS {
            self.unsettled.insert(id);
        }
        if !std::mem::replace(&mut self.walked, true) {
            self.settle();
        }
        self.settled.get(&id).is_some_and(|&inside| inside)
    }

    /// Why the sockets told are not exactly those of the cgroup.
    pub(super) fn trouble(&self) -> Option<String> {
        if self.untold {
            return Some("the kernel does not tell them: those of the whole host are shown".to_owned());
        }
        self.incomplete.as_ref().map(|why| format!("{why}: the sockets of some are left out"))
    }

    fn settle(&mut self) {
        if self.settled.len() > MAX_CGROUPS {
            // Cgroups come and go; those that are left are seen again.
            self.settled.clear();
        }
        let Walk { found, incomplete, .. } = Walk::through(&self.root);
        let unsettled = self.unsettled.drain();
        if incomplete.is_none() {
            // They were there before the walk, which has not met them; or are gone, with all that is to be told.
            self.settled.extend(unsettled.map(|id| (id, false)));
        }
        self.settled.extend(found.into_iter().map(|id| (id, true)));
        self.incomplete = incomplete;
    }
}

/// A walk through the directories of a cgroup.
struct Walk {
    found: HashSet<u64>,
    unread: Vec<PathBuf>,
    incomplete: Option<String>,
}

impl Walk {
    fn through(root: &Path) -> Self {
        let mut walk = Self { found: HashSet::new(), unread: vec![root.to_owned()], incomplete: None };
        walk.found.extend(fs::metadata(root).map(|directory| directory.ino()));
        while let Some(directory) = walk.unread.pop() {
            match walk.read(&directory) {
                // Removed in the meantime.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => walk.incomplete = Some(format!("reading {}: {error}", directory.display())),
                Ok(()) => {}
            }
        }
        walk
    }

    fn read(&mut self, directory: &Path) -> io::Result<()> {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            if !entry.file_type()?.is_dir() {
                continue;
            }
            if self.found.len() >= MAX_CGROUPS {
                return Err(io::Error::other(format!("there are more than {MAX_CGROUPS} cgroups")));
            }
            self.found.insert(entry.ino());
            self.unread.push(entry.path());
        }
        Ok(())
    }
}

/// Inodes of ordinary directories do as well.
#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a directory, and gives its inode.
    fn make(path: &Path) -> u64 {
        fs::create_dir_all(path).unwrap();
        fs::metadata(path).unwrap().ino()
    }

    #[test]
    fn takes_the_cgroup_and_all_below_it_and_no_other() {
        let place = tempfile::tempdir().unwrap();
        let [root, child, deep, outside] =
            ["a", "a/b", "a/b/c/d", "b"].map(|path| make(&place.path().join(path)));
        let mut scope = Scope::new(place.path().join("a"));
        assert!(!scope.has(outside));
        assert!(scope.has(root) && scope.has(child) && scope.has(deep));
        assert!(!scope.has(outside));
        assert_eq!(scope.trouble(), None);
    }

    #[test]
    fn a_cgroup_made_since_is_found_by_one_walk_a_poll() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("a");
        make(&root);
        let others = [1, 2, 3].map(|number| make(&place.path().join(format!("b{number}"))));
        let mut scope = Scope::new(root.clone());
        assert!(others.iter().all(|&other| !scope.has(other)));
        let child = make(&root.join("child"));
        assert!(!scope.has(child), "a second walk in one poll");
        scope.end_poll();
        assert!(scope.has(child));
        assert!(others.iter().all(|&other| !scope.has(other)));

        fs::remove_dir(root.join("child")).unwrap();
        scope.end_poll();
        assert!(others.iter().all(|&other| !scope.has(other)) && !scope.walked, "all were known");
        assert!(scope.has(child), "an orphan outlives its cgroup");
    }

    #[test]
    fn without_ids_nothing_is_limited_and_it_says_so() {
        let place = tempfile::tempdir().unwrap();
        let mut scope = Scope::new(place.path().to_owned());
        assert!(scope.takes(None));
        assert!(scope.trouble().unwrap().contains("does not tell"));
    }

    #[test]
    fn what_a_walk_could_not_see_stays_open() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("a");
        fs::write(&root, "no directory").unwrap();
        let other = make(&place.path().join("b"));
        let mut scope = Scope::new(root.clone());
        assert!(!scope.has(other));
        assert!(scope.trouble().unwrap().contains("Not a directory"));

        fs::remove_file(&root).unwrap();
        fs::rename(place.path().join("b"), &root).unwrap();
        scope.end_poll();
        assert!(scope.has(other));
        assert_eq!(scope.trouble(), None);
    }
}
