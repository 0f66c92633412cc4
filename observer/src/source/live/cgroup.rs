//! The cgroup the kernel programs are attached to: the root of the hierarchy, under which every socket of the host
//! is.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};

use super::mounts::{self, Mount};

/// The inode of the cgroup namespace the kernel starts with (`PROC_CGROUP_INIT_INO` in include/linux/proc_ns.h).
const INITIAL_NAMESPACE: u64 = 0xEFFF_FFFB;

/// A directory of the cgroup v2 hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cgroup {
    /// Where it is.
    pub path: PathBuf,
    /// Whether every socket of the host is under it, as far as can be told from here.
    pub whole_host: bool,
}

impl Cgroup {
    /// The root of cgroup v2, or what of it is mounted here; `None` where it is not mounted at all.
    ///
    /// # Errors
    ///
    /// When `/proc` is not mounted.
    pub fn find() -> anyhow::Result<Option<Self>> {
        Ok(choose(&mounts::read()?, in_initial_namespace()))
    }

    /// The root as it is seen once it has been mounted there.
    pub(super) fn mounted(path: PathBuf) -> Self {
        Self { path, whole_host: in_initial_namespace() }
    }

    /// The cgroup the user names.
    ///
    /// # Errors
    ///
    /// When it is no directory of cgroup v2.
    pub fn at(path: &Path) -> anyhow::Result<Self> {
        let path = path.canonicalize().with_context(|| format!("opening cgroup {}", path.display()))?;
        let found = Self::find()?;
        let is_cgroup =
            statfs(&path).with_context(|| format!("asking what {} is", path.display()))?.filesystem_type()
                == CGROUP2_SUPER_MAGIC;
        if !is_cgroup || !path.is_dir() {
            let root = found.map_or_else(
                || "it is not mounted on this host".to_owned(),
                |found| format!("it is mounted on {}", found.path.display()),
            );
            anyhow::bail!(
                "{} is no cgroup v2 directory ({root}); without --cgroup the whole host is observed",
                path.display()
            );
        }
        let whole_host = found.is_some_and(|found| found.whole_host && found.path == path);
        Ok(Self { path, whole_host })
    }
}

/// The directory of a cgroup, which may be removed, and another made by the same name: a service that is started again
/// gets a new one.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    inode: u64,
}

impl Directory {
    /// That of `cgroup`.
    ///
    /// # Errors
    ///
    /// When it is gone already.
    pub(super) fn of(cgroup: &Cgroup) -> io::Result<Self> {
        Ok(Self { path: cgroup.path.clone(), inode: std::fs::metadata(&cgroup.path)?.ino() })
    }

    /// Why it is no longer that of the cgroup, if it is not.
    pub(super) fn gone(&self) -> Option<anyhow::Error> {
        let is_there = std::fs::metadata(&self.path).is_ok_and(|now| now.ino() == self.inode);
        (!is_there).then(|| anyhow::anyhow!("the cgroup {} was removed; start again", self.path.display()))
    }
}

/// Whether this process sees the hierarchy as it is. In a cgroup namespace of its own, as in most containers, every
/// path begins at the cgroup the namespace was made in, and what lies beside it is not there (cgroup_namespaces(7)).
fn in_initial_namespace() -> bool {
    match std::fs::metadata("/proc/self/ns/cgroup") {
        Ok(namespace) => namespace.ino() == INITIAL_NAMESPACE,
        // A kernel without such namespaces has none to hide anything.
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Of several mounts the one that shows the most of the hierarchy; of equal ones the first.
fn choose(mounts: &[Mount], in_initial_namespace: bool) -> Option<Cgroup> {
    let depth = |mount: &Mount| mount.root.components().count();
    let mount = mounts.iter().filter(|mount| mount.fs_type == "cgroup2").min_by_key(|mount| depth(mount))?;
    let whole_host = in_initial_namespace && mount.root == Path::new("/");
    Some(Cgroup { path: mount.point.clone(), whole_host })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(mountinfo: &str) -> Option<(String, bool)> {
        found_within(true, mountinfo)
    }

    fn found_within(initial_namespace: bool, mountinfo: &str) -> Option<(String, bool)> {
        let cgroup = choose(&mounts::parse(mountinfo.as_bytes()), initial_namespace)?;
        Some((cgroup.path.to_string_lossy().into_owned(), cgroup.whole_host))
    }

    #[test]
    fn a_unified_host_has_it_at_the_usual_place() {
        let text = "22 27 0:21 / /proc rw - proc proc rw\n\
                    26 1 0:24 / /sys/fs/cgroup rw,nosuid,nodev shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
        assert_eq!(found(text), Some(("/sys/fs/cgroup".into(), true)));
    }

    #[test]
    fn a_hybrid_host_has_it_beside_the_old_hierarchies() {
        let text = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
                    32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                    41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        assert_eq!(found(text), Some(("/sys/fs/cgroup/unified".into(), true)));
    }

    #[test]
    fn an_old_host_has_none() {
        let text = "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n";
        assert_eq!(found(text), None);
    }

    #[test]
    fn a_container_sees_a_part_and_prefers_the_whole() {
        let part = "26 1 0:24 /docker/4f1c /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        assert_eq!(found(part), Some(("/sys/fs/cgroup".into(), false)));
        let both = format!("{part}99 1 0:24 / /host/cgroup ro - cgroup2 cgroup2 rw\n");
        assert_eq!(found(&both), Some(("/host/cgroup".into(), true)));
    }

    #[test]
    fn what_a_namespace_calls_the_root_is_a_part() {
        let text = "26 1 0:24 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        assert_eq!(found_within(false, text), Some(("/sys/fs/cgroup".into(), false)));
    }

    #[test]
    fn a_directory_that_is_no_cgroup_is_refused() {
        let error = Cgroup::at(Path::new("/tmp")).unwrap_err().to_string();
        assert!(error.contains("/tmp is no cgroup v2 directory"), "{error}");
        assert!(Cgroup::at(Path::new("/no/such/place")).is_err());
    }
}
