//! Trees of files that become archives, the same for whoever makes them, wherever and whenever.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::SystemTime;

use anyhow::{Context as _, anyhow, ensure};

use crate::files::{make_directory, remove_directory};

/// A tree that is being put together in a directory of its own.
pub(super) struct Tree(PathBuf);

impl Tree {
    /// An empty tree; what was at its place goes.
    pub(super) fn new(place: &Path) -> anyhow::Result<Self> {
        remove_directory(place)?;
        make_directory(place)?;
        Ok(Self(place.to_owned()))
    }

    /// Where it is.
    pub(super) fn place(&self) -> &Path {
        &self.0
    }

    /// Adds a file that can be read by everybody.
    pub(super) fn file(&self, path: &str, content: impl AsRef<[u8]>) -> anyhow::Result<()> {
        self.add(path, content.as_ref(), 0o644)
    }

    /// Adds a program.
    pub(super) fn program(&self, path: &str, content: impl AsRef<[u8]>) -> anyhow::Result<()> {
        self.add(path, content.as_ref(), 0o755)
    }

    fn add(&self, path: &str, content: &[u8], mode: u32) -> anyhow::Result<()> {
        let to = self.0.join(path);
        let writing = || format!("writing {}", to.display());
        fs::create_dir_all(to.parent().unwrap_or(&self.0)).with_context(writing)?;
        fs::write(&to, content).with_context(writing)?;
        fs::set_permissions(&to, fs::Permissions::from_mode(mode)).with_context(writing)
    }

    /// The files' paths from its root, sorted.
    pub(super) fn files(&self) -> anyhow::Result<Vec<String>> {
        let mut files = Vec::new();
        for path in below(&self.0)? {
            let name = path.strip_prefix(&self.0).context("a path outside its own tree")?;
            if path.is_file() {
                files.push(name.to_str().context("a name that is not UTF-8")?.to_owned());
            }
        }
        files.sort();
        Ok(files)
    }

    /// Gives everything one time, and directories the usual mode: the last thing before it is archived.
    pub(super) fn settle(&self, time: SystemTime) -> anyhow::Result<()> {
        let mut all = below(&self.0)?;
        all.push(self.0.clone());
        for path in all {
            let settling = || format!("setting the time of {}", path.display());
            if path.is_dir() {
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).with_context(settling)?;
            }
            File::open(&path).and_then(|file| file.set_modified(time)).with_context(settling)?;
        }
        Ok(())
    }
}

/// Everything in a directory, at any depth; what is in a directory comes after it.
pub(super) fn below(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let reading = || format!("reading {}", directory.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).with_context(reading)? {
        let path = entry.with_context(reading)?.path();
        let is_directory = path.is_dir();
        found.push(path.clone());
        if is_directory {
            found.extend(below(&path)?);
        }
    }
    Ok(found)
}

/// Compresses without a name or a time.
pub(super) fn gzip(content: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut child = Command::new("gzip")
        .args(["--best", "--no-name"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting gzip")?;
    let (mut stdin, mut stdout) =
        child.stdin.take().zip(child.stdout.take()).context("gzip without pipes")?;
    let mut compressed = Vec::new();
    // From both ends at once: a pipe holds little.
    thread::scope(|scope| {
        let writer = scope.spawn(move || stdin.write_all(content));
        stdout.read_to_end(&mut compressed).context("reading from gzip")?;
        writer.join().map_err(|_| anyhow!("the thread of gzip panicked"))?.context("writing to gzip")
    })?;
    let status = child.wait().context("waiting for gzip")?;
    ensure!(status.success(), "gzip failed with {status}");
    Ok(compressed)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_tree_has_its_files_modes_and_one_time() {
        let place = std::env::temp_dir().join(format!("observer-tree-{}", std::process::id()));
        let tree = Tree::new(&place).unwrap();
        tree.file("etc/b", "b").unwrap();
        tree.program("bin/a", "a").unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        tree.settle(time).unwrap();
        assert_eq!(tree.files().unwrap(), ["bin/a", "etc/b"]);
        for (path, mode) in [("bin/a", 0o755), ("etc/b", 0o644), ("etc", 0o755), ("", 0o755)] {
            let metadata = fs::metadata(place.join(path)).unwrap();
            assert_eq!(metadata.permissions().mode() & 0o7777, mode, "{path}");
            assert_eq!(metadata.modified().unwrap(), time, "{path}");
        }
        fs::remove_dir_all(place).unwrap();
    }

    #[test]
    fn what_is_compressed_has_neither_name_nor_time() {
        let compressed = gzip(&vec![b'x'; 1 << 20]).unwrap();
        // Magic, deflate, no flags, no time (RFC 1952, 2.3).
        assert_eq!(compressed[..8], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
        assert!(compressed.len() < 1 << 12);
    }
}
