//! The network namespaces of the host: finding them and entering them. Socket diagnostics show only the namespace
//! of the thread that asks.

use std::collections::HashSet;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};

/// Namespaces looked at, at most.
pub(crate) const MAX_NAMESPACES: usize = 4096;

/// Where `ip netns` and Docker keep the namespaces they have given names.
const NAMED: [&str; 2] = ["/run/netns", "/var/run/docker/netns"];

/// Which namespace: the file system of namespaces gives each an inode of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct NamespaceId {
    device: u64,
    inode: u64,
}

impl From<&Metadata> for NamespaceId {
    fn from(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// A namespace other than the observer's own.
#[derive(Clone, Debug)]
pub(crate) struct Namespace {
    /// Which.
    pub(crate) id: NamespaceId,
    /// A file by which it can be entered, as long as the process or the name exists. The file is opened only to
    /// enter: an open file would keep the namespace alive.
    pub(crate) path: PathBuf,
}

/// What was found on the host.
#[derive(Debug, Default)]
pub(crate) struct Discovery {
    /// Every other namespace, named ones first.
    pub(crate) namespaces: Vec<Namespace>,
    /// Processes whose namespace may not be seen.
    pub(crate) hidden: usize,
    /// There were more than [`MAX_NAMESPACES`].
    pub(crate) too_many: bool,
}

/// The observer's own network namespace, to which a thread comes back.
pub(crate) struct Home {
    file: File,
    /// Which it is.
    pub(crate) id: NamespaceId,
}

impl Home {
    /// The namespace of the calling thread.
    ///
    /// # Errors
    ///
    /// When `/proc` is not mounted or hidden.
    pub(crate) fn of_this_thread() -> io::Result<Self> {
        let file = File::open("/proc/thread-self/ns/net")?;
        let id = NamespaceId::from(&file.metadata()?);
        Ok(Self { file, id })
    }

    /// Moves the thread here, where it is already or to where it belongs.
    ///
    /// # Errors
    ///
    /// `EPERM` without CAP_SYS_ADMIN: no other namespace can be entered either.
    pub(crate) fn enter(&self) -> io::Result<()> {
        Ok(setns(&self.file, CloneFlags::CLONE_NEWNET)?)
    }

    /// Runs `work` with the thread in another namespace. `Ok(None)` when that namespace is gone.
    ///
    /// # Errors
    ///
    /// [`Visit::Refused`] when it may not be entered, [`Visit::Stranded`] when the thread could not come back:
    /// it is of no use any more.
    pub(crate) fn visit<T>(
        &self,
        namespace: &Namespace,
        work: impl FnOnce() -> T,
    ) -> Result<Option<T>, Visit> {
        let file = match File::open(&namespace.path) {
            Ok(file) => file,
            Err(error) if is_gone(&error) => return Ok(None),
            Err(error) => return Err(Visit::Refused(error)),
        };
        // The process may be another by now, with the same number.
        if !file.metadata().is_ok_and(|metadata| NamespaceId::from(&metadata) == namespace.id) {
            return Ok(None);
        }
        setns(&file, CloneFlags::CLONE_NEWNET).map_err(|error| Visit::Refused(error.into()))?;
        let done = work();
        self.enter().map_err(Visit::Stranded)?;
        Ok(Some(done))
    }

    /// Looks for the namespaces that have a process, or a name. A thread that has left its process's namespace
    /// is not followed.
    pub(crate) fn discover(&self) -> Discovery {
        let mut discovery = Discovery::default();
        let mut seen = HashSet::from([self.id]);
        for directory in NAMED {
            for path in entries(Path::new(directory)) {
                self.take(path, &mut seen, &mut discovery);
            }
        }
        let is_pid = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.as_encoded_bytes().iter().all(u8::is_ascii_digit))
        };
        for process in entries(Path::new("/proc")).filter(is_pid) {
            self.take(process.join("ns/net"), &mut seen, &mut discovery);
        }
        discovery
    }

    fn take(&self, path: PathBuf, seen: &mut HashSet<NamespaceId>, discovery: &mut Discovery) {
        let id = match fs::metadata(&path) {
            Ok(metadata) => NamespaceId::from(&metadata),
            Err(error) => {
                if error.kind() == io::ErrorKind::PermissionDenied {
                    discovery.hidden += 1;
                }
                return;
            }
        };
        // A file left over from a name that is no longer mounted lies on another device.
        if id.device != self.id.device || seen.contains(&id) {
            return;
        }
        if discovery.namespaces.len() == MAX_NAMESPACES {
            discovery.too_many = true;
            return;
        }
        seen.insert(id);
        discovery.namespaces.push(Namespace { id, path });
    }
}

/// Why a namespace was not visited.
#[derive(Debug)]
pub(crate) enum Visit {
    /// It could not be entered.
    Refused(io::Error),
    /// It was entered, and the thread could not get out again.
    Stranded(io::Error),
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(Errno::ESRCH as i32)
}

fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path())
}
