//! The file a log is written to.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::{Header, Writer};

/// Where a [`Writer`](super::Writer) puts its bytes.
pub trait Sink: Write {
    /// Takes back what lies beyond `length` bytes, where that is possible.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

/// A new log file, or a pipe or device to write a log to.
#[derive(Debug)]
pub struct LogFile {
    file: File,
    /// For messages.
    path: PathBuf,
}

impl LogFile {
    /// Creates the file, readable by its owner and group: a log names users and statements.
    ///
    /// A log is evidence, so a file that holds something is never written over. As the program often runs as
    /// root and the directory may be anybody's, a symbolic link is not followed.
    ///
    /// # Errors
    ///
    /// When the file cannot be created, is a link, or holds something already.
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

    fn open(path: &Path) -> anyhow::Result<File> {
        let opened = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o640)
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .open(path);
        let file = match opened {
            Err(error) if error.raw_os_error() == Some(Errno::ELOOP as i32) => {
                bail!("it is a symbolic link, which is not followed; give the path of the file itself")
            }
            opened => opened.map_err(|error| advise(&error))?,
        };
        let metadata = file.metadata()?;
        if metadata.is_file() && metadata.len() > 0 {
            bail!("the file exists and is not empty; give another name, or remove it first");
        }
        Ok(file)
    }
}

fn doing(path: &Path) -> String {
    format!("writing the log to {}", path.display())
}

/// The error, and what the user can do.
fn advise(error: &io::Error) -> anyhow::Error {
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
        self.file.flush()
    }
}

impl Sink for LogFile {
    fn cut(&mut self, length: u64) -> io::Result<()> {
        use std::io::Seek as _;
        self.file.set_len(length)?;
        self.file.seek(io::SeekFrom::Start(length)).map(drop)
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
