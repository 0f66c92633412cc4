//! A cgroup to look at.

use std::fs;
use std::path::PathBuf;

/// A cgroup of the test's own; removed when dropped, by when its processes have to have ended.
pub(crate) struct OwnCgroup(pub(crate) PathBuf);

impl OwnCgroup {
    pub(crate) fn new(path: PathBuf) -> Self {
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for OwnCgroup {
    fn drop(&mut self) {
        // A test that has failed may have removed it itself, or have left processes in it.
        let _ = fs::remove_dir(&self.0);
    }
}
