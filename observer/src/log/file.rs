//! The file a log is written to.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::geteuid;

use super::{Header, Writer};
use crate::directory;

/// What others than the owner and its group may do with a log: nothing. It names hosts, users and statements.
const MODE: Mode = Mode::from_bits_truncate(0o640);

/// Where a [`Writer`](super::Writer) puts its bytes.
pub trait Sink: Write {
    /// Takes back what lies beyond `length` bytes, where that is possible.
    fn cut(&mut self, length: u64) -> io::Result<()>;

    /// Waits until what was written is on the disk, where there is one.
    fn sync(&mut self) -> io::Result<()>;
}

/// A new log file, or a pipe or device to write a log to.
#[derive(Debug)]
pub struct LogFile {
    file: File,
    /// For messages.
    path: PathBuf,
}

impl LogFile {
    /// Creates the file, or takes an empty one, readable by its owner and group at most.
    ///
    /// A log is evidence, so a file that holds something is never written over. As the program often runs as
    /// root and the directory may be anybody's, a symbolic link is not followed, on the way there none of another user
    /// (see [`directory::of`]), and a file that somebody else has put there is not taken.
    ///
    /// # Errors
    ///
    /// When the file cannot be created, is a link, holds something already, is another user's, or has several names.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        let file = Self::open(path).with_context(|| doing(path))?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Begins the log with its header.
    ///
    /// # Errors
    ///
    /// When not even that can be written.
    pub fn begin(self, header: &Header) -> anyhow::Result<Writer<Self>> {
        let doing = doing(&self.path);
        Writer::new(self, header).map_err(|error| advise(&error)).context(doing)
    }

    /// Whether it has no name any more: somebody has removed it.
    pub fn is_gone(&self) -> bool {
        self.file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.nlink() == 0)
    }

    fn open(path: &Path) -> anyhow::Result<File> {
        let (directory, name) = directory::of(path).map_err(|error| advise(&error))?;
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = match openat(&directory, &*name, flags, MODE) {
            Err(Errno::ELOOP) => {
                bail!("it is a symbolic link, which is not followed; give the path of the file itself")
            }
            opened => File::from(opened.map_err(|error| advise(&error.into()))?),
        };
        let metadata = file.metadata()?;
        if metadata.is_file() {
            if metadata.len() > 0 {
                bail!("the file exists and is not empty; give another name, or remove it first");
            }
            if metadata.uid() != geteuid().as_raw() {
                bail!("the file exists and is another user's; give another name, or remove it first");
            }
            if metadata.nlink() > 1 {
                bail!("the file exists and has other names; give another name, or remove it first");
            }
            // It may have been there before, with a wider mode.
            file.set_permissions(Permissions::from_mode(metadata.mode() & MODE.bits()))
                .context("setting the mode of the file")?;
        }
        Ok(file)
    }
}

fn doing(path: &Path) -> String {
    format!("writing the log to {}", path.display())
}

/// The error, and what the user can do.
pub fn advise(error: &io::Error) -> anyhow::Error {
    let advice = match error.kind() {
        io::ErrorKind::NotFound => "make the directory first, or give another path",
        io::ErrorKind::IsADirectory => "give the path of a file in it",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room, or give a path on another disk"
        }
        _ => "give a path that you may write to",
    };
    anyhow!("{error}; {advice}")
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()?;
        let metadata = self.file.metadata()?;
        // It can still be written to, but nobody will ever read it.
        if metadata.is_file() && metadata.nlink() == 0 {
            return Err(io::Error::other("the file was removed"));
        }
        Ok(())
    }
}

impl Sink for LogFile {
    fn cut(&mut self, length: u64) -> io::Result<()> {
        use std::io::Seek as _;
        self.file.set_len(length)?;
        self.file.seek(io::SeekFrom::Start(length)).map(drop)
    }

    fn sync(&mut self) -> io::Result<()> {
        match self.file.sync_data() {
            // A pipe or a device has no disk (fsync(2)).
            Err(error) if error.raw_os_error() == Some(Errno::EINVAL as i32) => Ok(()),
            result => result,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn refusal(path: &Path) -> String {
        format!("{:#}", LogFile::create(path).unwrap_err())
    }

    #[test]
    fn is_created_for_owner_and_group_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        LogFile::create(&path).unwrap();
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o7037, 0, "mode {mode:o} is wider than 0640, less what the umask takes");
        assert_eq!(mode & 0o600, 0o600);
    }

    #[test]
    fn an_empty_file_is_taken_and_made_for_owner_and_group_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        for (mode, narrowed) in [(0o666, 0o640), (0o644, 0o640), (0o600, 0o600)] {
            File::create(&path).unwrap().set_permissions(Permissions::from_mode(mode)).unwrap();
            LogFile::create(&path).unwrap();
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, narrowed, "{mode:o}");
        }
    }

    #[test]
    fn a_file_of_several_names_is_not_taken() {
        let directory = tempfile::tempdir().unwrap();
        let (path, other) = (directory.path().join("log"), directory.path().join("other"));
        File::create(&path).unwrap();
        std::fs::hard_link(&path, &other).unwrap();
        assert!(refusal(&path).contains("has other names"), "{}", refusal(&path));
    }

    #[test]
    fn a_pipe_or_device_has_nothing_to_be_synced() {
        LogFile::create(Path::new("/dev/null")).unwrap().sync().unwrap();
    }

    #[test]
    fn a_link_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let (target, link) = (directory.path().join("target"), directory.path().join("link"));
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(refusal(&link).contains("symbolic link"), "{}", refusal(&link));
        assert!(!target.exists());
    }

    #[test]
    fn evidence_is_not_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        std::fs::write(&path, "{}\n").unwrap();
        assert!(refusal(&path).contains("not empty"), "{}", refusal(&path));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{}\n");
    }

    #[test]
    fn an_error_names_the_path_and_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let missing = refusal(&directory.path().join("no/such/directory"));
        assert!(missing.contains("no/such/directory") && missing.contains("make the directory"), "{missing}");
        let at_directory = refusal(directory.path());
        assert!(at_directory.contains("a file in it"), "{at_directory}");
    }
}
